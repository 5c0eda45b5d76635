package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // prepares the server for the suites
	"github.com/leakgate/leakgate/dbcheck/dbtest"
)

// running is a server that a suite's tests find by their environment.
type running struct {
	version string
	env     []string
	hide    string // a password, which some tests print
	stop    func()
}

// start gives the server that a suite needs, with the users and databases that its own instructions ask for.
func start(s suite) (r *running, err error) {
	r = &running{stop: func() {}}
	if s.needs == noServer {
		return r, nil
	}
	caller := &caller{}
	r.stop = caller.end
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	var srv *dbtest.Server
	if err := caller.do(func() {
		if s.needs == mariadb {
			// What the driver's workflow gives its server.
			srv = dbtest.MariaDB(caller, dbtest.Settings(map[string]string{
				"max_connections": "50", "local_infile": "1", "max_allowed_packet": "48M", "performance_schema": "on",
			}))
			return
		}
		srv = dbtest.Postgres(caller, dbtest.Own())
	}); err != nil {
		return r, err
	}
	if s.needs == mariadb {
		r.version = "MariaDB " + srv.Version
		r.hide, r.env, err = mariadbFor(srv)
		return r, err
	}
	r.version = "PostgreSQL " + srv.Version
	r.hide, r.env, err = postgresFor(srv)
	return r, err
}

// postgresFor prepares a server for lib/pq and for pgx.
func postgresFor(srv *dbtest.Server) (hide string, env []string, err error) {
	c, err := pgx.ParseConfig(srv.AdminDSN)
	if err != nil {
		return "", nil, err
	}
	err = sqlExec("pgx", srv.AdminDSN,
		// pgx: testsetup/postgresql_setup.sql
		"create extension if not exists hstore", "create extension if not exists ltree",
		"create domain uint64 as numeric(20,0)",
		// lib/pq: testdata/postgres, without what needs its certificates
		"create role pqgo with login superuser", "create database pqgo owner pqgo",
		"create role pqgopassword with login password 'wordpass'", "create role pqgoscram with login password 'wordpass'",
		"create role pqgomd5 with login password 'wordpass'",
		"update pg_authid set rolpassword = 'md5' || md5('wordpasspqgomd5') where rolname = 'pqgomd5'",
		"do $$ begin execute format($q$copy (select unnest(array["+
			"'local all all trust', 'host all pqgomd5 all md5', 'host all pqgopassword all password',"+
			"'host all pqgoscram all scram-sha-256', 'host all all all trust'])) to %L$q$, current_setting('hba_file')); end $$",
		"select pg_reload_conf()",
	)
	host := c.Host
	if host == "127.0.0.1" {
		host = "localhost" // lib/pq's tests compare with that name
	}
	return c.Password, []string{
		"PGX_TEST_DATABASE=" + srv.AdminDSN,
		"PGHOST=" + host, fmt.Sprintf("PGPORT=%d", c.Port), "PGUSER=pqgo", "PGDATABASE=pqgo",
		"PGSSLMODE=disable",
	}, err
}

// mariadbFor prepares a server for go-sql-driver/mysql.
func mariadbFor(srv *dbtest.Server) (hide string, env []string, err error) {
	c, err := mysql.ParseDSN(srv.AdminDSN)
	if err != nil {
		return "", nil, err
	}
	err = sqlExec("mysql", srv.AdminDSN, "create database gotest")
	return c.Passwd, []string{
		"MYSQL_TEST_USER=" + c.User, "MYSQL_TEST_PASS=" + c.Passwd, "MYSQL_TEST_PROT=" + c.Net, "MYSQL_TEST_ADDR=" + c.Addr,
		"MYSQL_TEST_DBNAME=gotest", "MYSQL_TEST_CONCURRENT=1",
	}, err
}

func sqlExec(driver, dsn string, statements ...string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(context.Background(), s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// caller is the test that dbtest is called from, while the program runs as one.
type caller struct {
	testing.TB // nil: it has the methods that dbtest needs, and is a testing.TB
	cleanups   []func()
	failed     error
}

// do calls f, which may end by Fatalf or Skipf.
func (c *caller) do(f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
	return c.failed
}

func (c *caller) Helper()             {}
func (c *caller) Name() string        { return "upstream" }
func (c *caller) Cleanup(f func())    { c.cleanups = append(c.cleanups, f) }
func (c *caller) Logf(string, ...any) {}
func (c *caller) Failed() bool        { return c.failed != nil }

func (c *caller) Errorf(format string, args ...any) {
	c.failed = errors.Join(c.failed, fmt.Errorf(format, args...))
}

func (c *caller) Fatalf(format string, args ...any) {
	c.Errorf(format, args...)
	runtime.Goexit()
}

// errNoServer: there is neither Docker nor a server's programs on this machine.
var errNoServer = errors.New("no server can be had here")

func (c *caller) Skipf(format string, args ...any) {
	c.Fatalf("%w: "+format, append([]any{errNoServer}, args...)...)
}

func (c *caller) end() {
	_ = c.do(func() {
		for i := len(c.cleanups) - 1; i >= 0; i-- {
			c.cleanups[i]()
		}
		c.cleanups = nil
	})
}
