package hook

import "unsafe"

// own are variables of the standard library, and of the agent, that are no variables of the program: pairs of addresses, where one
// begins and where it ends.
var own []uintptr

// Own names a variable that is none of the program's, by its address and size. It is called while packages are initialised.
func Own(addr, size uintptr) { own = append(own, addr, addr+size) }

// OwnVariables gives the pairs of all that were named.
func OwnVariables() []uintptr { return append([]uintptr(nil), own...) }

var pools func() []unsafe.Pointer

// Pools sets what gives the places where pools keep what was put back. It is called while packages are initialised.
func Pools(f func() []unsafe.Pointer) { pools = f }

// PoolPlaces gives the places where pools keep what was put back.
func PoolPlaces() []unsafe.Pointer {
	if pools == nil {
		return nil
	}
	return pools()
}
