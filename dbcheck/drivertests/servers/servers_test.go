package servers_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
)

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(log.New(io.Discard, "", 0)) // it says when a connection was killed, which these tests do
	os.Exit(m.Run())
}

var ctx = context.Background()

// A server learns of the end of a connection later than its client. What follows from that is asked for again and again.
const (
	waitFor = 30 * time.Second
	tick    = 10 * time.Millisecond
)

// client is one driver, and how it is given to a server.
type client struct {
	driver string
	server func(testing.TB, ...dbtest.Option) *dbtest.Server
	named  func(dsn, application string) string
}

func postgresName(dsn, application string) string { return dsn + "&application_name=" + application }

var clients = []client{
	{"pgx", dbtest.Postgres, postgresName},
	{"postgres", dbtest.Postgres, postgresName},
	{"mysql", dbtest.MariaDB, func(dsn, application string) string { return dsn + "?connectionAttributes=program_name:" + application }},
}

// each runs a test on each driver.
func each(t *testing.T, test func(t *testing.T, c client)) {
	for _, c := range clients {
		t.Run(c.driver, func(t *testing.T) { test(t, c) })
	}
}

// quickly gives drivers that would wait for ever for a server that says nothing a limit of their own.
func (c client) quickly(dsn string) string {
	switch c.driver {
	case "mysql":
		return dsn + sep(dsn) + "timeout=2s&readTimeout=2s&writeTimeout=2s"
	default:
		return dsn + sep(dsn) + "connect_timeout=2"
	}
}

func sep(dsn string) string {
	if strings.Contains(dsn, "?") {
		return "&"
	}
	return "?"
}

func (c client) open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(c.driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func (c client) tracked(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := dbcheck.Open(c.driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// fakeT is a test that records.
type fakeT struct {
	mu     sync.Mutex
	errors []string
	logs   []string
}

func (t *fakeT) Helper()      {}
func (t *fakeT) Name() string { return "TestFake" }
func (t *fakeT) Failed() bool { return len(t.told()) > 0 }
func (t *fakeT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}
func (t *fakeT) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logs = append(t.logs, fmt.Sprintf(format, args...))
}
func (t *fakeT) told() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.errors...)
}

// within fails a test in which do hangs; the limit is far above what anything here waits for.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(40 * time.Second):
		t.Fatalf("%s hangs", what)
	}
}
