package fold

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/roundtrip"
	"github.com/leakgate/leakgate/internal/socket"
)

func addr(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
}

var nextSocket uint64

func tcp(local, remote int, state string, b Blame) Socket {
	nextSocket++
	s := Socket{Blame: b, Socket: socket.Socket{
		Ref: socket.Ref{ID: nextSocket, FD: int(nextSocket)}, Family: "tcp4", Stream: true, State: state, Local: addr(local),
	}}
	if remote != 0 {
		s.Remote = addr(remote)
	}
	s.Listening = state == "LISTEN"
	return s
}

// loop is a goroutine of net/http; pair ties the two loops of one connection.
func loop(id uint64, role goroutine.Role, pair string, b Blame) Goroutine {
	fn := "net/http.(*persistConn).readLoop"
	if role == goroutine.RoleClientWrite {
		fn = "net/http.(*persistConn).writeLoop"
	}
	return Goroutine{Role: role, Blame: b, Goroutine: goroutine.Goroutine{
		ID: id, State: "select", CreatorID: 1000 + id, Frames: []callsite.Frame{{Func: fn}}, Args: []string{pair},
	}}
}

func userGoroutine(id uint64, state string, b Blame, fns ...string) Goroutine {
	g := Goroutine{Role: goroutine.RoleUser, Blame: b, Goroutine: goroutine.Goroutine{ID: id, State: state}}
	for _, fn := range fns {
		g.Frames = append(g.Frames, callsite.Frame{Func: fn, File: "/src/app/x.go", Line: 3})
		g.Args = append(g.Args, "")
	}
	return g
}

// entries says what was found in a form that a table can hold: code, test and how many resources the entry covers.
func entries(out Output) []string {
	var s []string
	for _, l := range report.Finish(out.Leaks) {
		note := ""
		if l.Note {
			note = " note"
		}
		s = append(s, fmt.Sprintf("%s %s ×%d of %d%s", l.Code, l.Test, l.Count, len(l.Keys), note))
	}
	return s
}

// TestFold: one leak, one entry; nothing takes what is not its own.
func TestFold(t *testing.T) {
	mine, other := Blame{Test: "TestA"}, Blame{Test: "TestB", Other: true}
	held := func(local, remote int, loopID uint64, b Blame) Lease {
		return Lease{ID: 1, Now: lease.Held, Blame: b, Info: lease.Info{
			Kind: "http-response", Code: CodeResponse, Summary: "response", Local: addr(local), Remote: addr(remote), LoopID: loopID, Protocol: "HTTP/1.1",
		}}
	}
	for _, c := range []struct {
		name, why string
		in        Input
		want      []string
		idle      int
	}{
		{"nothing", "", Input{}, nil, 0},
		{
			"tracked body", "it takes its socket, the server's end, its loops and the server's goroutine",
			Input{
				Leases:     []Lease{held(40, 80, 7, mine)},
				Sockets:    []Socket{tcp(80, 40, "ESTABLISHED", mine), tcp(40, 80, "ESTABLISHED", mine)},
				Goroutines: []Goroutine{loop(7, goroutine.RoleClientLeased, "0x1", mine), loop(8, goroutine.RoleClientWrite, "0x1", mine), loop(9, goroutine.RoleServerIdle, "0x2", mine)},
			},
			[]string{"LK001 TestA ×1 of 6"}, 0,
		},
		{
			"body of another test", "it explains what is its own and is not reported",
			Input{
				Leases:     []Lease{held(40, 80, 7, other)},
				Sockets:    []Socket{tcp(40, 80, "ESTABLISHED", Blame{Suspects: []string{"TestA", "TestB"}})},
				Goroutines: []Goroutine{loop(7, goroutine.RoleClientLeased, "0x1", other), loop(8, goroutine.RoleClientWrite, "0x1", other)},
			},
			nil, 0,
		},
		{
			"hung handler beside an idle connection", "it does not take the goroutine that is in a handler",
			Input{
				Sockets: []Socket{tcp(40, 80, "ESTABLISHED", mine), tcp(80, 40, "ESTABLISHED", mine)},
				Goroutines: []Goroutine{
					loop(7, goroutine.RoleClientIdle, "0x1", mine), loop(8, goroutine.RoleClientWrite, "0x1", mine),
					{Role: goroutine.RoleServerBusy, Blame: mine, Goroutine: goroutine.Goroutine{ID: 9, State: "chan receive", Frames: []callsite.Frame{{Func: "example.com/app.handle", File: "/src/app/x.go", Line: 1}}}},
				},
			},
			[]string{"LK102 TestA ×1 of 1"}, 1,
		},
		{
			"a dial that hangs", "the goroutine that dials takes the socket, and no other connection; what watches its context takes none",
			Input{
				Sockets: []Socket{tcp(40, 80, "ESTABLISHED", mine), tcp(41, 81, "SYN_SENT", mine)},
				Goroutines: []Goroutine{
					userGoroutine(7, "select", mine, "net.(*netFD).connect.func2"),
					userGoroutine(8, "IO wait", mine, "net.(*netFD).connect", "example.com/app.start"),
				},
			},
			[]string{"LK301 TestA ×1 of 1", "LK102 TestA ×1 of 2", "LK102 TestA ×1 of 1"}, 0,
		},
		{
			"raw connection beside an idle one that is known", "the known one takes its own socket, so that the raw one is left",
			Input{
				Sockets:    []Socket{tcp(50, 90, "ESTABLISHED", mine), tcp(40, 80, "ESTABLISHED", mine)},
				Goroutines: []Goroutine{loop(7, goroutine.RoleClientIdle, "0x1", mine), loop(8, goroutine.RoleClientWrite, "0x1", mine)},
				ConnOf: func(id uint64) (roundtrip.Conn, bool) {
					return roundtrip.Conn{Local: addr(40), Remote: addr(80), Pool: 1}, id == 7
				},
			},
			[]string{"LK301 TestA ×1 of 1"}, 1,
		},
		{
			"guess of another test", "what is surely mine is not taken by a guess while there is another",
			Input{
				Sockets:    []Socket{tcp(50, 90, "ESTABLISHED", mine), tcp(40, 80, "ESTABLISHED", other)},
				Goroutines: []Goroutine{loop(7, goroutine.RoleClientIdle, "0x1", other), loop(8, goroutine.RoleClientWrite, "0x1", other)},
			},
			[]string{"LK301 TestA ×1 of 1"}, 1,
		},
		{
			"a listener of another test", "a server takes its own",
			Input{
				Sockets:    []Socket{tcp(90, 0, "LISTEN", Blame{Test: "TestB"}), tcp(80, 0, "LISTEN", mine)},
				Goroutines: []Goroutine{loop(7, goroutine.RoleServerAccept, "", mine)},
			},
			[]string{"LK101 TestA ×1 of 2", "LK302 TestB ×1 of 1"}, 0,
		},
		{
			"a server whose listener is gone", "it does not take another test's",
			Input{
				Sockets:    []Socket{tcp(90, 0, "LISTEN", Blame{Test: "TestB"})},
				Goroutines: []Goroutine{loop(7, goroutine.RoleServerAccept, "", mine)},
			},
			[]string{"LK101 TestA ×1 of 1", "LK302 TestB ×1 of 1"}, 0,
		},
		{
			"a write loop alone", "its read loop was started a moment before, and listed as what was there",
			Input{Goroutines: []Goroutine{loop(8, goroutine.RoleClientWrite, "0x1", mine)}},
			nil, 0,
		},
		{
			"an idle connection that showed late", "one test's request dialled it, and it was there when the next test ran",
			Input{
				Sockets:    []Socket{tcp(40, 80, "ESTABLISHED", Blame{Test: "TestB"})},
				Goroutines: []Goroutine{loop(7, goroutine.RoleClientIdle, "0x1", mine), loop(8, goroutine.RoleClientWrite, "0x1", mine)},
			},
			nil, 1,
		},
		{
			"a transport for each call", "three idle connections to one server, of three transports",
			Input{
				Sockets: []Socket{tcp(41, 80, "ESTABLISHED", mine), tcp(42, 80, "ESTABLISHED", mine), tcp(43, 80, "ESTABLISHED", mine)},
				Goroutines: []Goroutine{
					loop(1, goroutine.RoleClientIdle, "0x1", mine), loop(2, goroutine.RoleClientIdle, "0x2", mine), loop(3, goroutine.RoleClientIdle, "0x3", mine),
				},
			},
			[]string{"LK003 TestA ×1 of 6"}, 3,
		},
		{
			"a transport that keeps many", "three idle connections of one tracked transport",
			Input{
				Sockets: []Socket{tcp(41, 80, "ESTABLISHED", mine), tcp(42, 80, "ESTABLISHED", mine), tcp(43, 80, "ESTABLISHED", mine)},
				Goroutines: []Goroutine{
					loop(1, goroutine.RoleClientIdle, "0x1", mine), loop(2, goroutine.RoleClientIdle, "0x2", mine), loop(3, goroutine.RoleClientIdle, "0x3", mine),
				},
				ConnOf: func(id uint64) (roundtrip.Conn, bool) {
					return roundtrip.Conn{Local: addr(40 + int(id)), Remote: addr(80), Pool: 1}, true
				},
			},
			nil, 3,
		},
		{
			"both ends of a raw connection", "one entry, at the end that has to act",
			Input{Sockets: []Socket{tcp(80, 40, "FIN_WAIT2", mine), tcp(40, 80, "CLOSE_WAIT", mine)}},
			[]string{"LK301 TestA ×1 of 2"}, 0,
		},
		{
			"a reader", "the goroutine that waits in a connection takes it",
			Input{
				Sockets:    []Socket{tcp(40, 80, "ESTABLISHED", mine)},
				Goroutines: []Goroutine{userGoroutine(7, "IO wait", mine, "internal/poll.runtime_pollWait", "net.(*netFD).Read", "example.com/app.read")},
			},
			[]string{"LK102 TestA ×1 of 2"}, 0,
		},
		{
			"a pool of database/sql", "its idle connections cannot be told from forgotten ones: a note",
			Input{Sockets: []Socket{tcp(40, 5432, "ESTABLISHED", mine)}, SQLOpen: func() bool { return true }},
			[]string{"LK301 TestA ×1 of 1 note"}, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := Fold(c.in)
			assert.Equal(t, c.want, entries(out), c.why)
			assert.Equal(t, c.idle, out.Idle)
			assert.Equal(t, c.want, entries(Fold(c.in)), "the input is left as it was")
		})
	}
}

// TestCloseWaitFirst: of two ends in this process, the one that has not closed is the one to show.
func TestCloseWaitFirst(t *testing.T) {
	b := Blame{Test: "TestA"}
	out := Fold(Input{Sockets: []Socket{tcp(80, 40, "FIN_WAIT2", b), tcp(40, 80, "CLOSE_WAIT", b)}})
	assert.Contains(t, out.Leaks[0].State, "127.0.0.1:40->127.0.0.1:80 CLOSE_WAIT")
	assert.Contains(t, out.Leaks[0].Why, "the peer has closed and this side has not")
}

// A dial that hangs holds the socket that dials, and no other.
func TestHangingDialHoldsItsSocket(t *testing.T) {
	mine := Blame{Test: "TestA"}
	out := Fold(Input{
		Sockets:    []Socket{tcp(40, 80, "ESTABLISHED", mine), tcp(41, 81, "SYN_SENT", mine)},
		Goroutines: []Goroutine{userGoroutine(8, "IO wait", mine, "net.(*netFD).connect", "example.com/app.start")},
	})
	for _, l := range out.Leaks {
		if l.Code == CodeGoroutine {
			assert.Contains(t, strings.Join(l.Holds, "\n"), "SYN_SENT")
			assert.Equal(t, "give the dial a timeout, or a context that ends: net.Dialer{Timeout: …}", l.Hint)
		} else {
			assert.Contains(t, l.State, "ESTABLISHED")
		}
	}
	assert.Len(t, out.Leaks, 2)
}

// What is surely one test's is not explained by what is surely another's, and of two guesses the one that hides nothing is
// made.
func TestTakeAnySure(t *testing.T) {
	mine := Blame{Test: "TestA/x", Sure: true}
	other := Blame{Test: "TestA/y", Other: true, Sure: true}
	guess := Blame{Test: "TestA/z", Other: true}
	raw := func() Socket { return tcp(40, 80, "ESTABLISHED", mine) }
	moving := func(g Goroutine) Goroutine {
		g.State = "runnable"
		return g
	}
	for _, c := range []struct {
		name    string
		in      Input
		leaks   int
		guessed bool
	}{
		{"surely another's", Input{Sockets: []Socket{raw()}, Goroutines: []Goroutine{loop(1, goroutine.RoleClientIdle, "0x1", other)}}, 1, false},
		{"perhaps another's", Input{Sockets: []Socket{raw()}, Goroutines: []Goroutine{loop(1, goroutine.RoleClientIdle, "0x1", guess)}}, 0, true},
		{"another's socket first", Input{Sockets: []Socket{raw(), tcp(41, 81, "ESTABLISHED", other)}, Goroutines: []Goroutine{loop(1, goroutine.RoleClientIdle, "0x1", guess)}}, 1, false},
		{"its own", Input{Sockets: []Socket{raw()}, Goroutines: []Goroutine{loop(1, goroutine.RoleClientIdle, "0x1", mine)}}, 0, false},
		{"a server's", Input{Sockets: []Socket{raw()}, Goroutines: []Goroutine{loop(1, goroutine.RoleServerIdle, "", mine)}}, 0, false},
		{"a server's that may be about to end", Input{Sockets: []Socket{raw()}, Goroutines: []Goroutine{moving(loop(1, goroutine.RoleServerIdle, "", mine))}}, 0, true},
		{"a client's that may be about to end", Input{Sockets: []Socket{raw()}, Goroutines: []Goroutine{moving(loop(1, goroutine.RoleClientIdle, "0x1", mine))}}, 0, true},
		{"of HTTP/2 too", Input{Sockets: []Socket{raw()}, Goroutines: []Goroutine{moving(loop(1, goroutine.RoleH2ClientConn, "", mine))}}, 0, true},
		{"no socket to take", Input{Goroutines: []Goroutine{moving(loop(1, goroutine.RoleServerIdle, "", mine))}}, 0, false},
	} {
		out := Fold(c.in)
		assert.Len(t, out.Leaks, c.leaks, c.name)
		assert.Equal(t, c.guessed, out.Guessed, c.name)
	}
}

// A response that is not tracked names its connection as the dump does, each of those that are one entry.
func TestPairs(t *testing.T) {
	mine := Blame{Test: "TestA"}
	out := Fold(Input{
		Sockets: []Socket{tcp(40, 80, "ESTABLISHED", mine), tcp(41, 80, "ESTABLISHED", mine)},
		Goroutines: []Goroutine{
			loop(1, goroutine.RoleClientLeased, "0xc000", mine), loop(2, goroutine.RoleClientLeased, "0xc001, 0x1", mine),
		},
	})
	leaks := report.Finish(out.Leaks)
	assert.Len(t, leaks, 1)
	assert.Equal(t, []string{"0xc000", "0xc001"}, leaks[0].Pairs)
}
