package leakcheck

import (
	"testing"
	"time"
)

// OnExhausted lets a test know, while a load runs, that a pool of database/sql was seen with all out and somebody waiting.
func OnExhausted(f func()) (restore func()) {
	onExhausted = f
	return func() { onExhausted = nil }
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
