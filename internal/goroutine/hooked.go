package goroutine

import (
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
)

// hooked begins the name of a function that deep mode has put another one around: "database/sql.(*DB).leakgateConn", which is
// called by the one that has its old name.
const hooked = "leakgate"

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
	at := strings.LastIndexByte(inner.Func, '.') + 1
	name, ok := strings.CutPrefix(inner.Func[at:], hooked)
	return ok && name != "" && len(outer.Func) == at+len(name) && outer.Func[:at] == inner.Func[:at] && strings.EqualFold(outer.Func[at:], name)
}
