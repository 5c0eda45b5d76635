package workerpool

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// ErrEmpty says that all workers are out.
var ErrEmpty = errors.New("workerpool: no worker is free")

// Pool lends workers. They are slots here: what a worker does makes no difference to the example.
type Pool struct {
	mu   sync.Mutex
	free int
	out  map[uint64]caller // by the lease's ID
}

// lastID counts the leases of all pools, so that no ID is ever used twice.
var lastID atomic.Uint64

type caller struct {
	function, file string
	line           int
}

// Worker is borrowed from a pool until Return.
type Worker struct {
	pool *Pool
	id   uint64
}

// New makes a pool of n workers.
func New(n int) *Pool { return &Pool{free: n, out: make(map[uint64]caller)} }

// Borrow takes a worker. It must be returned.
func (p *Pool) Borrow() (*Worker, error) {
	var by caller
	if pc, file, line, ok := runtime.Caller(1); ok {
		by = caller{runtime.FuncForPC(pc).Name(), file, line}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == 0 {
		return nil, ErrEmpty
	}
	p.free--
	id := lastID.Add(1)
	p.out[id] = by
	return &Worker{p, id}, nil
}

// Return gives the worker back. A second call does nothing.
func (w *Worker) Return() {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	if _, ok := w.pool.out[w.id]; ok {
		delete(w.pool.out, w.id)
		w.pool.free++
	}
}
