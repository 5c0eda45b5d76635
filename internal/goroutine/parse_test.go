package goroutine_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
)

func TestParseHeader(t *testing.T) {
	type g = goroutine.Goroutine
	labels := func(kv ...string) (out []goroutine.Label) {
		for i := 0; i < len(kv); i += 2 {
			out = append(out, goroutine.Label{Key: kv[i], Value: kv[i+1]})
		}
		return out
	}
	for _, test := range []struct {
		reason, header string
		want           g
	}{
		{"plain", `goroutine 7 [chan receive]:`, g{ID: 7, State: "chan receive"}},
		{"wait time", `goroutine 7 [IO wait, 12 minutes]:`, g{ID: 7, State: "IO wait", Wait: 12 * time.Minute}},
		{"wait time and thread", `goroutine 7 [syscall, 3 minutes, locked to thread]:`,
			g{ID: 7, State: "syscall", Wait: 3 * time.Minute, Locked: true}},
		{"all of it", `goroutine 7 gp=0xc0000061c0 m=0 mp=0x5ca0a0 [select (leaked) (scan) (durable), 2 minutes, locked to thread, synctest bubble 5] {k: v}:`,
			g{ID: 7, State: "select", Leaked: true, Scan: true, Durable: true, Wait: 2 * time.Minute, Locked: true, Bubble: 5, Labels: labels("k", "v")}},
		{"crash form, no thread", `goroutine 7 gp=0xc0000061c0 m=nil [GC worker (idle)]:`, g{ID: 7, State: "GC worker (idle)"}},
		{"parentheses of the state", `goroutine 7 [chan receive (nil chan)]:`, g{ID: 7, State: "chan receive (nil chan)"}},
		{"proved leak", `goroutine 7 [chan send (nil chan) (leaked)]:`, g{ID: 7, State: "chan send (nil chan)", Leaked: true}},
		{"an empty state", `goroutine 7 []:`, g{ID: 7}},
		{"Go 1.26 labels", `goroutine 7 [chan receive labels:{"leakgate": "3 TestX/a", "k": ""}]:`,
			g{ID: 7, State: "chan receive", Labels: labels("leakgate", "3 TestX/a", "k", "")}},
		{"Go 1.26 labels behind all else", `goroutine 7 [sleep (durable), 1 minutes, synctest bubble 2 labels:{"a]:": "}]: {x: y}"}]:`,
			g{ID: 7, State: "sleep", Durable: true, Wait: time.Minute, Bubble: 2, Labels: labels("a]:", "}]: {x: y}")}},
		{"Go 1.27 labels", `goroutine 7 [select] {leakgate: "3 TestX/a b", plain: v_1.x/y, "q\"k": "\n\t\\ \x00 \xff \u00e9 \U0001f600", empty: }:`,
			g{ID: 7, State: "select", Labels: labels("leakgate", "3 TestX/a b", "plain", "v_1.x/y", `q"k`, "\n\t\\ \x00 \xff é 😀", "empty", "")}},
		{"Go 1.27, one empty label", `goroutine 7 [select] {: }:`, g{ID: 7, State: "select", Labels: labels("", "")}},
		{"no labels in the braces", `goroutine 7 [select] {}:`, g{ID: 7, State: "select"}},
		{"a word to come", `goroutine 7 [select, on holiday, 5 minutes]:`, g{ID: 7, State: "select", Wait: 5 * time.Minute}},
		{"a wait that no duration holds", `goroutine 7 [select, 9223372036854775807 minutes]:`,
			g{ID: 7, State: "select", Wait: time.Duration(math.MaxInt64/int64(time.Minute)) * time.Minute}},
	} {
		t.Run(test.reason, func(t *testing.T) {
			got, err := goroutine.Parse([]byte(test.header + "\n"))
			require.NoError(t, err)
			test.want.Raw = test.header
			assert.Equal(t, test.want, got)
			goroutine.Scan([]byte(test.header), func(h goroutine.Head) bool {
				assert.Equal(t, test.want.ID, h.ID)
				assert.Equal(t, test.want.State, string(h.State))
				return true
			})
		})
	}
}

func TestParseBody(t *testing.T) {
	g, err := goroutine.Parse([]byte(`goroutine 7 [select]:
main.(*T[...]).Method(0xc000126d80, {0x1?, 0x2?}, ...)
	C:/Users/a b/go: x/src/x.go:12 +0x1d
main.F[...].func1.2(...)
	/home/a b/x:y.go:345
panic({0x5eff00?, 0xc0000a2150?})
	runtime/panic.go:783 +0x132 fp=0xc000 sp=0xc001 pc=0x46
non-Go function at pc=7f00
c_function
	/src/c file.c:77 pc=0x7f01
std::map<int, std::pair<int, int>>::find(int const&)
	pc=0x7f02
...51 frames elided...
gopkg.in/yaml%2ev3.(*parser).parse(0x0)
	gopkg.in/yaml.v3/decode.go:1
created by main.(*T[...]).Start.func1 in goroutine 12
	/home/x.go:9 +0x10
[originating from goroutine 12]:
main.outer(...)
	/home/x.go:20 +0x10
...additional frames elided...
created by main.run
	/home/x.go:30 +0x10
[originating from goroutine 1]:
main.main(...)
	/home/x.go:40 +0x10
`))
	require.NoError(t, err)
	assert.Equal(t, []callsite.Frame{
		{Func: "main.(*T[...]).Method", File: "C:/Users/a b/go: x/src/x.go", Line: 12},
		{Func: "main.F[...].func1.2", File: "/home/a b/x:y.go", Line: 345},
		{Func: "panic", File: "runtime/panic.go", Line: 783},
		{Func: "non-Go function at pc=7f00"},
		{Func: "c_function", File: "/src/c file.c", Line: 77},
		{Func: "std::map<int, std::pair<int, int>>::find"},
		{Func: "gopkg.in/yaml%2ev3.(*parser).parse", File: "gopkg.in/yaml.v3/decode.go", Line: 1},
	}, g.Frames)
	assert.Equal(t, []string{"0xc000126d80, {0x1?, 0x2?}, ...", "...", "{0x5eff00?, 0xc0000a2150?}", "", "", "int const&", "0x0"}, g.Args)
	assert.Equal(t, 51, g.Elided)
	assert.Equal(t, callsite.Frame{Func: "main.(*T[...]).Start.func1", File: "/home/x.go", Line: 9}, g.CreatedBy)
	assert.Equal(t, uint64(12), g.CreatorID)
	assert.Equal(t, []goroutine.Ancestor{
		{ID: 12, Frames: []callsite.Frame{{Func: "main.outer", File: "/home/x.go", Line: 20}},
			CreatedBy: callsite.Frame{Func: "main.run", File: "/home/x.go", Line: 30}, Elided: 1},
		{ID: 1, Frames: []callsite.Frame{{Func: "main.main", File: "/home/x.go", Line: 40}}},
	}, g.Ancestors)
}

func TestParseNoStack(t *testing.T) {
	g, err := goroutine.Parse([]byte("goroutine 7 [running]:\n\tgoroutine running on other thread; stack unavailable\n" +
		"created by testing.(*T).Run in goroutine 1\n\t/go/src/testing/testing.go:1 +0x1\n"))
	require.NoError(t, err)
	assert.Empty(t, g.Frames)
	assert.Equal(t, "testing.(*T).Run", g.CreatedBy.Func)
	assert.Equal(t, goroutine.RoleTest, goroutine.Classify(&g))
	assert.Empty(t, goroutine.PairKey(&g))
}

// TestParseDamaged says what is kept of text that is not as it should be.
func TestParseDamaged(t *testing.T) {
	for _, test := range []struct {
		reason, text, fault string
		id                  uint64
		state               string
		frames              int
	}{
		{"nothing", "", `not a goroutine header: ""`, 0, "", 0},
		{"something else", "exit status 2", `not a goroutine header: "exit status 2"`, 0, "", 0},
		{"no number", "goroutine x [select]:", `not a goroutine header: "goroutine x [select]:"`, 0, "", 0},
		{"too large a number", "goroutine 99999999999999999999 [select]:", `not a goroutine header: "goroutine 99999999999999999999 [select]:"`, 0, "", 0},
		{"no state", "goroutine 7 :", `goroutine header without a state: "goroutine 7 :"`, 7, "", 0},
		{"cut in the state", "goroutine 7 [chan rec", `goroutine header without an end: "goroutine 7 [chan rec"`, 7, "chan rec", 0},
		{"cut labels", `goroutine 7 [select labels:{"k": "v`, `labels not understood: "goroutine 7 [select labels:{\"k\": \"v"`, 7, "select", 0},
		{"cut labels, 1.27", `goroutine 7 [select] {k: v`, `labels not understood: "goroutine 7 [select] {k: v"`, 7, "select", 0},
		{"an unknown end", "goroutine 7 [select] <new>:\nmain.f()\n\t/x.go:1 +0x1", `goroutine header with an unknown end: "goroutine 7 [select] <new>:"`, 7, "select", 1},
		{"a strange line", "goroutine 7 [select]:\nruntime: unexpected return pc for main.f\nmain.f()\n\t/x.go:1 +0x1",
			`line not understood: "runtime: unexpected return pc for main.f"`, 7, "select", 1},
		{"a strange position", "goroutine 7 [select]:\nmain.f()\n\tsomewhere\nmain.g()\n\t/x.go:1", `position not understood: "somewhere"`, 7, "select", 2},
		{"a lone position", "goroutine 7 [select]:\n\t/x.go:1\nmain.g()\n\t/x.go:1", `position without a frame: "\t/x.go:1"`, 7, "select", 1},
		{"strange dots", "goroutine 7 [select]:\nmain.g()\n\t/x.go:1\n...more...", `line not understood: "...more..."`, 7, "select", 1},
		{"a strange ancestor", "goroutine 7 [select]:\nmain.g()\n\t/x.go:1\n[originating from goroutine x]:", `ancestor not understood: "[originating from goroutine x]:"`, 7, "select", 1},
	} {
		t.Run(test.reason, func(t *testing.T) {
			g, err := goroutine.Parse([]byte(test.text))
			assert.EqualError(t, err, test.fault)
			assert.Equal(t, test.id, g.ID)
			assert.Equal(t, test.state, g.State)
			assert.Len(t, g.Frames, test.frames)
			assert.Equal(t, test.text, g.Raw)
		})
	}
}

func TestScanTolerates(t *testing.T) {
	type head struct {
		id    uint64
		state string
		block string
	}
	scan := func(text string) (out []head) {
		goroutine.Scan([]byte(text), func(h goroutine.Head) bool {
			out = append(out, head{h.ID, string(h.State), string(h.Block)})
			return true
		})
		return out
	}
	assert.Empty(t, scan(""))
	assert.Empty(t, scan("\n\n\n\n"))
	assert.Equal(t, []head{
		{0, "", "panic: x"},
		{1, "running", "goroutine 1 [running]:\nmain.main()"},
		{0, "", "some text"},
		{2, "select", "goroutine 2 [select, 3 minutes]:"},
		{3, "", "goroutine 3 "},
		{0, "", "goroutine x"},
		{0, "", "goroutine 4"},
	}, scan("panic: x\n\n\ngoroutine 1 [running]:\nmain.main()\n\nsome text\n\ngoroutine 2 [select, 3 minutes]:\n\n"+
		"goroutine 3 \n\ngoroutine x\n\ngoroutine 4"))

	n := 0
	goroutine.Scan([]byte("a\n\nb\n\nc"), func(goroutine.Head) bool { n++; return n < 2 })
	assert.Equal(t, 2, n, "it stops when told to")
}

func TestBlocked(t *testing.T) {
	for state, want := range map[string]bool{
		"chan receive": true, "chan receive (nil chan)": true, "chan receive (durable)": true, "chan send": true,
		"chan send (nil chan) (leaked)": true, "select": true, "select (no cases)": true, "select (durable)": true,
		"sync.Mutex.Lock": true, "sync.RWMutex.RLock": true, "sync.RWMutex.Lock": true, "sync.WaitGroup.Wait": true,
		"sync.Cond.Wait": true, "semacquire": true, "IO wait": true, "finalizer wait": true, "coroutine": true,
		"trace reader (blocked)": true, "synctest.Wait": true,

		"": false, "running": false, "runnable": false, "sleep": false, "syscall": false, "waiting": false, "preempted": false,
		"GC assist wait": false, "GC worker (idle)": false, "garbage collection": false, "copystack": false, "sync.": false,
		"stopping the world": false, "unknown wait reason": false, "chan received": false,
	} {
		assert.Equal(t, want, goroutine.Blocked(state), state)
	}
}

const (
	mock   = callsite.Module + "/mockserver."
	mockH2 = callsite.Module + "/internal/http2."
)

// TestClassifyMock has what the goroutines of mockserver are at. Each case is a frame between the outermost and the wait.
func TestClassifyMock(t *testing.T) {
	for _, test := range []struct {
		reason, inner, start, creator string
		want                          goroutine.Role
	}{
		{"between two requests", mock + "(*conn).awaitRequest", mock + "(*conn).serve", mock + "(*Server).accept", goroutine.RoleServerIdle},
		{"waits for the client's end", mock + "(*conn).linger", mock + "(*conn).serve", mock + "(*Server).accept", goroutine.RoleServerIdle},
		{"TLS, before the first byte and after", mock + "(*conn).handshake", mock + "(*conn).serve", mock + "(*Server).accept", goroutine.RoleServerIdle},
		{"answers", mock + "(*conn).exchange", mock + "(*conn).serve", mock + "(*Server).accept", goroutine.RoleServerBusy},
		{"HTTP/2", mockH2 + "(*Conn).Serve", mock + "(*conn).serve", mock + "(*Server).accept", goroutine.RoleH2Server},
		{"a stream that waits for a window", mockH2 + "(*Stream).Write", mockH2 + "(*Conn).handle", mockH2 + "(*Conn).takeHeaders", goroutine.RoleH2Server},
		{"a stream in a handler of the program's", mock + "serveRecovered", mockH2 + "(*Conn).handle", mockH2 + "(*Conn).takeHeaders", goroutine.RoleH2ServerHandler},
		{"the program's own Serve", "example.com/http2.(*Conn).Serve", mock + "(*conn).serve", mock + "(*Server).accept", goroutine.RoleServerBusy},
	} {
		t.Run(test.reason, func(t *testing.T) {
			g, err := goroutine.Parse([]byte("goroutine 7 [select]:\ninternal/poll.wait()\n\t/x.go:1 +0x1\n" + test.inner + "(0x1)\n\t/x.go:1 +0x1\n" +
				test.start + "(0xc000126d80)\n\t/x.go:2 +0x1\ncreated by " + test.creator + " in goroutine 3\n\t/x.go:3 +0x1\n"))
			require.NoError(t, err)
			assert.Equal(t, test.want.String(), goroutine.Classify(&g).String())
		})
	}
}

// TestClassifyByHand has what cannot be captured in a simple way. Each block is the outermost frame and the creator.
func TestClassifyByHand(t *testing.T) {
	for _, test := range []struct {
		reason         string
		start, creator string
		want           goroutine.Role
	}{
		{"x/net: the same names", "golang.org/x/net/http2.(*ClientConn).readLoop", "golang.org/x/net/http2.(*Transport).newClientConn", goroutine.RoleH2ClientConn},
		{"x/net: stream", "golang.org/x/net/http2.(*clientStream).doRequest", "golang.org/x/net/http2.(*ClientConn).roundTrip", goroutine.RoleH2ClientStream},
		{"x/net: handler", "golang.org/x/net/http2.(*serverConn).runHandler", "golang.org/x/net/http2.(*serverConn).scheduleHandler", goroutine.RoleH2ServerHandler},
		{"bundle: dial", "net/http.(*http2dialCall).dial", "net/http.(*http2clientConnPool).getStartDialLocked", goroutine.RoleClientDial},
		{"bundle: ping", "net/http.(*http2ClientConn).Ping.func1", "net/http.(*http2ClientConn).Ping", goroutine.RoleH2ClientConn},
		{"bundle: health check", "net/http.(*http2ClientConn).healthCheck", "time.goFunc", goroutine.RoleH2ClientConn},
		{"1.27: a write", "net/http/internal/http2.(*serverConn).writeFrameAsync", "net/http/internal/http2.(*serverConn).startFrameWrite", goroutine.RoleH2Server},
		{"the creator was inlined", "net/http.(*Transport).queueForDial.(*Transport).startDialConnForLocked.func1", "net/http.(*Transport).queueForDial", goroutine.RoleClientDial},
		{"old dial", "net/http.(*Transport).dialConnFor", "net/http.(*Transport).queueForDial", goroutine.RoleClientDial},
		{"idle timeout", "net/http.(*persistConn).closeConnIfStillIdle", "time.goFunc", goroutine.RoleClientIdle},
		{"drain after Close", "net/http.maybeDrainBody.func1", "net/http.maybeDrainBody", goroutine.RoleClientRequest},
		{"go http.ListenAndServe", "net/http.ListenAndServe", "main.main", goroutine.RoleServerAccept},
		{"mockserver", "github.com/leakgate/leakgate/mockserver.(*TCP).accept", "github.com/leakgate/leakgate/mockserver.newTCP", goroutine.RoleServerAccept},
		{"a scripted connection", "github.com/leakgate/leakgate/mockserver.(*tcpConn).play", "github.com/leakgate/leakgate/mockserver.(*TCP).accept", goroutine.RoleServerIdle},
		{"pgx: a pool", "github.com/jackc/pgx/v5/pgxpool.NewWithConfig.func3", "github.com/jackc/pgx/v5/pgxpool.NewWithConfig", goroutine.RolePgxPool},
		{"pgx: a query's context", "github.com/jackc/pgx/v5/pgconn/ctxwatch.(*ContextWatcher).Watch.func1", "github.com/jackc/pgx/v5/pgconn/ctxwatch.(*ContextWatcher).Watch", goroutine.RolePgxWatch},
		{"pgx: a release in the background", "github.com/jackc/pgx/v5/pgxpool.(*Conn).Release.func1", "github.com/jackc/pgx/v5/pgxpool.(*Conn).Release", goroutine.RoleUser},
		{"somebody else's pgxpool", "example.com/pgxpool.NewWithConfig.func3", "example.com/pgxpool.NewWithConfig", goroutine.RoleUser},
		{"a look of a check", "github.com/leakgate/leakgate/internal/dbuse.Until.func1", "time.goFunc", goroutine.RoleRuntime},
		{"it looks how a dump shows labels", "github.com/leakgate/leakgate/internal/goroutine.probe.func1", "github.com/leakgate/leakgate/internal/goroutine.probe", goroutine.RoleRuntime},
		{"a sample for a report", "github.com/leakgate/leakgate/leakcheck.(*recorder).tick-fm", "time.goFunc", goroutine.RoleRuntime},
		{"the same in deep mode", "internal/leakgate/leakcheck.(*recorder).tick-fm", "time.goFunc", goroutine.RoleRuntime},
		{"a look of a check in deep mode", "internal/leakgate/dbuse.Until.func1", "time.goFunc", goroutine.RoleRuntime},
		{"one of leakcheck.Sample", "github.com/leakgate/leakgate/leakcheck.(*Series).tick-fm", "time.goFunc", goroutine.RoleRuntime},
		{"a look of leakcheck.WarnHeld", "github.com/leakgate/leakgate/leakcheck.(*warnings).tick-fm", "time.goFunc", goroutine.RoleRuntime},
		{"not a timer's", "github.com/leakgate/leakgate/leakcheck.(*Series).tick-fm", "example.com/app.Run", goroutine.RoleUser},
		{"a client of a load that is in no call", "github.com/leakgate/leakgate/leakcheck.(*crowd).client", "github.com/leakgate/leakgate/leakcheck.(*crowd).run", goroutine.RoleRuntime},
		{"test timeout", "testing.(*M).startAlarm.func1", "time.goFunc", goroutine.RoleRuntime},
		{"a cleanup that runs", "runtime.runCleanups", "", goroutine.RoleRuntime},
		{"the collector, in a crash", "runtime.bgsweep", "runtime.gcenable", goroutine.RoleRuntime},

		{"somebody else's mockserver", "example.com/mockserver.(*tcpConn).play", "example.com/mockserver.(*TCP).accept", goroutine.RoleUser},
		{"mockserver: the listener", mock + "(*Server).accept", mock + "New", goroutine.RoleServerAccept},
		{"mockserver: a connection", mock + "(*conn).serve", mock + "(*Server).accept", goroutine.RoleServerBusy},
		{"mockserver: reads ahead", mock + "(*conn).watch.func1", mock + "(*conn).watch", goroutine.RoleServerRead},
		{"mockserver: a stream", mockH2 + "(*Conn).handle", mockH2 + "(*Conn).takeHeaders", goroutine.RoleH2Server},
		{"mockserver: HTTP/2 in a goroutine of somebody's", mockH2 + "(*Conn).handle", "main.main", goroutine.RoleUser},
		{"mockserver: what is no stream", mockH2 + "(*Conn).GoAway", mockH2 + "(*Conn).takeHeaders", goroutine.RoleUser},

		{"somebody else's http", "example.com/net/http.(*persistConn).readLoop", "example.com/net/http.(*Transport).dialConn", goroutine.RoleUser},
		{"only the creator is net/http", "example.com/x.work", "net/http.(*Transport).dialConn", goroutine.RoleUser},
		{"only the start is net/http", "net/http.(*persistConn).readLoop", "example.com/x.work", goroutine.RoleUser},
		{"only the start is sql", "database/sql.(*DB).Close", "main.main", goroutine.RoleUser},
		{"only the start is exec", "os/exec.(*Cmd).Wait", "main.main", goroutine.RoleUser},
		{"only the start is testing", "testing.(*B).Loop", "main.main", goroutine.RoleUser},
		{"started by a test", "example.com/x.TestX.func1", "testing.tRunner", goroutine.RoleUser},
		{"a dial's TLS helper", "crypto/tls.(*Conn).handshakeContext.func2", "crypto/tls.(*Conn).handshakeContext", goroutine.RoleClientDial},
		{"request with a body", "net/http.(*transferWriter).probeRequestBody.func1", "net/http.(*transferWriter).probeRequestBody", goroutine.RoleUser},
		{"nothing at all", "", "", goroutine.RoleUser},
	} {
		t.Run(test.reason, func(t *testing.T) {
			text := "goroutine 7 [select]:\ninternal/poll.wait()\n\t/x.go:1 +0x1\n"
			switch {
			case test.start == "":
				text = "goroutine 7 [select]:\n"
			case test.want == goroutine.RoleRuntime:
				text = "goroutine 7 [syscall]:\n"
			}
			if test.start != "" {
				text += test.start + "(0xc000126d80)\n\t/x.go:2 +0x1\n"
			}
			if test.creator != "" {
				text += "created by " + test.creator + " in goroutine 3\n\t/x.go:3 +0x1\n"
			}
			g, err := goroutine.Parse([]byte(text))
			require.NoError(t, err)
			assert.Equal(t, test.want.String(), goroutine.Classify(&g).String())

			if test.start != "" {
				// The same below what the compiler and the runtime put there.
				n := len(g.Frames)
				g.Frames = append(g.Frames, callsite.Frame{Func: test.creator + ".gowrap1"}, callsite.Frame{Func: "runtime.goexit"})
				assert.Equal(t, test.want.String(), goroutine.Classify(&g).String())
				// It is the start that decides, not what the goroutine is in.
				g.Frames = append(g.Frames[:n:n], callsite.Frame{Func: "example.com/x.work"})
				g.CreatedBy = callsite.Frame{Func: "example.com/x.New"}
				assert.Equal(t, goroutine.RoleUser, goroutine.Classify(&g))
				assert.Empty(t, goroutine.PairKey(&g))
			}
		})
	}
}

func TestLeasedUnderSystemTraceback(t *testing.T) {
	block := []byte("goroutine 7 gp=0xc1 m=nil [select, 4 minutes]:\nruntime.gopark(0x1)\n\truntime/proc.go:1 +0x1\n" +
		"runtime.selectgo(0x1)\n\truntime/select.go:1 +0x1\nnet/http.(*persistConn).readLoop(0xc000126d80?)\n\tnet/http/transport.go:1 +0x1\n" +
		"runtime.goexit({})\n\truntime/asm.s:1 +0x1\ncreated by net/http.(*Transport).dialConn in goroutine 3\n\tnet/http/transport.go:2 +0x1\n")
	g, err := goroutine.Parse(block)
	require.NoError(t, err)
	assert.Equal(t, goroutine.RoleClientLeased, goroutine.Classify(&g))
	assert.Equal(t, "0xc000126d80", goroutine.PairKey(&g))
	goroutine.Scan(block, func(h goroutine.Head) bool {
		assert.True(t, h.Leased)
		assert.True(t, h.Transport)
		return true
	})
}

func TestRoleString(t *testing.T) {
	seen := map[string]bool{}
	for r := goroutine.RoleUser; r <= goroutine.RoleExec; r++ {
		assert.NotEmpty(t, r.String())
		assert.False(t, seen[r.String()], r.String())
		seen[r.String()] = true
	}
	assert.Equal(t, "Role(-1)", goroutine.Role(-1).String())
	assert.Equal(t, "Role(99)", goroutine.Role(99).String())
}

func TestLabel(t *testing.T) {
	g := goroutine.Goroutine{Labels: []goroutine.Label{{Key: "a", Value: "1"}}}
	v, ok := g.Label("a")
	assert.Equal(t, "1", v)
	assert.True(t, ok)
	_, ok = g.Label("b")
	assert.False(t, ok)
}
