package dbcheck

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/leakcheck"
)

// observer follows what happens to tracked connections, for one budget of one test. Its functions may be nil. They run in
// the driver's calls, some of them under locks of database/sql, and must not call into it.
type observer struct {
	scope
	leased   func(*use)
	released func(*use)
	opened   func(*pool, *connInfo)
	closed   func(*pool, *connInfo)
	byGoid   bool // it wants to know which goroutine holds a lease
}

// scope says what a test is judged for: all that is done with the pools that were given to its check, and what it did
// itself with others.
type scope struct {
	test  label.ID
	pools []*pool
	only  bool // those pools alone
}

func scopeOf(f leakcheck.Followed) scope {
	s := scope{test: label.ID(f.Test), only: f.Only}
	for _, p := range f.Probes {
		if p, ok := p.(*probe); ok {
			s.pools = append(s.pools, p.pool)
		}
	}
	return s
}

func (s scope) covers(p *pool, by label.ID) bool {
	return slices.Contains(s.pools, p) || !s.only && by == s.test
}

func (s scope) coversUse(u *use) bool { return s.covers(u.pool, u.Test()) }

// hub is who observes now. There is one, because a test need not know which pools it will use.
type hub struct {
	list   atomic.Pointer[[]*observer]
	byGoid atomic.Int32

	mu   sync.Mutex
	held map[uint64][]*use // by the goroutine that took it, while somebody wants to know
}

var observers hub

func (h *hub) wantGoroutines() bool { return h.byGoid.Load() > 0 }

// add begins to tell o; the function it returns ends that.
func (h *hub) add(o *observer) (remove func()) {
	h.change(func(all []*observer) []*observer { return append(all, o) })
	if o.byGoid {
		h.byGoid.Add(1)
	}
	return sync.OnceFunc(func() {
		h.change(func(all []*observer) []*observer {
			return slices.DeleteFunc(all, func(q *observer) bool { return q == o })
		})
		if o.byGoid && h.byGoid.Add(-1) == 0 {
			h.mu.Lock()
			h.held = nil
			h.mu.Unlock()
		}
	})
}

func (h *hub) change(f func([]*observer) []*observer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*observer
	if old := h.list.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if all = f(all); len(all) == 0 {
		h.list.Store(nil)
		return
	}
	h.list.Store(&all)
}

func (h *hub) each(f func(*observer)) {
	if all := h.list.Load(); all != nil {
		for _, o := range *all {
			f(o)
		}
	}
}

func (h *hub) leased(u *use) {
	h.each(func(o *observer) {
		if o.leased != nil && o.coversUse(u) {
			o.leased(u)
		}
	})
	if u.goid != 0 {
		h.mu.Lock()
		if h.held == nil {
			h.held = make(map[uint64][]*use)
		}
		h.held[u.goid] = append(h.held[u.goid], u)
		h.mu.Unlock()
	}
}

func (h *hub) released(u *use) {
	if u.goid != 0 {
		h.mu.Lock()
		rest := slices.DeleteFunc(h.held[u.goid], func(q *use) bool { return q == u })
		if len(rest) > 0 {
			h.held[u.goid] = rest
		} else {
			delete(h.held, u.goid)
		}
		h.mu.Unlock()
	}
	h.each(func(o *observer) {
		if o.released != nil && o.coversUse(u) {
			o.released(u)
		}
	})
}

func (h *hub) opened(p *pool, i *connInfo) {
	h.each(func(o *observer) {
		if o.opened != nil && o.covers(p, i.opener) {
			o.opened(p, i)
		}
	})
}

func (h *hub) closed(p *pool, i *connInfo) {
	h.each(func(o *observer) {
		if o.closed != nil && o.covers(p, i.opener) {
			o.closed(p, i)
		}
	})
}

// heldBy lists the leases that a goroutine holds, the oldest first.
func (h *hub) heldBy(goid uint64) []*use {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.held[goid])
}

// holders lists the leases that are held, by goroutine.
func (h *hub) holders() map[uint64][]*use {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[uint64][]*use, len(h.held))
	for id, us := range h.held {
		out[id] = slices.Clone(us)
	}
	return out
}
