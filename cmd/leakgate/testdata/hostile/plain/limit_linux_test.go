package plain

import (
	"os"
	"syscall"
	"testing"
)

// When there is no descriptor left, nothing is different; and neither when there is none for the check.
func TestNoDescriptors(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = 32
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var all []*os.File
	t.Run("sub", func(t *testing.T) {
		for {
			f, err := os.Open(os.DevNull)
			if err != nil {
				break
			}
			all = append(all, f)
		}
		if len(all) == 0 {
			t.Fatal("none could be opened")
		}
		t.Run("subsub", func(t *testing.T) {})
		for _, f := range all {
			f.Close()
		}
	})
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
}
