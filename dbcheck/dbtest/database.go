package dbtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// database is what one test gets.
type database struct{ name, user, password string }

// adminMax bounds what dbtest itself does on a server.
const adminMax = 30 * time.Second

var count atomic.Int64

// dbName makes a name for a test's database that says whose it is: servers list it, and people read that.
func dbName(test string) string {
	short := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, test)
	if len(short) > 24 {
		short = short[:24]
	}
	var b [3]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("t%d_%d_%s_%s", os.Getpid(), count.Add(1), hex.EncodeToString(b[:]), short)
}

// dsn writes what the engine's drivers take. Names and passwords made here hold letters, digits and _ alone.
func (h *host) dsn(user, password, db string) string {
	if h.engine == postgres {
		u := url.URL{Scheme: "postgres", Host: h.addr, RawQuery: "sslmode=disable"}
		if h.url != nil {
			u = *h.url
		}
		u.User, u.Path, u.RawPath = url.UserPassword(user, password), "/"+db, ""
		return u.String()
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", h.addr
	if h.config != nil {
		c = h.config.Clone()
	}
	c.User, c.Passwd, c.DBName = user, password, db
	return c.FormatDSN()
}

// ask is the server's version; it proves that the superuser gets in.
func (h *host) ask() (version string, err error) {
	if h.engine == postgres {
		err = h.postgres(h.database, func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, "SHOW server_version").Scan(&version)
		})
		version, _, _ = strings.Cut(version, " ") // "15.18 (Debian 15.18-0+deb12u1)"
		return version, err
	}
	err = h.mariadb(func(ctx context.Context, c mysqlConn) error {
		version, err = c.text(ctx, "SELECT VERSION()")
		return err
	})
	return version, err
}

// create makes a database and a role that owns it.
func (h *host) create(name string) (database, error) {
	d := database{name: name, user: name, password: rand.Text()}
	if h.engine == postgres {
		return d, h.postgres(h.database, func(ctx context.Context, c *pgx.Conn) error {
			for _, q := range []string{
				"CREATE ROLE " + ident(d.user) + " LOGIN PASSWORD '" + d.password + "'",
				"CREATE DATABASE " + ident(d.name),
				"ALTER DATABASE " + ident(d.name) + " OWNER TO " + ident(d.user),
			} {
				if _, err := c.Exec(ctx, q); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return d, h.mariadb(func(ctx context.Context, c mysqlConn) error {
		for _, q := range []string{
			"CREATE DATABASE `" + d.name + "` CHARACTER SET utf8mb4",
			"CREATE USER '" + d.user + "'@'%' IDENTIFIED BY '" + d.password + "'",
			"GRANT ALL PRIVILEGES ON `" + strings.ReplaceAll(d.name, "_", `\_`) + "`.* TO '" + d.user + "'@'%'",
		} {
			if err := c.exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// drop removes both again, also when the test has left connections open.
func (h *host) drop(d database) error {
	if h.engine == postgres {
		return h.postgres(h.database, func(ctx context.Context, c *pgx.Conn) error {
			for _, q := range []string{
				// Against connections that come while the others are ended; DROP … WITH (FORCE) is not in Postgres 12.
				"ALTER DATABASE " + ident(d.name) + " ALLOW_CONNECTIONS false",
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + d.name + "'",
			} {
				if _, err := c.Exec(ctx, q); err != nil {
					return err
				}
			}
			// A backend ends after it was told to. DROP DATABASE itself waits 5 s for that.
			for _, q := range []string{"DROP DATABASE " + ident(d.name), "DROP ROLE " + ident(d.user)} {
				if _, err := c.Exec(ctx, q); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return h.mariadb(func(ctx context.Context, c mysqlConn) error {
		ids, err := c.list(ctx, "SELECT id FROM information_schema.processlist WHERE user = '"+d.user+"'")
		if err != nil {
			return err
		}
		for _, id := range ids {
			_ = c.exec(ctx, "KILL "+id) // one that has ended meanwhile is an error, 1094
		}
		for _, q := range []string{"DROP USER '" + d.user + "'@'%'", "DROP DATABASE `" + d.name + "`"} {
			if err := c.exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

// postgres runs f on a connection of the superuser. When it returns, the server's process for that connection has
// ended too, so that a test that counts sessions or slots sees its own alone.
func (h *host) postgres(db string, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminMax)
	defer cancel()
	if db == "" {
		db = "postgres"
	}
	cfg, err := pgx.ParseConfig(h.dsn(h.user, h.password, db))
	if err != nil {
		return err
	}
	cfg.RuntimeParams["application_name"] = "dbtest"
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	err = f(ctx, c)
	raw, herr := c.PgConn().Hijack()
	if herr != nil {
		c.Close(ctx)
		return err
	}
	farewell(raw.Conn, []byte{'X', 0, 0, 0, 4}) // Terminate
	return err
}

// farewell says goodbye on a connection and waits until the other side has closed it.
func farewell(c net.Conn, bye []byte) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write(bye); err != nil {
		return
	}
	for b := make([]byte, 512); ; {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}
