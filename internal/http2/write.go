package http2

import (
	"net"
	"sync"
)

// maxQueue is how many bytes of frames Serve leaves to a goroutine that is writing already. A client that makes the server
// answer more than that without reading any of it is flooding.
const maxQueue = 1 << 20

// writer writes whole frames. What send writes is written when it returns; what post writes may be written by another
// goroutine that is at it, and post does not wait for that one.
type writer struct {
	nc net.Conn
	mu sync.Mutex // held by the goroutine that writes

	queueMu sync.Mutex
	queue   []byte
	err     error // the first error of a write, for whoever posts
}

// send writes what build gives, which is called when it is this goroutine's turn. An error of build is given back, and
// nothing is written.
func (w *writer) send(build func() ([]byte, error)) error {
	w.mu.Lock()
	b, err := build()
	if err == nil {
		err = w.write(b)
	}
	w.mu.Unlock()
	w.flush()
	return err
}

// post queues a frame and writes it if nobody else is writing. It says whether there was room for it.
func (w *writer) post(f Frame) bool {
	w.queueMu.Lock()
	full := len(w.queue) > maxQueue
	if !full {
		w.queue = f.Append(w.queue)
	}
	w.queueMu.Unlock()
	if full {
		return false
	}
	w.flush()
	return true
}

// flush writes what is queued. Where somebody else is writing, that one sees the queue when it is done: it looks after it
// has let go of mu, and this comes after the queue was filled.
func (w *writer) flush() {
	for w.queued() && w.mu.TryLock() {
		w.write(nil)
		w.mu.Unlock()
	}
}

func (w *writer) queued() bool {
	w.queueMu.Lock()
	defer w.queueMu.Unlock()
	return len(w.queue) > 0
}

// write wants mu. What is queued goes first.
func (w *writer) write(b []byte) error {
	w.queueMu.Lock()
	queue, err := w.queue, w.err
	w.queue = nil
	w.queueMu.Unlock()
	if err != nil {
		return err
	}
	if len(queue) > 0 {
		b = append(queue, b...)
	}
	if len(b) == 0 {
		return nil
	}
	if _, err = w.nc.Write(b); err != nil {
		w.queueMu.Lock()
		w.err = err
		w.queueMu.Unlock()
	}
	return err
}
