package fold

import (
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// CodeFile is the code of a file that was never closed. docs/codes.md explains it.
const CodeFile = "LK303"

const (
	kindFile   = "file"
	kindSocket = "socket"
	rankFile   = 55 // after what may hold one: a child process has pipes
)

// ofDescriptor says whether a lease is one of a descriptor's. That of a socket is held when the garbage collector has closed it:
// until then it is listed as what it is.
func ofDescriptor(l Lease) bool { return l.Info.Kind == kindFile || l.Info.Kind == kindSocket }

// fileLeases explains descriptors that are tracked. One that only the standard library's own functions have opened is left
// out: it belongs to what the library keeps for the life of the process. So is a file that the harness has opened for itself.
func (f *folder) fileLeases() {
	for _, l := range f.in.Leases {
		if !ofDescriptor(l) || l.Now == lease.Released || f.isSocket(l.ID) || ofHarness(callsite.Expand(l.PCs)) {
			continue
		}
		if len(f.in.Children) > 0 && ofExec(l.PCs) && slices.ContainsFunc(f.in.Children, func(c Child) bool {
			return !c.Blame.Other && c.Blame.Test == l.Blame.Test
		}) {
			f.pipes = append(f.pipes, l)
			continue
		}
		f.file(l)
	}
}

// file reports a descriptor.
func (f *folder) file(l Lease) {
	leak := report.Leak{
		Kind: l.Info.Kind, Code: l.Info.Code, Class: l.Info.Kind, Summary: l.Info.Summary, State: l.Info.State,
		Hint: l.Info.Hint, Why: l.Info.Note, Rank: rankFile,
		Keys: []report.Key{{List: "lease", ID: l.ID}},
	}
	if openedAt(&leak, l.PCs) {
		f.add(l.Blame, leak)
	}
}

// ofExec says whether os/exec has opened a descriptor, for a command.
func ofExec(pcs []uintptr) bool {
	return slices.ContainsFunc(callsite.Expand(pcs), func(fr callsite.Frame) bool { return strings.HasPrefix(fr.Func, "os/exec.(*Cmd).") })
}

// ofHarness says whether package leakcheck has opened a descriptor, such as a list of the kernel's that another test's check is
// reading at the moment or the report of the process, and no code that it has called. What package mockserver opens is its user's.
func ofHarness(stack []callsite.Frame) (is bool) {
	for _, fr := range stack {
		switch {
		case callsite.IsStd(fr):
		case !callsite.IsHarness(fr):
			return is
		case callsite.PackageOf(fr.Func) == callsite.Module+"/mockserver":
			return false
		case callsite.PackageOf(fr.Func) == callsite.Module+"/leakcheck":
			is = true
		}
	}
	return is
}

// isSocket says whether a lease is one of a socket that is listed as such: a file may be made of a socket's descriptor.
func (f *folder) isSocket(lease uint64) bool {
	return slices.ContainsFunc(f.in.Sockets, func(s Socket) bool { return s.Lease == lease })
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
