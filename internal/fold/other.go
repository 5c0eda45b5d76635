package fold

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/report"
)

// databases finds what database/sql's own goroutines tell. Pools that are known explain their opener.
func (f *folder) databases() {
	known := f.in.Openers
	f.each(goroutine.RoleSQLOpener, func(g *Goroutine) {
		g.taken = true
		if known > 0 {
			known--
			return
		}
		f.add(g.Blame, report.Leak{
			Kind: "goroutine", Code: CodeOpener, Class: "sql.DB", Rank: rankDatabase,
			Summary: "sql.DB was opened and never closed",
			State:   "its connectionOpener waits for work",
			Hint:    "defer db.Close()",
			Unknown: "database/sql starts the goroutine itself, so that the caller of sql.Open is not in the dump",
			Keys:    []report.Key{goroutineKey(g)},
			All:     g.Frames, CreatedBy: g.CreatedBy.Func,
		})
	})
	f.each(goroutine.RoleSQLCleaner, func(g *Goroutine) { g.taken = true })
	f.each(goroutine.RoleSQLTx, func(g *Goroutine) {
		g.taken = true
		f.add(g.Blame, report.Leak{
			Kind: "sql-tx", Code: CodeTx, Class: "sql.Tx", Rank: rankDatabase,
			Summary: "sql.Tx was neither committed nor rolled back",
			State:   "it holds a connection of the pool",
			Hint:    "defer tx.Rollback()",
			Unknown: "database/sql starts the goroutine itself, so that the caller of BeginTx is not in the dump",
			Keys:    []report.Key{goroutineKey(g)},
			All:     g.Frames, CreatedBy: g.CreatedBy.Func,
		})
	})
	f.each(goroutine.RoleSQLRows, func(g *Goroutine) {
		g.taken = true
		if tx := f.txOf(g); tx != nil && !g.Blame.Other { // the end of the transaction would have closed them
			tx.Holds = append(tx.Holds, "rows of the transaction that were not closed, and their goroutine")
			tx.Keys = append(tx.Keys, goroutineKey(g))
			return
		}
		f.add(g.Blame, report.Leak{
			Kind: "sql-rows", Code: CodeRows, Class: "sql.Rows", Rank: rankDatabase,
			Summary: "sql.Rows was never closed",
			State:   "it holds a connection of the pool",
			Hint:    "defer rows.Close()",
			Unknown: "database/sql starts the goroutine itself, so that the caller of QueryContext is not in the dump",
			Keys:    []report.Key{goroutineKey(g)},
			All:     g.Frames, CreatedBy: g.CreatedBy.Func,
		})
	})
}

// txOf gives the entry of the transaction that the rows belong to; nil when they belong to none, or the dump does not say.
func (f *folder) txOf(g *Goroutine) *report.Leak {
	for i, fr := range g.Frames {
		if fr.Func != "database/sql.(*Rows).awaitDone" || i >= len(g.Args) {
			continue
		}
		// awaitDone(rows, {ctx}, {txctx}, {closectx}): without a transaction, txctx is nil.
		args := strings.Split(g.Args[i], "{")
		if len(args) < 3 || strings.HasPrefix(args[2], "0x0") || !strings.HasPrefix(args[2], "0x") {
			return nil
		}
		for j := range f.out.Leaks {
			if l := &f.out.Leaks[j]; l.Code == CodeTx && l.Test == g.Blame.Test {
				return l
			}
		}
	}
	return nil
}

// children finds processes that were started and not waited for. The goroutines of os/exec that serve one belong to it,
// and so does a goroutine that waits for one: it names the line.
func (f *folder) children() {
	for _, c := range f.in.Children {
		leak := report.Leak{
			Moving: !c.Exited,
			Kind:   "process", Code: CodeChild, Class: "child " + steady(c.Name), Rank: rankChild,
			Summary: fmt.Sprintf("child process %s (pid %d) was started and never waited for", c.Name, c.PID),
			State:   "running",
			Hint:    "defer cmd.Wait(), and stop the process before: use exec.CommandContext with a context that the test cancels",
			Keys:    []report.Key{{List: "process", ID: c.ID}},
		}
		if c.Exited {
			leak.State = "exited; the kernel keeps its entry until it is waited for"
			leak.Hint = "defer cmd.Wait()"
		}
		n := 0
		for i := range f.in.Goroutines {
			g := &f.in.Goroutines[i]
			if !g.taken && (g.Role == goroutine.RoleExec || waitsForProcess(g)) {
				if stack := user(g); len(stack) > 0 && len(leak.Stack) == 0 {
					leak.Stack, leak.Role = stack, "waited for at"
					leak.Summary = fmt.Sprintf("child process %s (pid %d) was started and still runs", c.Name, c.PID)
				}
				g.taken = true
				leak.Keys = append(leak.Keys, goroutineKey(g))
				n++
				if len(f.in.Children) > 1 && n == 3 {
					break // an exec.Cmd has at most three copying goroutines; leave the rest to its neighbours
				}
			}
		}
		if n > 0 {
			leak.Holds = append(leak.Holds, plural(n, "goroutine")+" of os/exec that serve it, and their pipes")
		}
		f.childPipes(c, &leak)
		if openedAt(&leak, c.PCs) {
			leak.Role = "started by"
		} else if len(leak.Stack) == 0 {
			leak.Unknown = "the kernel does not say which line started a process; look for cmd.Start in what the test calls"
		}
		f.add(c.Blame, leak)
	}
	for _, l := range f.pipes {
		f.file(l)
	}
}

// childPipes takes the ends of pipes that os/exec has opened for a child of the test: Wait closes them. Which of several children
// one is of is not known; that it has three at most is.
func (f *folder) childPipes(c Child, leak *report.Leak) {
	if c.Blame.Other {
		return
	}
	n := 0
	var rest []Lease
	for _, l := range f.pipes {
		if l.Blame.Test != c.Blame.Test || n >= 3 && len(f.in.Children) > 1 {
			rest = append(rest, l)
			continue
		}
		n++
		leak.Keys = append(leak.Keys, report.Key{List: "lease", ID: l.ID})
	}
	if f.pipes = rest; n > 0 {
		leak.Holds = append(leak.Holds, plural(n, "end")+" of pipes to it, which cmd.Wait closes")
	}
}

// steady takes out of a program's name the numbers that a temporary file gave it.
func steady(name string) string { return longNumber.ReplaceAllString(name, "*") }

var longNumber = regexp.MustCompile(`\d{3,}`)

func waitsForProcess(g *Goroutine) bool {
	return g.Role == goroutine.RoleUser &&
		(hasFunc(g, "os/exec.(*Cmd).Wait") || hasFunc(g, "os.(*Process).Wait") || hasFunc(g, "os/exec.(*Cmd).Run"))
}

// goroutines reports what is left, one entry for each. A goroutine that waits in a socket takes the socket with it.
func (f *folder) goroutines() {
	for i := range f.in.Goroutines {
		g := &f.in.Goroutines[i]
		if g.taken || g.Role == goroutine.RoleTest || g.Role == goroutine.RoleRuntime {
			continue
		}
		g.taken = true
		leak := report.Leak{
			Kind: "goroutine", Code: CodeGoroutine, Rank: rankGoroutine, Role: "started at",
			Stack: user(g), Keys: []report.Key{goroutineKey(g)},
			All: g.Frames, CreatedBy: g.CreatedBy.Func, Moving: !goroutine.Blocked(g.State),
			Timed: timed(g.State),
		}
		if g.CreatedBy.Func != "" && !callsite.IsStd(g.CreatedBy) && !callsite.IsHarness(g.CreatedBy) {
			leak.Site = g.CreatedBy
		} else if leak.Site = callsite.Pick(leak.Stack); leak.Site.Func != "" {
			leak.Role = "now in"
		}
		name := "goroutine"
		if fn := mainFunc(g); fn != "" {
			name += " " + fn
		} else if g.CreatedBy.Func != "" {
			name += " started by " + g.CreatedBy.Func[strings.LastIndexByte(g.CreatedBy.Func, '/')+1:]
		}
		leak.Class = g.Role.String()
		leak.Summary, leak.State = name+" has not ended", "blocked: "+g.State
		if !goroutine.Blocked(g.State) {
			leak.State = g.State
		}
		leak.Hint, leak.Probably = fixFor(g), true
		if g.Proved || g.Leaked {
			leak.State += "; proved unreachable: nothing that still runs can wake it"
		}
		if leak.Site.Func == "" {
			leak.Unknown = "none of your functions is in its stack; it was started by " + orUnknown(g.CreatedBy.Func)
			leak.Stack = nil
		}
		f.attach(g, &leak)
		f.add(g.Blame, leak)
	}
}

// timed says whether a timer may wake a goroutine in this state: a channel of package time or of a context, or a deadline.
func timed(state string) bool {
	switch state {
	case "chan receive", "select", "IO wait":
		return true
	}
	return false
}

func orUnknown(fn string) string {
	if fn == "" {
		return "a goroutine that is not in the dump"
	}
	return fn
}

// mainFunc is the function that the goroutine runs: the outermost frame.
func mainFunc(g *Goroutine) string {
	if len(g.Frames) == 0 {
		return ""
	}
	fn := g.Frames[len(g.Frames)-1].Func
	if fn == "runtime.goexit" { // it has not begun to run
		return ""
	}
	return fn[strings.LastIndexByte(fn, '/')+1:]
}

// attach gives the goroutine the socket that it waits in. Which one it is, is not in the stack: with one candidate it is
// known, with more it is said that they are candidates.
func (f *folder) attach(g *Goroutine, leak *report.Leak) {
	var match func(*conn) bool
	switch {
	case g.Role == goroutine.RoleServerBusy: // its handler waits, not in the connection that it serves
		match = isTCP
	case hasFunc(g, "net.(*netFD).accept"):
		match = isListener
	case hasFunc(g, "net.(*netFD).Read"), hasFunc(g, "net.(*netFD).Write"), hasFunc(g, "net.(*netFD).readFrom"),
		hasFunc(g, "net.splice"), hasFunc(g, "net.sendFile"), hasFunc(g, "crypto/tls.(*Conn)"):
		match = isStream
		if hasFunc(g, "net.(*netFD).readFrom") {
			match = func(c *conn) bool { return !c.a.Stream }
		}
	case dials(g):
		match = func(c *conn) bool { return isStream(c) && c.b == nil && c.a.State == dialState }
	default:
		return
	}
	c := f.takeAny(g.Blame, match)
	if c == nil {
		return
	}
	leak.Holds = append(leak.Holds, c.holds()...)
	leak.Keys = append(leak.Keys, c.keys()...)
	leak.Remotes = append(leak.Remotes, c.remotes()...)
	if at := c.server(); at != "" {
		leak.Holds = append(leak.Holds, "its server's listener was opened at "+at)
	}
	switch {
	case c.a.State == dialState:
		leak.Hint = "give the dial a timeout, or a context that ends: net.Dialer{Timeout: …}"
	case g.Role != goroutine.RoleServerBusy:
		leak.Hint = "close the connection or listener that it waits in"
	}
}

// server is the line that opened the listener which one of the ends was accepted from; "" when it is not known.
func (c *conn) server() string {
	var leak report.Leak
	for _, s := range []*Socket{c.a, c.b} {
		if s != nil && openedAt(&leak, s.From) {
			return callsite.Short(leak.Site.File) + ":" + strconv.Itoa(leak.Site.Line)
		}
	}
	return ""
}

// dials says whether the goroutine waits in a dial itself; the helper beside it, connect.func2, only watches its context.
func dials(g *Goroutine) bool {
	return slices.ContainsFunc(g.Frames, func(fr callsite.Frame) bool { return fr.Func == "net.(*netFD).connect" })
}

func fixFor(g *Goroutine) string {
	switch {
	case strings.HasPrefix(g.CreatedBy.Func, "os/signal.NotifyContext"):
		return "call the stop function that signal.NotifyContext returns: defer stop()"
	case g.State == "select (no cases)", strings.HasSuffix(g.State, "(nil chan)"):
		return "give it something that can end it: nothing can wake it where it waits"
	case strings.HasPrefix(g.State, "chan send"):
		return "let somebody receive, or give the channel a buffer"
	case strings.HasPrefix(g.State, "chan receive"), strings.HasPrefix(g.State, "select"):
		return "close the channel or cancel the context that it waits for, and wait for the goroutine"
	case strings.HasPrefix(g.State, "sync.Mutex"), strings.HasPrefix(g.State, "sync.RWMutex"):
		return "unlock the mutex on every path: defer mu.Unlock()"
	case strings.HasPrefix(g.State, "sync.WaitGroup"), strings.HasPrefix(g.State, "semacquire"):
		return "call Done on every path: defer wg.Done()"
	case strings.HasPrefix(g.State, "sync.Cond"):
		return "signal the condition when the test ends"
	case strings.HasPrefix(g.State, "sleep"):
		return "stop the loop: select on a context instead of time.Sleep"
	}
	return "stop it before the test ends, and wait for it"
}

// ofPool says whether database/sql had a socket opened, for a pool that keeps it.
func ofPool(pcs []uintptr) bool {
	for _, fr := range callsite.Expand(pcs) {
		if strings.HasPrefix(fr.Func, "database/sql.(*DB).") || strings.HasPrefix(fr.Func, "database/sql.dsnConnector.") {
			return true
		}
	}
	return false
}

// Accepted says that a connection is known to be one that this process has taken, so that the other end has dialled.
func (s *Socket) Accepted() bool { return accepted(s.PCs) }

// accepted says whether a stack has taken a connection that somebody else has dialled.
func accepted(pcs []uintptr) bool {
	return slices.ContainsFunc(callsite.Expand(pcs), func(f callsite.Frame) bool { return f.Func == "net.(*netFD).accept" })
}

// opened names the line that opened one of the ends, first of all the one that has dialled; where that was a server's own, the one
// that opened its listener.
func (c *conn) opened(leak *report.Leak) {
	ends := []*Socket{c.a}
	if c.b != nil {
		if ends = append(ends, c.b); len(c.b.PCs) > 0 && accepted(c.a.PCs) && !accepted(c.b.PCs) {
			slices.Reverse(ends)
		}
	}
	for _, s := range ends {
		if openedAt(leak, s.PCs) {
			leak.Role = cmp.Or(s.Role, "opened at")
			return
		}
	}
	for _, s := range ends {
		if openedAt(leak, s.From) {
			leak.Role = fromListener
			return
		}
	}
}

// fromListener is the role of the line that opened the listener which a connection was accepted from.
const fromListener = "server of"

// sockets reports the connections and listeners that nothing explains.
func (f *folder) sockets() {
	for _, c := range f.conns {
		if c.taken {
			continue
		}
		c.taken = true
		s := c.a
		if ofPool(s.PCs) && len(f.in.Pools) > 0 {
			f.out.Idle++
			continue
		}
		leak := report.Leak{
			Kind: "socket", Code: CodeSocket, Class: s.Family, Rank: rankSocket, Keys: c.keys(), Remotes: c.remotes(),
			Unknown: "the kernel does not say which line opened a socket",
		}
		if c.b != nil && c.b.State == closeWaitState && s.State != closeWaitState {
			c.a, c.b = c.b, c.a // the end that has to act comes first
			s = c.a
		}
		switch {
		case s.Listening:
			leak.Code, leak.Class = CodeListener, s.Family+" listener"
			leak.Summary = s.Family + " listener was never closed"
			leak.Hint = "defer l.Close()"
		case c.b != nil:
			leak.Summary = s.Family + " connection within this process was never closed"
			leak.Hint = "defer conn.Close(), on both ends"
			leak.Holds = append(leak.Holds, "the other end of it, in this process ("+stateOf(c.b)+")")
		case s.Remote.IsValid():
			leak.Summary = fmt.Sprintf("%s connection to %s was never closed", s.Family, s.Remote)
			leak.Hint = "defer conn.Close()"
		default:
			leak.Summary = s.Family + " socket was never closed"
			leak.Hint = "defer conn.Close()"
		}
		if s.Stream && !s.Listening && c.b == nil && s.State == "ESTABLISHED" && f.in.SQLOpen != nil && f.in.SQLOpen() {
			leak.Note = true
			leak.Hint = "if a database pool keeps it for the next use, it is no leak; else defer conn.Close()"
		}
		leak.State = s.String()
		leak.Why = closeWait(s)
		if s.Dropped || c.b != nil && c.b.Dropped {
			leak.State += "; proved unreachable: the garbage collector closed it when it was asked to run"
			leak.Why = "nothing refers to it any more; in production it stays open until a collection that may be minutes off"
		}
		c.opened(&leak)
		f.add(s.Blame, leak)
	}
}
