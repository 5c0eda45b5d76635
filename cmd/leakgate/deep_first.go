package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// firstRun tells, at the first run of its kind, why it takes so long. Its methods may be called by several goroutines.
type firstRun struct {
	c     console
	s     *deepSetup
	new   bool
	began time.Time

	mu   sync.Mutex
	p    *progress
	took time.Duration // until the first result
}

// slow is from when on it is worth a line that compiling took long: it is less when the build cache had it all.
const slow = 10 * time.Second

// tellFirst begins.
func (s *deepSetup) tellFirst(c console) *firstRun {
	f := &firstRun{c: c, s: s, new: !s.overlay.Compiled(s.build), began: time.Now()}
	if f.new {
		f.p = &progress{w: c.err, live: c.live}
		text := "compiling the standard library with the hooks in it"
		if !c.live {
			text = "the first run with " + s.env.GOVERSION + " and these flags compiles the standard library with the hooks in it, which takes a minute or two"
		}
		f.p.step(text)
	}
	return f
}

// quiet takes the spinner away, because others write.
func (f *firstRun) quiet() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.p != nil {
		f.p.end()
	}
}

// over says that the first result is there.
func (f *firstRun) over() {
	f.quiet()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.took == 0 {
		f.took = time.Since(f.began)
	}
}

// done says that all was compiled, and how long that took.
func (f *firstRun) done() {
	if !f.new {
		return
	}
	f.over()
	f.s.overlay.SetCompiled(f.s.build)
	if f.took >= slow {
		fmt.Fprintf(f.c.err, "leakgate: the first result took %d s, because the standard library was compiled with the hooks in it; it is in Go's build cache now\n",
			int(f.took.Seconds()))
	}
}

// notice passes on what is written, and tells before the first of it.
type notice struct {
	to    io.Writer
	first func()
	some  bool
}

func (n *notice) Write(p []byte) (int, error) {
	if !n.some {
		n.some = true
		n.first()
	}
	return n.to.Write(p)
}
