// Package callsite turns program counters into the call sites that a report shows: frames of the user's own
// code, with the source line, and a fingerprint that survives moved lines.
//
// It uses the standard library alone and knows nothing of tests or modules.
package callsite

import (
	"runtime"
	"strconv"
	"strings"
)

// Frame is one call of a stack. The zero Frame means "not known".
type Frame struct {
	Func string // package path and function, as the runtime prints it: "net/http.(*Client).Do"
	File string // path as the compiler recorded it; "" when not known
	Line int    // line in File, from 1; 0 when not known
}

// String gives "function file:line", or the function alone when the position is not known.
func (f Frame) String() string {
	if f.File == "" {
		return f.Func
	}
	return f.Func + " " + f.Position()
}

// Position gives "file:line", or "" when it is not known.
func (f Frame) Position() string {
	if f.File == "" {
		return ""
	}
	return f.File + ":" + strconv.Itoa(f.Line)
}

// Package gives the import path part of Func: "net/http" for "net/http.(*Client).Do". Dots in the last element
// of an import path are escaped by the linker as %2e and are given back unescaped.
func (f Frame) Package() string { return PackageOf(f.Func) }

// PackageOf gives the import path part of a function name as the runtime prints it.
func PackageOf(fn string) string {
	slash := strings.LastIndexByte(fn, '/')
	if bracket := strings.IndexByte(fn, '['); bracket >= 0 && bracket < slash {
		slash = strings.LastIndexByte(fn[:bracket], '/') // a slash inside type arguments
	}
	dot := strings.IndexByte(fn[slash+1:], '.')
	if dot < 0 {
		return fn
	}
	return strings.ReplaceAll(fn[:slash+1+dot], "%2e", ".")
}

// Expand turns program counters, as runtime.Callers gives them, into frames, innermost first. Inlined calls
// get frames of their own.
func Expand(pcs []uintptr) []Frame {
	if len(pcs) == 0 {
		return nil
	}
	out := make([]Frame, 0, len(pcs))
	it := runtime.CallersFrames(pcs)
	for {
		f, more := it.Next()
		if f.Function != "" {
			out = append(out, Frame{Func: f.Function, File: f.File, Line: f.Line})
		}
		if !more {
			return out
		}
	}
}
