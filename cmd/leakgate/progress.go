package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells on standard error what is being done: a line for each step, and on a terminal a spinner while it lasts.
type progress struct {
	w    io.Writer
	live bool

	stop chan struct{}
	wg   sync.WaitGroup
}

// step ends the step before and begins the next one.
func (p *progress) step(text string) {
	p.end()
	if !p.live {
		fmt.Fprintf(p.w, "leakgate: %s\n", text)
		return
	}
	stop := make(chan struct{})
	p.stop = stop
	p.wg.Go(func() {
		tick := time.NewTicker(120 * time.Millisecond)
		defer tick.Stop()
		start := time.Now()
		for i := 0; ; i++ {
			fmt.Fprintf(p.w, "\r\x1b[K%c %s  %ds", `|/-\`[i%4], text, int(time.Since(start).Seconds()))
			select {
			case <-stop:
				fmt.Fprintf(p.w, "\r\x1b[K")
				return
			case <-tick.C:
			}
		}
	})
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
