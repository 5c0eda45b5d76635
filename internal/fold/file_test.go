package fold

import (
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/goroutine"
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

// TestHarnessFiles: what leakcheck has opened for itself is nobody's leak; what code has that it calls, or that calls mockserver, is.
func TestHarnessFiles(t *testing.T) {
	std := callsite.Frame{Func: "os.Open"}
	user := callsite.Frame{Func: "example.com/shop.TestA", File: "/shop/a_test.go"}
	of := func(name string) callsite.Frame {
		return callsite.Frame{Func: callsite.Module + "/" + name, File: "/leakgate/x.go"}
	}
	for _, c := range []struct {
		name  string
		is    bool
		stack []callsite.Frame
	}{
		{"the list of descriptors", true, []callsite.Frame{std, of("leakcheck.countDescriptors"), of("leakcheck.(*watch).check"), user}},
		{"the report", true, []callsite.Frame{std, of("fragment.Create"), of("leakcheck.recording"), of("leakcheck.Main"), user}},
		{"a check of a pool", true, []callsite.Frame{std, of("internal/socket.List"), of("leakcheck.Verify"), of("dbcheck.Verify"), user}},
		{"the body of a Repeat", false, []callsite.Frame{std, user, of("leakcheck.Repeat"), user}},
		{"a recording", false, []callsite.Frame{std, of("mockserver.Load"), user}},
		{"a report that the program writes", false, []callsite.Frame{std, of("fragment.Create"), user}},
		{"a test of leakcheck's own", false, []callsite.Frame{std, {Func: callsite.Module + "/leakcheck.TestX", File: "/leakgate/x_test.go"}}},
		{"nothing known", false, nil},
	} {
		assert.Equal(t, c.is, ofHarness(c.stack), c.name)
	}
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

// TestAccepted: a connection that a server has accepted on a goroutine of its own has the line of the listener; one that a handler has
// hijacked has the handler's.
func TestAccepted(t *testing.T) {
	here := callstack.Capture(0).PCs()
	for _, c := range []struct {
		name string
		s    Socket
		role string
	}{
		{"by a server", Socket{Role: "accepted at", From: here}, "server of"},
		{"by the user", Socket{Role: "accepted at", PCs: here, From: here}, "accepted at"},
		{"hijacked", Socket{Role: "hijacked at", PCs: here, From: here}, "hijacked at"},
		{"dialled", Socket{PCs: here}, "opened at"},
		{"not known", Socket{}, ""},
	} {
		s := tcp(1, 2, "ESTABLISHED", Blame{})
		s.PCs, s.Role, s.From = c.s.PCs, c.s.Role, c.s.From
		out := Fold(Input{Sockets: []Socket{s}})
		require.Len(t, out.Leaks, 1, c.name)
		assert.Equal(t, c.role, out.Leaks[0].Role, c.name)
		assert.Equal(t, c.role != "", out.Leaks[0].Site.Func != "", c.name)
	}

	s := tcp(1, 2, "CLOSE_WAIT", Blame{})
	s.From = here
	out := Fold(Input{Sockets: []Socket{s}, Goroutines: []Goroutine{{Role: goroutine.RoleServerBusy}}})
	require.Len(t, out.Leaks, 1)
	require.Len(t, out.Leaks[0].Holds, 3)
	assert.Regexp(t, `^its server's listener was opened at file_test.go:\d+$`, out.Leaks[0].Holds[2])
}

// TestChildPipes: what os/exec has opened for a child is a part of the child's entry, and a leak of its own without one.
func TestChildPipes(t *testing.T) {
	cmd := exec.Command("none")
	var stack [16]uintptr
	pcs := stack[:runtime.Callers(1, stack[:])]
	ofCmd := slices.Concat([]uintptr{reflect.ValueOf((*exec.Cmd).StdoutPipe).Pointer() + 1}, pcs)
	info := lease.Info{Kind: "file", Code: CodeFile, Summary: "the end of a pipe that is read was never closed"}
	pipes := []Lease{{ID: 1, Info: info, PCs: ofCmd, Blame: Blame{Test: "TestA"}}, {ID: 2, Info: info, PCs: ofCmd, Blame: Blame{Test: "TestB"}}, {ID: 3, Info: info, PCs: pcs, Blame: Blame{Test: "TestA"}}}
	child := Child{Child: process.Child{Name: cmd.Path}, ID: 1, Blame: Blame{Test: "TestA"}, PCs: pcs}
	out := Fold(Input{Leases: pipes, Children: []Child{child}})
	assert.Equal(t, []string{"LK401 TestA ×1 of 2", "LK303 TestA ×1 of 1", "LK303 TestB ×1 of 1"}, entries(out))
	assert.Len(t, Fold(Input{Leases: pipes}).Leaks, 3)
	for _, l := range out.Leaks {
		if l.Code == CodeChild {
			assert.Equal(t, []string{"1 end of pipes to it, which cmd.Wait closes"}, l.Holds)
		}
	}

	// Of two children, one has three of four, and the other the rest.
	four := []Lease{pipes[0], pipes[0], pipes[0], pipes[0]}
	other := child
	other.ID = 2
	out = Fold(Input{Leases: four, Children: []Child{child, other}})
	assert.Equal(t, []string{"LK401 TestA ×2 of 6"}, entries(out))
}
