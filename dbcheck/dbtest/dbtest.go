package dbtest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
)

// Server is a database of one test, on a server that other tests of the package may use too.
//
// Its methods are for the test's own goroutine.
type Server struct {
	// DSN is what the drivers take: postgres://user:password@host:port/database?sslmode=disable for pgx and lib/pq,
	// user:password@tcp(host:port)/database for go-sql-driver/mysql. The user owns the database, and is no
	// superuser: it meets the server's limits as an application does. The password was made for this test.
	DSN string
	// AdminDSN is the same database as a superuser: for pg_stat_activity, processlist, and for a look when
	// the ordinary slots are used up.
	AdminDSN string
	// Addr is host:port.
	Addr string
	// Database and User are the names in DSN.
	Database, User string
	// Version is what the server says of itself, such as 15.18 or 10.11.19-MariaDB.
	Version string
	// How is how the server came to be: "docker", "local" or "given".
	How string

	t    testing.TB
	host *host
	own  bool
}

// Postgres gives the test a fresh database on a real Postgres server, and drops it when the test ends. All tests of
// a package (a process) use one server, unless an option says otherwise; it ends with the process.
//
// Where no server can be had the test is skipped with the reasons, or fails where LEAKGATE_REQUIRE_SERVICES is 1. A
// server that is there and does not start fails it too.
func Postgres(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return serve(t, postgres, opts)
}

// MariaDB gives the test a fresh database on a real MariaDB server, as [Postgres] does.
func MariaDB(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return serve(t, mariadb, opts)
}

func serve(t testing.TB, e engine, opts []Option) *Server {
	t.Helper()
	w := want{engine: e}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&w); err != nil {
			t.Fatalf("dbtest: %v", err)
		}
	}
	if err := w.check(); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	h, notes, err := obtain(w)
	for _, n := range notes {
		t.Logf("dbtest: %s", n)
	}
	var un *unavailable
	switch {
	case errors.As(err, &un) && os.Getenv(envRequire) == "1":
		t.Fatalf("dbtest: %v\nThe test fails, and is not skipped, because %s is 1.", err, envRequire)
	case errors.As(err, &un):
		t.Skipf("dbtest: %v", err)
	case err != nil:
		t.Fatalf("dbtest: %v", err)
	}
	if w.own {
		t.Cleanup(h.discard)
	}
	d, err := h.create(dbName(t.Name()))
	if err != nil {
		t.Fatalf("dbtest: no database for this test on the %s at %s: %v", namesOf[e].title, h.addr, h.hide(err, d.password))
	}
	s := &Server{
		DSN: h.dsn(d.user, d.password, d.name), AdminDSN: h.dsn(h.user, h.password, d.name),
		Addr: h.addr, Database: d.name, User: d.user, Version: h.version, How: h.how,
		t: t, host: h, own: w.own,
	}
	if !w.own {
		t.Cleanup(func() {
			if err := h.drop(d); err != nil {
				t.Errorf("dbtest: the database %s on the %s at %s was not dropped: %v", d.name, namesOf[e].title, h.addr, h.hide(err))
			}
		})
	}
	return s
}

// hide takes passwords out of an error: the superuser's, and more.
func (h *host) hide(err error, more ...string) string {
	text := err.Error()
	for _, pw := range append(more, h.password) {
		if pw == "" {
			continue
		}
		text = strings.ReplaceAll(text, pw, "…")
		text = strings.ReplaceAll(text, url.QueryEscape(pw), "…")
		text = strings.ReplaceAll(text, url.PathEscape(pw), "…")
	}
	return text
}

// String names the server without its passwords.
func (s *Server) String() string {
	return fmt.Sprintf("%s %s (%s) at %s, database %s", namesOf[s.host.engine].title, s.Version, s.How, s.Addr, s.Database)
}
