package fold

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// Codes of the leaks that are found here. docs/codes.md explains each.
const (
	CodeResponse     = "LK001"
	CodeIdle         = "LK003"
	CodeServer       = "LK101"
	CodeGoroutine    = "LK102"
	CodeOpener       = "LK201"
	CodeTx           = "LK202"
	CodeRows         = "LK203"
	CodeSocket       = "LK301"
	CodeListener     = "LK302"
	CodeChild        = "LK401"
	rankResponse     = 10
	rankDatabase     = 20
	rankIdle         = 30
	rankChild        = 40
	rankServer       = 45
	rankSocket       = 50
	rankGoroutine    = 60
	keepsIdlePerHost = 2 // net/http.DefaultMaxIdleConnsPerHost
)

// leases are the surest evidence: each names its line, its connection and the goroutine that reads it.
func (f *folder) leases() {
	for _, l := range f.in.Leases {
		if ofDatabase(l) || ofDescriptor(l) {
			continue // see databaseLeases and fileLeases
		}
		if l.Blame.Other {
			if l.Now == lease.Held {
				f.connection(l)
			}
			continue
		}
		leak := report.Leak{
			Kind: l.Info.Kind, Code: l.Info.Code, Class: "tracked", Summary: l.Info.Summary, State: l.Info.State,
			Hint: l.Info.Hint, Why: l.Info.Note, Note: l.Now != lease.Held && !l.Fail && !l.Info.Late, Rank: rankResponse,
			Keys: l.keys(),
			All:  callsite.Expand(l.PCs),
		}
		leak.Stack = callsite.User(leak.All)
		leak.Site = callsite.Caller(leak.All, "net/http.(*Client).")
		if l.Info.Remote.IsValid() {
			leak.Remotes = []string{l.Info.Remote.String()}
		}
		if l.Now == lease.Held {
			holds, keys := f.connection(l)
			leak.Holds = holds
			leak.Keys = append(leak.Keys, keys...)
		}
		if leak.Stack == nil {
			leak.Unknown = "the request was sent by a goroutine in which none of your functions is left"
		}
		f.add(l.Blame, leak)
	}
}

// connection takes what a held lease explains.
func (f *folder) connection(l Lease) (holds []string, keys []report.Key) {
	if l.Info.Local.IsValid() {
		c := f.take(l.Info.Local, l.Info.Remote)
		if c != nil {
			holds, keys = c.holds(), c.keys()
			if c.b != nil {
				keys = append(keys, f.serverSide(true)...)
			}
		} else {
			holds = []string{fmt.Sprintf("the connection %s → %s", l.Info.Local, l.Info.Remote)}
		}
	}
	loop := f.find(func(g *Goroutine) bool { return g.ID == l.Info.LoopID && l.Info.LoopID != 0 })
	if loop != nil {
		keys = append(keys, f.takePair(loop)...)
	}
	switch {
	case loop != nil && strings.HasPrefix(l.Info.Protocol, "HTTP/1"):
		holds = append(holds, "2 goroutines of net/http (readLoop, which waits for the body's end, and writeLoop)")
	case strings.HasPrefix(l.Info.Protocol, "HTTP/2"):
		if s := f.find(func(g *Goroutine) bool {
			return g.Role == goroutine.RoleH2ClientStream && (g.Blame.Other || g.Blame.Test == l.Blame.Test)
		}); s != nil {
			s.taken = true
			keys = append(keys, goroutineKey(s))
			keys = append(keys, f.streamHandler()...)
			holds = append(holds, "an HTTP/2 stream of the connection, and its goroutine")
		}
	case !l.Info.Local.IsValid():
		holds = append(holds, "no connection: the transport did not open one (a mock, perhaps)")
	}
	return holds, keys
}

// takePair takes the two loops of one HTTP/1 connection.
func (f *folder) takePair(loop *Goroutine) []report.Key {
	loop.taken = true
	keys := []report.Key{goroutineKey(loop)}
	pair := goroutine.PairKey(&loop.Goroutine)
	if w := f.find(func(g *Goroutine) bool {
		return g.Role == goroutine.RoleClientWrite &&
			(pair != "" && goroutine.PairKey(&g.Goroutine) == pair || pair == "" && g.CreatorID == loop.CreatorID)
	}); w != nil {
		w.taken = true
		keys = append(keys, goroutineKey(w))
	}
	return keys
}

// connOf takes the connection that a loop of net/http reads: the one that is known to be, or any, since how many there
// are is known.
func (f *folder) connOf(g *Goroutine) *conn {
	if c, known := f.known[g.ID]; known {
		return c
	}
	return f.takeHTTP(g.Blame)
}

// takeHTTP takes a connection that may be one of HTTP: over TCP, or else over a unix socket.
func (f *folder) takeHTTP(b Blame) *conn {
	if c := f.takeAny(b, isTCP); c != nil {
		return c
	}
	return f.takeAny(b, isStream)
}

// reserve takes the connections of which it is known who reads them, so that nobody else guesses them to be his.
func (f *folder) reserve() {
	f.known, f.pools = make(map[uint64]*conn), make(map[*conn]uint64)
	if f.in.ConnOf == nil {
		return
	}
	for i := range f.in.Goroutines {
		g := &f.in.Goroutines[i]
		if g.taken || g.Role != goroutine.RoleClientLeased && g.Role != goroutine.RoleClientIdle {
			continue
		}
		if known, ok := f.in.ConnOf(g.ID); ok {
			c := f.take(known.Local, known.Remote)
			f.known[g.ID], f.pools[c] = c, known.Pool
		}
	}
}

// serverSide takes the goroutines that serve one connection in this process. Which connection a goroutine serves is not
// in its stack; how many serve is.
//
// A server that waits for the next request is the usual one. One in a handler may be blocked because the client does not
// read on, but only of a connection that is leased.
func (f *folder) serverSide(leased bool) []report.Key {
	g := f.find(func(g *Goroutine) bool { return g.Role == goroutine.RoleServerIdle })
	if g == nil && leased {
		g = f.find(func(g *Goroutine) bool { return g.Role == goroutine.RoleServerBusy })
	}
	if g == nil {
		return nil
	}
	g.taken = true
	keys := []report.Key{goroutineKey(g)}
	if r := f.find(func(r *Goroutine) bool {
		return r.Role == goroutine.RoleServerRead && r.CreatorID == g.ID
	}); r != nil {
		r.taken = true
		keys = append(keys, goroutineKey(r))
	}
	return keys
}

const wrapIt = "the transport is not tracked; wrap it to get the line: t.Cleanup(httpcheck.Verify(t, client))"

// untracked finds leased connections of transports that are not tracked, by what net/http's goroutines wait for.
func (f *folder) untracked() {
	f.each(goroutine.RoleClientLeased, func(g *Goroutine) {
		keys := f.takePair(g)
		c := f.connOf(g)
		if g.Blame.Other {
			return
		}
		if c != nil && c.b != nil {
			keys = append(keys, f.serverSide(true)...)
		}
		f.add(g.Blame, report.Leak{
			Kind: "http-response", Code: CodeResponse, Class: "untracked", Rank: rankResponse,
			Summary: "response body of an HTTP/1 request was never closed",
			State:   "net/http's readLoop waits for the body's end or Close",
			Holds:   append(c.holds(), "2 goroutines of net/http (readLoop and writeLoop)"),
			Hint:    "defer resp.Body.Close()",
			Unknown: wrapIt,
			Keys:    append(keys, c.keys()...),
			Pairs:   []string{goroutine.PairKey(&g.Goroutine)},
			All:     g.Frames,
			Remotes: c.remotes(),
		})
	})
}

// streamHandler takes the handler that serves one open stream in this process: one that cannot send, before any other.
func (f *folder) streamHandler() []report.Key {
	g := f.find(func(g *Goroutine) bool { return g.Role == goroutine.RoleH2ServerHandler && sendsStream(g) })
	if g == nil {
		g = f.find(func(g *Goroutine) bool { return g.Role == goroutine.RoleH2ServerHandler })
	}
	if g == nil {
		return nil
	}
	g.taken = true
	return []report.Key{goroutineKey(g)}
}

// sendsStream: the handler waits until the client takes more of the body.
func sendsStream(g *Goroutine) bool {
	for _, fr := range g.Frames {
		if strings.HasSuffix(fr.Func, "serverConn).writeDataFromHandler") {
			return true
		}
	}
	return false
}

// streams finds HTTP/2 streams that are still open.
func (f *folder) streams() {
	f.each(goroutine.RoleH2ClientStream, func(g *Goroutine) {
		g.taken = true
		handler := f.streamHandler()
		f.add(g.Blame, report.Leak{
			Kind: "http-response", Code: CodeResponse, Class: "stream", Rank: rankResponse,
			Summary: "response body of an HTTP/2 request was never closed",
			State:   "its stream is open",
			Holds:   []string{"a stream of the connection (the server allows a limited number), and its goroutine"},
			Hint:    "defer resp.Body.Close()",
			Unknown: wrapIt,
			Keys:    append([]report.Key{goroutineKey(g)}, handler...),
			All:     g.Frames,
		})
	})
	f.requests()
	// What is left of HTTP/2 is the connection itself: pooled, and shared by streams.
	f.each(goroutine.RoleH2ClientConn, func(g *Goroutine) {
		g.taken = true
		f.out.Idle++
		c := f.takeHTTP(g.Blame)
		f.guessed(g, c)
		if f.in.Pooled && c != nil && isTCP(c) && !g.Blame.Other {
			f.pooled(g.Blame, 1, append(c.holds(), "a goroutine of net/http"), append([]report.Key{goroutineKey(g)}, c.keys()...), f.peer(c).String())
		}
	})
	f.each(goroutine.RoleClientDial, func(g *Goroutine) {
		if len(user(g)) > 0 {
			return // a dialer of the user's hangs: its own stack says more
		}
		g.taken = true
		c := f.takeHTTP(g.Blame)
		f.add(g.Blame, report.Leak{
			Kind: "goroutine", Code: CodeGoroutine, Class: "http dial", Rank: rankGoroutine,
			Summary: "net/http is still dialling a connection that a request asked for",
			State:   g.State,
			Holds:   c.holds(),
			Hint:    "give the transport's dialer a timeout: net.Dialer{Timeout: …}", Probably: true,
			Keys:   append([]report.Key{goroutineKey(g)}, c.keys()...),
			Moving: true, All: g.Frames, Remotes: c.remotes(),
		})
	})
}

// requests explains the goroutines that watch the deadline of one request. They end with the request's body, and so
// belong to a response that was found already, or to somebody who still waits for one and is listed by himself. What is
// left has a response that shows nowhere else: an HTTP/2 stream that the server has ended.
func (f *folder) requests() {
	type helper struct {
		leak int
		fn   string
	}
	used := make(map[helper]bool) // a response has one of each
	waiting := f.find(func(g *Goroutine) bool { return g.Role == goroutine.RoleUser && hasFunc(g, "net/http.(*Client).do") }) != nil
	f.each(goroutine.RoleClientRequest, func(g *Goroutine) {
		fn := mainFunc(g)
		if !strings.Contains(fn, "setRequestCancel") && !strings.Contains(fn, "awaitLegacyCancel") {
			return // it drains a body after Close, and takes 50 ms at most
		}
		g.taken = true
		for i := range f.out.Leaks {
			l := &f.out.Leaks[i]
			if h := (helper{i, fn}); l.Kind == "http-response" && l.Test == g.Blame.Test && !used[h] {
				used[h] = true
				l.Keys = append(l.Keys, goroutineKey(g))
				return
			}
		}
		if waiting || !strings.Contains(fn, "setRequestCancel") {
			return
		}
		f.add(g.Blame, report.Leak{
			Kind: "http-response", Code: CodeResponse, Class: "deadline", Rank: rankResponse,
			Summary: "response body of a request with a timeout was never closed",
			State:   "net/http's setRequestCancel waits for Close, or for the timeout",
			Holds:   []string{"a goroutine of net/http, and a timer"},
			Hint:    "defer resp.Body.Close()",
			Unknown: wrapIt,
			Keys:    []report.Key{goroutineKey(g)},
			All:     g.Frames,
		})
	})
}

// servers finds servers that were started and not shut down. A server's own connections belong to it.
func (f *folder) servers() {
	for i := range f.in.Goroutines {
		g := &f.in.Goroutines[i]
		// go srv.Serve(l) is net/http's own; go func() { srv.Serve(l) }() is the user's, and no less a server.
		if g.taken || g.Role != goroutine.RoleServerAccept && !(g.Role == goroutine.RoleUser && hasFunc(g, "net/http.(*Server).Serve")) {
			continue
		}
		g.taken = true
		keys := []report.Key{goroutineKey(g)}
		var holds []string
		test := strings.HasPrefix(g.CreatedBy.Func, "net/http/httptest.") || hasFunc(g, "net/http/httptest.")
		var opened []uintptr
		c := f.takeAny(g.Blame, func(c *conn) bool { return test && isListener(c) && ofTestServer(c.a.PCs) })
		if c != nil {
			opened = c.a.PCs
		} else {
			c = f.takeAny(g.Blame, isListener)
		}
		if c != nil {
			holds = append(holds, "listener "+c.a.String())
			keys = append(keys, c.keys()...)
		}
		served := 0
		for i := range f.in.Goroutines {
			s := &f.in.Goroutines[i]
			if s.taken || s.CreatorID != g.ID {
				continue
			}
			s.taken = true
			served++
			keys = append(keys, goroutineKey(s))
			for j := range f.in.Goroutines {
				if r := &f.in.Goroutines[j]; !r.taken && r.CreatorID == s.ID && r.Role != goroutine.RoleUser {
					r.taken = true
					keys = append(keys, goroutineKey(r))
				}
			}
		}
		if served > 0 {
			holds = append(holds, plural(served, "connection")+" that it serves")
		}
		what, hint := "HTTP server is still serving: it was never shut down", "defer srv.Close()"
		if test {
			what = "httptest.Server was never closed"
		}
		if strings.HasPrefix(g.CreatedBy.Func, callsite.Module+"/mockserver.") {
			const byDefer = "; or, if the check runs by defer: t.Cleanup(leakcheck.Verify(t)), so that it runs after the test's cleanups"
			what, hint = "mockserver.Server was never closed", hint+byDefer
			if hasFunc(g, callsite.Module+"/mockserver.(*TCP).") {
				what, hint = "mockserver.TCP was never closed", "defer peer.Close()"+byDefer
			}
		}
		leak := report.Leak{
			Kind: "goroutine", Code: CodeServer, Class: "http server", Rank: rankServer,
			Summary: what, State: "it accepts connections", Holds: holds, Hint: hint, Keys: keys,
			Stack: user(g), All: g.Frames, CreatedBy: g.CreatedBy.Func,
		}
		if !callsite.IsStd(g.CreatedBy) && !callsite.IsHarness(g.CreatedBy) && g.CreatedBy.Func != "" {
			leak.Site, leak.Role = g.CreatedBy, "started at"
		} else if len(leak.Stack) > 0 {
			// a handler or a listener of the user's is in it
		} else if openedAt(&leak, opened) {
			leak.Role = "opened at"
		} else {
			leak.Unknown = "the goroutine was started by " + g.CreatedBy.Func + ", and its caller is not in the dump"
		}
		f.add(g.Blame, leak)
	}
}

// ofTestServer says whether a stack opened the listener of an httptest.Server.
func ofTestServer(pcs []uintptr) bool {
	return slices.ContainsFunc(callsite.Expand(pcs), func(f callsite.Frame) bool { return strings.HasPrefix(f.Func, "net/http/httptest.") })
}

func hasFunc(g *Goroutine, prefix string) bool {
	for _, fr := range g.Frames {
		if strings.HasPrefix(fr.Func, prefix) {
			return true
		}
	}
	return false
}

// idle sets aside the connections that transports keep for the next request, and finds the one pattern among them that
// is a leak: a new transport for each call.
func (f *folder) idle() {
	type opened struct {
		test string
		peer netip.AddrPort
	}
	by := make(map[opened][]*conn)
	mine := make(map[opened][]report.Key)
	blame := make(map[opened]Blame)
	f.each(goroutine.RoleClientIdle, func(g *Goroutine) {
		keys := f.takePair(g)
		f.out.Idle++
		c, known := f.known[g.ID]
		if !known {
			c = f.takeHTTP(g.Blame)
			f.guessed(g, c)
		}
		if c == nil || g.Blame.Other {
			return
		}
		if f.pools[c] == 0 && f.in.PoolOfDial != nil {
			// Under load a transport dials for a request that another connection serves in the end: nobody has used this one yet.
			if pool := f.in.PoolOfDial(g.CreatorID); pool != 0 {
				f.pools[c] = pool
			}
		}
		if c.b != nil {
			f.serverSide(false)
		}
		if !isTCP(c) {
			return // a unix socket has no address of the peer to count by
		}
		to := opened{g.Blame.Test, f.peer(c)}
		by[to] = append(by[to], c)
		mine[to] = append(mine[to], append(keys, c.keys()...)...)
		blame[to] = g.Blame
	})
	// What is left has its read loop in the listing before: the two are started one after the other. The connection was there.
	f.each(goroutine.RoleClientWrite, func(g *Goroutine) { g.taken = true })
	for to, conns := range by {
		n := f.transports(conns)
		if f.in.Pooled {
			f.pooled(blame[to], n, append(conns[0].holds(), "2 goroutines of net/http"), mine[to], to.peer.String())
			continue
		}
		if n <= keepsIdlePerHost {
			continue
		}
		f.add(blame[to], report.Leak{
			Kind: "http-conn", Code: CodeIdle, Class: "idle", Rank: rankIdle,
			Summary: fmt.Sprintf("%d idle connections to one server: more than one transport keeps", len(conns)),
			State:   fmt.Sprintf("net/http keeps at most %d idle to one address, unless a transport says otherwise", keepsIdlePerHost),
			Holds:   append(conns[0].holds(), fmt.Sprintf("and 2 goroutines of net/http, %d times over", len(conns))),
			Hint:    "use one http.Client for all calls, or call CloseIdleConnections when you are done with it", Probably: true,
			Unknown: "an idle connection does not say who opened it; look for &http.Transport{} or a Clone() made for each call. " +
				"If one transport keeps them on purpose (MaxIdleConnsPerHost), track it: httpcheck.Instrument(transport)",
			Keys:    mine[to],
			Remotes: []string{to.peer.String()},
		})
	}
}

// pooled lists connections that are kept for the next request.
func (f *folder) pooled(b Blame, n int, holds []string, keys []report.Key, peer string) {
	f.out.Pooled = append(f.out.Pooled, report.Leak{
		Kind: "http-conn", Code: CodeIdle, Class: "idle", Rank: rankIdle, Test: b.Test, Suspects: b.Suspects, Count: n,
		Summary: "idle connection was kept, and the next request to the same server opened another",
		State:   "it is idle",
		Holds:   holds,
		Hint:    "use one http.Client for all calls, or call CloseIdleConnections when you are done with it", Probably: true,
		Unknown: "an idle connection does not say who opened it; look for &http.Transport{} or a Clone() made for each call",
		Keys:    keys,
		Remotes: []string{peer},
	})
}

// transports is the least number of transports, in units of what one keeps, that the idle connections can be of: those of a
// tracked transport are its own affair, however many, and count as one.
func (f *folder) transports(conns []*conn) int {
	n := 0
	pools := make(map[uint64]bool)
	for _, c := range conns {
		if pool := f.pools[c]; pool != 0 {
			pools[pool] = true
		} else {
			n++
		}
	}
	return n + len(pools)
}

// peer is the address that was dialled: the end whose port a listener of this process has, or the remote one.
func (f *folder) peer(c *conn) netip.AddrPort {
	if c.b == nil {
		return c.a.Remote
	}
	// Both ends are here. The server's address is shared by all its connections; the client's is not.
	n := 0
	for _, o := range f.conns {
		if o.b != nil && (o.a.Local == c.a.Local || o.b.Local == c.a.Local) {
			n++
		}
	}
	if n > 1 {
		return c.a.Local
	}
	return c.b.Local
}

// serverConns sets aside connections that a server which was there before keeps for its clients' next request. A handler
// that hangs is a goroutine like any other.
func (f *folder) serverConns() {
	f.each(goroutine.RoleServerIdle, func(g *Goroutine) {
		g.taken = true
		// Where both ends are here, whoever holds the client's end has to close it.
		f.guessed(g, f.takeAny(g.Blame, func(c *conn) bool { return isTCP(c) && c.b == nil }))
	})
	f.each(goroutine.RoleH2Server, func(g *Goroutine) {
		g.taken = true
	})
	f.each(goroutine.RoleServerRead, func(g *Goroutine) {
		g.taken = true
	})
}
