package leaks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// kept keeps the garbage collector from closing what nobody else refers to.
var (
	kept []any
	two  *os.File
)

func TestFile(t *testing.T) {
	f, err := openFile()
	kept = append(kept, f, err)
}

func TestPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err == nil {
		r.Close()
	}
	kept = append(kept, w)
}

func TestListener(t *testing.T) {
	l, err := listen()
	kept = append(kept, l, err)
}

func TestSocket(t *testing.T) {
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dial(l.Addr().String())
	kept = append(kept, c, err)
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

func TestRows(t *testing.T) {
	db := sql.OpenDB(connector{})
	t.Cleanup(func() { db.Close() })
	rows, err := query(db)
	kept = append(kept, rows, err)
}

func TestTx(t *testing.T) {
	db := sql.OpenDB(connector{})
	t.Cleanup(func() { db.Close() })
	tx, err := begin(db)
	kept = append(kept, tx, err)
}

func TestDB(t *testing.T) {
	kept = append(kept, sql.OpenDB(connector{}))
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

// It runs in the child of TestProcess too, which is no test: nobody judges what is left there.
func TestChild(t *testing.T) {
	if os.Getenv("LEAKGATE_DEEP") == "child" && len(os.Args) == 2 {
		f, err := openFile()
		kept = append(kept, f, err)
	}
}

func TestGoroutine(t *testing.T) {
	done := make(chan bool)
	kept = append(kept, done) // or Go 1.27 proves that nothing can wake it
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
				two = f
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

func (conn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not needed") }
func (conn) Close() error                        { return nil }
func (conn) Begin() (driver.Tx, error)           { return tx{}, nil }

func (conn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return rows{}, nil
}

type tx struct{}

func (tx) Commit() error   { return nil }
func (tx) Rollback() error { return nil }

type rows struct{}

func (rows) Columns() []string         { return []string{"n"} }
func (rows) Close() error              { return nil }
func (rows) Next([]driver.Value) error { return io.EOF }
