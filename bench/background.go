package main

import (
	"runtime"
	"sync"
	"time"
)

// background starts n goroutines that are blocked on a channel, four frames deep, and gives what ends them.
func background(n int) (stop func()) {
	b := &blocked{end: make(chan struct{})}
	b.ready.Add(n)
	b.over.Add(n)
	for range n {
		go b.frame1()
	}
	b.ready.Wait()
	time.Sleep(time.Millisecond) // from ready to blocked
	return func() {
		close(b.end)
		b.over.Wait()
		time.Sleep(time.Millisecond) // from the last line to the end
	}
}

type blocked struct {
	ready, over sync.WaitGroup
	end         chan struct{}
}

//go:noinline
func (b *blocked) frame1() { b.frame2(); b.over.Done() }

//go:noinline
func (b *blocked) frame2() { b.frame3(); runtime.KeepAlive(b) }

//go:noinline
func (b *blocked) frame3() { b.frame4(); runtime.KeepAlive(b) }

//go:noinline
func (b *blocked) frame4() {
	b.ready.Done()
	<-b.end
}

// startAndEnd starts one goroutine and comes back when it is gone.
func startAndEnd() {
	before := runtime.NumGoroutine()
	done := make(chan struct{})
	go func() { close(done) }()
	<-done
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
}
