package dbtest

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// mysqlConn is one connection of the driver, without database/sql's pool: that would start goroutines.
type mysqlConn struct{ driver.Conn }

// ending is a connection whose Close waits until the server has closed its end too, for 5 s at most: the driver says goodbye
// and closes at once.
type ending struct{ net.Conn }

func (c ending) Close() error {
	farewell(c.Conn, nil)
	return nil
}

func dialEnding(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return ending{c}, nil
}

// SyscallConn is that of the connection: the driver looks through it whether the server has closed.
func (c ending) SyscallConn() (syscall.RawConn, error) { return c.Conn.(syscall.Conn).SyscallConn() }

// mariadb runs f on a connection of the superuser. When it returns, the server has read that it is over, and is about to count
// one less: so a test that takes all slots gets them.
func (h *host) mariadb(f func(context.Context, mysqlConn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminMax)
	defer cancel()
	cfg, err := mysql.ParseDSN(h.dsn(h.user, h.password, h.database))
	if err != nil {
		return err
	}
	cfg.Timeout = adminMax
	if cfg.DialFunc == nil && (cfg.Net == "tcp" || cfg.Net == "unix") { // another is a given server's, that the program has registered
		cfg.DialFunc = dialEnding
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	err = f(ctx, mysqlConn{c})
	c.Close()
	return err
}

func (c mysqlConn) exec(ctx context.Context, q string) error {
	_, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, q, nil)
	return err
}

// list is the first column of a query.
func (c mysqlConn) list(ctx context.Context, q string) ([]string, error) {
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, q, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); err {
		case nil:
		case io.EOF:
			return all, nil
		default:
			return nil, err
		}
		if b, ok := row[0].([]byte); ok {
			all = append(all, string(b))
		} else {
			all = append(all, fmt.Sprint(row[0]))
		}
	}
}

func (c mysqlConn) text(ctx context.Context, q string) (string, error) {
	all, err := c.list(ctx, q)
	if err != nil || len(all) != 1 {
		return "", fmt.Errorf("%s: %d rows, %w", q, len(all), err)
	}
	return all[0], nil
}
