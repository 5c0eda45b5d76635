package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells on standard error what is being done: on a terminal by a spinner while it lasts, else by a line for each
// step, or not at all when it is quiet.
type progress struct {
	w     io.Writer
	live  bool
	quiet bool // nothing when w is no terminal

	mu   sync.Mutex
	text string
	stop chan struct{}
	wg   sync.WaitGroup
}

// step ends the step before and begins the next one.
func (p *progress) step(text string) {
	p.end()
	if !p.live {
		if !p.quiet {
			fmt.Fprintf(p.w, "leakgate: %s\n", text)
		}
		return
	}
	p.change(text)
	stop := make(chan struct{})
	p.stop = stop
	p.wg.Go(func() {
		tick := time.NewTicker(120 * time.Millisecond)
		defer tick.Stop()
		start := time.Now()
		for i := 0; ; i++ {
			fmt.Fprintf(p.w, "\r\x1b[K%c %s  %ds", `|/-\`[i%4], p.now(), int(time.Since(start).Seconds()))
			select {
			case <-stop:
				fmt.Fprintf(p.w, "\r\x1b[K")
				return
			case <-tick.C:
			}
		}
	})
}

// narrow is how many columns a spinner's text may have: a line that the terminal breaks cannot be written over.
const narrow = 70

// change gives the step that is under way another text.
func (p *progress) change(text string) {
	if r := []rune(text); len(r) > narrow {
		text = string(r[:narrow-1]) + "…"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
}

func (p *progress) now() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text
}

// end ends the last step. It may be called again.
func (p *progress) end() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	p.stop = nil
	p.wg.Wait()
}
