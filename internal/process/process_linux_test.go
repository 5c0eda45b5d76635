package process

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// TestMain makes this binary a child that does nothing until its standard input ends.
func TestMain(m *testing.M) {
	switch os.Getenv("LEAKGATE_TEST_CHILD") {
	case "wait":
		_, _ = os.Stdout.WriteString("up\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	case "exit":
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// child starts this binary again. In the mode "wait" it runs until stop is called, and has begun when child returns.
func child(t *testing.T, mode string, args ...string) (cmd *exec.Cmd, stop func()) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd = exec.Command(exe, args...)
	cmd.Env = environ(mode)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	if mode == "wait" {
		_, err = io.ReadFull(out, make([]byte, 3))
		require.NoError(t, err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			in.Close()
			_ = cmd.Wait()
		})
	}
	t.Cleanup(stop)
	return cmd, stop
}

// environ lets a child end at once: with the race detector it would wait a second for reports.
func environ(mode string) []string {
	return append(os.Environ(), "LEAKGATE_TEST_CHILD="+mode, "GORACE=atexit_sleep_ms=0")
}

// exited waits until the child has ended, and leaves it as it is.
func exited(t *testing.T, pid int) {
	t.Helper()
	const pPID = 1
	for {
		_, _, e := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(pid), 0, syscall.WEXITED|wNoWait, 0, 0)
		if e != syscall.EINTR {
			require.Zero(t, e)
			return
		}
	}
}

func list(t *testing.T) []Ref {
	t.Helper()
	var c Census
	refs, err := c.List(nil)
	require.NoError(t, err)
	return refs
}

func find(t *testing.T, pid int) Ref {
	t.Helper()
	refs := list(t)
	i := slices.IndexFunc(refs, func(r Ref) bool { return r.PID == pid })
	require.GreaterOrEqual(t, i, 0, "%d is not in %v", pid, refs)
	return refs[i]
}

func TestNone(t *testing.T) {
	require.Empty(t, list(t))
	var c Census
	refs := make([]Ref, 0, 8)
	require.Zero(t, testing.AllocsPerRun(50, func() { refs, _ = c.List(refs[:0]) }))
}

func TestRunning(t *testing.T) {
	cmd, stop := child(t, "wait", "secret", "-password=x")
	r := find(t, cmd.Process.Pid)
	require.Equal(t, r, find(t, cmd.Process.Pid), "the same each time")
	c, ok := Describe(r)
	require.True(t, ok)
	exe, err := os.Executable()
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(exe, "/"+c.Name), c.Name)
	require.Equal(t, 2, c.Args)
	require.False(t, c.Exited)
	require.NotEmpty(t, c.State)
	require.NotContains(t, c.String(), "secret")
	require.NotContains(t, c.String(), "password")
	t.Log(c)

	stop()
	_, ok = Describe(r)
	require.False(t, ok)
	require.Empty(t, list(t))
}

func TestExited(t *testing.T) {
	cmd, _ := child(t, "exit")
	exited(t, cmd.Process.Pid)
	r := find(t, cmd.Process.Pid)
	c, ok := Describe(r)
	require.True(t, ok)
	require.True(t, c.Exited)
	require.Equal(t, "exited", c.State)
	require.Equal(t, -1, c.Args)
	exe, err := os.Executable()
	require.NoError(t, err)
	require.NotEmpty(t, c.Name)
	require.Contains(t, exe, "/"+c.Name)
	t.Log(c)

	// It was not disturbed: its own parent still gets the status.
	err = cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 3, exit.ExitCode())
	_, ok = Describe(r)
	require.False(t, ok)
	require.Empty(t, list(t))
}

func TestOtherIdentity(t *testing.T) {
	cmd, _ := child(t, "wait")
	r := find(t, cmd.Process.Pid)
	_, ok := Describe(Ref{ID: r.ID + 1, PID: r.PID})
	require.False(t, ok, "started at another time")
	_, ok = Describe(Ref{ID: mix(uint64(os.Getpid()), 1), PID: os.Getpid()})
	require.False(t, ok, "not a child")
}

// A child belongs to the thread that started it, and is passed on when that thread ends.
func TestOtherThreads(t *testing.T) {
	var cmds []*exec.Cmd
	var mu sync.Mutex
	hold := make(chan struct{})
	var started, done sync.WaitGroup
	for i := range 4 {
		started.Add(1)
		done.Go(func() {
			runtime.LockOSThread() // and ends with the goroutine: it is not unlocked
			ok := false
			defer func() {
				if !ok {
					started.Done()
				}
			}()
			cmd, _ := child(t, "wait")
			mu.Lock()
			cmds = append(cmds, cmd)
			mu.Unlock()
			ok = true
			started.Done()
			if i%2 == 0 {
				<-hold
			}
		})
	}
	started.Wait()
	require.Len(t, cmds, 4)
	for range 20 {
		refs := list(t)
		require.Len(t, refs, 4)
	}
	close(hold)
	done.Wait()
	require.Len(t, list(t), 4)
}

// Children that come and go, and are waited for, do not hide the one that stays, and are waited for undisturbed.
func TestConcurrentWait(t *testing.T) {
	cmd, _ := child(t, "wait")
	exe, err := os.Executable()
	require.NoError(t, err)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c := exec.Command(exe)
				c.Env = environ("exit")
				if err := c.Run(); c.ProcessState == nil || c.ProcessState.ExitCode() != 3 {
					t.Errorf("the child's status was lost: %v", err)
					return
				}
			}
		})
	}
	var c Census
	var refs []Ref
	for range 60 {
		refs, err = c.List(refs[:0])
		if err != nil || !slices.ContainsFunc(refs, func(r Ref) bool { return r.PID == cmd.Process.Pid }) {
			t.Errorf("%d is not in %v (%v)", cmd.Process.Pid, refs, err)
			break
		}
		for _, r := range refs {
			if c, ok := Describe(r); ok && c.Ref != r {
				t.Errorf("%v is described as %v", r, c)
			}
		}
	}
	close(stop)
	wg.Wait()
}

// Both ways of finding children find the same.
func TestWays(t *testing.T) {
	first, _ := child(t, "wait")
	second, _ := child(t, "exit")
	exited(t, second.Process.Pid)
	want := []int{first.Process.Pid, second.Process.Pid}
	slices.Sort(want)
	var c Census
	require.True(t, c.fromStat())
	require.Equal(t, want, c.pids)
	c.pids = c.pids[:0]
	if !c.fromTasks() {
		t.Skip("this kernel has no /proc/PID/task/TID/children")
	}
	require.Equal(t, want, c.pids)
}

func TestParseStat(t *testing.T) {
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2"
	st, ok := parseStat([]byte(line))
	require.True(t, ok)
	require.Equal(t, stat{comm: "a) b (c", state: 'S', parent: 7, start: 987654}, st)
	for i := range line {
		if i < strings.Index(line, "987654")+1 {
			_, ok := parseStat([]byte(line[:i]))
			require.False(t, ok, line[:i])
		}
	}
	for _, bad := range []string{") (", "1 () S x 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "1 () S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 -1 1"} {
		_, ok := parseStat([]byte(bad))
		require.False(t, ok, bad)
	}
}

func TestReadGrows(t *testing.T) {
	name := t.TempDir() + "/f"
	want := strings.Repeat("0123456789", 10_000)
	require.NoError(t, os.WriteFile(name, []byte(want), 0o600))
	var c Census
	b, ok := c.read(name)
	require.True(t, ok)
	require.Equal(t, want, string(b))
	_, ok = c.read(name + "x")
	require.False(t, ok)
	require.False(t, c.dirents(name, func(int) {}))
}

// The listing must not take a stopped or ended child's event from whoever waits for it.
func TestNothingIsTaken(t *testing.T) {
	cmd, _ := child(t, "wait")
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	var info [128]byte
	const pPID, wStopped = 1, 2
	_, _, e := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(cmd.Process.Pid), uintptr(unsafe.Pointer(&info)), wStopped|wNoWait, 0, 0)
	require.Zero(t, e)
	c, ok := Describe(find(t, cmd.Process.Pid))
	require.True(t, ok)
	require.Equal(t, "stopped", c.State)
	_, _, e = syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(cmd.Process.Pid), uintptr(unsafe.Pointer(&info)), wStopped|syscall.WNOHANG, 0, 0)
	require.Zero(t, e)
	require.NotEqual(t, [128]byte{}, info, "the event is still there")
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
}

func BenchmarkNone(b *testing.B) {
	var c Census
	var refs []Ref
	b.ReportAllocs()
	for b.Loop() {
		refs, _ = c.List(refs[:0])
	}
}
