package fragment

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the child processes of these tests are told by their environment.
const (
	childDir   = "LEAKGATE_TEST_CHILD_DIR"   // the folder that they write to
	childCount = "LEAKGATE_TEST_CHILD_COUNT" // how many records; 0 for no end
	childLong  = "LEAKGATE_TEST_CHILD_LONG"  // how long a text of each is
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child writes records, as a test binary does. It begins when it is told to, and says so after the first.
func child(dir string) error {
	count, err := strconv.Atoi(os.Getenv(childCount))
	if err != nil {
		return err
	}
	long, err := strconv.Atoi(os.Getenv(childLong))
	if err != nil {
		return err
	}
	if err := limitFileSize(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	h := header()
	h.PID = os.Getpid()
	w, err := Create(dir, h)
	if err != nil {
		return err
	}
	l := leak()
	for i := 0; count == 0 || i < count; i++ {
		if err := w.Test(Test{Name: fmt.Sprintf("Test%d", i)}); err != nil {
			return err
		}
		l.Why = strings.Repeat("x", long+i%7)
		if err := w.Leak(l); err != nil {
			return err
		}
		if i == 0 {
			fmt.Println(w.Path())
		}
	}
	return w.End(End{At: began})
}

type process struct {
	*exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errout *strings.Builder
}

// start gives a child that waits for its word to begin.
func start(t *testing.T, dir string, count, long int, env ...string) process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), childDir+"="+dir, childCount+"="+strconv.Itoa(count), childLong+"="+strconv.Itoa(long)), env...)
	p := process{Cmd: cmd, errout: new(strings.Builder)}
	cmd.Stderr = p.errout
	p.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewReader(out)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return p
}

func (p process) begin(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(p.in, "go\n")
	require.NoError(t, err)
}

// TestKilled: of processes that are killed while they write, every file can be read, every record that is there is whole,
// and none is missing in between.
func TestKilled(t *testing.T) {
	const kills = 30
	dir := t.TempDir()
	cut, records := 0, 0
	for i := range kills {
		long := []int{10, 3000, 100_000}[i%3] // within a page, across pages, and many of them
		p := start(t, dir, 0, long)
		p.begin(t)
		name, err := p.out.ReadString('\n')
		require.NoError(t, err, p.errout)
		name = strings.TrimSpace(name)
		for size := int64(0); size < int64(i%10)*20_000; { // it is killed in the middle of what it does
			info, err := os.Stat(name)
			require.NoError(t, err)
			size = info.Size()
		}
		require.NoError(t, p.Process.Kill())
		_ = p.Wait()

		f, err := ReadFile(name)
		require.NotNil(t, f, err)
		if err != nil {
			require.ErrorAs(t, err, new(*CutError))
			cut++
		}
		require.Equal(t, p.Process.Pid, f.PID)
		require.Nil(t, f.End)
		require.NotEmpty(t, f.Tests)
		for n, x := range f.Tests {
			require.Equal(t, fmt.Sprintf("Test%d", n), x.Name)
		}
		require.InDelta(t, len(f.Tests), len(f.Leaks), 1)
		for n, l := range f.Leaks {
			require.Len(t, l.Why, long+n%7)
		}
		records += len(f.Tests) + len(f.Leaks)
		require.NoError(t, os.Remove(name))
	}
	t.Logf("%d processes killed after %d records in all; %d files are cut", kills, records, cut)
}

// TestTwoProcesses: processes that start at the same moment and write to one folder lose nothing.
func TestTwoProcesses(t *testing.T) {
	const processes, count = 4, 100
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	var all []process
	for range processes {
		all = append(all, start(t, dir, count, 2000))
	}
	for _, p := range all { // they run already, and wait for this
		p.begin(t)
	}
	for _, p := range all {
		_, err := p.out.ReadString('\n')
		require.NoError(t, err, p.errout)
		require.NoError(t, p.Wait(), p.errout)
	}
	got, errs := ReadDir(dir)
	require.Empty(t, errs)
	require.Len(t, got, processes)
	for _, f := range got {
		assert.Len(t, f.Tests, count)
		assert.Len(t, f.Leaks, count)
		assert.NotNil(t, f.End)
	}
}
