package dbcheck

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/sqltext"
)

// mysql asks MySQL, from 8 on, and MariaDB.
type mysql struct{}

func (mysql) ownID() string { return "SELECT connection_id()" }

// The two have the same tables, but MySQL counts the time in a state in seconds alone.
const mysqlSessions = `
SELECT p.id, p.user, p.host, coalesce(p.db, ''), p.command, %TIME%, coalesce(p.state, ''),
	coalesce(left(p.info, 4096), ''), p.id = connection_id()
FROM information_schema.processlist p
WHERE p.user NOT IN ('system user', 'event_scheduler') AND p.command NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID')
ORDER BY p.id`

func (m mysql) list(ctx context.Context, s *server) (out []Session, err error) {
	ms := "coalesce(p.time, 0) * 1000.0"
	if strings.Contains(s.version, "MariaDB") {
		ms = "coalesce(p.time_ms, 0)"
	}
	rows, err := s.conn.QueryContext(ctx, strings.ReplaceAll(mysqlSessions, "%TIME%", ms))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			v              Session
			command, query string
			ms             float64
		)
		if err := rows.Scan(&v.ID, &v.User, &v.Client, &v.Database, &command, &ms, &v.Wait, &query, &v.self); err != nil {
			return nil, err
		}
		v.start = v.Client
		v.Client = mysqlClient(v.Client)
		v.InState = max(0, time.Duration(ms*float64(time.Millisecond)))
		v.Statement = sqltext.Statement(query)
		switch command {
		case "Sleep":
			v.State = StateIdle
		case "Query", "Execute", "Fetch", "Prepare":
			v.State = StateActive
		default:
			v.State = strings.ToLower(command)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	byID := make(map[uint64]*Session, len(out))
	for i := range out {
		byID[out[i].ID] = &out[i]
	}
	if err := m.transactions(ctx, s, byID); err != nil && !mayNot(err) {
		return nil, err
	}
	if err := m.attributes(ctx, s, byID); err != nil && !mayNot(err) {
		return nil, err
	}
	return out, nil
}

// mysqlClient is the client's end; localhost alone is a unix socket.
func mysqlClient(host string) string {
	if host == "localhost" {
		return "local"
	}
	return host
}

func joinHostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// mayNot says whether the server refused the question for want of a privilege: ER_SPECIFIC_ACCESS_DENIED_ERROR,
// ER_TABLEACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR.
func mayNot(err error) bool {
	return anyError(err, maxErrors, func(err error) bool {
		n := mysqlNumber(err)
		return n == 1227 || n == 1142 || n == 1044
	})
}

// transactions notes which sessions have one open.
func (mysql) transactions(ctx context.Context, s *server, byID map[uint64]*Session) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT trx_mysql_thread_id, trx_id, trx_started FROM information_schema.innodb_trx")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id          uint64
			tx, started string
		)
		if err := rows.Scan(&id, &tx, &started); err != nil {
			return err
		}
		if v := byID[id]; v != nil {
			v.tx = tx + " " + started
			if v.State == StateIdle {
				v.State, v.IdleInTransaction = StateIdleInTransaction, true
			}
		}
	}
	return rows.Err()
}

// attributes notes what only the performance schema knows: the name that a client gave itself, and the last statement.
func (mysql) attributes(ctx context.Context, s *server, byID map[uint64]*Session) error {
	var on bool
	if err := s.conn.QueryRowContext(ctx, "SELECT @@performance_schema").Scan(&on); err != nil || !on {
		return err
	}
	names, err := s.conn.QueryContext(ctx,
		"SELECT processlist_id, attr_value FROM performance_schema.session_connect_attrs WHERE attr_name = 'program_name'")
	if err != nil {
		return err
	}
	defer names.Close()
	for names.Next() {
		var (
			id   uint64
			name *string
		)
		if err := names.Scan(&id, &name); err != nil {
			return err
		}
		if v := byID[id]; v != nil && name != nil {
			v.Application = *name
		}
	}
	if err := names.Err(); err != nil {
		return err
	}
	names.Close()
	last, err := s.conn.QueryContext(ctx, `
SELECT t.processlist_id, left(e.sql_text, 4096) FROM performance_schema.threads t
JOIN performance_schema.events_statements_current e ON e.thread_id = t.thread_id
WHERE t.processlist_id IS NOT NULL AND e.nesting_event_id IS NULL AND e.sql_text IS NOT NULL`)
	if err != nil {
		return err
	}
	defer last.Close()
	for last.Next() {
		var (
			id    uint64
			query string
		)
		if err := last.Scan(&id, &query); err != nil {
			return err
		}
		if v := byID[id]; v != nil && v.Statement == "" {
			v.Statement = sqltext.Statement(query)
		}
	}
	return last.Err()
}

// slots asks for the limit, beside which the server keeps one connection for an administrator (CONNECTION_ADMIN, or
// SUPER), and for the connections that are open.
func (mysql) slots(ctx context.Context, s *server) (c Slots, err error) {
	c.what, c.Extra = "users", 1
	if err := s.conn.QueryRowContext(ctx, "SELECT @@global.max_connections").Scan(&c.Max); err != nil {
		return c, err
	}
	var name string
	err = s.conn.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_connected'").Scan(&name, &c.Used)
	return c, err
}
