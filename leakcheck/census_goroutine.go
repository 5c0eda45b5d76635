package leakcheck

import (
	"runtime/metrics"
	"slices"
	"sync"

	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/goroutine"
)

// goroutines is the census of goroutines. There is one for the process: its buffer is reused, and so is its last
// listing, which is still right as long as no goroutine was started since.
var goroutines = &goroutineCensus{started: startedSample()}

type goroutineCensus struct {
	mu      sync.Mutex
	dumper  goroutine.Dumper
	started []metrics.Sample // nil where the runtime does not count (before Go 1.26)

	last      *idSet
	lastCount uint64
}

// idSet is a set of goroutines, never changed once made.
type idSet struct {
	ids        []uint64 // sorted; with fold.LeasedBit for a connection that was leased
	transports bool     // there were connections of http transports, whose state can change without a new goroutine
}

func (s *idSet) has(id uint64) bool {
	_, ok := slices.BinarySearch(s.ids, id)
	return ok
}

const startedMetric = "/sched/goroutines-created:goroutines"

func startedSample() []metrics.Sample {
	for _, d := range metrics.All() {
		if d.Name == startedMetric {
			return []metrics.Sample{{Name: startedMetric}}
		}
	}
	return nil
}

// count is how many goroutines were ever started; ok is false where the runtime does not say.
func (c *goroutineCensus) count() (n uint64, ok bool) {
	if c.started == nil {
		return 0, false
	}
	metrics.Read(c.started)
	if c.started[0].Value.Kind() != metrics.KindUint64 {
		return 0, false
	}
	return c.started[0].Value.Uint64(), true
}

// goroutineBase is what a check starts from.
type goroutineBase struct {
	set  *idSet
	self uint64 // one more that was there: the calling goroutine; 0 for none
}

func (b goroutineBase) has(id uint64) bool { return id == b.self || b.set.has(id) }

// base lists the goroutines that there are now. When nothing was started since the last listing, that one is used:
// goroutines that ended meanwhile do no harm in it, since IDs are not used again. The same holds when just one was started
// and it is the caller, as between two tests.
func (c *goroutineCensus) base() goroutineBase {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.count()
	if ok && c.last != nil && !c.last.transports {
		switch n - c.lastCount {
		case 0:
			return goroutineBase{set: c.last}
		case 1:
			var buf [64]byte
			if self := goroutine.CurrentID(buf[:]); self != 0 && !c.last.has(self) {
				return goroutineBase{set: c.last, self: self}
			}
		}
	}
	c.list(c.dumper.Dump(), n, ok)
	return goroutineBase{set: c.last}
}

// list scans a dump and keeps what it finds as the last listing. The count must have been read before the dump.
func (c *goroutineCensus) list(dump []byte, n uint64, ok bool) {
	size := 64
	if c.last != nil {
		size = len(c.last.ids) + len(c.last.ids)/8 + 64
	}
	set := &idSet{ids: make([]uint64, 0, size)}
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if h.ID != 0 {
			set.ids = append(set.ids, h.ID)
		}
		set.transports = set.transports || h.Transport
		if h.Leased {
			set.ids = append(set.ids, h.ID|fold.LeasedBit)
		}
		return true
	})
	slices.Sort(set.ids)
	c.last, c.lastCount = set, n
	if !ok {
		c.lastCount = 0
	}
}

// found is one goroutine that is new since a base.
type found struct {
	goroutine.Goroutine
	role  goroutine.Role
	older bool // it was there, and its connection is leased only since
}

// since gives the goroutines that are new since the base, the caller left out, with their labels. likely says that there
// will be some: then the labels are printed at once, and not in a second dump when the first shows something new.
func (c *goroutineCensus) since(b goroutineBase, likely bool) []found {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.count()
	if ok && b.set == c.last && !b.set.transports {
		started := n - c.lastCount
		if started == 0 || started == 1 && b.self != 0 {
			return nil
		}
	}
	if likely {
		dump := c.dumper.DumpLabels()
		c.list(dump, n, ok)
		return c.parse(dump, b)
	}
	c.list(c.dumper.Dump(), n, ok)
	if !c.anyNew(b) {
		return nil
	}
	return c.parse(c.dumper.DumpLabels(), b)
}

// anyNew says whether the last listing has something that the base has not, besides the caller.
func (c *goroutineCensus) anyNew(b goroutineBase) bool {
	var buf [64]byte
	self := goroutine.CurrentID(buf[:])
	for _, id := range c.last.ids {
		if id != self && !b.has(id) {
			return true
		}
	}
	return false
}

func (c *goroutineCensus) parse(dump []byte, b goroutineBase) []found {
	var out []found
	first := true
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if first { // the caller
			first = false
			return true
		}
		older := h.Leased && b.has(h.ID) && !b.has(h.ID|fold.LeasedBit)
		if !older && b.has(h.ID) {
			return true
		}
		g, _ := goroutine.Parse(h.Block) // what cannot be parsed is reported as it stands
		f := found{Goroutine: g, role: goroutine.Classify(&g), older: older}
		if f.role != goroutine.RoleTest && f.role != goroutine.RoleRuntime {
			out = append(out, f)
		}
		return true
	})
	return out
}

// everything gives all goroutines, the caller left out.
func (c *goroutineCensus) everything() []found {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parse(c.dumper.DumpLabels(), goroutineBase{set: &idSet{}})
}

// me describes the calling goroutine.
func (c *goroutineCensus) me() goroutine.Goroutine {
	c.mu.Lock()
	defer c.mu.Unlock()
	var me goroutine.Goroutine
	goroutine.Scan(c.dumper.Dump(), func(h goroutine.Head) bool {
		me, _ = goroutine.Parse(h.Block)
		return false
	})
	return me
}
