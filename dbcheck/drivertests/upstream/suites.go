package main

import "time"

// suite is one package's own tests.
type suite struct {
	name   string   // what -driver calls it
	module string   // "" for the standard library
	pkg    string   // the package whose tests run
	also   []string // further packages of the driver that open databases for those tests
	tags   string
	env    []string // of the build

	run  string // -test.run; "" for all
	skip []skip
	long bool // -test.short is not given

	needs   server
	limit   time.Duration // of one run
	opening bool          // the driver's own code opens databases: it is rewritten too

	known []known
}

// skip is a pattern of -test.skip and why those tests are left out, with and without the wrapper.
type skip struct{ pattern, why string }

// known is a test that cannot come to the same with any wrapper, and why.
type known struct{ test, why string }

// server is what a suite talks to.
type server int

const (
	noServer server = iota
	postgres
	mariadb
)

// suites are the tests that are run. The versions are those of this module's go.mod; database/sql's is the toolchain's.
var suites = []suite{
	{
		name: "database/sql", pkg: "database/sql", limit: 5 * time.Minute, long: true,
		known: []known{{
			"TestTxContextWaitNoDiscard/basic",
			"the test sets keepConnOnRollback, a private field of sql.Tx, for a driver without ResetSession and IsValid, " +
				"for which database/sql never sets it; the wrapper goes by what the driver has",
		}},
	},
	{
		name: "mattn", module: "github.com/mattn/go-sqlite3", pkg: "github.com/mattn/go-sqlite3", limit: 5 * time.Minute,
		tags: "sqlite_column_metadata sqlite_foreign_keys sqlite_fts5 sqlite_introspect sqlite_json sqlite_math_functions " +
			"sqlite_preupdate_hook sqlite_secure_delete sqlite_stat4 sqlite_trace sqlite_unlock_notify sqlite_vacuum_incr sqlite_vtable",
		env: []string{"CGO_ENABLED=1", "CGO_CFLAGS=-O0"}, // SQLite itself is compiled twice, which is most of the time
	},
	{
		name: "modernc", module: "modernc.org/sqlite", pkg: "modernc.org/sqlite", limit: 10 * time.Minute,
		skip: []skip{
			{"^TestRegisteredFunctions$/context_expiring$", "two subtests that repeat one query for 200 s each"},
			{"^TestConcurrentGoroutines$", "it runs go test in the driver's folder, of which the tests have a copy without the sources"},
		},
		known: []known{{
			"TestLimit",
			"sqlite.Limit, which is the driver's and not the test's, looks for the driver's own connection within sql.Conn.Raw",
		}},
	},
	{
		name: "pq", module: "github.com/lib/pq", pkg: "github.com/lib/pq", also: []string{"github.com/lib/pq/internal/pqtest"},
		needs: postgres, limit: 5 * time.Minute,
		skip: []skip{
			{"^TestSSL", "they need a server named postgres with the driver's certificates; what they test ends before database/sql begins"},
			{"^Example", "they connect to port 5432 or to a host named postgres, and end the process when nobody is there"},
		},
	},
	{
		name: "pgx", module: "github.com/jackc/pgx/v5", pkg: "github.com/jackc/pgx/v5/stdlib",
		needs: postgres, limit: 5 * time.Minute, opening: true,
	},
	{
		name: "mysql", module: "github.com/go-sql-driver/mysql", pkg: "github.com/go-sql-driver/mysql",
		needs: mariadb, limit: 10 * time.Minute, long: true,
		skip: []skip{
			{"^TestConnectorReturnsTimeout$", "it dials 1.1.1.1 to see a timeout, and panics where the network answers otherwise"},
			{"^(TestTLS|TestIssue1567)$", "they need a server with TLS"},
		},
	},
}
