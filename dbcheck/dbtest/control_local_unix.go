//go:build unix

package dbtest

import (
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

type localPower struct{ *host }

func (l localPower) kill() error {
	if !killAll(l.kept.Server, l.dir) {
		return fmt.Errorf("a process of the server is still there 10 s after SIGKILL")
	}
	return nil
}

func (l localPower) stop() error {
	if err := l.unpause(); err != nil {
		return err
	}
	sig := syscall.SIGINT // Postgres: fast shutdown, https://www.postgresql.org/docs/current/server-shutdown.html
	if l.engine == mariadb {
		sig = syscall.SIGTERM
	}
	l.kept.Server.signal(sig)
	if !l.kept.Server.gone(controlMax) {
		return fmt.Errorf("the server (process %d) has not shut down within %v", l.kept.Server.PID, controlMax)
	}
	return nil
}

func (l localPower) pause() error {
	if !l.kept.Server.alive() {
		return fmt.Errorf("the server does not run")
	}
	// The first one first: so it starts no further process. Then again until no new one is found.
	for end := time.Now().Add(controlMax); ; time.Sleep(time.Millisecond) {
		still := true
		for _, p := range append([]owner{l.kept.Server}, processes(l.kept.Server, l.dir)...) {
			if !p.stopped() {
				still = false
				p.signal(syscall.SIGSTOP)
			}
		}
		if still {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("a process of the server is not stopped %v after SIGSTOP", controlMax)
		}
	}
}

func (l localPower) unpause() error {
	for end := time.Now().Add(controlMax); ; time.Sleep(time.Millisecond) {
		still := false
		for _, p := range processes(l.kept.Server, l.dir) {
			if p.alive() && p.stopped() {
				still = true
				p.signal(syscall.SIGCONT)
			}
		}
		if !still {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("a process of the server is still stopped %v after SIGCONT", controlMax)
		}
	}
}

// restart starts the server again by a new keeper.
func (l localPower) restart() error {
	if err := l.stop(); err != nil {
		return err
	}
	old := l.kept.Keeper
	_, port, err := net.SplitHostPort(l.addr)
	if err != nil {
		return err
	}
	s := l.spec
	if s.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	k, err := launch(l.dir, s)
	if err != nil {
		return err
	}
	l.host.kept = k
	// The old keeper sees that another has followed it.
	if !old.gone(controlMax) {
		return fmt.Errorf("the former keeper (process %d) is still there after %v", old.PID, controlMax)
	}
	return nil
}
