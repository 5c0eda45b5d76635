//go:build unix

package fragment

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const childSize = "LEAKGATE_TEST_CHILD_SIZE" // how large a file of the child may grow, in bytes

// limitFileSize lets the system refuse to make a file larger, as a full disk does: in the middle of a write.
func limitFileSize() error {
	size, err := strconv.ParseUint(os.Getenv(childSize), 10, 31)
	if err != nil {
		return nil // there is none
	}
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = min(limit.Max, rlimit(size))
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}

// TestNoSpace: when the system refuses to let the file grow, in the middle of a record, the error says so and the file is whole.
func TestNoSpace(t *testing.T) {
	for _, size := range []int{20_000, 20_001, 32_768, 40_003} {
		dir := t.TempDir()
		p := start(t, dir, 0, 3000, childSize+"="+strconv.Itoa(size))
		p.begin(t)
		_, err := p.out.ReadString('\n')
		require.NoError(t, err, p.errout)
		require.Error(t, p.Wait())
		assert.Contains(t, p.errout.String(), "cannot be added to the report "+dir)
		assert.Contains(t, p.errout.String(), syscall.EFBIG.Error())
		got, errs := ReadDir(dir)
		require.Empty(t, errs, "the file is whole")
		require.Len(t, got, 1)
		assert.GreaterOrEqual(t, len(got[0].Leaks), size/5000)
		assert.Equal(t, 1, strings.Count(p.errout.String(), "\n"), p.errout)
	}
}
