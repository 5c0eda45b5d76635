package matrix

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var processScenarios = []scenario{
	{
		name: "exec-no-wait", leak: execNoWait, clean: execWait, linux: true,
		want: want{code: "LK401", kind: "process", has: []string{"child process cat", "never waited for", "defer cmd.Wait()"}},
	},
	{
		name: "exec-stdout-buffer", leak: execBuffer, clean: execBufferWait, linux: true,
		want: want{code: "LK401", kind: "process", has: []string{"child process cat", "1 goroutine of os/exec"}},
	},
	{
		name: "exec-wait-in-goroutine", leak: execWaitInGoroutine, clean: execWaitInGoroutineEnds, linux: true,
		want: want{code: "LK401", kind: "process", mark: "wait-in-goroutine", has: []string{"child process cat", "still runs"}},
	},
	{
		name: "exec-context", leak: execContext, clean: childKilled, linux: true,
		want: want{code: "LK401", kind: "process", has: []string{"child process cat", "never waited for", "1 goroutine of os/exec"}},
	},
	{
		name: "exec-stdin-pipe", leak: execStdinPipe, clean: execStdinPipeClosed, linux: true,
		want: want{code: "LK401", kind: "process", has: []string{"child process cat"}},
	},
	{
		name: "exec-exited", leak: execExited, clean: execExitedWait, linux: true,
		want: want{code: "LK401", kind: "process", has: []string{"never waited for", "exited; the kernel keeps its entry"}},
	},
}

// cat starts a process that ends when end is closed, at the latest with this process.
func cat(t *testing.T, out io.Writer) (cmd *exec.Cmd, end io.Closer) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd = exec.Command("cat")
	cmd.Stdin, cmd.Stdout = r, out
	require.NoError(t, cmd.Start()) // TAKEN cat
	keep(w)
	return cmd, w
}

func execNoWait(t *testing.T, _ *peer) {
	cmd, _ := cat(t, nil)
	keep(cmd)
}

func execWait(t *testing.T, _ *peer) {
	cmd, end := cat(t, nil)
	assert.NoError(t, end.Close())
	assert.NoError(t, cmd.Wait())
}

func execBuffer(t *testing.T, _ *peer) {
	cmd, _ := cat(t, new(bytes.Buffer))
	keep(cmd)
}

func execBufferWait(t *testing.T, _ *peer) {
	cmd, end := cat(t, new(bytes.Buffer))
	assert.NoError(t, end.Close())
	assert.NoError(t, cmd.Wait())
}

func execWaitInGoroutine(t *testing.T, _ *peer) {
	cmd, _ := cat(t, nil)
	go func() {
		_ = cmd.Wait() // LEAK wait-in-goroutine
	}()
}

func execWaitInGoroutineEnds(t *testing.T, _ *peer) {
	cmd, end := cat(t, nil)
	go func() { _ = cmd.Wait() }()
	assert.NoError(t, end.Close())
}

func execContext(t *testing.T, _ *peer) {
	ctx, cancel := context.WithCancel(context.Background())
	keep(cancel)
	cmd := exec.CommandContext(ctx, "cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start()) // TAKEN exec-context
	keep(cmd)
	keep(in)
}

func execStdinPipe(t *testing.T, _ *peer) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start()) // TAKEN exec-stdin
	_, err = io.WriteString(in, "hello")
	require.NoError(t, err)
	keep(cmd)
	keep(in)
}

func execStdinPipeClosed(t *testing.T, _ *peer) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.WriteString(in, "hello")
	require.NoError(t, err)
	assert.NoError(t, in.Close())
	assert.NoError(t, cmd.Wait())
}

// execExited is over when the child has closed its output, which it does at its end.
func execExited(t *testing.T, _ *peer) {
	cmd := exec.Command("true")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start()) // TAKEN exec-exited
	_, err = io.Copy(io.Discard, out)
	require.NoError(t, err)
	keep(cmd)
}

func execExitedWait(t *testing.T, _ *peer) {
	assert.NoError(t, exec.Command("true").Run())
}
