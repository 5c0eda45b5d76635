package fold

import (
	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// CodeFile is the code of a file that was never closed. docs/codes.md explains it.
const CodeFile = "LK303"

const (
	kindFile = "file"
	rankFile = 55 // after what may hold one: a child process has pipes
)

// fileLeases explains open files that are tracked. One that only the standard library's own functions have opened is left
// out: it belongs to what the library keeps for the life of the process.
func (f *folder) fileLeases() {
	for _, l := range f.in.Leases {
		if l.Info.Kind != kindFile || l.Now == lease.Released {
			continue
		}
		leak := report.Leak{
			Kind: kindFile, Code: CodeFile, Class: "file", Summary: l.Info.Summary, State: l.Info.State,
			Hint: l.Info.Hint, Why: l.Info.Note, Rank: rankFile,
			Keys: []report.Key{{List: "lease", ID: l.ID}},
		}
		if openedAt(&leak, l.PCs) {
			f.add(l.Blame, leak)
		}
	}
}

// openedAt names the line of a stack that opened something, and says whether it has one.
func openedAt(leak *report.Leak, pcs []uintptr) bool {
	if len(pcs) == 0 {
		return false
	}
	leak.All = callsite.Expand(pcs)
	stack := callsite.User(leak.All)
	if len(stack) == 0 {
		return false
	}
	leak.Stack, leak.Site, leak.Unknown, leak.Role = stack, callsite.Pick(stack), "", ""
	return true
}
