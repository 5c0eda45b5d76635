package leakcheck

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/outbound"
	"github.com/leakgate/leakgate/internal/report"
)

// policies is the checks that have AllowRemotes, Main's among them.
var policies remotePolicies

type remotePolicies struct {
	mu    sync.Mutex
	all   []*remotePolicy
	stop  []func()    // what ends the listening; nil when there is none
	loose []*remoteAt // what no test could be blamed for, until nobody else runs
	tests atomic.Int32
}

// remotePolicy is one check.
type remotePolicy struct {
	w       *watch
	allowed *remotes
	began   uint64 // look at the sockets
	bubble  bool

	mu     sync.Mutex
	over   bool
	found  []*remoteAt
	by     map[remoteKey]*remoteAt
	more   int                     // that were not kept
	dials  []*outbound.Dial        // allowed ones, whose addresses are allowed too
	open   map[netip.AddrPort]bool // addresses that something allowed led to
	names  map[uint16]bool         // ports at which an allowed name was asked for, whose address is not known
	hosts  map[netip.Addr][]string // names that were looked up, by their addresses; only deep mode knows
	met    []*remotePolicy         // of tests that ran meanwhile
	beside string                  // a test that ran meanwhile and may do what it likes; "" for none
}

// maxRemotes bounds how many places one check keeps.
const (
	maxRemotes = 64
	maxDials   = 64 // of one place
)

// remoteKey is one place: a line and an address.
type remoteKey struct {
	site    callsite.Frame
	address string
	test    string
}

// remoteAt is an address that is not allowed, at one place.
type remoteAt struct {
	remoteKey
	target   outbound.Target
	what     string // "GET /charge"; "" when there was no request
	requests int
	count    int // dials
	dials    []*outbound.Dial
	remotes  []netip.AddrPort // that requests were connected to
	stack    []callsite.Frame
	sockets  []seenSocket
	unsure   bool // it has no label, and may be another test's
	early    bool // it was before anybody watched
	suspects []string
	fix      string // the pattern that would allow it; "" when it is not needed yet
}

// remoteAsk is one request or dial.
type remoteAsk struct {
	network, address string
	target           outbound.Target
	what             string
	dial             *outbound.Dial
	owner            label.ID
}

// watchRemotes begins to judge where connections lead.
func (w *watch) watchRemotes() {
	if w.cfg.remotes == nil || w.t == nil && !w.cfg.main {
		if w.cfg.remotes != nil {
			w.cfg.wrong("leakcheck.AllowRemotes judges what a test connects to: give it to Verify, or to Main for every Verify of the package")
		}
		policies.meet(w, nil)
		return
	}
	p := &remotePolicy{
		w: w, allowed: w.cfg.remotes, bubble: goroutines.me().Bubble != 0, by: make(map[remoteKey]*remoteAt),
		open: make(map[netip.AddrPort]bool), names: make(map[uint16]bool),
	}
	policies.add(p)
	var err error
	p.began, err = hostSockets.use(p.bubble)
	w.unseen("AllowRemotes does not see sockets, but requests and dials alone", err)
	w.ends = append(w.ends, ending{name: allowRemotesName, own: p.end})
}

// add makes a policy take part.
func (ps *remotePolicies) add(p *remotePolicy) {
	if !p.w.cfg.main {
		ps.tests.Add(1)
	}
	ps.mu.Lock()
	ps.all = append(ps.all, p)
	if ps.stop == nil {
		ps.stop = []func(){
			outbound.Calls.Listen(ps.called), outbound.Conns.Listen(ps.connected), outbound.Dials.Listen(ps.dialled), outbound.Lookups.Listen(ps.lookedUp),
		}
	}
	ps.mu.Unlock()
	ps.meet(p.w, p)
}

// meet notes that a check begins: p is its policy, nil when it has none.
func (ps *remotePolicies) meet(w *watch, p *remotePolicy) {
	if w.name == "" {
		return
	}
	without := ""
	if p != nil {
		without = registry.withoutPolicy(w)
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, o := range ps.all {
		if o == p || o.w.cfg.main || related(o.w.name, w.name) {
			continue
		}
		o.meets(p, w.name)
		if p != nil {
			p.meets(o, o.w.name)
		}
	}
	if p != nil && without != "" {
		p.meets(nil, without)
	}
}

func (p *remotePolicy) meets(o *remotePolicy, test string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case o == nil:
		p.beside = test
	case len(p.met) < maxMet:
		p.met = append(p.met, o)
	}
}

// withoutPolicy gives a check that runs now, and is none of the same test, that has no policy.
func (r *watches) withoutPolicy(w *watch) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for o := range r.active {
		if o.cfg.remotes == nil && !related(o.name, w.name) {
			return o.name
		}
	}
	return ""
}

func (ps *remotePolicies) remove(p *remotePolicy) {
	ps.mu.Lock()
	ps.all = slices.DeleteFunc(ps.all, func(q *remotePolicy) bool { return q == p })
	var stop []func()
	if len(ps.all) == 0 {
		stop, ps.stop = ps.stop, nil
	}
	ps.mu.Unlock()
	if !p.w.cfg.main {
		ps.tests.Add(-1)
	}
	for _, f := range stop {
		f()
	}
}

// anyTest says whether a test has a policy now.
func (ps *remotePolicies) anyTest() bool { return ps.tests.Load() > 0 }

// called is told of each request, on the goroutine that sends it.
func (ps *remotePolicies) called(c outbound.Call) {
	if !c.Arrived && c.Address != "" {
		ps.asked(remoteAsk{network: "tcp", address: c.Address, what: c.What})
	}
}

// dialled is told of each dial, on the goroutine that dials.
func (ps *remotePolicies) dialled(d *outbound.Dial) {
	ps.asked(remoteAsk{network: d.Network, address: d.Address, dial: d})
}

// connected is told of the connection that a request got.
func (ps *remotePolicies) connected(c outbound.Conn) {
	target := outbound.TargetOf("tcp", c.Address)
	remote := outbound.Plain(c.Remote)
	ps.mu.Lock()
	all := slices.Clone(ps.all)
	ps.mu.Unlock()
	for _, p := range all {
		ok := p.allowed.allows(target)
		p.mu.Lock()
		if p.over {
			p.mu.Unlock()
			continue
		}
		if ok && len(p.open) < maxSockets {
			p.open[remote] = true
		}
		for _, f := range p.found {
			if f.address == c.Address && !slices.Contains(f.remotes, remote) {
				f.remotes = append(f.remotes, remote)
			}
		}
		p.mu.Unlock()
	}
}

// asked hands a request or dial to the check that it belongs to.
func (ps *remotePolicies) asked(a remoteAsk) {
	a.target = outbound.TargetOf(a.network, a.address)
	a.owner = ownerNow()
	takers, unsure := ps.takers(a.owner)
	// Allowed to one of those that it may belong to is allowed.
	allowed := false
	for _, p := range takers {
		allowed = allowed || p.allows(a)
	}
	if allowed {
		for _, p := range takers {
			p.leads(a)
		}
		return
	}
	var place *remoteAt
	for _, p := range takers {
		if place == nil {
			place = placeOf(a)
		}
		at := *place
		at.address, at.target = p.asName(a)
		p.take(at, a, unsure)
	}
}

// ownerNow gives the watch that what happens on the calling goroutine belongs to; 0 where nothing tells.
func ownerNow() label.ID {
	if id := label.Owner(); id != 0 {
		return id
	}
	var buf [64]byte
	return registry.runner(goroutine.CurrentID(buf[:]))
}

// maxHosts bounds how many addresses one check keeps the names of.
const maxHosts = 1 << 10

// lookedUp is told of each look-up of a name, on the goroutine that looks up.
func (ps *remotePolicies) lookedUp(l outbound.Lookup) {
	takers, _ := ps.takers(ownerNow())
	for _, p := range takers {
		p.mu.Lock()
		if p.hosts == nil {
			p.hosts = make(map[netip.Addr][]string)
		}
		for _, a := range l.Addresses {
			a = a.Unmap().WithZone("")
			if len(p.hosts) < maxHosts && !slices.Contains(p.hosts[a], l.Host) {
				p.hosts[a] = append(p.hosts[a], l.Host)
			}
		}
		p.mu.Unlock()
	}
}

// asName gives the name and the port where what was dialled is an address that the code has looked up itself, as pgx does; else the address.
func (p *remotePolicy) asName(a remoteAsk) (address string, t outbound.Target) {
	if !a.target.Addr.IsValid() {
		return a.address, a.target
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	names := p.hosts[a.target.Addr.Addr()]
	if len(names) == 0 {
		return a.address, a.target
	}
	name := names[len(names)-1] + ":" + strconv.Itoa(int(a.target.Port))
	return name, outbound.TargetOf(a.network, name)
}

// takers gives the checks that something with this owner belongs to: of checks within each other the innermost. What has no
// label may belong to several.
func (ps *remotePolicies) takers(owner label.ID) (out []*remotePolicy, unsure bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var inner, main *remotePolicy
	for _, p := range ps.all {
		switch {
		case p.w.cfg.main:
			main = p
		case label.Within(owner, p.w.id) && (inner == nil || p.w.id > inner.w.id):
			inner = p
		}
	}
	if inner != nil {
		return []*remotePolicy{inner}, false
	}
	if owner == 0 && !(allDials && main != nil) {
		for _, p := range ps.all {
			if p.w.cfg.main {
				continue
			}
			// A check inside of this one answers for it.
			if !slices.ContainsFunc(ps.all, func(o *remotePolicy) bool {
				return o != p && !o.w.cfg.main && o.w.id > p.w.id && related(o.w.name, p.w.name)
			}) {
				out = append(out, p)
			}
		}
	}
	if len(out) == 0 && main != nil {
		out = append(out, main)
	}
	return out, owner == 0 && !allDials
}

// placeOf says where something was asked for.
func placeOf(a remoteAsk) *remoteAt {
	var buf [64]uintptr
	pcs := buf[:]
	early := a.dial != nil && a.dial.PCs != nil
	if early {
		pcs = a.dial.PCs
	} else {
		pcs = buf[:runtime.Callers(3, pcs)]
	}
	all := callsite.Expand(pcs)
	at := &remoteAt{remoteKey: remoteKey{address: a.address}, target: a.target, what: a.what, stack: callsite.User(all), early: early}
	if a.what != "" {
		at.site = callsite.Caller(all, "net/http.(*Client).")
	} else {
		at.site = callsite.Pick(at.stack)
	}
	if !early && (at.site.Func == "" || callsite.IsDependency(at.site)) {
		if from := startedBy(); from != nil {
			at.stack = callsite.User(from)
			at.site = callsite.Pick(at.stack)
		}
	}
	return at
}

// startedBy gives the stack of the goroutine that started the calling one, when that is still in a call of the package that did
// it, and so waits for what it does: an http.Transport dials on a goroutine of its own, and so do many pools. It is nil when there is
// no such goroutine.
func startedBy() []callsite.Frame {
	me := goroutines.me()
	if me.CreatorID == 0 {
		return nil
	}
	maker, ok := goroutineNow(me.CreatorID)
	if !ok {
		return nil
	}
	pkg := me.CreatedBy.Package()
	i := slices.IndexFunc(maker.Frames, func(f callsite.Frame) bool { return f.Package() == pkg })
	if i < 0 || callsite.Pick(callsite.User(maker.Frames[i:])).Func == "" {
		return nil
	}
	// Nobody dials in order to close. Its start has given up, and closes the pool that still dials.
	if strings.Contains(maker.Frames[i].Func+".", ".Close.") {
		return nil
	}
	return maker.Frames[i:]
}

// goroutineNow reads one goroutine of a dump.
func goroutineNow(id uint64) (g goroutine.Goroutine, ok bool) {
	var d goroutine.Dumper
	goroutine.Scan(d.Dump(), func(h goroutine.Head) bool {
		if h.ID == id {
			g, _ = goroutine.Parse(h.Block)
			ok = true
		}
		return !ok
	})
	return g, ok
}

// allows says whether what was asked for is allowed, by itself or because an allowed name led there.
func (p *remotePolicy) allows(a remoteAsk) bool {
	if p.allowed.allows(a.target) || a.dial != nil && a.dial.Lookup && p.allowed.allowsHost(a.target.Host) {
		return true
	}
	if !a.target.Addr.IsValid() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resolve()
	return p.open[a.target.Addr] || slices.ContainsFunc(p.hosts[a.target.Addr.Addr()], func(host string) bool {
		return p.allowed.allows(outbound.Target{Host: strings.ToLower(strings.TrimSuffix(host, ".")), Port: a.target.Port})
	})
}

// leads notes something allowed, whose addresses are allowed too.
func (p *remotePolicy) leads(a remoteAsk) {
	if a.target.Path != "" || a.dial != nil && a.dial.Lookup {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case a.target.Addr.IsValid():
		p.open[a.target.Addr] = true
	case a.dial != nil:
		if p.dials = append(p.dials, a.dial); len(p.dials) > maxRemotes {
			p.resolve()
		}
	default:
		p.names[a.target.Port] = true
	}
}

// resolve takes over what the allowed dials have led to. The policy is locked.
func (p *remotePolicy) resolve() {
	p.dials = slices.DeleteFunc(p.dials, func(d *outbound.Dial) bool {
		tried := d.Tried()
		for _, a := range tried {
			if len(p.open) < maxSockets {
				p.open[a] = true
			}
		}
		_, _, over := d.Outcome()
		if over && len(tried) == 0 {
			p.names[outbound.TargetOf(d.Network, d.Address).Port] = true
		}
		return over
	})
}

// take keeps what is not allowed.
func (p *remotePolicy) take(at remoteAt, a remoteAsk, unsure bool) {
	at.unsure = unsure
	if p.w.cfg.main {
		at.test = label.NameOf(a.owner)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	f := p.by[at.remoteKey]
	if f == nil {
		if len(p.found) >= maxRemotes {
			p.more++
			return
		}
		f = &at
		p.by[at.remoteKey] = f
		p.found = append(p.found, f)
	}
	f.unsure = f.unsure && unsure
	if a.dial == nil {
		f.requests++
		if f.what == "" {
			f.what = a.what
		}
		return
	}
	f.count++
	if len(f.dials) < maxDials {
		f.dials = append(f.dials, a.dial)
	}
}

// end gives what was found. It is called once.
func (p *remotePolicy) end() (leaks []report.Leak) {
	own := p.sockets()
	policies.remove(p)
	defer hostSockets.leave()
	p.mu.Lock()
	p.over = true
	p.resolve()
	found := slices.DeleteFunc(p.found, p.cleared)
	more := p.more
	p.mu.Unlock()
	found = joinPlaces(p.joinSockets(withoutDialled(found), own))
	exclusive := p.w.exclusive()
	for _, f := range found {
		switch {
		case !f.unsure || exclusive:
			leaks = append(leaks, p.leak(f))
		case p.beside != "":
			p.w.t.Logf("leakcheck: possible: %s; nothing tells whose it is, and %s, which ran meanwhile, has no AllowRemotes (%s)", f.summary(), p.beside, codeRemote)
		case !p.othersAllow(f):
			f.suspects, f.fix = p.w.suspects(), f.pattern()
			policies.postpone(f)
		}
	}
	if more > 0 {
		p.w.logf("leakcheck: %s: %d more dials and requests, from other lines or to other addresses, were not kept", allowRemotesWord, more)
	}
	return leaks
}

// endRemotes ends the policy alone, the first time that it is called, and gives what it found.
func (w *watch) endRemotes() (leaks []report.Leak) {
	w.ends = slices.DeleteFunc(w.ends, func(e ending) bool {
		if e.name != allowRemotesName || e.own == nil {
			return false
		}
		leaks = append(leaks, e.own()...)
		return true
	})
	return leaks
}

// excuseRemotes logs what a test that failed by itself connected to: it may be why it failed.
func (w *watch) excuseRemotes() {
	w.t.Helper()
	for _, l := range report.Finish(w.endRemotes()) {
		w.t.Logf("leakcheck: beside the test's own failure: %s", l.Summary)
	}
}

// logf logs where there is a test to log to.
func (w *watch) logf(format string, args ...any) {
	if w.t != nil {
		w.t.Helper()
		w.t.Logf(format, args...)
	}
}

// withoutDialled leaves out the look-ups of hosts that were dialled as well: some clients look up what they dial later.
func withoutDialled(found []*remoteAt) (out []*remoteAt) {
	for _, f := range found {
		if !f.isLookup() || !slices.ContainsFunc(found, func(o *remoteAt) bool { return !o.isLookup() && o.target.Host == f.target.Host }) {
			out = append(out, f)
		}
	}
	return out
}

// isLookup says whether it is a look-up that failed, and no dial.
func (f *remoteAt) isLookup() bool { return len(f.dials) > 0 && f.dials[0].Lookup }

// othersAllow says whether a test that ran meanwhile allows it.
func (p *remotePolicy) othersAllow(f *remoteAt) bool {
	p.mu.Lock()
	met := slices.Clone(p.met)
	p.mu.Unlock()
	return slices.ContainsFunc(met, func(o *remotePolicy) bool { return o.allowsSocket(f.target) })
}

// sockets gives those that lead somewhere that is not allowed.
func (p *remotePolicy) sockets() []seenSocket {
	pause := firstPause
	for i := 0; ; i++ {
		all := slices.DeleteFunc(hostSockets.since(p.began), func(s seenSocket) bool {
			return p.w.cfg.main && s.answered || p.allowsSocket(s.target())
		})
		if i == noteLooks || p.bubble || !slices.ContainsFunc(all, func(s seenSocket) bool { return s.once && !s.gone }) {
			return all
		}
		time.Sleep(pause) // one that is about to be closed by a server that is
		pause *= growPause
	}
}

func (s *seenSocket) target() outbound.Target {
	if s.Family == "unix" {
		return outbound.Target{Path: s.RemotePath}
	}
	a := outbound.Plain(s.Remote)
	return outbound.Target{Addr: a, Port: a.Port()}
}

// allowsSocket is allows for a socket, of which the address alone is known.
func (p *remotePolicy) allowsSocket(t outbound.Target) bool {
	if p.allowed.allows(t) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resolve()
	if t.Path != "" {
		return false
	}
	// An allowed name at the same port, of which it is not known where it led: it may be this one.
	unknown := slices.ContainsFunc(p.dials, func(d *outbound.Dial) bool {
		return len(d.Tried()) == 0 && outbound.TargetOf(d.Network, d.Address).Port == t.Port
	})
	return p.open[t.Addr] || p.names[t.Port] || unknown
}

// joinSockets gives each socket to the dial or request that it belongs to, and makes entries of the others.
func (p *remotePolicy) joinSockets(found []*remoteAt, sockets []seenSocket) []*remoteAt {
	byAddress := make(map[string]*remoteAt)
	for _, s := range sockets {
		if f := ownerOf(found, s); f != nil {
			f.sockets = append(f.sockets, s)
			continue
		}
		if s.gone {
			continue
		}
		t := s.target()
		name := t.Path
		if name == "" {
			name = t.Addr.String()
		}
		f := byAddress[name]
		if f == nil {
			f = &remoteAt{remoteKey: remoteKey{address: name}, target: t, unsure: true}
			byAddress[name] = f
			found = append(found, f)
		}
		f.sockets = append(f.sockets, s)
	}
	return found
}

// ownerOf gives the dial or request that led where the socket leads; nil when there is none. Of a name that nobody knows the
// address of, the port has to do.
func ownerOf(found []*remoteAt, s seenSocket) *remoteAt {
	t := s.target()
	if t.Path != "" {
		for _, f := range found {
			if f.target.Path == t.Path {
				return f
			}
		}
		return nil
	}
	var likely *remoteAt
	for _, f := range found {
		if f.target.Addr == t.Addr || slices.Contains(f.remotes, t.Addr) {
			return f
		}
		known := f.target.Addr.IsValid() || len(f.remotes) > 0
		for _, d := range f.dials {
			tried := d.Tried()
			if slices.Contains(tried, t.Addr) {
				return f
			}
			known = known || len(tried) > 0
		}
		if !known && f.target.Path == "" && f.target.Port == t.Port && f.requests+f.count > 0 {
			likely = f
		}
	}
	return likely
}

// joinPlaces gives what has no line of the program to an entry with the same address that has one: a dial on a goroutine of a library
// belongs to the request that it was made for, and one that a pool makes after its caller has given up is one more attempt.
func joinPlaces(found []*remoteAt) (out []*remoteAt) {
	for _, f := range found {
		var with *remoteAt
		if f.count > 0 && !ofProgram(f.site) {
			i := slices.IndexFunc(found, func(o *remoteAt) bool { return ofProgram(o.site) && o.address == f.address && o.test == f.test })
			if i >= 0 {
				with = found[i]
			}
		}
		if with == nil {
			out = append(out, f)
			continue
		}
		with.dials = append(with.dials, f.dials...)
		with.sockets = append(with.sockets, f.sockets...)
		if with.requests == 0 {
			with.count += f.count
		}
	}
	return out
}

func ofProgram(site callsite.Frame) bool { return site.Func != "" && !callsite.IsDependency(site) }

// postpone keeps what no test can be blamed for, once for each address.
func (ps *remotePolicies) postpone(f *remoteAt) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, o := range ps.loose {
		if o.remoteKey == f.remoteKey {
			o.suspects = append(o.suspects, f.suspects...)
			slices.Sort(o.suspects)
			o.suspects = slices.Compact(o.suspects)
			return
		}
	}
	ps.loose = append(ps.loose, f)
}

func (ps *remotePolicies) hasLoose() bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return len(ps.loose) > 0
}

// takeLoose gives what no test could be blamed for.
func (w *watch) takeLoose() (leaks []report.Leak) {
	policies.mu.Lock()
	loose := policies.loose
	policies.loose = nil
	policies.mu.Unlock()
	for _, f := range loose {
		l := f.leak("")
		l.Test, l.Suspects = "", f.suspects
		leaks = append(leaks, l)
	}
	return leaks
}

// summary says what it is in one sentence.
func (f *remoteAt) summary() string {
	place := ""
	if f.site.Func != "" {
		place = " at " + dbuse.Short(f.site)
	}
	switch {
	case f.requests > 0:
		return fmt.Sprintf("%s to %s%s, which %s does not name", f.what, f.address, place, allowRemotesWord)
	case f.count > 0:
		hows, _ := f.outcomes()
		what := "dial"
		if f.isLookup() {
			what = "look-up"
		}
		return fmt.Sprintf("%s of %s (%s)%s, which %s does not name", what, f.shown(), strings.Join(hows, ", "), place, allowRemotesWord)
	}
	s := f.sockets[0]
	what := s.Family + " connection to"
	switch {
	case s.State == "SYN_SENT":
		what = s.Family + " dial of"
	case !s.Stream && s.Family != "unix":
		what = s.Family + " socket to"
	}
	return fmt.Sprintf("%s %s, which %s does not name", what, f.shown(), allowRemotesWord)
}

func (f *remoteAt) shown() string {
	if f.target.Path != "" {
		return "unix:" + f.target.Path
	}
	return f.address
}

// outcomes says how the dials ended, each way once, and how long the longest took.
func (f *remoteAt) outcomes() (hows []string, longest time.Duration) {
	for _, d := range f.dials {
		how, took, _ := d.Outcome()
		if !slices.Contains(hows, how) {
			hows = append(hows, how)
		}
		longest = max(longest, took)
	}
	return hows, longest
}

// leak words what a check of a test found.
func (p *remotePolicy) leak(f *remoteAt) report.Leak {
	allowed := p.allowed.String()
	if f.count > 0 {
		allowed += p.allowed.hidden(f.target)
	}
	l := f.leak(allowed)
	l.Hint = "remove what dials it; where it is meant, allow it: " + p.allowed.howToAllow(f.pattern())
	if l.Test = p.w.name; p.w.cfg.main {
		l.Test = f.test
	}
	if allDials && (l.Test == "" || l.Test == label.Shared) {
		l.Test, l.Nobody = "", noTest(f)
	}
	return l
}

func (f *remoteAt) leak(allowed string) report.Leak {
	l := report.Leak{
		Kind: string(Socket), Code: codeRemote, Class: allowRemotesName, Summary: f.summary(), Count: max(f.requests, f.count, 1),
		Stack: f.stack, Site: f.site, Role: "dialled at", Why: allowed, Rank: rankLimit,
		Hint: "remove what dials it; where it is meant, allow it: leakcheck.AllowRemotes(" + f.pattern() + ")",
	}
	switch {
	case f.requests > 0:
		l.Role = "sent at"
	case f.count == 0:
		l.Count = len(f.sockets)
		l.Unknown = "the kernel does not say which line opened a socket; dial with leakcheck.DialContext to get it"
	case f.site.Func == "":
		l.Unknown = "it was dialled on a goroutine of a library, and nothing tells for whom"
	}
	if hows, longest := f.outcomes(); len(hows) > 0 {
		l.State = fmt.Sprintf("%s, after %s", hows[0], dbuse.Round(longest))
		if f.early { // the time is not known
			l.State = strings.Join(hows, ", ")
		} else if len(f.dials) > 1 {
			l.State = fmt.Sprintf("%s; the longest took %s", strings.Join(hows, ", "), dbuse.Round(longest))
		}
		var tried []string
		for _, d := range f.dials {
			for _, a := range d.Tried() {
				if s := a.String(); s != f.address && !slices.Contains(tried, s) {
					tried = append(tried, s)
				}
			}
		}
		if len(tried) > 0 {
			l.State += "; tried " + strings.Join(tried, ", ")
		}
		if strings.HasPrefix(f.dials[0].Network, "udp") && hows[0] == "connected" {
			l.State += "; with UDP that sends nothing yet"
		}
	}
	if l.Count == 1 {
		for _, s := range f.sockets {
			l.Holds = append(l.Holds, "socket "+s.String())
		}
	} else if len(f.sockets) > 0 {
		if l.State != "" {
			l.State += "; "
		}
		l.State += "seen: " + f.sockets[0].String()
	}
	if f.count == 0 && f.requests == 0 && l.Count == 1 { // it is the socket, and holds none besides
		l.State, l.Holds = f.sockets[0].String(), nil
	}
	return l
}

// pattern is what would allow it, as code.
func (f *remoteAt) pattern() string {
	if f.fix != "" {
		return f.fix
	}
	if hostSockets.listens(f.target) {
		return ownListenersWord
	}
	return fmt.Sprintf("%q", f.shown())
}
