package goroutine

import (
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
)

// hooked begins the name of a function that deep mode has put another one around.
const hooked = "leakgate"

// HookedName is the name that deep mode gives to a function or method of the standard library when it puts another one around it, which
// has the old name from then on and calls it: "leakgate_conn" for "conn", "leakgateDialContext" for "DialContext". A type may have
// methods whose names differ in their first letter alone.
func HookedName(name string) string {
	if name != "" && 'A' <= name[0] && name[0] <= 'Z' {
		return hooked + name
	}
	return hooked + "_" + name
}

// unhook leaves out what deep mode has renamed, so that a stack reads as without it: the one around is there too. The innermost
// frame has the line that it is at.
func (g *Goroutine) unhook() {
	if !strings.Contains(g.Raw, "."+hooked) {
		return
	}
	for i := 0; i+1 < len(g.Frames); i++ {
		if isAround(g.Frames[i+1], g.Frames[i]) {
			g.Frames = append(g.Frames[:i], g.Frames[i+1:]...)
			if i < len(g.Args) {
				g.Args = append(g.Args[:i], g.Args[i+1:]...)
			}
		}
	}
}

// isAround says whether outer is what deep mode has put around inner.
func isAround(outer, inner callsite.Frame) bool {
	at := strings.LastIndexByte(outer.Func, '.') + 1
	return inner.Func == outer.Func[:at]+HookedName(outer.Func[at:])
}
