// Package clean gives back all that it acquires.
package clean

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// opened is for the life of the process: no test has opened it.
var opened, _ = os.Open(os.DevNull)

// At their first use these open what is for the life of the process: it is not the first test's.
var (
	first  sync.Once
	shared net.Listener
	null   *os.File
	work   = make(chan func())
)

func get(t *testing.T) (net.Listener, *os.File) {
	first.Do(func() {
		shared, _ = net.Listen("tcp", "127.0.0.1:0")
		null, _ = os.Open(os.DevNull)
		go func() {
			for f := range work {
				f()
			}
		}()
	})
	if shared == nil || null == nil {
		t.Fatal("not opened")
	}
	return shared, null
}

func TestFirstUse(t *testing.T) { get(t) }

func TestLaterUse(t *testing.T) { get(t) }

func TestMain(m *testing.M) {
	if opened == nil {
		os.Exit(4)
	}
	m.Run() // the exit status is go test's to give
}

func TestClean(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
}

func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "HTTP/2.0" || err != nil {
		t.Fatal(string(body), err)
	}
	// It has no body that would have to be closed.
	if _, err := s.Client().Head(s.URL); err != nil {
		t.Fatal(err)
	}
}

func TestIdle(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestCommand(t *testing.T) {
	if err := exec.Command(os.Args[0], "-test.run=TestNothing").Run(); err != nil {
		t.Fatal(err)
	}
}

func TestNothing(t *testing.T) {}

func BenchmarkNothing(b *testing.B) {
	for b.Loop() {
	}
}

// Its subbenchmark uses what it has opened.
func BenchmarkFile(b *testing.B) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			_, _ = f.Stat()
		}
	})
}

func FuzzNothing(f *testing.F) {
	f.Add(1)
	f.Fuzz(func(*testing.T, int) {})
}

func FuzzFile(f *testing.F) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { null.Close() })
	f.Add(1)
	f.Fuzz(func(t *testing.T, _ int) {
		if _, err := null.Stat(); err != nil {
			t.Fatal(err)
		}
	})
}

func Example() {
	// Output:
}

func Example_file() {
	f, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Println("open")
	// Output: open
}

// A subtest may hold what the test around it gives back.
func TestSharedBySubtests(t *testing.T) {
	var file *os.File
	var done chan struct{}
	t.Cleanup(func() {
		file.Close()
		close(done)
	})
	t.Run("open", func(t *testing.T) {
		var err error
		if file, err = os.Open(os.DevNull); err != nil {
			t.Fatal(err)
		}
		done = make(chan struct{})
		go func() { <-done }()
	})
	t.Run("use", func(t *testing.T) {
		if _, err := file.Stat(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSwitched(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nhello")
	}))
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, ok := resp.Body.(io.Writer); !ok {
		t.Fatalf("%T cannot be written to", resp.Body)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "hello" {
		t.Fatal(string(got), err)
	}
}

func TestFiles(t *testing.T) {
	check := func(f io.Closer, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	root, err := os.OpenRoot(".")
	check(root, err)
	check(root, nil) // once more
	root, err = os.OpenRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	check(root.Open("clean_test.go"))
	check(root.OpenRoot("."))
	if _, err := root.Stat("clean_test.go"); err != nil {
		t.Fatal(err)
	}
	if _, err := root.OpenRoot("clean_test.go"); err == nil {
		t.Fatal("it is no directory")
	}
	check(os.OpenInRoot(".", "clean_test.go"))
	check(os.DirFS(".").Open("clean_test.go"))
	check(os.CreateTemp(t.TempDir(), "a"))
}

func TestCommandPipes(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestNothing")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if _, err := io.ReadAll(out); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) { return conn{}, nil }
func (connector) Driver() driver.Driver                        { return nil }

type conn struct{}

func (conn) Prepare(string) (driver.Stmt, error) { return stmt{}, nil }
func (conn) Close() error                        { return nil }
func (conn) Begin() (driver.Tx, error)           { return tx{}, nil }

type tx struct{}

func (tx) Commit() error   { return nil }
func (tx) Rollback() error { return driver.ErrBadConn }

type stmt struct{}

func (stmt) Close() error                               { return nil }
func (stmt) NumInput() int                              { return -1 }
func (stmt) Exec([]driver.Value) (driver.Result, error) { return driver.ResultNoRows, nil }
func (stmt) Query([]driver.Value) (driver.Rows, error)  { return rows{}, nil }

type rows struct{}

func (rows) Columns() []string         { return []string{"n"} }
func (rows) Close() error              { return nil }
func (rows) Next([]driver.Value) error { return io.EOF }

// At its first use the pool prepares what is for the life of the process.
var (
	pool     = sql.OpenDB(connector{})
	prepared sync.Once
	lookup   *sql.Stmt
)

func TestStatements(t *testing.T) {
	ctx := context.Background()
	check := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	prepared.Do(func() { lookup, _ = pool.Prepare("SELECT 1") })
	check(lookup.Exec())
	// Closed by hand.
	s, err := pool.Prepare("SELECT 2")
	check(s, err)
	check(s.Exec())
	r, err := s.Query()
	check(r, err)
	for r.Next() {
	}
	check(r, r.Err())
	check(s, s.Close())

	// Closed by the end of the transaction, also when that breaks the connection.
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx, err := pool.Begin()
		check(tx, err)
		check(tx.Prepare("SELECT 3"))
		_ = end(tx)
	}

	// Closed with the connection that it is bound to.
	c, err := pool.Conn(ctx)
	check(c, err)
	check(c.PrepareContext(ctx, "SELECT 4"))
	_ = c.Raw(func(any) error { return driver.ErrBadConn })

	// Closed with the pool.
	own := sql.OpenDB(connector{})
	check(own.Prepare("SELECT 5"))
	check(own, own.Close())
}
