package leakcheck

import (
	"testing"
	"time"

	"github.com/leakgate/leakgate/internal/socket"
)

// OnExhausted lets a test know, while a load runs, that a pool of database/sql was seen with all out and somebody waiting.
func OnExhausted(f func()) (restore func()) {
	onExhausted = f
	return func() { onExhausted = nil }
}

// WithoutDumps lets loads end before a dump shows who waits for a connection.
func WithoutDumps() (restore func()) {
	firstDump = time.Hour
	return func() { firstDump = 0 }
}

// HangSoon lets a load give clients up that have not returned for that long, and wait as long for those that heed their context.
func HangSoon(silence, wait time.Duration) (restore func()) {
	s, g := maxSilence, grace
	maxSilence, grace = silence, wait
	return func() { maxSilence, grace = s, g }
}

// AsExhausted makes a pool of a Load that a test has made up one that was exhausted.
func AsExhausted(p PoolLoad) PoolLoad {
	p.exhausted = true
	return p
}

// BeforeVerdict has f called when the time that FailFast gives is over, until the test ends.
func BeforeVerdict(t *testing.T, f func()) {
	before := beforeVerdict
	beforeVerdict = f
	t.Cleanup(func() { beforeVerdict = before })
}

// SawSocket waits until a look has met a socket that is as wanted.
func SawSocket(wanted func(socket.Socket) bool) {
	for {
		hostSockets.look()
		hostSockets.mu.Lock()
		for _, s := range hostSockets.seen {
			if wanted(s.Socket) {
				hostSockets.mu.Unlock()
				return
			}
		}
		hostSockets.mu.Unlock()
	}
}

// Watching says whether anything of AllowRemotes still listens or looks.
func Watching() bool {
	policies.mu.Lock()
	defer policies.mu.Unlock()
	hostSockets.mu.Lock()
	defer hostSockets.mu.Unlock()
	return len(policies.all) > 0 || policies.stop != nil || hostSockets.users > 0 || hostSockets.stop != nil || hostSockets.seen != nil
}
