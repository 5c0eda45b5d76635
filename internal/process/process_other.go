//go:build !linux

package process

// Census lists the children of this process. Here it cannot.
type Census struct{}

// List returns ErrUnsupported.
func (*Census) List(dst []Ref) ([]Ref, error) { return dst, ErrUnsupported }

// Describe is always false here.
func Describe(Ref) (Child, bool) { return Child{}, false }
