package agent

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// TestResponse: every way for a body to end, and what a report says of those that were not closed.
func TestResponse(t *testing.T) {
	for _, c := range []struct {
		name    string
		r       hook.Response
		do      func(hook.Lease)
		state   lease.State
		code    string
		summary string
	}{
		{"held", hook.Response{Method: "GET", Path: "/a b", Query: "token=secret&x", Status: 403, Server: "awselb/2.0", Length: 9},
			func(l hook.Lease) { l.Read(4) }, lease.Held, "LK001", "response body of GET /a_b?token=…&x=… (403, awselb/2.0) was never closed"},
		{"closed", hook.Response{}, func(l hook.Lease) { l.Released(); l.Released(); l.Returned(nil) }, lease.Released, "", ""},
		{"read to its end", hook.Response{Status: 200}, func(l hook.Lease) { l.Returned(io.EOF); l.Returned(errors.New("late")) },
			lease.Unclosed, "LK002", "response body of GET / (200) was read to EOF but never closed: leaks when it is not read to the end"},
		{"failed", hook.Response{Status: 200}, func(l hook.Lease) { l.Returned(errors.New("reset")) },
			lease.Unclosed, "LK002", "response body of GET / (200) failed while it was read and was never closed: leaks when the read does not fail"},
		{"context", hook.Response{Status: 200, Context: func() error { return errors.New("cancelled") }}, func(hook.Lease) {},
			lease.Unclosed, "LK001", "response body of GET / (200) was never closed: only the end of the request's context freed its connection"},
		{"switched", hook.Response{Status: 101, Context: func() error { return errors.New("cancelled") }}, func(l hook.Lease) { l.Returned(io.EOF) },
			lease.Held, "LK001", "connection after GET / (101) was never closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := responded(c.r)
			defer l.Released()
			c.do(l)
			x := l.(*response)
			assert.Equal(t, c.state, x.Now())
			if c.state != lease.Released {
				assert.Equal(t, c.code, x.Info().Code)
				assert.Equal(t, c.summary, x.Info().Summary)
			}
		})
	}
}

// What has an address that stays the same.
var (
	fds [4]int
	db  int
)

// TestDescriptors: a file is a lease from its name to its end, a socket is none, and both have an origin.
func TestDescriptors(t *testing.T) {
	var o descriptors
	at := func(i int) unsafe.Pointer { return unsafe.Pointer(&fds[i]) }
	before := lease.Live.Len()

	o.opened(at(0), 1001, "file")
	o.named(at(0), "a.txt")
	o.opened(at(1), 1002, "tcp")
	o.opened(at(2), 1, "file") // standard output, which is nobody's to close
	o.named(at(2), "/dev/stdout")
	o.named(at(3), "not known")
	require.Equal(t, before+2, lease.Live.Len())
	assert.Equal(t, lease.Released, o.by[uintptr(at(1))].Now(), "an open socket is listed by the kernel")
	d := o.by[uintptr(at(0))]
	assert.Equal(t, lease.Held, d.Now())
	assert.Equal(t, "file a.txt was never closed", d.Info().Summary)

	from, ok := o.Descriptor(1002)
	assert.True(t, ok)
	assert.NotEmpty(t, from.PCs)
	o.opened(at(3), 1002, "tcp") // the number was given again before the hook was told of the end
	o.closing(at(1))
	_, ok = o.Descriptor(1002)
	assert.True(t, ok, "it is another descriptor's now")

	o.closing(at(0))
	o.closing(at(0))
	assert.Equal(t, lease.Released, d.Now())
	o.closing(at(3))
	assert.Equal(t, before, lease.Live.Len())
	_, ok = o.Descriptor(1001)
	assert.False(t, ok)

	for name, want := range map[string]string{"|0": "the end of a pipe that is read was never closed", "|1": "the end of a pipe that is written to was never closed", " ": "a file was never closed"} {
		assert.Equal(t, want, (&descriptor{name: name, network: "file"}).Info().Summary)
	}
	assert.Contains(t, (&descriptor{byGC: true}).Info().State, "proved")
	assert.Equal(t, "a udp socket was never closed", (&descriptor{network: "udp"}).Info().Summary)
	assert.Equal(t, lease.Held, (&descriptor{network: "udp", closed: true, byGC: true}).Now())
}

// TestServers: a connection that was accepted knows its listener, and one that was hijacked is another lease from then on.
func TestServers(t *testing.T) {
	var o descriptors
	at := func(i int) unsafe.Pointer { return unsafe.Pointer(&fds[i]) }
	before := lease.Live.Len()
	o.opened(at(0), 1003, "tcp")
	o.opened(at(1), 1004, "tcp")
	o.accepted(at(0), at(1))
	o.accepted(at(0), at(2)) // which internal/poll does not know
	from, ok := o.Descriptor(1004)
	assert.True(t, ok)
	assert.Equal(t, "accepted at", from.Role)
	listener, _ := o.Descriptor(1003)
	assert.Equal(t, listener.PCs, from.From)
	assert.Empty(t, listener.Role)

	o.hijacked(1004)
	o.hijacked(1005) // not known
	taken, ok := o.Descriptor(1004)
	assert.True(t, ok)
	assert.Equal(t, "hijacked at", taken.Role)
	assert.NotEqual(t, from.Lease, taken.Lease)
	assert.Equal(t, listener.PCs, taken.From)
	assert.Equal(t, before+2, lease.Live.Len(), "the first lease of it is over")
	o.closing(at(1))
	o.closing(at(0))
	assert.Equal(t, before, lease.Live.Len())
}

// TestRoot: an os.Root is a file with a name of its own.
func TestRoot(t *testing.T) {
	var o descriptors
	at := unsafe.Pointer(&fds[0])
	o.opened(at, 1006, "root")
	o.named(at, "/srv")
	d := o.by[uintptr(at)]
	assert.Equal(t, []string{"os.Root of /srv was never closed", "defer root.Close()", "LK303"}, []string{d.Info().Summary, d.Info().Hint, d.Info().Code})
	o.closing(at)
	assert.Equal(t, lease.Released, d.Now())
}

// TestListener: what a benchmark or an example is told of stays with it until it is over, and one that fails by itself is excused.
func TestListener(t *testing.T) {
	l := &listener{name: "Example", failed: func() bool { return true }}
	l.Helper()
	l.Errorf("leakcheck: %d leak", 1)
	assert.Equal(t, "leakgate: 1 leak\n", l.leaks.String())
	assert.Equal(t, "Example", l.Name())
	assert.True(t, l.Failed())

	assert.Nil(t, (&agent{}).benchmark(nil, "x"))
	ran := false
	(&agent{opts: []leakcheck.Option{leakcheck.Only(leakcheck.File)}}).example("Example", func() { ran = true })()
	assert.True(t, ran)
}

// TestDatabases: a lease is described by the call on its stack, and its pool is known until it is closed.
func TestDatabases(t *testing.T) {
	at := unsafe.Pointer(&db)
	dbOpened(at)
	l := leased(at, nil)
	u := l.(*use)
	assert.Equal(t, databases.by[uintptr(at)].pool, u.Pool())
	assert.Equal(t, lease.Held, u.Now())
	assert.Equal(t, "sql-conn", u.Info().Kind)
	l.Read(1)
	l.Returned(nil)
	assert.Equal(t, lease.Held, u.Now())
	l.Released()
	l.Released()
	assert.Equal(t, lease.Released, u.Now())
	dbClosed(at)
	assert.Empty(t, databases.by)
	l = leased(at, nil)
	assert.Equal(t, others(), l.(*use).Pool())
	l.Released()
}

// TestProved: what nothing refers to any more is said to be so, and what else may end it.
func TestProved(t *testing.T) {
	r := responded(hook.Response{Status: 200, Cancels: true})
	defer r.Released()
	assert.Equal(t, "0 bytes read, length not announced", r.(*response).Info().State)
	r.Dropped("")
	assert.Equal(t, "0 bytes read, length not announced; proved: no code can release it any more, but by ending the request's context", r.(*response).Info().State)

	l := leased(unsafe.Pointer(&db), nil) // as if db.Conn had
	defer l.Released()
	l.Dropped("sql-rows")
	assert.Empty(t, l.(*use).Info().State, "rows of a connection that somebody may still close")
	l.Dropped("sql-conn")
	assert.Equal(t, "proved: no code can release it any more", l.(*use).Info().State)
}

// TestStatements: every way for a statement to end, and what a report says of one that has not.
func TestStatements(t *testing.T) {
	at, conn := unsafe.Pointer(&db), unsafe.Pointer(&fds[0])
	dbOpened(at)
	open := lease.Live.Len()
	l := prepared(hook.Statement{DB: at, Query: "SELECT 'secret'"})
	s := l.(*statement)
	assert.Equal(t, lease.Held, s.Now())
	assert.Equal(t, lease.Info{
		Kind: "sql-stmt", Code: "LK205", Hint: "defer stmt.Close()", State: "SELECT '…'", Summary: s.Info().Summary,
		Within: s.db.pool.ID(),
	}, s.Info())
	assert.Contains(t, s.Info().Summary, "was never closed")
	l.Read(1)
	l.Returned(nil)
	assert.Equal(t, lease.Held, s.Now())
	l.Released()
	l.Released()
	assert.Equal(t, lease.Released, s.Now())

	u := leased(at, nil)
	bound, other := prepared(hook.Statement{DB: at, Conn: conn, Lease: u}).(*statement), prepared(hook.Statement{DB: at}).(*statement)
	assert.Equal(t, u.(*use).ID(), bound.Info().Within)
	assert.True(t, bound.Info().Provable)
	assert.False(t, other.Info().Provable, "the pool refers to it")
	bound.Dropped("sql-stmt")
	assert.Equal(t, "; proved: no code can release it any more, but by closing the connection that it is on", bound.Info().State)
	u.Released()
	connClosed(conn)
	assert.Equal(t, []lease.State{lease.Released, lease.Held}, []lease.State{bound.Now(), other.Now()})
	dbClosed(at)
	assert.Equal(t, lease.Released, other.Now())
	assert.Equal(t, open, lease.Live.Len())
}

// TestContained: a panic of the check's own is told and changes no exit code; one of the tests' goes on.
func TestContained(t *testing.T) {
	stderr := os.Stderr
	r, w, err := os.Pipe()
	require.NoError(t, err)
	os.Stderr = w
	func() {
		defer contain()
		panic("oops")
	}()
	os.Stderr = stderr
	w.Close()
	said, err := io.ReadAll(r)
	r.Close()
	require.NoError(t, err)
	assert.Equal(t, "leakgate: the check itself failed, please report it: oops\n", string(said))

	a := &agent{}
	a.ran.Store(true)
	assert.Equal(t, 3, a.main(nil, func() int { return 3 }), "the second run is only run")
	a = &agent{}
	assert.PanicsWithValue(t, "test", func() { a.main(nil, func() int { panic("test") }) })
}

func TestMaskTarget(t *testing.T) {
	assert.Equal(t, "/", maskTarget("", "", ""))
	assert.Equal(t, "/a%2Fb", maskTarget("/a/b", "/a%2Fb", ""))
	assert.Equal(t, "/a?b=…&c=…", maskTarget("/a", "", "c=1&b=2&c=3&"))
	assert.Equal(t, "/?a=…&b=…&c=…&d=…&e=…&f=…&…", maskTarget("/", "", "a&b&c&d&e&f&g"))
	assert.Equal(t, "/"+strings.Repeat("ä", 59)+"…", maskTarget("/"+strings.Repeat("ä", 100), "", ""))
}
