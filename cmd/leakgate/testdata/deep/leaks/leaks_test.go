package leaks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keeper has a goroutine that began before the tests and keeps what it is given, so that the garbage collector does not close it.
// What a variable held would be process-wide.
var (
	keeper = make(chan []any)
	pool   = sql.OpenDB(connector{})
)

func init() {
	go func() {
		var kept []any
		for x := range keeper {
			kept = append(kept, x)
		}
		runtime.KeepAlive(kept)
	}()
}

func keep(x ...any) { keeper <- x }

func TestFile(t *testing.T) {
	f, err := openFile()
	keep(f, err)
}

func TestPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err == nil {
		r.Close()
	}
	keep(w)
}

func TestListener(t *testing.T) {
	l, err := listen()
	keep(l, err)
}

func TestSocket(t *testing.T) {
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dial(l.Addr().String())
	keep(c, err)
}

// The server is shut down as far as it lets itself be: its Close would wait for what the client still holds.
func serve(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

func TestResponse(t *testing.T) {
	if code, err := status(serve(t)); code != http.StatusForbidden {
		t.Fatal(code, err)
	}
}

// Somebody could still close it, so that nothing is proved.
func TestResponseKept(t *testing.T) {
	resp, err := http.Get(serve(t))
	if err != nil {
		t.Fatal(err)
	}
	keep(resp.Body)
}

func TestResponseHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	if resp, err := s.Client().Get(s.URL); err != nil {
		t.Fatal(resp, err)
	}
}

// upgrade takes the connection from the server, and says to the client that it speaks another protocol from now on.
func upgrade(w http.ResponseWriter) net.Conn {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
	return c
}

func dialOther(url string) (io.ReadWriteCloser, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "other")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body.(io.ReadWriteCloser), nil
}

func TestSwitched(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		upgrade(w).Close()
	}))
	t.Cleanup(s.Close)
	c, err := dialOther(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	keep(c)
}

func TestHijacked(t *testing.T) {
	taken := make(chan net.Conn, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		taken <- upgrade(w)
	}))
	t.Cleanup(s.Close)
	c, err := dialOther(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	keep(<-taken)
}

func TestServer(t *testing.T) {
	keep(httptest.NewServer(http.NotFoundHandler()))
}

// The server is gone, and the handler that it has called is not.
func TestHandler(t *testing.T) {
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	called, end := make(chan bool), make(chan bool)
	keep(end)
	go http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(called)
		<-end
	}))
	c, err := dial(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-called
	c.Close()
	l.Close()
}

func TestRoot(t *testing.T) {
	r, err := os.OpenRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	keep(r)
}

func TestRootFile(t *testing.T) {
	r, err := os.OpenRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := r.Open("leaks.go")
	keep(f, err)
}

func TestNewFile(t *testing.T) {
	fd, err := syscall.Open("leaks.go", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	keep(os.NewFile(uintptr(fd), "given"))
}

func TestRows(t *testing.T) {
	db := sql.OpenDB(connector{})
	t.Cleanup(func() { db.Close() })
	rows, err := query(db)
	keep(rows, err)
}

// Nothing refers to the rows any more.
func TestRowsDropped(t *testing.T) {
	db := sql.OpenDB(connector{})
	t.Cleanup(func() { db.Close() })
	if _, err := query(db); err != nil {
		t.Fatal(err)
	}
}

// Their goroutine, which waits for the end of the context, does.
func TestRowsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	keep(cancel)
	db := sql.OpenDB(connector{})
	t.Cleanup(func() { db.Close() })
	if _, err := db.QueryContext(ctx, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

// Nothing refers to the rows, but the connection that they are on is another one's to close.
func TestConn(t *testing.T) {
	db := sql.OpenDB(connector{})
	t.Cleanup(func() { db.Close() })
	c, err := lease(db)
	if err != nil {
		t.Fatal(err)
	}
	keep(c)
	if _, err := c.QueryContext(context.Background(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

func TestConnDropped(t *testing.T) {
	db := sql.OpenDB(connector{})
	t.Cleanup(func() { db.Close() })
	if _, err := lease(db); err != nil {
		t.Fatal(err)
	}
}

func TestStmt(t *testing.T) {
	if _, err := prepare(pool); err != nil {
		t.Fatal(err)
	}
}

// The connection goes back to the pool, with the statement open on it.
func TestStmtConn(t *testing.T) {
	c, err := lease(pool)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.PrepareContext(context.Background(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

func TestTx(t *testing.T) {
	db := sql.OpenDB(connector{})
	t.Cleanup(func() { db.Close() })
	tx, err := begin(db)
	keep(tx, err)
}

func TestDB(t *testing.T) {
	keep(sql.OpenDB(connector{}))
}

func TestProcess(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(os.Args[0], "-test.run=TestChild")
	cmd.Stdout = w
	err = start(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err != nil { // until it has ended
		t.Fatal(err)
	}
}

// What it was given to speak to the child is a part of the same leak.
func TestProcessPipes(t *testing.T) {
	cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=TestChild")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = new(strings.Builder)
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(out); err != nil { // until it has ended
		t.Fatal(err)
	}
	keep(in, out)
}

// It runs in the child of TestProcess too, which is no test: nobody judges what is left there.
func TestChild(t *testing.T) {
	if os.Getenv("LEAKGATE_DEEP") == "child" && len(os.Args) == 2 {
		f, err := openFile()
		keep(f, err)
	}
}

func TestGoroutine(t *testing.T) {
	done := make(chan bool)
	keep(done) // or Go 1.27 proves that nothing can wake it
	wait(done)
}

// Nothing refers to the connection when the test is over, and the garbage collector closes it.
func TestDropped(t *testing.T) {
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := dial(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	for {
		runtime.GC()
		_ = peer.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return // it is closed
		}
	}
}

func TestParallel(t *testing.T) {
	for _, name := range []string{"one", "two", "three"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := openFile()
			switch {
			case err != nil:
				t.Fatal(err)
			case name == "two":
				keep(f)
			default:
				f.Close()
			}
		})
	}
}

type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) { return conn{}, nil }
func (connector) Driver() driver.Driver                        { return nil }

type conn struct{}

func (conn) Prepare(string) (driver.Stmt, error) { return stmt{}, nil }
func (conn) Close() error                        { return nil }
func (conn) Begin() (driver.Tx, error)           { return tx{}, nil }

func (conn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return rows{}, nil
}

type stmt struct{}

func (stmt) Close() error                               { return nil }
func (stmt) NumInput() int                              { return -1 }
func (stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.New("not needed") }
func (stmt) Query([]driver.Value) (driver.Rows, error)  { return rows{}, nil }

type tx struct{}

func (tx) Commit() error   { return nil }
func (tx) Rollback() error { return nil }

type rows struct{}

func (rows) Columns() []string         { return []string{"n"} }
func (rows) Close() error              { return nil }
func (rows) Next([]driver.Value) error { return io.EOF }
