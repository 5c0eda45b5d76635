//go:build !leakgate_deep

package leakcheck

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/census"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/process"
	"github.com/leakgate/leakgate/internal/redact"
	"github.com/leakgate/leakgate/internal/socket"
)

// How much one answer of a Handler shows. The rest is counted.
const (
	shownLeases     = 50
	shownGoroutines = 50
	shownSockets    = 50
	shownFrames     = 6
	shownChildren   = 20
	lookedSockets   = 1000 // sockets of which state and peer are read: each costs a few system calls
	knownSites      = 1024 // call sites of leases that stay described
)

// parts of a census that are asked for alone.
const (
	partLeases     = "leases"
	partGoroutines = "goroutines"
	partSockets    = "sockets"
	partDatabases  = "databases"
	partChildren   = "children"
	partProbes     = "probes"
)

var allParts = []string{partLeases, partGoroutines, partSockets, partDatabases, partChildren, partProbes}

// processID tells this process from another one with the same number.
var processID = sync.OnceValue(func() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
})

var mainModule = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Path
	}
	return ""
})

func thisProcess() census.Process {
	return census.Process{
		ID: processID(), PID: os.Getpid(), Module: mainModule(), Go: runtime.Version(), GOOS: runtime.GOOS, GOARCH: runtime.GOARCH,
		Began: loaded.UTC().Round(0),
	}
}

// taker takes censuses of the process.
type taker struct {
	cfg    *config
	stacks *census.Stacks

	sites map[uint64]listedSite // guarded by the handler's lock

	listing atomic.Bool // one is made beside the answers
	made    atomic.Pointer[census.Listing]
}

// taken is one census.
type taken struct {
	answer census.Answer
	moment *census.Moment
	fresh  func(key string, after uint64) int
	began  time.Time
	more   []census.Lease // that the answer leaves out
}

// withFresh gives the leases of the answer, and those that are new since a moment though the answer has no room for them: what
// is new is listed behind what is old.
func (t *taken) withFresh(d *census.Diff) *census.Leases {
	if t.answer.Leases == nil || len(t.more) == 0 {
		return t.answer.Leases
	}
	fresh := make(map[string]bool)
	for _, c := range d.Changes {
		if c.Of == census.OfLease && c.Fresh > 0 {
			fresh[c.Key] = true
		}
	}
	all := *t.answer.Leases // the census may be given again
	all.Groups = slices.Clone(all.Groups)
	for _, g := range t.more {
		if fresh[g.Key] {
			all.Groups, all.LeftOut = append(all.Groups, g), all.LeftOut-g.Count
		}
	}
	return &all
}

type listedSite struct {
	site  census.Frame
	stack []census.Frame
	leak  Leak // for matchers: the line and the frames
}

// own are the connections on which censuses are asked for, which are nobody's leak.
type own map[string]bool

// take takes a census of some parts. after leaves out the leases up to that ID; wait waits for the goroutines, however many there are.
func (k *taker) take(parts map[string]bool, after uint64, wait bool, mine own) *taken {
	t := &taken{began: time.Now(), moment: &census.Moment{Listed: make(map[string]bool)}}
	a := &t.answer
	a.Leakgate, a.Version, a.Process = census.Name, census.Version, thisProcess()
	a.At = t.began.UTC().Round(0)
	t.moment.At = t.began
	a.Counts.Goroutines, a.Counts.Sockets, a.Counts.Children = runtime.NumGoroutine(), -1, -1
	ignored := make(map[string]int)

	if parts[partLeases] {
		k.leases(t, after, ignored)
	}
	if parts[partSockets] && k.cfg.wants(Socket) {
		k.sockets(t, mine)
	}
	if parts[partDatabases] {
		a.Databases = databases()
	}
	if parts[partChildren] && k.cfg.wants(Process) {
		k.children(t)
	}
	if parts[partProbes] {
		k.probes(a)
	}
	if parts[partGoroutines] && k.cfg.wants(Goroutine) {
		k.goroutines(t, wait)
	}
	for reason, n := range ignored {
		a.Ignored = append(a.Ignored, census.Ignored{Reason: redact.Text(reason), Count: n})
	}
	slices.SortFunc(a.Ignored, func(a, b census.Ignored) int { return strings.Compare(a.Reason, b.Reason) })
	return t
}

// leases groups what tracked pools have lent out. The table is locked to copy the list, and for nothing else.
func (k *taker) leases(t *taken, after uint64, ignored map[string]int) {
	t.moment.Listed[census.OfLease] = true
	t.moment.Last = lease.Live.LastID()
	out := &census.Leases{Last: t.moment.Last}
	t.answer.Leases = out
	t.answer.Counts.Pools = make(map[string]int)

	now := lease.Now()
	type group struct {
		first *lease.Lease
		pool  *lease.Pool
		n     int
		last  lease.Moment
		ids   []uint64
	}
	groups := make(map[uint64]*group)
	var order []uint64
	longest := make(map[*lease.Pool]time.Duration)
	leased := make(map[*lease.Pool]int)
	for _, l := range lease.Live.All(nil) {
		if l.Now() != lease.Held {
			continue
		}
		p := l.Pool()
		leased[p]++
		if leased[p] == 1 { // the oldest comes first
			longest[p] = now.Sub(l.Taken())
		}
		if l.ID() <= after {
			continue
		}
		key := census.Hash(l.PCs()) ^ p.ID()*0x9e3779b97f4a7c15
		g := groups[key]
		if g == nil {
			g = &group{first: l, pool: p}
			groups[key] = g
			order = append(order, key)
		}
		g.n, g.last = g.n+1, l.Taken()
		g.ids = append(g.ids, l.ID())
	}
	byKey := make(map[string][]uint64, len(groups))
	for _, key := range order {
		g := groups[key]
		entry, leak := k.lease(key, g.first)
		if !k.cfg.wants(leak.Kind) {
			continue
		}
		if reason := k.cfg.ignores(&leak); reason != "" {
			ignored[reason] += g.n
			continue
		}
		entry.Count, entry.Newest = g.n, max(now.Sub(g.last), 0)
		entry.Oldest = max(now.Sub(g.first.Taken()), 0)
		out.Held += g.n
		byKey[entry.Key] = g.ids
		t.moment.Add(census.Group{Of: census.OfLease, Key: entry.Key, Name: entry.Summary, Site: entry.Site, Count: g.n})
		if len(out.Groups) < shownLeases {
			out.Groups = append(out.Groups, entry)
		} else {
			out.LeftOut += g.n
			t.more = append(t.more, entry)
		}
	}
	t.answer.Counts.Leased = out.Held
	t.fresh = func(key string, after uint64) int {
		ids := byKey[key]
		at, _ := slices.BinarySearch(ids, after+1)
		return len(ids) - at
	}
	for _, p := range lease.Live.Pools() {
		u := p.Usage()
		if u.Peak == 0 && leased[p] == 0 {
			continue
		}
		name := redact.Text(p.Name())
		out.Pools = append(out.Pools, census.Pool{
			Kind: p.Kind(), Name: name, Size: p.Size(), Leased: leased[p], Peak: u.Peak, Longest: longest[p],
		})
		if leased[p] > 0 && lendsConns(p) {
			t.answer.Counts.Pools[name] += leased[p]
		}
	}
}

// lease describes one lease, and gives what matchers look at.
func (k *taker) lease(key uint64, l *lease.Lease) (census.Lease, Leak) {
	info := l.Info()
	s, ok := k.sites[key]
	if !ok {
		all := callsite.Expand(l.PCs())
		stack := callsite.User(callsite.From(all, "database/sql."))
		stack = callsite.Without(stack, info.Library)
		site := callsite.Pick(stack)
		if info.Kind == string(HTTPResponse) {
			site = callsite.Caller(all, "net/http.(*Client).")
		}
		s.site = census.Site(site)
		s.leak = Leak{Site: frame(site), all: all}
		for i, f := range stack {
			s.leak.Stack = append(s.leak.Stack, frame(f))
			if i < shownFrames {
				s.stack = append(s.stack, census.Site(f))
			}
		}
		if k.sites == nil || len(k.sites) >= knownSites {
			k.sites = make(map[uint64]listedSite)
		}
		k.sites[key] = s
	}
	e := census.Lease{
		Key: census.Key(key), Kind: info.Kind, Code: info.Code, Pool: redact.Text(l.Pool().Name()), Summary: redact.Text(info.Summary),
		Site: s.site, Stack: s.stack, State: redact.Text(info.State), Note: redact.Text(info.Note), Hint: redact.Text(info.Hint),
	}
	leak := s.leak
	leak.Kind, leak.Code, leak.Summary = Kind(info.Kind), info.Code, info.Summary
	if info.Remote.IsValid() {
		leak.remotes = []string{info.Remote.String()}
	}
	return e, leak
}

// ignores gives the reason of the rule that sets a leak aside; "" when there is none.
func (c *config) ignores(l *Leak) string {
	for _, r := range c.rules {
		if r.matches(l) {
			rules.hit(r)
			return r.reason
		}
	}
	return ""
}

// sockets groups the process's sockets. Those of which too many are open are counted, and not looked at.
func (k *taker) sockets(t *taken, mine own) {
	a := &t.answer
	var refs []socket.Ref
	if err := sockets.list(func(r []socket.Ref) { refs = slices.Clone(r) }); err != nil {
		a.Unseen = append(a.Unseen, err.Error())
		return
	}
	if limits := socket.Limits(); limits != "" {
		a.Unseen = append(a.Unseen, limits)
	}
	t.moment.Listed[census.OfSocket] = true
	out := &census.Sockets{}
	a.Sockets, a.Counts.States = out, make(map[string]int)
	looked := refs[:min(len(refs), lookedSockets)]
	all := make([]socket.Socket, 0, len(looked))
	listens := make(map[uint16]bool)
	for _, r := range looked {
		s, ok := socket.Describe(r)
		if !ok || mine[connName(s.Local, s.Remote)] {
			continue
		}
		if s.Listening {
			listens[s.Local.Port()] = true
		}
		all = append(all, s)
	}
	a.Counts.Sockets = len(all) + len(refs) - len(looked)
	out.LeftOut = len(refs) - len(looked)
	groups := make(map[string]*census.Socket)
	for _, s := range all {
		a.Counts.States[s.State]++
		g := census.Socket{Family: s.Family, State: s.State}
		switch {
		case s.Family == "unix":
			g.Local, g.Remote = redact.Text(s.LocalPath), redact.Text(s.RemotePath)
		case s.Listening || !s.Remote.IsValid():
			g.Local = addrText(s.Local)
		case s.Stream && listens[s.Local.Port()]: // accepted: the peer's port is one of many
			g.Local, g.Remote = addrText(s.Local), s.Remote.Addr().String()
		default:
			g.Remote = addrText(s.Remote)
		}
		g.Key = strings.Join([]string{g.Family, g.State, g.Local, g.Remote}, " ")
		if groups[g.Key] == nil {
			groups[g.Key] = &g
		}
		groups[g.Key].Count++
	}
	for _, g := range groups {
		out.Groups = append(out.Groups, *g)
		t.moment.Add(census.Group{Of: census.OfSocket, Key: g.Key, Name: g.String(), Count: g.Count})
	}
	slices.SortFunc(out.Groups, func(a, b census.Socket) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Key, b.Key))
	})
	for len(out.Groups) > shownSockets {
		last := len(out.Groups) - 1
		out.LeftOut += out.Groups[last].Count
		out.Groups = out.Groups[:last]
	}
}

func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// connName names a connection by its two ends.
func connName(local, remote netip.AddrPort) string { return local.String() + " " + remote.String() }

// databases lists the tracked pools that are open.
func databases() (out []census.Database) {
	names := make(map[uint64]string)
	for _, p := range lease.Live.Pools() {
		names[p.ID()] = p.Name()
	}
	for _, v := range dbpool.All() {
		if v.Gone {
			continue
		}
		site := callsite.Pick(callsite.User(callsite.Expand(v.PCs)))
		out = append(out, census.Database{Name: redact.Text(names[v.ID]), Driver: v.Driver, Open: len(v.Conns), Site: census.Site(site)})
	}
	return out
}

// children lists the child processes.
func (k *taker) children(t *taken) {
	refs, err := children.since(nil)
	if err != nil {
		t.answer.Unseen = append(t.answer.Unseen, err.Error())
		return
	}
	t.moment.Listed[census.OfChild] = true
	t.answer.Counts.Children = len(refs)
	for i, r := range refs {
		if c, ok := process.Describe(r); ok {
			if i < shownChildren {
				t.answer.Children = append(t.answer.Children, redact.Text(c.String()))
			}
			c.State, c.Age = "", 0
			t.moment.Add(census.Group{Of: census.OfChild, Key: census.Key(r.ID), Name: redact.Text(c.String()), Count: 1})
		}
	}
}

// probes asks the program's own probes how much they hold.
func (k *taker) probes(a *census.Answer) {
	for _, p := range k.cfg.probes {
		if !k.cfg.wantsProbe(p) {
			continue
		}
		ids, err := heldBy(p, nil)
		if err != nil {
			a.Unseen = append(a.Unseen, redact.Text(err.Error()))
			continue
		}
		a.Probes = append(a.Probes, census.Probe{Kind: redact.Text(string(kindOf(p))), Held: len(ids)})
	}
}

// beside is how many goroutines there are before their listing is made beside the answer: it takes about a microsecond for each.
const beside = 2000

// goroutines groups the goroutines by their stack.
func (k *taker) goroutines(t *taken, wait bool) {
	l := k.made.Load()
	switch {
	case wait || runtime.NumGoroutine() <= beside:
		l = k.stacks.List(k.skip)
		k.made.Store(l)
	case l == nil || t.began.Sub(l.At) > maxAge:
		if k.listing.CompareAndSwap(false, true) {
			go k.listBeside()
		}
	}
	out := &census.Goroutines{}
	t.answer.Goroutines = out
	if l == nil {
		return
	}
	t.answer.Counts.Goroutines = l.Count
	t.moment.Listed[census.OfGoroutine] = true
	out.Listed, out.Age = true, max(t.began.Sub(l.At), 0)
	out.LeftOut = l.Other
	// Two moments are compared by the function that goroutines began with: where one is at that moment is no news.
	began := make(map[string]*census.Group)
	for _, g := range l.Groups {
		if g.Idle {
			out.Idle += g.Count
		}
		if g.Function != census.NotBegun { // what it will be is not known yet
			k.compared(began, g)
		}
		if len(out.Groups) < shownGoroutines {
			out.Groups = append(out.Groups, g.Goroutine)
		} else {
			out.LeftOut += g.Count
		}
	}
	for _, g := range began {
		t.moment.Add(*g)
	}
}

// compared adds a group to what a moment remembers.
func (k *taker) compared(began map[string]*census.Group, g census.StackGroup) {
	kind := census.Goroutine{Function: g.Function, Role: g.Role}
	key := g.Function + " " + g.Role
	if began[key] == nil {
		began[key] = &census.Group{Of: census.OfGoroutine, Key: key, Name: kind.Name(), Site: g.Site, Idle: g.Idle}
	}
	began[key].Count += g.Count
}

// listBeside lists the goroutines while answers are given without it.
func (k *taker) listBeside() {
	defer k.listing.Store(false)
	k.made.Store(k.stacks.List(k.skip))
}

// handlerFrames are the functions by which goroutines that serve a Handler are known.
var handlerFrames = []string{"leakcheck.(*handler).ServeHTTP", "leakcheck.(*taker).listBeside"}

// skip says whether a function is a Handler's own, so that its goroutine is no news.
func (k *taker) skip(function string) bool {
	rest, ok := strings.CutPrefix(function, callsite.Module+"/")
	return ok && slices.Contains(handlerFrames, rest)
}
