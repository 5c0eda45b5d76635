//go:build unix && !solaris

package main

import (
	"os"
	"runtime"
	"syscall"
)

// maxRSS gives the most memory that a process, or one that it has waited for, had at once, in kilobytes (getrusage(2); bytes on
// darwin).
func maxRSS(p *os.ProcessState) int64 {
	u, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(u.Maxrss) / 1024
	}
	return int64(u.Maxrss)
}
