//go:build gc && (linux || darwin || freebsd || netbsd || openbsd)

package callstack

// unwind follows the chain of frame pointers of the calling goroutine, as the runtime's own execution tracer does, and gives
// the return addresses, innermost first, and hashOf them. It gives 0 when the chain does not end where the goroutine began: it is longer
// than maxChain, or C code stands between, which need not keep it. An assembly function that calls Go code without a frame of its own hides the line
// that called it from the chain.
//
// It is assembly because a goroutine cannot be interrupted there: its stack stays where it is.
//
//go:noescape
func unwind(pcs *[maxChain]uintptr) (n int, hash uintptr)
