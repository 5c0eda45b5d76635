package testifysuite

import "time"

// Poller calls a function again and again until it is stopped.
type Poller struct {
	stop, done chan struct{}
}

// Start starts a poller.
func Start(every time.Duration, poll func()) *Poller {
	p := &Poller{stop: make(chan struct{}), done: make(chan struct{})}
	go p.run(every, poll)
	return p
}

func (p *Poller) run(every time.Duration, poll func()) {
	defer close(p.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			poll()
		}
	}
}

// Stop stops the poller and waits for it. It may be called once.
func (p *Poller) Stop() {
	close(p.stop)
	<-p.done
}
