package leakcheck

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/globals"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/socket"
)

// walk is what a walk through the heap would find, by leases and goroutines.
type walk struct {
	leases     map[uint64]globals.Descriptor
	goroutines map[uint64]globals.Goroutine
	unknown    string
}

func (h walk) answer(q globals.Question) globals.Answer {
	a := globals.Answer{Unknown: h.unknown}
	for _, id := range q.Leases {
		a.Leases = append(a.Leases, h.leases[id])
	}
	for _, id := range q.Goroutines {
		a.Goroutines = append(a.Goroutines, h.goroutines[id])
	}
	return a
}

func fileOf(test string, id uint64) fold.Input {
	return fold.Input{Leases: []fold.Lease{{ID: id, Info: lease.Info{Kind: "file"}, Blame: fold.Blame{Test: test}}}}
}

func sock(id uint64, lease uint64, local, remote string) fold.Socket {
	s := fold.Socket{Lease: lease, Blame: fold.Blame{Test: "TestA"}}
	s.ID, s.Stream = id, true
	s.Local, _ = netip.ParseAddrPort(local)
	s.Remote, _ = netip.ParseAddrPort(remote)
	return s
}

// TestHeldByVariables: what package-level variables hold is nobody's, what is at its other end is not either, and nothing else is.
func TestHeldByVariables(t *testing.T) {
	k := &kept{by: make(map[report.Key]keeping)}
	started := func(fn, file string) goroutine.Goroutine {
		return goroutine.Goroutine{CreatedBy: callsite.Frame{Func: fn, File: file}}
	}
	in := fold.Input{
		Sockets: []fold.Socket{
			sock(1, 11, "127.0.0.1:1", "127.0.0.1:2"), sock(2, 12, "127.0.0.1:2", "127.0.0.1:1"),
			sock(3, 13, "127.0.0.1:3", "127.0.0.1:2"), sock(4, 0, "127.0.0.1:4", "127.0.0.1:2"),
		},
		Leases: []fold.Lease{
			{ID: 21, Info: lease.Info{Kind: "file"}, Blame: fold.Blame{Suspects: []string{"TestA", "TestB"}}},
			{ID: 22, Info: lease.Info{Kind: "file"}, Blame: fold.Blame{Test: "TestB", Other: true}},
			{ID: 23, Info: lease.Info{Kind: "http-response"}, Blame: fold.Blame{Test: "TestA"}},
			{ID: 24, Info: lease.Info{Kind: "file", State: "proved: nothing could close it any more"}, Blame: fold.Blame{Test: "TestA"}},
		},
	}
	for id, g := range []goroutine.Goroutine{
		started("app.run", "app.go"), started("app.TestA.func1", "app_test.go"), started("app.run", "app.go"), started("app.TestA", "app_test.go"),
		started("app.run", "app.go"), started("app.run", "app.go"),
	} {
		g.ID = uint64(31 + id)
		in.Goroutines = append(in.Goroutines, fold.Goroutine{Goroutine: g, Blame: fold.Blame{Test: "TestA"}})
	}
	in.Goroutines[5].Role = goroutine.RoleClientLeased
	h := walk{
		leases: map[uint64]globals.Descriptor{11: {Held: true}, 21: {Held: true}, 22: {Held: true}, 23: {Held: true}, 24: {Held: true}},
		goroutines: map[uint64]globals.Goroutine{
			31: {Held: true}, 32: {Held: true}, 33: {Waits: true, WaitsIn: 13}, 34: {Waits: true, WaitsIn: 12}, 35: {Held: true, Waits: true}, 36: {Held: true},
		},
	}
	why := k.judge(5, &in, candidates(&in), h.answer)
	shared := func(in fold.Input) (out []string) {
		say := func(what string, b fold.Blame) {
			if b.Test == label.Shared {
				out = append(out, what)
			}
		}
		for _, s := range in.Sockets {
			say(fmt.Sprint("socket ", s.ID), s.Blame)
		}
		for _, l := range in.Leases {
			say(fmt.Sprint("lease ", l.ID), l.Blame)
		}
		for _, g := range in.Goroutines {
			say(fmt.Sprint("goroutine ", g.ID), g.Blame)
		}
		return out
	}
	assert.Equal(t, []string{"socket 1", "socket 2", "lease 21", "goroutine 31", "goroutine 34"}, shared(in))
	assert.Empty(t, why(report.Key{List: "lease", ID: 21}))
	assert.Equal(t, "a package-level variable holds it, so that it is there for all later tests", k.says(report.Leak{Keys: []report.Key{{List: "goroutine", ID: 31}}}))
	assert.Empty(t, k.says(report.Leak{Keys: []report.Key{{List: "goroutine", ID: 32}}}))

	// It is known from then on, but a descriptor that the garbage collector has closed is a leak all the same.
	again := fold.Input{
		Sockets: []fold.Socket{sock(1, 11, "", "")},
		Leases: []fold.Lease{
			{ID: 21, Info: lease.Info{Kind: "file", State: "proved: nothing could close it any more"}}, {ID: 22, Info: lease.Info{Kind: "file"}},
		},
		Goroutines: []fold.Goroutine{{Goroutine: goroutine.Goroutine{ID: 31}}, {Goroutine: goroutine.Goroutine{ID: 34}, Blame: fold.Blame{Other: true}}},
	}
	k.apply(&again)
	assert.Equal(t, []string{"socket 1", "goroutine 31"}, shared(again))

	// What cannot be known is said, and changes nothing.
	in = fileOf("TestC", 40)
	why = k.judge(6, &in, candidates(&in), walk{unknown: "the heap is too large to look at"}.answer)
	assert.Equal(t, "TestC", in.Leases[0].Blame.Test)
	assert.Equal(t, "whether a package-level variable holds it is not known: the heap is too large to look at", why(report.Key{List: "lease", ID: 40}))
}

// TestServerHolds: a server that is process-wide knows the connections that it has accepted; who has dialled is asked for by itself.
func TestServerHolds(t *testing.T) {
	dialled, taken := sock(1, 11, "127.0.0.1:1", "127.0.0.1:2"), sock(2, 12, "127.0.0.1:2", "127.0.0.1:1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	taken.PCs = inAccept(t, l)
	require.True(t, taken.Accepted())
	for held, want := range map[uint64][]bool{11: {true, true}, 12: {false, true}} {
		k := &kept{by: make(map[report.Key]keeping)}
		in := fold.Input{Sockets: []fold.Socket{dialled, taken}}
		k.judge(5, &in, candidates(&in), walk{leases: map[uint64]globals.Descriptor{held: {Held: true}}}.answer)
		assert.Equal(t, want, []bool{in.Sockets[0].Blame.Test == label.Shared, in.Sockets[1].Blame.Test == label.Shared}, held)
	}

	// What was dialled once for the life of the process is no candidate, and holds the other end too.
	dialled.Blame.Test = label.Shared
	in := fold.Input{Sockets: []fold.Socket{dialled, taken}}
	(&kept{by: make(map[report.Key]keeping)}).judge(5, &in, candidates(&in), walk{leases: map[uint64]globals.Descriptor{}}.answer)
	assert.Equal(t, label.Shared, in.Sockets[1].Blame.Test)
}

// inAccept gives the stack of a goroutine that waits for a connection, and closes the listener.
func inAccept(t *testing.T, l net.Listener) []uintptr {
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = l.Accept() })
	defer wg.Wait()
	defer l.Close()
	for {
		records := make([]runtime.StackRecord, 1000)
		n, _ := runtime.GoroutineProfile(records)
		for _, rec := range records[:n] {
			if s := (&fold.Socket{PCs: rec.Stack()}); s.Accepted() {
				return s.PCs
			}
		}
		runtime.Gosched()
	}
}

// TestGrowth: what one line adds to one variable in the third test, with nothing of before used since, is a leak.
func TestGrowth(t *testing.T) {
	const variable = 0x1000
	for _, c := range []struct {
		name   string
		change func(h walk, id uint64) // before the test that acquires id
		began  func() label.ID
		want   string
	}{
		{"grows", func(walk, uint64) {}, label.NewID,
			"a package-level variable holds it, as it does what the same line acquired in 2 earlier tests and nobody has used since: it holds more with each test"},
		{"used", func(h walk, id uint64) {
			if id == 3 {
				h.leases[1] = globals.Descriptor{Held: true, Variable: variable, Used: 8}
			}
		}, label.NewID, ""},
		{"gone", func(h walk, id uint64) { delete(h.leases, id-1) }, label.NewID, ""},
		{"other variable", func(h walk, id uint64) {
			h.leases[id] = globals.Descriptor{Held: true, Variable: variable + uintptr(id), Used: 7}
		}, label.NewID, ""},
		{"not known whether used", func(h walk, id uint64) { h.leases[id] = globals.Descriptor{Held: true, Variable: variable} }, label.NewID, ""},
		{"at the same time", func(walk, uint64) {}, func() label.ID { return 1 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &kept{by: make(map[report.Key]keeping)}
			h := walk{leases: make(map[uint64]globals.Descriptor)}
			for id := uint64(1); id <= 3; id++ {
				h.leases[id] = globals.Descriptor{Held: true, Variable: variable, Used: 7}
				c.change(h, id)
				in := fileOf(fmt.Sprint("Test", id), id)
				why := k.judge(c.began(), &in, candidates(&in), h.answer)(report.Key{List: "lease", ID: id})
				if id < 3 {
					assert.Equal(t, label.Shared, in.Leases[0].Blame.Test)
					continue
				}
				assert.Equal(t, c.want, why)
				assert.Equal(t, c.want == "", in.Leases[0].Blame.Test == label.Shared)
			}
		})
	}
}

// TestOtherEnd: TCP connections are known by their addresses, unix ones by their path.
func TestOtherEnd(t *testing.T) {
	unix := func(local, remote string, listens bool) *fold.Socket {
		return &fold.Socket{Socket: socket.Socket{LocalPath: local, RemotePath: remote, Listening: listens}}
	}
	a, b := sock(1, 1, "127.0.0.1:1", "127.0.0.1:2"), sock(2, 2, "127.0.0.1:2", "127.0.0.1:1")
	assert.True(t, isOtherEnd(&a, &b))
	assert.False(t, isOtherEnd(&a, &a))
	assert.True(t, isOtherEnd(unix("/s", "", false), unix("", "/s", false)))
	assert.True(t, isOtherEnd(unix("", "/s", false), unix("/s", "", false)))
	assert.False(t, isOtherEnd(unix("/s", "", true), unix("", "/s", false)))
	assert.False(t, isOtherEnd(unix("", "", false), unix("", "", false)))
}
