package callsite

import (
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Module is the import path of the harness itself; its frames are no call sites.
const Module = "github.com/leakgate/leakgate"

// harness lists the folders of Module that are the harness. Everything else below Module (examples, commands) is
// ordinary code.
var harness = []string{"leakcheck", "httpcheck", "dbcheck", "mockserver", "fragment", "internal"}

// goroot is the folder of the standard library's sources with a slash at the end, as the compiler recorded it; ""
// under -trimpath.
var goroot = sync.OnceValue(func() string {
	var pcs [1]uintptr
	if runtime.Callers(0, pcs[:]) == 0 { // frame 0 is runtime.Callers itself
		return ""
	}
	f, _ := runtime.CallersFrames(pcs[:]).Next()
	root, _, ok := strings.Cut(filepath.ToSlash(f.File), "runtime/extern.go")
	if !ok {
		return ""
	}
	return root
})

// IsStd says whether the frame is in the standard library. Its own tests are not: they are there only when they are what is
// tested.
func IsStd(f Frame) bool {
	if IsTestFile(f) {
		return false
	}
	if root := goroot(); root != "" && f.File != "" {
		return strings.HasPrefix(f.File, root)
	}
	return stdPackage(f.Package())
}

// stdPackage judges by the import path alone: the standard library's first elements are a closed list.
func stdPackage(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	switch first {
	case "archive", "bufio", "builtin", "bytes", "cmp", "compress", "container", "context", "crypto", "database", "debug",
		"embed", "encoding", "errors", "expvar", "flag", "fmt", "go", "hash", "html", "image", "index", "internal", "io",
		"iter", "log", "maps", "math", "mime", "net", "os", "path", "plugin", "reflect", "regexp", "runtime", "slices",
		"sort", "strconv", "strings", "structs", "sync", "syscall", "testing", "text", "time", "unicode", "unique",
		"unsafe", "vendor", "weak":
		return true
	}
	return false
}

// IsHarness says whether the frame is in the harness itself. Its own tests are not.
func IsHarness(f Frame) bool {
	if strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	pkg := f.Package()
	rest, ok := strings.CutPrefix(pkg, Module+"/")
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(rest, "/")
	for _, h := range harness {
		if first == h {
			return true
		}
	}
	return false
}

// IsTestFile says whether the frame is in a test file.
func IsTestFile(f Frame) bool { return strings.HasSuffix(f.File, "_test.go") }

// IsDependency says whether the frame is in code that the user did not write: the module cache or a vendor folder.
func IsDependency(f Frame) bool {
	return strings.Contains(f.File, "/pkg/mod/") || strings.Contains(f.File, "/vendor/") || strings.Contains(f.File, "@v")
}

// User keeps the frames that a reader wants to see, innermost first: neither the standard library's nor the harness's,
// and nothing outside the test's function. It gives nil when there is none.
func User(stack []Frame) []Frame {
	var out []Frame
	for _, f := range stack {
		if f.Func == "testing.tRunner" || f.Func == "testing.(*B).runN" || f.Func == "runtime.goexit" {
			break
		}
		if IsStd(f) || IsHarness(f) {
			continue
		}
		out = append(out, f)
	}
	return out
}

// Without leaves the frames of a library out, given its import path; "" leaves out none.
func Without(stack []Frame, library string) []Frame {
	if library == "" {
		return stack
	}
	var out []Frame
	for _, f := range stack {
		if pkg := f.Package(); pkg != library && !strings.HasPrefix(pkg, library+"/") {
			out = append(out, f)
		}
	}
	return out
}

// Pick gives the frame to blame: the innermost of the user's own, or the innermost of a dependency's when the user has
// none. The stack must have gone through User.
func Pick(user []Frame) Frame {
	for _, f := range user {
		if !IsDependency(f) {
			return f
		}
	}
	if len(user) > 0 {
		return user[0]
	}
	return Frame{}
}

// From leaves out what a library calls: the frames before the innermost one with the prefix, such as those of a driver's
// wrapper before database/sql. A stack without such a frame is given as it is.
func From(stack []Frame, prefix string) []Frame {
	for i, f := range stack {
		if strings.HasPrefix(f.Func, prefix) {
			return stack[i:]
		}
	}
	return stack
}

// Caller gives the frame to blame for a call of a library: the innermost user frame outside of the innermost run of
// frames with the prefix. With "net/http.(*Client)." that is whoever called the client, and not a RoundTripper of the
// user's own in between. Without such frames it is Pick's.
func Caller(stack []Frame, prefix string) Frame {
	for i, f := range stack {
		if !strings.HasPrefix(f.Func, prefix) {
			continue
		}
		if site := Pick(User(stack[i:])); site.Func != "" {
			return site
		}
		break
	}
	return Pick(User(stack))
}
