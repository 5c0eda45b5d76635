//go:build gc && (linux || darwin || freebsd || netbsd || openbsd)

package goroutine

// readsCurrent says that wordOfCurrent works here.
const readsCurrent = true

// wordOfCurrent gives the word at the offset in the runtime's record of the calling goroutine.
func wordOfCurrent(offset uintptr) uint64
