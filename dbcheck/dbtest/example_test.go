package dbtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
	"github.com/leakgate/leakgate/leakcheck"
)

var t *testing.T // in the examples: a test's own

// The examples are run, each as a test.
func TestExamples(all *testing.T) {
	for _, example := range []struct {
		name string
		run  func()
	}{
		{"Postgres", ExamplePostgres},
		{"MaxConnections", ExampleMaxConnections},
		{"Server_Restart", ExampleServer_Restart},
		{"Server_Pause", ExampleServer_Pause},
		{"Settings", ExampleSettings},
	} {
		all.Run(example.name, func(one *testing.T) {
			t = one
			example.run()
		})
	}
}

// A fresh database for a test, on a server that the tests of the package share.
func ExamplePostgres() {
	t.Cleanup(leakcheck.Verify(t)) // the whole process: goroutines, sockets, leases of any pool
	srv := dbtest.Postgres(t)
	db, err := dbcheck.Open("pgx", srv.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	t.Cleanup(dbcheck.Verify(t, db)) // this pool; looks before it is closed
	if _, err := db.Exec("CREATE TABLE item (id int)"); err != nil {
		t.Fatal(err)
	}
}

// A server with the limit of production: the 83rd connection of the application is refused with SQLSTATE 53300. A pool
// with a limit of its own below that never meets it.
func ExampleMaxConnections() {
	srv := dbtest.Postgres(t, dbtest.MaxConnections(85))
	db, err := dbcheck.Open("pgx", srv.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	t.Cleanup(dbcheck.Verify(t, db))
	db.SetMaxOpenConns(20)
	// … the code under test
}

// What a pool does when its server goes away and comes back.
func ExampleServer_Restart() {
	srv := dbtest.MariaDB(t, dbtest.Own())
	db, err := dbcheck.Open("mysql", srv.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	srv.Kill()
	if db.Ping() == nil {
		t.Error("no error from a server that is gone")
	}
	srv.Restart() // the same address, database and password
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
}

// A network that has gone silent: nothing is refused, and nothing answers.
func ExampleServer_Pause() {
	srv := dbtest.Postgres(t, dbtest.Own())
	db, err := dbcheck.Open("pgx", srv.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	t.Cleanup(dbcheck.Verify(t, db))
	srv.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := db.PingContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ping of a silent server: %v, and not its deadline", err)
	}
	srv.Unpause()
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
}

// A session that holds a transaction open without a word is ended by the server.
func ExampleSettings() {
	srv := dbtest.Postgres(t, dbtest.Settings(map[string]string{"idle_in_transaction_session_timeout": "500ms"}))
	db, err := dbcheck.Open("pgx", srv.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	t.Cleanup(dbcheck.Verify(t, db))
	var limit string
	if err := db.QueryRow("SHOW idle_in_transaction_session_timeout").Scan(&limit); err != nil || limit != "500ms" {
		t.Errorf("%q, %v", limit, err)
	}
}
