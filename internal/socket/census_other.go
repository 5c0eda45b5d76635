//go:build !linux && !darwin && !freebsd && !openbsd && !netbsd && !windows

package socket

const limits = "open sockets cannot be listed on this system"

// Census lists the sockets of this process. Here it cannot.
type Census struct{}

// List returns ErrUnsupported.
func (*Census) List(dst []Ref) ([]Ref, error) { return dst, ErrUnsupported }

// Describe is always false here.
func Describe(Ref) (Socket, bool) { return Socket{}, false }

// Identity is always false here.
func Identity(int) (id uint64, ok bool) { return 0, false }
