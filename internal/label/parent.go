package label

import "strings"

// adoptedBy gives the watch outer, on a goroutine of which the watch id begins, if that is one of the same test or of a test
// above, and else 0: a watch of a test of another name answers for itself alone.
func adoptedBy(id, outer ID, name string) ID {
	above := NameOf(outer)
	if outer == 0 || outer >= id || above == "" || name != above && !strings.HasPrefix(name, above+"/") {
		return 0
	}
	return outer
}

// Parent gives the watch, of the same test or of a test above, that the watch began inside of; 0 when there is none.
func Parent(id ID) ID {
	if s := shared.Load(); s != nil {
		return ID(s.Parent(uint64(id)))
	}
	if m := known(id); m != nil {
		return m.parent
	}
	return 0
}

// Within says whether id is the watch outer, or began inside of it. Nothing is within 0. It does not allocate.
func Within(id, outer ID) bool {
	for id > outer { // a watch has a higher ID than the one that it began inside of
		id = Parent(id)
	}
	return id == outer && outer != 0
}
