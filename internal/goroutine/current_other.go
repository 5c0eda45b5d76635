//go:build !(gc && amd64 && (linux || darwin || freebsd || netbsd || openbsd))

package goroutine

const readsCurrent = false

func wordOfCurrent(uintptr) uint64 { return 0 }
