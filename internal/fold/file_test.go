package fold

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/process"
	"github.com/leakgate/leakgate/internal/socket"
)

// TestFiles: a file has the line that opened it, and one that only the standard library knows of is left out.
func TestFiles(t *testing.T) {
	here := callstack.Capture(0).PCs()
	info := lease.Info{Kind: "file", Code: CodeFile, Summary: "file a.txt was never closed", Hint: "defer f.Close()"}
	out := Fold(Input{Leases: []Lease{
		{ID: 1, Info: info, PCs: here, Blame: Blame{Test: "TestA"}},
		{ID: 2, Info: info, PCs: here, Blame: Blame{Test: "TestB", Other: true}},
		{ID: 3, Info: info, PCs: here, Now: lease.Released},
		{ID: 4, Info: info},
		{ID: 5, Info: info, PCs: here},
	}, Sockets: []Socket{{Lease: 5, Blame: Blame{Other: true}}}})
	require.Len(t, out.Leaks, 1)
	leak := out.Leaks[0]
	assert.Equal(t, CodeFile, leak.Code)
	assert.Equal(t, "TestA", leak.Test)
	assert.Contains(t, leak.Site.Func, "TestFiles")
}

// TestOrigin: the line that opened a socket or started a child process is named where it is known.
func TestOrigin(t *testing.T) {
	here := callstack.Capture(0).PCs()
	listener := tcp(80, 0, "LISTEN", Blame{})
	listener.PCs = here
	near, far := tcp(1, 2, "ESTABLISHED", Blame{}), tcp(2, 1, "ESTABLISHED", Blame{})
	far.PCs = here
	out := Fold(Input{
		Sockets:  []Socket{listener, near, far, {Socket: socket.Socket{Ref: socket.Ref{ID: 99, FD: 99}, Family: "udp4"}}},
		Children: []Child{{Child: process.Child{Name: "sleep"}, ID: 1, PCs: here}, {Child: process.Child{Name: "sleep"}, ID: 2}},
	})
	lines := make(map[string]string)
	for _, l := range out.Leaks {
		lines[l.Summary+" "+l.Role] = l.Unknown
		assert.Equal(t, l.Unknown == "", l.Site.Func != "", l.Summary)
	}
	assert.Equal(t, map[string]string{
		"child process sleep (pid 0) was started and never waited for started by": "",
		"child process sleep (pid 0) was started and never waited for ":           "the kernel does not say which line started a process; look for cmd.Start in what the test calls",
		"tcp4 listener was never closed opened at":                                "",
		"tcp4 connection within this process was never closed opened at":          "",
		"udp4 socket was never closed ":                                           "the kernel does not say which line opened a socket",
	}, lines)
}
