//go:build unix

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRelay: the command is told of an interrupt once, and of other signals as they come; what it prints after that is not lost.
func TestRelay(t *testing.T) {
	const waits = `trap 'echo interrupted' INT; trap 'echo quit' QUIT; trap 'echo ended; exit 5' TERM; echo ready; while :; do sleep 0.01; done`
	r, w := io.Pipe()
	cmd := exec.Command("/bin/sh", "-c", waits)
	cmd.Stdout = w
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := relay(ctx, cmd)
		w.Close()
		ended <- err
	}()
	lines := bufio.NewReader(r)
	next := func() string {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		return line
	}
	require.Equal(t, "ready\n", next())
	cancel()
	require.Equal(t, "interrupted\n", next())
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(syscall.SIGQUIT))
	require.Equal(t, "quit\n", next(), "and not interrupted once more")
	require.NoError(t, self.Signal(syscall.SIGTERM))
	require.Equal(t, "ended\n", next())
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	assert.Empty(t, rest)
	var exit *exec.ExitError
	require.ErrorAs(t, <-ended, &exit)
	assert.Equal(t, 5, exit.ExitCode())
}
