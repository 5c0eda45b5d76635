package leakcheck

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/globals"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// What package-level variables hold leads to what tests hold too: the table of watches has the tests.
func init() { globals.Own(uintptr(unsafe.Pointer(&registry)), unsafe.Sizeof(registry)) }

// singletons are what tests left that package-level variables were found to hold. Each is asked for once.
var singletons = &kept{by: make(map[report.Key]keeping)}

type kept struct {
	mu sync.Mutex
	by map[report.Key]keeping
}

// keeping is one resource that a package-level variable holds.
type keeping struct {
	key  report.Key
	site string // where it was acquired: the line, and the kind
	test string
	used globals.Mark // when its test ended
	root uintptr      // the variable
	seen label.ID     // a watch with a higher ID began later than that was
	ask  uint64       // the lease of a descriptor, the goroutine's ID, or isProcess with the number of a child process
}

// isProcess tells what is asked for of a child process from a lease.
const isProcess = 1 << 63

// What is said of them.
const (
	heldByVariable = "a package-level variable holds it, so that it is there for all later tests"
	stillUnknown   = "whether a package-level variable holds it is not known: "
)

// growthTests is in how many tests a line must have added to what package-level variables hold, without any of the earlier ones
// having been used since, for it to be told as a leak: a list that only grows.
const growthTests = 3

// apply says of what is known to be held by package-level variables that it is no test's.
func (k *kept) apply(in *fold.Input) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.by) == 0 {
		return
	}
	set := func(b *fold.Blame, key report.Key) {
		if _, ok := k.by[key]; ok && !b.Other {
			*b = fold.Blame{Test: label.Shared}
		}
	}
	for i := range in.Sockets {
		set(&in.Sockets[i].Blame, socketKey(&in.Sockets[i]))
	}
	for i := range in.Children {
		set(&in.Children[i].Blame, report.Key{List: "process", ID: in.Children[i].ID})
	}
	for i := range in.Leases {
		if l := &in.Leases[i]; !collected(l) {
			set(&l.Blame, report.Key{List: "lease", ID: l.ID})
		}
	}
	for i := range in.Goroutines {
		if g := &in.Goroutines[i]; asksFor(g.Role) {
			set(&g.Blame, report.Key{List: "goroutine", ID: g.ID})
		}
	}
}

// collected says whether the garbage collector has closed a descriptor: then no variable holds it any more.
func collected(l *fold.Lease) bool { return strings.HasPrefix(l.Info.State, "proved") }

func socketKey(s *fold.Socket) report.Key { return report.Key{List: "socket", ID: s.Key()} }

// says gives what is to be said of an entry for what package-level variables hold; "" for one that they do not hold.
func (k *kept) says(l report.Leak) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range l.Keys {
		if _, ok := k.by[key]; ok {
			return heldByVariable
		}
	}
	return ""
}

// asksFor says whether a goroutine can be one that a package-level variable holds: what waits for the end of something that was lent is
// that thing's.
func asksFor(r goroutine.Role) bool {
	switch r {
	case goroutine.RoleUser, goroutine.RoleServerAccept, goroutine.RoleServerIdle, goroutine.RoleServerBusy, goroutine.RoleH2Server,
		goroutine.RoleSQLOpener, goroutine.RoleSQLCleaner, goroutine.RolePgxPool, goroutine.RoleH2ClientConn, goroutine.RoleClientDial:
		return true
	}
	return false
}

// candidate is one thing that may be held by a package-level variable.
type candidate struct {
	keeping
	blame *fold.Blame
	sock  *fold.Socket    // nil when it is none
	g     *fold.Goroutine // nil when it is none
	held  bool
}

// setApart finds out what of the leaks package-level variables hold, and tells that as no test's. It walks through the heap, and is done for
// leaks alone.
func (w *watch) setApart(o *outcome) {
	if len(o.leaks) == 0 || !globals.Known() || w.cfg.instead {
		return
	}
	all := candidates(&o.input)
	if len(all) == 0 {
		return
	}
	why := singletons.judge(w.id, &o.input, all, globals.Ask)
	s := sight{input: o.input, fresh: o.fresh, errs: o.errs}
	w.explain(&s, nil)
	for i := range s.leaks {
		l := &s.leaks[i]
		for _, k := range l.Keys {
			if text := why(k); text != "" && l.Why == "" {
				l.Why = text
			}
		}
	}
	o.leaks = report.Finish(append(s.leaks, probeLeaks(o.leaks)...))
	o.notes, o.unknown = s.notes, s.unknown
}

// candidates lists what may be held by package-level variables.
func candidates(in *fold.Input) (out []*candidate) {
	add := func(b *fold.Blame, key report.Key, site string, ask uint64) *candidate {
		if b.Other || b.Test == label.Shared || ask == 0 {
			return &candidate{}
		}
		c := &candidate{keeping: keeping{key: key, site: site, test: cmp.Or(b.Test, strings.Join(b.Suspects, ",")), ask: ask}, blame: b}
		out = append(out, c)
		return c
	}
	for i := range in.Sockets {
		s := &in.Sockets[i]
		add(&s.Blame, socketKey(s), "socket "+lineOf(s.PCs), s.Lease).sock = s
	}
	for i := range in.Children {
		if c := &in.Children[i]; c.PID > 0 && !c.Exited { // an exited one only waits to be waited for
			add(&c.Blame, report.Key{List: "process", ID: c.ID}, "process "+lineOf(c.PCs), isProcess|uint64(c.PID))
		}
	}
	for i := range in.Leases {
		l := &in.Leases[i]
		if k := Kind(l.Info.Kind); (k == File || k == Socket) && l.Now == lease.Held && !collected(l) {
			add(&l.Blame, report.Key{List: "lease", ID: l.ID}, "file "+lineOf(l.PCs), l.ID)
		}
	}
	for i := range in.Goroutines {
		if g := &in.Goroutines[i]; asksFor(g.Role) && !g.Older {
			add(&g.Blame, report.Key{List: "goroutine", ID: g.ID}, "goroutine "+g.CreatedBy.String(), g.ID).g = g
		}
	}
	return out
}

// lineOf names the line that is to blame.
func lineOf(pcs []uintptr) string { return callsite.Pick(callsite.User(callsite.Expand(pcs))).String() }

// judge asks which of the candidates package-level variables hold, remembers those, and blames nobody for them. The candidates are
// what a watch has found in in, which began as number began. why gives what is to be said of the others.
func (k *kept) judge(began label.ID, in *fold.Input, all []*candidate, answer func(globals.Question) globals.Answer) (why func(report.Key) string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var q globals.Question
	ask := func(c *keeping) {
		switch c.key.List {
		case "goroutine":
			q.Goroutines = append(q.Goroutines, c.ask)
		case "process":
			q.Processes = append(q.Processes, int(c.ask&^isProcess))
		default:
			q.Leases = append(q.Leases, c.ask)
		}
	}
	for _, c := range all {
		ask(&c.keeping)
	}
	for _, c := range k.by {
		ask(&c)
	}
	a := answer(q)
	if a.Unknown != "" {
		return func(report.Key) string { return stillUnknown + a.Unknown }
	}
	leases := make(map[uint64]globals.Descriptor)
	for i, id := range q.Leases {
		leases[id] = a.Leases[i]
	}
	for i, pid := range q.Processes {
		leases[isProcess|uint64(pid)] = a.Processes[i]
	}
	goroutines := make(map[uint64]globals.Goroutine)
	for i, id := range q.Goroutines {
		goroutines[id] = a.Goroutines[i]
	}
	used := func(c *keeping) (globals.Mark, uintptr) {
		if c.key.List == "goroutine" {
			g := goroutines[c.ask]
			if g.Waits {
				return g.Used, leases[g.WaitsIn].Variable
			}
			return g.Used, g.Variable
		}
		return leases[c.ask].Used, leases[c.ask].Variable
	}

	now := label.NewID()
	for _, c := range all {
		c.used, c.root = used(&c.keeping)
		c.seen = now
		c.held = c.g == nil && leases[c.ask].Held
	}
	for _, c := range all {
		// What a client holds, a server has accepted. Not the reverse: a server that is process-wide holds whatever was dialled.
		c.held = c.held || c.sock != nil && slices.ContainsFunc(in.Sockets, func(other fold.Socket) bool {
			_, known := k.by[socketKey(&other)]
			return (known || other.Blame.Test == label.Shared || leases[other.Lease].Held) && isOtherEnd(c.sock, &other) && (c.sock.Accepted() || !other.Accepted())
		})
	}
	heldLease := make(map[uint64]bool)
	for _, c := range k.by {
		if c.key.List != "goroutine" {
			heldLease[c.ask] = true
		}
	}
	for _, c := range all {
		if c.g == nil && c.held {
			heldLease[c.ask] = true
		}
	}
	for _, c := range all {
		if c.g == nil {
			continue
		}
		switch g := goroutines[c.ask]; {
		case g.Waits:
			c.held = heldLease[g.WaitsIn]
		default:
			c.held = g.Held && !(testFunc(c.g.CreatedBy.Func) != "" && callsite.IsTestFile(c.g.CreatedBy))
		}
	}
	grown := make(map[report.Key]int)
	for _, c := range all {
		if !c.held {
			continue
		}
		if n := k.unused(began, &c.keeping, used); n >= growthTests-1 {
			grown[c.key] = n
			continue
		}
		*c.blame = fold.Blame{Test: label.Shared}
		k.by[c.key] = c.keeping
	}
	return func(key report.Key) string {
		if n := grown[key]; n > 0 {
			return fmt.Sprintf("a package-level variable holds it, as it does what the same line acquired in %d earlier tests and nobody has used since: it holds more with each test", n)
		}
		return ""
	}
}

// unused counts the tests before this one in which the same line acquired something that the same variable holds since, and that nobody
// has used; 0 when there is one that somebody may have used.
func (k *kept) unused(began label.ID, c *keeping, used func(*keeping) (globals.Mark, uintptr)) int {
	if c.root == 0 {
		return 0
	}
	tests := make(map[string]bool)
	for _, old := range k.by {
		if old.site != c.site || old.test == c.test || old.root != c.root || began <= old.seen {
			continue
		}
		switch now, _ := used(&old); {
		case old.used == 0:
			return 0
		case now == 0: // it is gone
		case now != old.used:
			return 0
		default:
			tests[old.test] = true
		}
	}
	return len(tests)
}

// isOtherEnd says whether two sockets are the two ends of a connection within this process.
func isOtherEnd(a, b *fold.Socket) bool {
	switch {
	case a.Local.IsValid() && a.Remote.IsValid():
		return a.Local == b.Remote && a.Remote == b.Local
	case a.Listening || b.Listening:
		return false
	}
	return a.LocalPath != "" && a.LocalPath == b.RemotePath || a.RemotePath != "" && a.RemotePath == b.LocalPath
}
