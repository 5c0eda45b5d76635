//go:build unix && !linux

package dbtest

import "syscall"

// endWithParent can do nothing here: what a killed keeper leaves is swept at the next start.
func endWithParent(*syscall.SysProcAttr) {}
