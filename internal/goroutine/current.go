package goroutine

import "runtime"

// CurrentID gives the id of the calling goroutine, 0 when the runtime does not say. buf is scratch room of at least
// 32 bytes; a shorter one is replaced.
//
// The runtime tells it in the header of a dump alone, and writes the whole dump for it: 12 µs on the stack of a test. Where
// the id is kept in the runtime's record of a goroutine is not promised, and is found out when the program starts, by looking
// on some goroutines whose ids are known. Where it is not found, the dump is taken each time.
func CurrentID(buf []byte) uint64 {
	if idAt != 0 {
		return wordOfCurrent(idAt)
	}
	return dumpedID(buf)
}

func dumpedID(buf []byte) uint64 {
	if len(buf) < 32 {
		buf = make([]byte, 64)
	}
	n := runtime.Stack(buf, false)
	id, _ := headerID(buf[:n])
	return id
}

// idAt is the offset of the id; 0 where it is not known. It is looked for before any test begins, because a test may count
// the goroutines that are started in it.
var idAt = placeOfID()

// maxRecord is how much of a record is looked at. It has been longer than that in every Go version that is supported.
const maxRecord = 256

// placeOfID looks for the one word in which all of some goroutines have their own id.
func placeOfID() uintptr {
	if !readsCurrent {
		return 0
	}
	var places map[uintptr]bool
	for range 8 {
		own := make(chan map[uintptr]bool)
		go func() {
			id, found := dumpedID(nil), make(map[uintptr]bool)
			for at := uintptr(8); at < maxRecord && id != 0; at += 8 {
				if wordOfCurrent(at) == id {
					found[at] = true
				}
			}
			own <- found
		}()
		found := <-own
		if places == nil {
			places = found
		}
		for at := range places {
			if !found[at] {
				delete(places, at)
			}
		}
	}
	if len(places) == 1 {
		for at := range places {
			return at
		}
	}
	return 0
}
