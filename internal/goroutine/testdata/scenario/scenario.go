// Package scenario puts a process into known situations, so that its goroutines can be dumped: by the generator of
// the captured dumps, and by the tests that run live.
package scenario

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/goroutine"
)

// Scenario is one situation.
type Scenario struct {
	Name   string
	Reason string // why it is there
	Start  func(h *H)
	Want   map[goroutine.Role]int // the goroutines that it starts, by role

	// Also is what Go versions before 1.26 start beyond that.
	Also map[goroutine.Role]int
}

// Wanted is the roles of the goroutines that the scenario starts with the Go version that runs.
func (s Scenario) Wanted() map[goroutine.Role]int {
	want := maps.Clone(s.Want)
	if strings.HasPrefix(runtime.Version(), "go1.25") {
		for role, n := range s.Also {
			want[role] += n
		}
	}
	return want
}

// H collects what a scenario has to undo.
type H struct {
	undo []func()
}

// Defer has f called by Stop, the last one first.
func (h *H) Defer(f func()) { h.undo = append(h.undo, f) }

// Stop ends the scenario.
func (h *H) Stop() {
	for i := len(h.undo) - 1; i >= 0; i-- {
		h.undo[i]()
	}
	h.undo = nil
}

// ErrBusy is what a scenario panics with when something that exists once in a process is taken.
var ErrBusy = errors.New("taken by somebody else")

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}

// All is every scenario.
var All = []Scenario{
	{
		Name: "http1-idle", Reason: "a body that was read and closed leaves an idle connection, which is no leak",
		Start: func(h *H) {
			c, url := server(h, page)
			resp := must1(c.Get(url))
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleClientIdle: 1, goroutine.RoleClientWrite: 1,
			goroutine.RoleServerAccept: 1, goroutine.RoleServerIdle: 1,
		},
	}, {
		Name: "http1-leased", Reason: "a body that was not closed: the read loop itself waits in a select",
		Start: func(h *H) {
			c, url := server(h, page)
			resp := must1(c.Get(url))
			h.Defer(func() { resp.Body.Close() })
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleClientLeased: 1, goroutine.RoleClientWrite: 1,
			goroutine.RoleServerAccept: 1, goroutine.RoleServerIdle: 1,
		},
	}, {
		Name: "http1-leased-many", Reason: "several connections of one transport: the pair key tells their loops apart",
		Start: func(h *H) {
			c, url := server(h, page)
			for range 3 {
				resp := must1(c.Get(url))
				h.Defer(func() { resp.Body.Close() })
			}
			resp := must1(c.Get(url))
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleClientLeased: 3, goroutine.RoleClientIdle: 1, goroutine.RoleClientWrite: 4,
			goroutine.RoleServerAccept: 1, goroutine.RoleServerIdle: 4,
		},
	}, {
		Name: "http1-busy", Reason: "the handler has not answered: the read loop looks idle, and the caller shows the wait",
		Start: func(h *H) {
			entered, release := make(chan bool), make(chan bool)
			c, url := server(h, func(w http.ResponseWriter, r *http.Request) {
				entered <- true
				<-release
			})
			done := make(chan bool)
			go func() {
				defer close(done)
				resp := must1(c.Get(url))
				resp.Body.Close()
			}()
			<-entered
			h.Defer(func() { close(release); <-done })
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleUser: 1, goroutine.RoleClientIdle: 1, goroutine.RoleClientWrite: 1,
			goroutine.RoleServerAccept: 1, goroutine.RoleServerBusy: 1, goroutine.RoleServerRead: 1,
		},
	}, {
		Name: "http1-timeout", Reason: "a client with a Timeout: one body is held, and what watches its deadline is looked for",
		Start: func(h *H) {
			c, url := server(h, page)
			c.Timeout = time.Hour
			resp := must1(c.Get(url))
			h.Defer(func() { resp.Body.Close() })
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleClientLeased: 1, goroutine.RoleClientWrite: 1,
			goroutine.RoleServerAccept: 1, goroutine.RoleServerIdle: 1,
		},
	}, {
		Name: "http1-cancel-channel", Reason: "a request with the old Cancel channel has a watcher of its own",
		Start: func(h *H) {
			c, url := server(h, page)
			req := must1(http.NewRequest("GET", url, nil))
			req.Cancel = make(chan struct{}) //nolint:staticcheck // the old way is what this is about
			resp := must1(c.Do(req))
			h.Defer(func() { resp.Body.Close() })
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleClientLeased: 1, goroutine.RoleClientWrite: 1, goroutine.RoleClientRequest: 1,
			goroutine.RoleServerAccept: 1, goroutine.RoleServerIdle: 1,
		},
	}, {
		Name: "http1-timeout-foreign", Reason: "a Timeout over a RoundTripper that is not a Transport has a watcher of its own",
		Start: func(h *H) {
			c, url := server(h, page)
			c.Transport = wrapped{c.Transport}
			c.Timeout = time.Hour
			resp := must1(c.Get(url))
			h.Defer(func() { resp.Body.Close() })
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleClientLeased: 1, goroutine.RoleClientWrite: 1, goroutine.RoleClientRequest: 2,
			goroutine.RoleServerAccept: 1, goroutine.RoleServerIdle: 1,
		},
	}, {
		Name: "http1-dial", Reason: "a dial that does not come back",
		Start: func(h *H) {
			release, done := make(chan bool), make(chan bool)
			tr := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				<-release
				return nil, io.EOF
			}}
			go func() {
				defer close(done)
				(&http.Client{Transport: tr}).Get("http://dial.invalid/")
			}()
			h.Defer(func() { close(release); <-done })
		},
		Want: map[goroutine.Role]int{goroutine.RoleUser: 1, goroutine.RoleClientDial: 1},
	}, {
		Name: "http1-handshake", Reason: "a server that never answers the TLS handshake",
		Start: func(h *H) {
			ln := must1(net.Listen("tcp", "127.0.0.1:0"))
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan bool)
			go func() {
				defer close(done)
				req := must1(http.NewRequestWithContext(ctx, "GET", "https://"+ln.Addr().String(), nil))
				(&http.Client{Transport: &http.Transport{}}).Do(req)
			}()
			conn := must1(ln.Accept())
			h.Defer(func() { cancel(); conn.Close(); ln.Close(); <-done })
		},
		Want: map[goroutine.Role]int{goroutine.RoleUser: 1, goroutine.RoleClientDial: 2},
		Also: map[goroutine.Role]int{goroutine.RoleClientDial: 1}, // the watcher of the handshake's context
	}, {
		Name: "server-new", Reason: "connections on which nothing was sent yet: they wait for a request or a handshake",
		Start: func(h *H) {
			plain := httptest.NewServer(http.HandlerFunc(page))
			tls := httptest.NewTLSServer(http.HandlerFunc(page))
			a := must1(net.Dial("tcp", plain.Listener.Addr().String()))
			b := must1(net.Dial("tcp", tls.Listener.Addr().String()))
			h.Defer(func() { a.Close(); b.Close(); plain.Close(); tls.Close() })
		},
		Want: map[goroutine.Role]int{goroutine.RoleServerAccept: 2, goroutine.RoleServerIdle: 2},
	}, {
		Name: "server-own", Reason: "servers without httptest: `go srv.Serve(ln)` starts in net/http, a closure in the program",
		Start: func(h *H) {
			srv := &http.Server{Handler: http.HandlerFunc(page)}
			a := must1(net.Listen("tcp", "127.0.0.1:0"))
			b := must1(net.Listen("tcp", "127.0.0.1:0"))
			go srv.Serve(a)
			go func() { srv.Serve(b) }()
			h.Defer(func() { srv.Close(); a.Close(); b.Close() })
		},
		Want: map[goroutine.Role]int{goroutine.RoleServerAccept: 1, goroutine.RoleUser: 1},
	}, {
		Name: "h2-idle", Reason: "HTTP/2: an idle connection, both sides",
		Start: func(h *H) {
			c, url := serverH2(h, page)
			resp := must1(c.Get(url))
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleH2ClientConn: 1, goroutine.RoleServerAccept: 1, goroutine.RoleH2Server: 2,
		},
	}, {
		Name: "h2-leased", Reason: "HTTP/2: the server has not ended the stream, the body is held",
		Start: func(h *H) {
			c, url := serverH2(h, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			})
			resp := must1(c.Get(url))
			h.Defer(func() { resp.Body.Close() })
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleH2ClientConn: 1, goroutine.RoleH2ClientStream: 1,
			goroutine.RoleServerAccept: 1, goroutine.RoleH2Server: 2, goroutine.RoleH2ServerHandler: 1,
		},
	}, {
		Name: "h2-small-unclosed", Reason: "HTTP/2: an unclosed small body leaves no stream once the server has ended it",
		Start: func(h *H) {
			c, url := serverH2(h, page)
			resp := must1(c.Get(url))
			h.Defer(func() { resp.Body.Close() })
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleH2ClientConn: 1, goroutine.RoleServerAccept: 1, goroutine.RoleH2Server: 2,
		},
	}, {
		Name: "sql", Reason: "a DB, a transaction, rows with a context, and the cleaner",
		Start: func(h *H) {
			db := sql.OpenDB(connector{})
			ctx, cancel := context.WithCancel(context.Background())
			tx := must1(db.BeginTx(ctx, nil))
			rows := must1(db.QueryContext(ctx, "select"))
			db.SetConnMaxLifetime(time.Hour) // starts the cleaner, when there are connections
			h.Defer(func() { rows.Close(); tx.Rollback(); cancel(); db.Close() })
		},
		Want: map[goroutine.Role]int{
			goroutine.RoleSQLOpener: 1, goroutine.RoleSQLTx: 1, goroutine.RoleSQLRows: 1, goroutine.RoleSQLCleaner: 1,
		},
	}, {
		Name: "exec", Reason: "a child with its output in a buffer and a context",
		Start: func(h *H) {
			ctx, cancel := context.WithCancel(context.Background())
			cmd := exec.CommandContext(ctx, must1(os.Executable()))
			cmd.Env = append(os.Environ(), childEnv+"=1")
			cmd.Stdout = new(bytes.Buffer)
			in := must1(cmd.StdinPipe())
			must(cmd.Start())
			h.Defer(func() { in.Close(); cmd.Wait(); cancel() })
		},
		Want: map[goroutine.Role]int{goroutine.RoleExec: 2},
	}, {
		Name: "signal", Reason: "the signal loop is the runtime's; the watcher of a NotifyContext without stop is a leak",
		Start: func(h *H) {
			// The loop starts with the first Notify of a process and stays.
			_, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			h.Defer(stop)
		},
		Want: map[goroutine.Role]int{goroutine.RoleRuntime: 1, goroutine.RoleUser: 1},
	}, {
		Name: "cpuprofile", Reason: "go test -cpuprofile has a goroutine that writes the profile",
		Start: func(h *H) {
			if pprof.StartCPUProfile(io.Discard) != nil {
				panic(ErrBusy)
			}
			h.Defer(pprof.StopCPUProfile)
		},
		Want: map[goroutine.Role]int{goroutine.RoleRuntime: 1},
	}, {
		Name: "trace", Reason: "go test -trace has a goroutine that writes the trace",
		Start: func(h *H) {
			if trace.Start(io.Discard) != nil {
				panic(ErrBusy)
			}
			h.Defer(trace.Stop)
		},
		Want: map[goroutine.Role]int{goroutine.RoleRuntime: 1},
	}, {
		Name: "waits", Reason: "every state that a goroutine of a program waits in",
		Start: waits,
		Want:  map[goroutine.Role]int{goroutine.RoleUser: 13},
	}, {
		Name: "shapes", Reason: "names and frames of every form: generics, closures, deep stacks, method values, coroutines",
		Start: shapes,
		Want:  map[goroutine.Role]int{goroutine.RoleUser: 8},
	}, {
		Name: "lookalikes", Reason: "functions of the program with the names of net/http's, or that call into it, are the program's",
		Start: lookalikes,
		Want:  map[goroutine.Role]int{goroutine.RoleUser: 4},
	}, {
		Name: "finalizer", Reason: "a finalizer that is stuck holds up all others: that is the program's",
		Start: func(h *H) {
			entered, release := make(chan bool), make(chan bool)
			func() {
				p := new([64]byte)
				runtime.SetFinalizer(p, func(*[64]byte) { close(entered); <-release })
			}()
			for done := false; !done; {
				runtime.GC()
				select {
				case <-entered:
					done = true
				case <-time.After(time.Millisecond):
				}
			}
			h.Defer(func() { close(release) })
		},
		Want: map[goroutine.Role]int{goroutine.RoleUser: 1},
	}, {
		Name: "afterfunc", Reason: "callbacks of timers and contexts are the program's, and their creator is in the standard library",
		Start: func(h *H) {
			entered, release := make(chan bool), make(chan bool)
			ctx, cancel := context.WithCancel(context.Background())
			block := func() { entered <- true; <-release }
			time.AfterFunc(0, block)
			context.AfterFunc(ctx, block)
			cancel()
			<-entered
			<-entered
			h.Defer(func() { close(release) })
		},
		Want: map[goroutine.Role]int{goroutine.RoleUser: 2},
	},
}

// page answers with a body of known length.
func page(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, strings.Repeat("x", 900))
}

// wrapped hides a transport's type.
type wrapped struct{ http.RoundTripper }

func server(h *H, handler http.HandlerFunc) (c *http.Client, url string) {
	srv := httptest.NewServer(handler)
	tr := &http.Transport{}
	h.Defer(func() { tr.CloseIdleConnections(); srv.Close() })
	return &http.Client{Transport: tr}, srv.URL
}

func serverH2(h *H, handler http.HandlerFunc) (c *http.Client, url string) {
	srv := httptest.NewUnstartedServer(handler)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	h.Defer(func() { srv.Client().CloseIdleConnections(); srv.Close() })
	return srv.Client(), srv.URL
}

const childEnv = "LEAKGATE_SCENARIO_CHILD"

// Child must be called first by every binary that runs scenarios: it is the child process of one of them.
func Child() {
	if os.Getenv(childEnv) == "" {
		return
	}
	bufio.NewReader(os.Stdin).ReadByte() // until the parent closes it
	os.Exit(0)
}

func waits(h *H) {
	var (
		done   sync.WaitGroup
		mu     sync.Mutex
		rw     sync.RWMutex
		rw2    sync.RWMutex
		wg     sync.WaitGroup
		stop   = make(chan bool)
		recv   = make(chan bool)
		send   = make(chan bool)
		cond   = sync.NewCond(new(sync.Mutex))
		woken  bool
		ticker = time.NewTicker(time.Hour)
	)
	r, w := net.Pipe()
	ln := must1(net.Listen("tcp", "127.0.0.1:0"))
	mu.Lock()
	rw.Lock()
	rw2.RLock()
	wg.Add(1)
	start := func(f func()) {
		done.Add(1)
		go func() { defer done.Done(); f() }()
	}
	start(func() { <-recv })
	start(func() { send <- true })
	start(func() {
		select {
		case <-stop:
		case <-ticker.C:
		}
	})
	start(func() { mu.Lock(); mu.Unlock() })
	start(func() { rw.RLock(); rw.RUnlock() })
	start(func() { rw2.Lock(); rw2.Unlock() })
	start(func() { wg.Wait() })
	start(func() {
		cond.L.Lock()
		for !woken {
			cond.Wait()
		}
		cond.L.Unlock()
	})
	start(func() { ln.Accept() })
	start(func() { r.Read(make([]byte, 1)) })
	start(func() {
		runtime.LockOSThread()
		<-stop
	})
	start(func() {
		for {
			select {
			case <-stop:
				return
			default:
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
	start(func() {
		for range stop { // ends when it is closed
		}
	})
	h.Defer(func() {
		close(stop)
		close(recv)
		<-send
		mu.Unlock()
		rw.Unlock()
		rw2.RUnlock()
		wg.Done()
		cond.L.Lock()
		woken = true
		cond.L.Unlock()
		cond.Broadcast()
		ln.Close()
		w.Close()
		ticker.Stop()
		done.Wait()
	})
}

// Forever leaves goroutines in the states that nothing ends.
func Forever() {
	go func() { select {} }()
	go func() { <-(chan bool)(nil) }()
	go func() { (chan bool)(nil) <- true }()
}

type box[T any] struct{ c chan T }

func (b *box[T]) take(ignored ...any) T { return <-b.c }

type inner struct{ stop chan bool }

func (i inner) value(text string, n int) { <-i.stop }

func (i *inner) pointer(big [4]int, s []byte, f float64, m map[string]int, e error) { <-i.stop }

func receive[K comparable, V any](m map[K]chan V, k K) V { return <-m[k] }

func deep(n int, stop chan bool) {
	if n == 0 {
		<-stop
		return
	}
	deep(n-1, stop)
}

func shapes(h *H) {
	stop := make(chan bool)
	i := &inner{stop}
	go (&box[bool]{stop}).take(1, "x")
	go receive(map[string]chan bool{"k": stop}, "k")
	go i.value("text", 7)
	go i.pointer([4]int{1, 2, 3, 4}, []byte("abc"), 1.5, nil, io.EOF)
	go deep(150, stop)
	f := i.value
	go func() {
		func() {
			func() { f("nested", 1) }()
		}()
	}()
	go func() {
		defer func() {
			recover()
			<-stop
		}()
		panic("recovered, and stuck in the deferred call")
	}()
	next, end := iter.Pull(func(yield func(int) bool) {
		for yield(1) {
		}
	})
	next()
	h.Defer(func() { close(stop); end() })
}

type persistConn struct{ stop chan bool }

func (p *persistConn) readLoop() {
	select {
	case <-p.stop:
	case <-make(chan bool):
	}
}

type Transport struct{}

func (t *Transport) dialConn(p *persistConn) { go p.readLoop() }

func lookalikes(h *H) {
	stop := make(chan bool)
	(&Transport{}).dialConn(&persistConn{stop})
	ln := must1(net.Listen("tcp", "127.0.0.1:0"))
	go func() { http.Serve(ln, nil) }()
	db := make(chan bool)
	go connectionOpener(db)
	r, w := io.Pipe()
	go io.Copy(io.Discard, r)
	h.Defer(func() { close(stop); ln.Close(); close(db); w.Close() })
}

func connectionOpener(c chan bool) { <-c }
