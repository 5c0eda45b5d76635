package label

import (
	"strings"
	"sync"
)

// parents knows, of a watch that began inside another one of its test or of a test above, which that is. It is forgotten
// with the watch's name.
var parents struct {
	sync.RWMutex
	by map[ID]ID
}

// adopt notes that the watch began on a goroutine of the other, if that is one of the same test or of a test above: a watch
// of a test of another name answers for itself alone.
func adopt(id, outer ID, name string) {
	above := NameOf(outer)
	if outer == 0 || outer >= id || above == "" || name != above && !strings.HasPrefix(name, above+"/") {
		return
	}
	parents.Lock()
	defer parents.Unlock()
	if parents.by == nil {
		parents.by = make(map[ID]ID)
	}
	parents.by[id] = outer
}

func orphan(id ID) {
	parents.Lock()
	defer parents.Unlock()
	delete(parents.by, id)
}

// Parent gives the watch, of the same test or of a test above, that the watch began inside of; 0 when there is none.
func Parent(id ID) ID {
	parents.RLock()
	defer parents.RUnlock()
	return parents.by[id]
}

// Within says whether id is the watch outer, or began inside of it. Nothing is within 0. It does not allocate.
func Within(id, outer ID) bool {
	for id > outer { // a watch has a higher ID than the one that it began inside of
		id = Parent(id)
	}
	return id == outer && outer != 0
}
