package goleak

// Flusher writes metrics as long as the process lives: there is no way to stop it.
type Flusher struct{ in chan int }

// NewFlusher starts one.
func NewFlusher() *Flusher {
	f := &Flusher{in: make(chan int)}
	go f.flush()
	return f
}

func (f *Flusher) flush() {
	for range f.in {
	}
}

// stop ends it after all, so that the tests of this example leave nothing behind.
func (f *Flusher) stop() { close(f.in) }
