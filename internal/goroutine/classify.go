package goroutine

import (
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/leakgate/leakgate/internal/callsite"
)

// h2 stands for every package that HTTP/2 lives in: bundled into net/http up to Go 1.26, in net/http/internal/http2
// from Go 1.27 on, and golang.org/x/net/http2 itself. The names in it are the same.
const h2 = "http2"

// family is where a function comes from: its import path, or h2.
type family = string

// fn is a function's name, taken apart.
type fn struct {
	family  family
	name    string // "(*Transport).dialConn", without what follows for closures
	closure bool   // a function literal inside name
}

// split takes a function's name as the runtime prints it apart.
func split(full string) fn {
	pkg := callsite.PackageOf(full)
	f := fn{family: pkg}
	if slash := strings.LastIndexByte(full, '/'); len(full) > len(pkg) {
		// The name starts behind the first dot of the path's last element.
		if bracket := strings.IndexByte(full, '['); bracket >= 0 && bracket < slash {
			slash = strings.LastIndexByte(full[:bracket], '/')
		}
		f.name = full[slash+1:]
		_, f.name, _ = strings.Cut(f.name, ".")
	}
	for _, literal := range []string{".func", ".gowrap", ".deferwrap"} {
		if i := strings.Index(f.name, literal); i >= 0 && startsWithDigit(f.name[i+len(literal):]) {
			f.name, f.closure = f.name[:i], true
		}
	}
	f.name = strings.TrimSuffix(f.name, "-fm") // a method value
	switch pkg {
	case "net/http":
		// The bundle puts http2 before every name: (*http2ClientConn).readLoop, http2foo.
		if after, found := strings.CutPrefix(f.name, "(*http2"); found {
			f.family, f.name = h2, "(*"+after
		} else if after, found := strings.CutPrefix(f.name, "http2"); found {
			f.family, f.name = h2, after
		}
	case "net/http/internal/http2", "golang.org/x/net/http2":
		f.family = h2
	case own():
		f.family = callsite.Module + "/internal/goroutine"
	}
	// In the agent of deep mode, this module is a part of the standard library.
	switch rest, ok := strings.CutPrefix(pkg, "internal/leakgate/"); {
	case ok && rest == "leakcheck":
		f.family = callsite.Module + "/" + rest
	case ok:
		f.family = callsite.Module + "/internal/" + rest
	}
	return f
}

// own is the import path that this package has in the running program.
var own = sync.OnceValue(func() string {
	pc, _, _, _ := runtime.Caller(0)
	return callsite.PackageOf(runtime.FuncForPC(pc).Name())
})

func startsWithDigit(s string) bool { return s != "" && '0' <= s[0] && s[0] <= '9' }

// is says whether f is the function of that name itself.
func (f fn) is(name string) bool { return f.name == name && !f.closure }

// in says whether f is a function literal inside the function of that name. Where the compiler inlined that one, the
// literal is named after both: "(*T).caller.(*T).name.func1".
func (f fn) in(name string) bool {
	return f.closure && (f.name == name || strings.HasSuffix(f.name, "."+name))
}

// of says whether f is a method of that type, or inside one: of("(*serverConn)").
func (f fn) of(receiver string) bool { return strings.HasPrefix(f.name, receiver+".") }

// Classify gives the goroutine's role. What decides is where the goroutine starts, its outermost frame, together with
// who created it; only then does the rest of the stack say what it is at. So a goroutine of the program that is
// merely inside such a function, or in one of a similar name, stays RoleUser.
//
// The watcher of signal.NotifyContext is RoleUser: it lives until stop is called or the parent is done, and is a leak
// of the program's when neither happens. So is a finalizer or cleanup that is blocked: it holds up all the others.
func Classify(g *Goroutine) Role {
	maker := split(g.CreatedBy.Func)
	i := bottom(g)
	if i < 0 {
		// The stack was not available. Some creators start only one kind.
		if isTesting(maker.family) {
			return RoleTest
		}
		return RoleUser
	}
	start := split(g.Frames[i].Func)
	stack := g.Frames[:i]

	switch start.family {
	case "net/http":
		return classifyHTTP(g, start, maker, stack)
	case h2:
		if maker.family == h2 || maker.family == "net/http" || maker.family == "time" {
			return classifyH2(start)
		}
	case "net/http/httptest":
		if start.in("(*Server).goServe") && maker.family == start.family {
			return RoleServerAccept
		}
	case callsite.Module + "/mockserver":
		if maker.family == start.family {
			return classifyMock(start, stack)
		}
	case callsite.Module + "/leakcheck":
		if maker.family == "time" && (start.is("(*recorder).tick") || start.is("(*Series).tick") || start.is("(*warnings).tick")) {
			return RoleRuntime // a timer of the recorder, of Sample or of WarnHeld
		}
		if maker.family == start.family && start.is("(*crowd).client") && len(callsite.User(stack)) == 0 {
			return RoleRuntime // a client of a load, which begins or has ended: it is in no code of the program's
		}
	case callsite.Module + "/internal/http2":
		if maker.family == start.family && start.is("(*Conn).handle") {
			return classifyMockStream(stack)
		}
	case callsite.Module + "/internal/goroutine":
		if maker.family == start.family && (start.in("probe") || start.in("placeOfID")) {
			return RoleRuntime // it has given its answer, and is about to end
		}
	case callsite.Module + "/internal/dbuse":
		if maker.family == "time" && start.in("Until") {
			return RoleRuntime // a look of a check, which a timer runs
		}
	case "crypto/tls":
		// Up to Go 1.25 it watches the context of a handshake, and ends with it.
		if start.in("(*Conn).handshakeContext") && maker.family == start.family {
			return RoleClientDial
		}
	case "database/sql":
		if maker.family == start.family {
			return classifySQL(start)
		}
	case "github.com/jackc/pgx/v5/pgxpool":
		if maker.family == start.family && (start.in("NewWithConfig") || start.is("(*Pool).backgroundHealthCheck")) {
			return RolePgxPool
		}
	case "github.com/jackc/pgx/v5/pgconn/ctxwatch":
		if maker.family == start.family {
			return RolePgxWatch
		}
	case "os/exec":
		if maker.family == start.family {
			return RoleExec
		}
	case "runtime/pprof", "runtime/trace":
		if maker.family == start.family {
			return RoleRuntime
		}
	case "os/signal":
		if maker.family == start.family && start.is("loop") {
			return RoleRuntime
		}
	case "runtime":
		return classifyRuntime(g, start, stack)
	}
	if isTesting(start.family) {
		if start.in("(*M).startAlarm") && maker.family == "time" {
			return RoleRuntime
		}
		if isTesting(maker.family) {
			return RoleTest
		}
	}
	if g.ID == 1 && g.CreatedBy.Func == "" {
		return RoleTest
	}
	return RoleUser
}

// classifyMock knows this module's own servers, which are as good as net/http's.
func classifyMock(start fn, stack []callsite.Frame) Role {
	switch {
	case start.is("(*Server).accept"), start.is("(*TCP).accept"):
		return RoleServerAccept
	case start.is("(*tcpConn).play"):
		return RoleServerIdle // whatever its script is at: no handler of the user's runs in it
	case start.in("(*conn).watch"):
		return RoleServerRead
	case start.is("(*conn).serve"):
		for _, f := range stack {
			switch f := split(f.Func); {
			case f.family == callsite.Module+"/internal/http2" && f.is("(*Conn).Serve"):
				return RoleH2Server
			case f.is("(*conn).awaitRequest"), f.is("(*conn).linger"), f.is("(*conn).handshake"):
				return RoleServerIdle
			}
		}
		return RoleServerBusy
	}
	return RoleUser
}

// classifyMockStream is for the goroutine that answers one request of HTTP/2. Unless it is in a handler of the program's it
// waits for the client, or for the time at which it sends on, and is nobody's leak.
func classifyMockStream(stack []callsite.Frame) Role {
	for _, f := range stack {
		if f := split(f.Func); f.family == callsite.Module+"/mockserver" && f.is("serveRecovered") {
			return RoleH2ServerHandler
		}
	}
	return RoleH2Server
}

// bottom gives the index of the frame that the goroutine started with, -1 when there is none. It leaves out what the
// compiler and the runtime put below it.
func bottom(g *Goroutine) int {
	for i := len(g.Frames) - 1; i >= 0; i-- {
		name := g.Frames[i].Func
		if name == "runtime.goexit" || name == "runtime.main" || i > 0 && isWrapper(name) {
			continue
		}
		return i
	}
	return -1
}

// isWrapper says whether a function is the one that the compiler makes of a go statement with arguments.
func isWrapper(name string) bool {
	i := strings.LastIndex(name, ".gowrap")
	return i >= 0 && strings.Trim(name[i+len(".gowrap"):], "0123456789") == ""
}

// isTesting says whether a package is one of those that run tests.
func isTesting(f family) bool {
	switch f {
	case "testing", "testing/synctest", "internal/synctest", "internal/fuzz", "testing/internal/testdeps":
		return true
	}
	return false
}

func classifyHTTP(g *Goroutine, start, maker fn, stack []callsite.Frame) Role {
	// Serve is exported, so anybody may have started it.
	switch {
	case start.is("(*Server).Serve"), start.is("(*Server).ServeTLS"), start.is("Serve"), start.is("ServeTLS"),
		start.is("(*Server).ListenAndServe"), start.is("(*Server).ListenAndServeTLS"),
		start.is("ListenAndServe"), start.is("ListenAndServeTLS"):
		return RoleServerAccept
	}
	if maker.family != "net/http" && maker.family != h2 && maker.family != "time" {
		return RoleUser
	}
	switch {
	case start.is("(*persistConn).readLoop"):
		if g.State == "select" && len(visible(stack)) == 0 {
			return RoleClientLeased
		}
		return RoleClientIdle
	case start.is("(*persistConn).writeLoop"):
		return RoleClientWrite
	case start.is("(*persistConn).closeConnIfStillIdle"):
		return RoleClientIdle
	case start.is("(*Transport).dialConnFor"), start.in("(*Transport).startDialConnForLocked"),
		start.in("(*Transport).queueForDial"), start.in("(*Transport).dialConn"), start.in("(*persistConn).addTLS"):
		return RoleClientDial
	case start.in("setRequestCancel"), start.is("awaitLegacyCancel"), start.in("maybeDrainBody"):
		return RoleClientRequest
	case start.is("(*conn).serve"):
		return classifyServe(stack)
	case start.is("(*connReader).backgroundRead"):
		return RoleServerRead
	}
	return RoleUser
}

// visible leaves out the frames of the runtime on top, which are there only under GOTRACEBACK=system.
func visible(stack []callsite.Frame) []callsite.Frame {
	for len(stack) > 0 && strings.HasPrefix(stack[0].Func, "runtime.") {
		stack = stack[1:]
	}
	return stack
}

// classifyServe looks at the frames inside a server connection's goroutine, outermost first: a handler of HTTP/1 that
// itself serves HTTP/2 is a handler.
func classifyServe(stack []callsite.Frame) Role {
	for i := len(stack) - 1; i >= 0; i-- {
		f := split(stack[i].Func)
		switch {
		case f.family == "net/http" && f.is("serverHandler.ServeHTTP"):
			return RoleServerBusy
		case f.family == h2 && f.is("(*serverConn).serve"):
			return RoleH2Server
		}
	}
	return RoleServerIdle
}

func classifyH2(start fn) Role {
	switch {
	case start.of("(*ClientConn)"):
		return RoleH2ClientConn
	case start.of("(*clientStream)"):
		return RoleH2ClientStream
	case start.of("(*dialCall)"), start.of("(*addConnCall)"):
		return RoleClientDial
	case start.is("(*serverConn).runHandler"):
		return RoleH2ServerHandler
	case start.of("(*serverConn)"), start.of("(*stream)"):
		return RoleH2Server
	}
	return RoleUser
}

func classifySQL(start fn) Role {
	switch {
	case start.is("(*DB).connectionOpener"):
		return RoleSQLOpener
	case start.is("(*DB).connectionCleaner"):
		return RoleSQLCleaner
	case start.is("(*Tx).awaitDone"):
		return RoleSQLTx
	case start.is("(*Rows).awaitDone"):
		return RoleSQLRows
	}
	return RoleUser
}

// classifyRuntime is for goroutines that start in the runtime. Most are listed only under GOTRACEBACK=system; those
// of finalizers and cleanups also while they run code of the program.
func classifyRuntime(g *Goroutine, start fn, stack []callsite.Frame) Role {
	switch {
	case start.is("corostart"):
		return RoleUser // iter.Pull
	case start.is("runFinalizers"), start.is("runfinq"), start.is("runCleanups"):
		if Blocked(g.State) && len(visible(stack)) > 0 {
			return RoleUser
		}
	}
	return RoleRuntime
}

// PairKey gives a text that is equal for the read loop and the write loop of one HTTP/1 client connection, and for no
// other goroutine of the same dump; "" when the goroutine is neither, or the dump does not show it. It is the address
// of the connection, so it must not be compared with one of an earlier dump once the connection may be gone.
func PairKey(g *Goroutine) string {
	i := bottom(g)
	if i < 0 || i >= len(g.Args) {
		return ""
	}
	start := split(g.Frames[i].Func)
	if start.family != "net/http" || !start.is("(*persistConn).readLoop") && !start.is("(*persistConn).writeLoop") {
		return ""
	}
	arg, _, _ := strings.Cut(g.Args[i], ",")
	arg = strings.TrimSuffix(arg, "?") // the runtime's mark for a value that may be out of date
	if digits, found := strings.CutPrefix(arg, "0x"); !found || digits == "" || digits == "0" {
		return ""
	}
	return arg
}

// FirstPointer reads the first of a frame's arguments as an address: "0xc000126d80, {0x1?, 0x2?}". It gives 0 when that is
// no number.
func FirstPointer(args string) uint64 {
	arg, _, _ := strings.Cut(args, ",")
	digits, found := strings.CutPrefix(strings.TrimSuffix(arg, "?"), "0x")
	if !found {
		return 0
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0
	}
	return n
}
