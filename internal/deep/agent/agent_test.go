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

// TestDatabases: a lease is described by the call on its stack, and its pool is known until it is closed.
func TestDatabases(t *testing.T) {
	at := unsafe.Pointer(&db)
	dbOpened(at)
	l := leased(at)
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
	l = leased(at)
	assert.Equal(t, others(), l.(*use).Pool())
	l.Released()
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
