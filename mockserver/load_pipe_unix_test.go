//go:build unix

package mockserver

import "syscall"

func pipe(file string) error { return syscall.Mkfifo(file, 0o600) }
