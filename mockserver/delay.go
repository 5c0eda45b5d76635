package mockserver

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Distribution draws the delay of a reply, see Reply.DelayBy. The server calls Sample with a source of its own, one call
// at a time, so a Distribution needs no lock. Zero and less is no delay. A Sample that panics fails the test, once for each
// server, and is no delay; from a Responder it is an error.
//
// The source is seeded with the name of the test: the same requests in the same order get the same delays in each run.
type Distribution interface {
	// String is the Go expression that makes it: "Uniform(10ms, 50ms)".
	String() string
	Sample(r *rand.Rand) time.Duration
}

// Uniform is every delay from min to max with the same probability. A min below 0 or above max makes a reply that cannot
// be sent.
func Uniform(min, max time.Duration) Distribution { return uniform{min, max} }

type uniform struct{ min, max time.Duration }

func (u uniform) String() string { return fmt.Sprintf("Uniform(%v, %v)", u.min, u.max) }

func (u uniform) problem() string {
	if u.min < 0 || u.max < u.min || u.max-u.min == math.MaxInt64 {
		return "the delays go from min, 0 or more, to max, min or more"
	}
	return ""
}

func (u uniform) Sample(r *rand.Rand) time.Duration {
	return u.min + time.Duration(r.Int64N(int64(u.max-u.min)+1))
}

// Lognormal is the distribution that the latency of real servers is close to: half of the delays are below median, and few
// are very long. The logarithm of the delay has the standard deviation sigma; 0.1 is narrow, 1 is wide: one delay in six is
// then more than 2.7 times the median. A delay is at most 100 times the median, so that a test does not hang. A median or
// sigma that is not above 0, and a sigma above 10, make a reply that cannot be sent.
func Lognormal(median time.Duration, sigma float64) Distribution { return lognormal{median, sigma} }

type lognormal struct {
	median time.Duration
	sigma  float64
}

func (l lognormal) String() string { return fmt.Sprintf("Lognormal(%v, %v)", l.median, l.sigma) }

func (l lognormal) problem() string {
	if l.median <= 0 || l.median > math.MaxInt64/100 || !(l.sigma > 0 && l.sigma <= 10) {
		return "the median is above 0, and sigma from above 0 to 10"
	}
	return ""
}

func (l lognormal) Sample(r *rand.Rand) time.Duration {
	return time.Duration(float64(l.median) * min(100, math.Exp(l.sigma*r.NormFloat64())))
}

// fixed is the distribution of Delay.
type fixed time.Duration

func (d fixed) String() string                  { return time.Duration(d).String() }
func (d fixed) Sample(*rand.Rand) time.Duration { return time.Duration(d) }

// dice is a server's source of delays. It is made when the first is drawn.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

// draw is sample for a Distribution that may be the user's own. Its panic is given back: the goroutine is not the user's.
func (d *dice) draw(from Distribution, seed string) (wait time.Duration, failed *panicked) {
	defer func() {
		if v := recover(); v != nil {
			wait, failed = 0, &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return d.sample(from, seed), nil
}

func (d *dice) sample(from Distribution, seed string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.r == nil {
		h := fnv.New64a()
		h.Write([]byte(seed))
		d.r = rand.New(rand.NewPCG(h.Sum64(), 0))
	}
	return from.Sample(d.r)
}

// delay draws how long a reply is to be held back. Where the drawing panics the test fails, once for each server, and the
// reply is not held back.
func (s *Server) delay(r Reply) time.Duration {
	if r.extra == nil || r.extra.delay == nil {
		return 0
	}
	if d, ok := r.extra.delay.(fixed); ok {
		return time.Duration(d)
	}
	wait, failed := s.dice.draw(r.extra.delay, s.t.Name())
	if failed != nil && s.undrawn.CompareAndSwap(false, true) {
		s.report(fmt.Sprintf("mockserver: the delay of the reply %s: %s, the reply was not delayed\n%s",
			r.name, failed.inSample(r.extra.delay), failed.stack))
	}
	return wait
}

// inSample says where the panic was. The type names the distribution, because String may panic as well.
func (p *panicked) inSample(from Distribution) string {
	return fmt.Sprintf("Sample of %T panicked: %v", from, p.value)
}
