package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// useGiven takes the server that LEAKGATE_POSTGRES_DSN or LEAKGATE_MARIADB_DSN names. No error repeats the value: it
// holds a password.
func useGiven(e engine, dsn string) (*host, error) {
	n := namesOf[e]
	h := &host{engine: e, how: given}
	switch e {
	case postgres:
		u, err := url.Parse(strings.TrimSpace(dsn))
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" || u.User == nil {
			return nil, fmt.Errorf("%s is not understood: it must be a URL such as postgres://postgres:password@127.0.0.1:5432/postgres?sslmode=disable", n.envDSN)
		}
		h.url, h.addr, h.user = u, u.Host, u.User.Username()
		if u.Port() == "" {
			h.addr = u.Host + ":5432"
		}
		h.password, _ = u.User.Password()
		h.database = strings.TrimPrefix(u.Path, "/")
	case mariadb:
		c, err := mysql.ParseDSN(strings.TrimSpace(dsn))
		if err != nil {
			return nil, fmt.Errorf("%s is not understood: it must be what go-sql-driver/mysql takes, such as root:password@tcp(127.0.0.1:3306)/", n.envDSN)
		}
		h.config, h.addr, h.user, h.password, h.database = c, c.Addr, c.User, c.Passwd, c.DBName
	}
	version, err := h.ask()
	if err != nil {
		return nil, fmt.Errorf("the server at %s, which %s names, does not let the user %s in: %s", h.addr, n.envDSN, h.user, h.hide(err))
	}
	h.version = version
	if err := h.mayCreate(); err != nil {
		return nil, fmt.Errorf("the user %s in %s %w: a database and a user are made for each test, and dropped at its end", h.user, n.envDSN, err)
	}
	return h, nil
}

// mayCreate says whether the given user can do the work of dbtest.
func (h *host) mayCreate() error {
	if h.engine == postgres {
		super := false
		err := h.postgres(h.database, func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&super)
		})
		if err == nil && !super {
			err = errors.New("is no superuser")
		}
		return err
	}
	return h.mariadb(func(ctx context.Context, c mysqlConn) error {
		grants, err := c.list(ctx, "SHOW GRANTS")
		if err != nil {
			return err
		}
		for _, g := range grants {
			if strings.HasPrefix(g, "GRANT ALL PRIVILEGES ON *.*") && strings.Contains(g, "WITH GRANT OPTION") {
				return nil
			}
		}
		return errors.New("has not all privileges with the grant option")
	})
}
