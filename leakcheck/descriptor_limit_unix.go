//go:build unix

package leakcheck

import (
	"math"
	"syscall"
)

// descriptorLimit is how many descriptors the process may have open; 0 when there is no limit or it is not known.
func descriptorLimit() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || uint64(r.Cur) > math.MaxInt32 {
		return 0
	}
	return int(r.Cur)
}
