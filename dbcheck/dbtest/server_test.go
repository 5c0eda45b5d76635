package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
)

// kinds are the engines with what their drivers need.
var kinds = []struct {
	name, driver string
	engine       engine
	start        func(testing.TB, ...Option) *Server
	refused      func(error) bool // all slots taken
}{
	{
		name: "postgres", driver: "pgx", engine: postgres, start: Postgres,
		refused: func(err error) bool {
			var pe *pgconn.PgError
			return errors.As(err, &pe) && pe.Code == "53300"
		},
	},
	{
		name: "mariadb", driver: "mysql", engine: mariadb, start: MariaDB,
		refused: func(err error) bool {
			var me *mysql.MySQLError
			return errors.As(err, &me) && me.Number == 1040
		},
	},
}

func open(t testing.TB, driver, dsn string) *sql.DB {
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// The user's first line is Verify: what dbtest does after it must leave nothing in the process. The shared server is
// started in here as well, when this test runs alone.
func TestADatabaseForEachTest(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			a, b := k.start(t), k.start(t)
			t.Log(a)
			assert.Equal(t, a.Addr, b.Addr, "one server for the package")
			assert.NotEqual(t, a.Database, b.Database)
			assert.NotEqual(t, a.User, b.User)
			assert.Contains(t, a.Database, "_testadatabaseforeachtest"[:12])
			assert.NotEmpty(t, a.Version)
			for _, s := range []*Server{a, b} {
				db := open(t, k.driver, s.DSN)
				_, err := db.Exec("CREATE TABLE item (id int)")
				require.NoError(t, err, "the user owns its database, and the other one's table is not in it")
				var name string
				require.NoError(t, db.QueryRow(map[engine]string{postgres: "SELECT current_user", mariadb: "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"}[k.engine]).Scan(&name))
				assert.Equal(t, s.User, name)
				admin := open(t, k.driver, s.AdminDSN)
				require.NoError(t, admin.QueryRow(map[engine]string{postgres: "SELECT current_database()", mariadb: "SELECT DATABASE()"}[k.engine]).Scan(&name))
				assert.Equal(t, s.Database, name)
			}
			other := strings.Replace(a.DSN, a.Database, b.Database, 1)
			if k.engine == postgres {
				other = strings.Replace(a.DSN, "/"+a.Database+"?", "/postgres?", 1)
			}
			db := open(t, k.driver, other)
			_, err := db.Exec("CREATE DATABASE more")
			assert.Error(t, err, "and is no superuser")
		})
	}
}

// All is dropped at the test's end, also when the test has left connections open.
func TestDroppedAtTheEnd(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			admin := open(t, k.driver, k.start(t).AdminDSN)
			names := func() (n int) {
				q := "SELECT count(*) FROM pg_database WHERE datname LIKE '%_testdroppedattheend%'"
				if k.engine == mariadb {
					q = "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE '%_testdroppedattheend%'"
				}
				require.NoError(t, admin.QueryRow(q).Scan(&n))
				return n
			}
			before := names()
			var left *sql.DB
			var held *sql.Conn
			t.Run("inner", func(t *testing.T) {
				var err error
				left, err = sql.Open(k.driver, k.start(t).DSN)
				require.NoError(t, err)
				held, err = left.Conn(context.Background()) // not closed by the inner test
				require.NoError(t, err)
				assert.Equal(t, before+1, names())
			})
			assert.Equal(t, before, names())
			assert.Error(t, left.Ping())
			held.Close()
			left.Close()
		})
	}
}

// A limit is met as in production: the test's user gets all slots but the reserved ones, the superuser one more.
func TestMaxConnections(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			n := 12
			s := k.start(t, MaxConnections(n))
			if k.engine == postgres {
				n -= 3
			}
			db := open(t, k.driver, s.DSN)
			for i := range n {
				c, err := db.Conn(t.Context())
				// MariaDB closes a connection just before it counts one less.
				for end := time.Now().Add(10 * time.Second); k.engine == mariadb && k.refused(err) && time.Now().Before(end); {
					time.Sleep(10 * time.Millisecond)
					c, err = db.Conn(t.Context())
				}
				require.NoError(t, err, "slot %d of %d: dbtest's own connections must be gone", i+1, n)
				defer c.Close()
			}
			_, err := db.Conn(t.Context())
			assert.True(t, k.refused(err), "%v", err)
			admin := open(t, k.driver, s.AdminDSN)
			require.Eventually(t, func() bool { return admin.Ping() == nil }, 10*time.Second, 10*time.Millisecond,
				"the superuser still gets in: as soon as MariaDB has forgotten the connection that it has just refused")
		})
	}
}

func TestAServerOfOnesOwn(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			setting := map[engine]string{postgres: "statement_timeout", mariadb: "lock_wait_timeout"}[k.engine]
			s := k.start(t, Own(), Settings(map[string]string{setting: "4321"}))
			assert.NotEqual(t, k.start(t).Addr, s.Addr)
			db := open(t, k.driver, s.DSN)
			var name, value string
			if k.engine == postgres {
				require.NoError(t, db.QueryRow("SELECT setting FROM pg_settings WHERE name = $1", setting).Scan(&value))
			} else {
				require.NoError(t, db.QueryRow("SHOW VARIABLES LIKE '"+setting+"'").Scan(&name, &value))
			}
			assert.Equal(t, "4321", value)
			_, err := db.Exec("CREATE TABLE item (id int)")
			require.NoError(t, err)
			rows := func() (n int) {
				require.NoError(t, db.QueryRow("SELECT count(*) FROM item").Scan(&n))
				return n
			}
			closed := func(after string) {
				t.Helper()
				c, err := net.DialTimeout("tcp", s.Addr, 5*time.Second)
				if !assert.Error(t, err, "the address refuses after "+after) {
					c.Close()
				}
				assert.Error(t, db.Ping(), after)
			}
			for i, end := range []func(){s.Kill, s.Stop, s.Kill} {
				_, err = db.Exec("INSERT INTO item VALUES (1)")
				require.NoError(t, err)
				end()
				closed([]string{"Kill", "Stop", "Kill"}[i])
				s.Restart()
				assert.Equal(t, i+1, rows(), "what was committed is there")
			}
			s.Restart()
			assert.Equal(t, 3, rows(), "Restart of a server that runs")

			s.Pause()
			s.Pause()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err = db.PingContext(ctx)
			assert.ErrorIs(t, err, context.DeadlineExceeded, "silence, and no refusal")
			s.Unpause()
			s.Unpause()
			assert.Equal(t, 3, rows())
			s.Pause() // the end must cope with it
		})
	}
}

func TestTheSharedServerIsNotForOneTest(t *testing.T) {
	for _, k := range kinds {
		s := k.start(t)
		for name, f := range map[string]func(*Server){"Kill": (*Server).Kill, "Stop": (*Server).Stop, "Restart": (*Server).Restart, "Pause": (*Server).Pause, "Unpause": (*Server).Unpause} {
			ft := &fakeTB{name: "TestX"}
			mine := *s
			mine.t = ft
			got := ft.run(func() { f(&mine) })
			if name == "Kill" {
				golden(t, "shared-kill-"+k.name, "Kill without dbtest.Own", got)
			}
			assert.Contains(t, got, "Fatalf\ndbtest: "+name+" on a server that the tests of this package share")
		}
		assert.NoError(t, open(t, k.driver, s.DSN).Ping())
	}
}

// A server that is there already serves too, and is left as it was.
func TestGiven(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			there := k.start(t, Own())
			password := there.host.password
			ip, _, err := net.SplitHostPort(there.Addr) // a container's may be another than 127.0.0.1
			require.NoError(t, err)
			fresh(t)
			t.Setenv(namesOf[k.engine].envDSN, there.AdminDSN)
			var s *Server
			t.Run("inner", func(t *testing.T) {
				s = k.start(t)
				assert.Equal(t, "given", s.How)
				assert.Equal(t, there.Addr, s.Addr)
				assert.NoError(t, open(t, k.driver, s.DSN).Ping())
				ft := &fakeTB{name: "TestX"}
				mine := *s
				mine.t = ft
				golden(t, "given-kill-"+k.name, "Kill on a server that was there before", ft.run(func() { mine.Kill() }))
			})
			assert.Error(t, open(t, k.driver, s.DSN).Ping(), "dropped")
			assert.NoError(t, open(t, k.driver, there.AdminDSN).Ping())

			// Bad values. None of the messages holds the password.
			for name, dsn := range map[string]string{
				"not-understood": map[engine]string{postgres: "host=127.0.0.1 password=" + password, mariadb: "root:" + password + "@127.0.0.1"}[k.engine],
				"no-superuser":   there.DSN,
				"wrong-password": strings.Replace(there.AdminDSN, password, "wrong"+password, 1),
			} {
				fresh(t)
				t.Setenv(namesOf[k.engine].envDSN, dsn)
				ft := &fakeTB{name: "TestX"}
				got := ft.run(func() { k.start(ft) })
				assert.NotContains(t, got, password)
				assert.NotContains(t, got, "wrong"+password)
				golden(t, "given-"+name+"-"+k.name, "a bad value of the variable", strings.NewReplacer(there.User, "USER", there.Addr, "ADDR", "("+ip+")", "(IP)").Replace(got))
			}
		})
	}
}

// fresh makes the package forget its shared servers for the test; they run on.
func fresh(t *testing.T) {
	shared.Lock()
	was := shared.hosts
	shared.hosts = nil
	shared.Unlock()
	t.Cleanup(func() {
		shared.Lock()
		shared.hosts = was
		shared.Unlock()
	})
}

func TestNoPasswordInWords(t *testing.T) {
	for _, k := range kinds {
		s := k.start(t)
		for _, text := range []string{fmt.Sprint(s), s.String()} {
			assert.NotContains(t, text, s.host.password)
		}
		h := *s.host
		h.addr = "127.0.0.1:1"
		_, err := h.ask()
		require.Error(t, err)
		assert.NotContains(t, h.hide(err), s.host.password)
		assert.NotContains(t, h.hide(errors.New("x "+s.host.password+" y")), s.host.password)
	}
	if b, err := os.ReadFile("/proc/self/cmdline"); err == nil {
		assert.NotContains(t, string(b), "password")
	}
}
