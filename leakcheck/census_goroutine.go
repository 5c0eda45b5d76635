package leakcheck

import (
	"bytes"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
)

// goroutines is the census of goroutines. There is one for the process: its buffer is reused, and so is its last
// listing, which is still right as long as no goroutine was started since.
var goroutines = &goroutineCensus{started: startedSample(), dealt: make(map[uint64][]goroutine.Label)}

type goroutineCensus struct {
	mu      sync.Mutex
	dumper  goroutine.Dumper
	started []metrics.Sample // nil where the runtime does not count (before Go 1.26)

	dealt map[uint64][]goroutine.Label // where a dump shows no labels (Go 1.25)

	last      *idSet
	lastCount uint64

	// In deep mode, where every goroutine that runs a test is known: those that were started when last was listed and run none.
	lastOthers uint64
	exact      bool // none was about to run a test without being known yet
}

// idSet is a set of goroutines, never changed once made.
type idSet struct {
	ids        []uint64 // sorted; with fold.LeasedBit for a connection that was leased
	transports bool     // there were connections of http transports, whose state can change without a new goroutine
	moving     []uint64 // loops of such connections that were not blocked: what they are about to wait for is not seen yet
	joined     int      // goroutines that were added since the listing
}

// maxJoined bounds how many goroutines join a listing before the next one, which forgets those that are gone.
const maxJoined = 256

// with gives the set with one more goroutine.
func (s *idSet) with(id uint64) *idSet {
	at, _ := slices.BinarySearch(s.ids, id)
	ids := make([]uint64, 0, len(s.ids)+1)
	ids = append(append(append(ids, s.ids[:at]...), id), s.ids[at:]...)
	return &idSet{ids: ids, transports: s.transports, joined: s.joined + 1}
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
	set *idSet
}

func (b goroutineBase) has(id uint64) bool { return b.set.has(id) }

// others is how many of n goroutines were started for something else than to run a test; ok is false where it is not known,
// outside of deep mode. Of a count that was read before, it is not more than there were, and of one that was read after it, not less.
func others(n, runners uint64) (started uint64, ok bool) {
	return n - runners, runners > 0
}

// unchanged says that nothing was started since the last listing but goroutines that run tests, whose own they are not.
func (c *goroutineCensus) unchanged() bool {
	if c.last == nil || !c.exact || c.last.transports {
		return false
	}
	runners := registry.own.Load() // before the count: what begins in between makes a difference
	n, ok := c.count()
	if !ok {
		return false
	}
	now, ok := others(n, runners)
	return ok && now == c.lastOthers
}

// nothingNew says whether the last listing has nothing that the base has not but goroutines that run tests.
func (c *goroutineCensus) nothingNew(b goroutineBase) bool {
	if b.set == c.last {
		return true
	}
	for _, id := range c.last.ids {
		if !b.has(id) && registry.runner(id) == 0 {
			return false
		}
	}
	return true
}

// base lists the goroutines that there are now. When nothing was started since the last listing, that one is used:
// goroutines that ended meanwhile do no harm in it, since IDs are not used again. The same holds when just one was started
// and it is the caller, as between two tests: it joins the listing.
func (c *goroutineCensus) base() goroutineBase {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unchanged() {
		return goroutineBase{set: c.last}
	}
	n, ok := c.count()
	if ok && c.last != nil && !c.last.transports {
		switch n - c.lastCount {
		case 0:
			return goroutineBase{set: c.last}
		case 1:
			var buf [64]byte
			if self := goroutine.CurrentID(buf[:]); self != 0 && !c.last.has(self) && c.last.joined < maxJoined {
				c.last, c.lastCount, c.exact = c.last.with(self), n, false
				return goroutineBase{set: c.last}
			}
		}
	}
	c.list(c.dumper.Dump(), n, ok)
	c.steady()
	return goroutineBase{set: c.last}
}

// list scans a dump and keeps what it finds as the last listing. The count must have been read before the dump.
func (c *goroutineCensus) list(dump []byte, n uint64, ok bool) {
	size := 64
	if c.last != nil {
		size = len(c.last.ids) + len(c.last.ids)/8 + 64
	}
	set := &idSet{ids: make([]uint64, 0, size)}
	c.lastOthers, c.exact = others(n, registry.own.Load())
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if h.ID != 0 {
			set.ids = append(set.ids, h.ID)
		}
		set.transports = set.transports || h.Transport
		if h.Transport && !goroutine.Blocked(string(h.State)) {
			set.moving = append(set.moving, h.ID)
		}
		if h.Leased {
			set.ids = append(set.ids, h.ID|fold.LeasedBit)
		}
		if c.exact && bytes.Contains(h.Block, testStarted) && registry.runner(h.ID) == 0 {
			c.exact = false // when it becomes known, it must not stand for another
		}
		return true
	})
	slices.Sort(set.ids)
	c.last, c.lastCount = set, n
	if !ok {
		c.lastCount, c.exact = 0, false
	}
}

// testStarted is in the text of goroutines that were started to run a test, or an input of a fuzz target.
var testStarted = []byte("\ncreated by testing.")

// found is one goroutine that is new since a base.
type found struct {
	goroutine.Goroutine
	role  goroutine.Role
	older bool // it was there, and its connection is leased only since
}

// since gives the goroutines that are new since the base, the caller left out, with their labels. likely says that there
// will be some. Where a dump shows labels they are printed at once: a second dump costs more than they do. Elsewhere (Go
// 1.25) the profile that has them is taken only when the first dump shows something new.
func (c *goroutineCensus) since(b goroutineBase, likely bool) []found {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unchanged() && c.nothingNew(b) {
		return nil
	}
	n, ok := c.count()
	if ok && b.set == c.last && !b.set.transports {
		if n == c.lastCount {
			return nil
		}
	}
	if likely || goroutine.LabelsInDump() {
		profile, dump := c.labelled()
		c.list(dump, n, ok)
		if len(c.last.moving) == 0 {
			if !c.anyNew(b) {
				return nil
			}
			return c.parse(profile, dump, b)
		}
	} else {
		c.list(c.dumper.Dump(), n, ok)
	}
	c.steady()
	if !c.anyNew(b) {
		return nil
	}
	profile, dump := c.labelled()
	return c.parse(profile, dump, b)
}

// steady lists again until the loops that moved at the last listing are blocked. The loop that reads a connection gives the
// caller its response a moment before it begins to wait for the body's end: in between, a leased connection looks idle. The
// moment is short, and so are the pauses: 25 ms in all at most.
func (c *goroutineCensus) steady() {
	const tries = 8
	moving := c.last.moving
	for try := 0; len(moving) > 0 && try < tries; try++ {
		if c.inBubble() {
			runtime.Gosched() // a sleep in a synctest bubble might never end
		} else {
			time.Sleep(100 * time.Microsecond << try)
		}
		n, ok := c.count()
		c.list(c.dumper.Dump(), n, ok)
		moving = slices.DeleteFunc(slices.Clone(moving), func(id uint64) bool { return !slices.Contains(c.last.moving, id) })
	}
}

// inBubble says whether the calling goroutine is in a synctest bubble.
func (c *goroutineCensus) inBubble() (in bool) {
	goroutine.Scan(c.dumper.Dump(), func(h goroutine.Head) bool {
		g, _ := goroutine.Parse(h.Block)
		in = g.Bubble != 0
		return false
	})
	return in
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

// labelled takes a dump with labels, and what it takes to know them where the dump cannot show them (Go 1.25).
func (c *goroutineCensus) labelled() (profile string, dump []byte) {
	if !goroutine.LabelsInDump() {
		profile = goroutine.LabelProfile()
	}
	return profile, c.dumper.DumpLabels()
}

func (c *goroutineCensus) parse(profile string, dump []byte, b goroutineBase) []found {
	var out []found
	var old []*goroutine.Goroutine // there before; parsed only where labels have to be dealt out
	first := true
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if first { // the caller
			first = false
			return true
		}
		older := h.Leased && b.has(h.ID) && !b.has(h.ID|fold.LeasedBit)
		if !older && b.has(h.ID) {
			if profile != "" {
				g, _ := goroutine.Parse(h.Block)
				old = append(old, &g)
			}
			return true
		}
		g, _ := goroutine.Parse(h.Block) // what cannot be parsed is reported as it stands
		f := found{Goroutine: g, role: goroutine.Classify(&g), older: older}
		if f.role != goroutine.RoleTest && f.role != goroutine.RoleRuntime {
			out = append(out, f)
		}
		return true
	})
	if len(out) > 0 && profile != "" {
		c.deal(profile, out, old)
	}
	return out
}

// deal gives goroutines the labels that the dump could not show. All goroutines take part, so that an older one keeps its
// own.
func (c *goroutineCensus) deal(profile string, out []found, old []*goroutine.Goroutine) {
	gs := old
	for i := range out {
		gs = append(gs, &out[i].Goroutine)
	}
	shared := goroutine.WithLabel(gs, profile, func(l goroutine.Label) bool {
		_, name, ok := label.Parse(l.Value)
		return l.Key == label.Key && ok && name == label.Shared
	})
	for _, g := range gs {
		if shared[g.ID] { // its creator ran a test, but was making what is for the life of the process
			continue
		}
		if id := registry.runner(g.CreatorID); id != 0 && c.dealt[g.ID] == nil { // known without a label
			c.dealt[g.ID] = []goroutine.Label{{Key: label.Key, Value: label.Value(id, label.NameOf(id))}}
		}
	}
	goroutine.AttachLabels(gs, profile, c.dealt)
	if len(c.dealt) > label.Keep {
		alive := make(map[uint64][]goroutine.Label, len(gs))
		for _, g := range gs {
			if l := c.dealt[g.ID]; l != nil {
				alive[g.ID] = l
			}
		}
		c.dealt = alive
	}
}

// leased gives the goroutines of connections whose response is held now, with fold.LeasedBit in their IDs. It costs next to
// nothing when there are no connections of clients.
func (c *goroutineCensus) leased() (ids []uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.count()
	if !c.unchanged() && (!ok || c.last == nil || n != c.lastCount || c.last.transports) {
		c.list(c.dumper.Dump(), n, ok)
		c.steady()
	}
	for _, id := range c.last.ids {
		if id&fold.LeasedBit != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// everything gives all goroutines, the caller left out.
func (c *goroutineCensus) everything() []found {
	c.mu.Lock()
	defer c.mu.Unlock()
	profile, dump := c.labelled()
	return c.parse(profile, dump, goroutineBase{set: &idSet{}})
}

// me describes the calling goroutine. It asks for that one alone: a dump of all costs as much as a listing.
func (c *goroutineCensus) me() goroutine.Goroutine {
	buf := make([]byte, 16<<10)
	n := runtime.Stack(buf, false) // where it is cut, the header still is whole
	var me goroutine.Goroutine
	goroutine.Scan(buf[:n], func(h goroutine.Head) bool {
		me, _ = goroutine.Parse(h.Block)
		return false
	})
	return me
}

// sqlOpen says whether a database/sql pool is open: its idle connections are sockets without a goroutine, which cannot be
// told from forgotten ones. It is asked for only when there is such a socket.
func sqlOpen() bool {
	for _, g := range goroutines.everything() {
		if g.role == goroutine.RoleSQLOpener {
			return true
		}
	}
	return false
}
