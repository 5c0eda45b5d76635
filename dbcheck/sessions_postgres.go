package dbcheck

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/leakgate/leakgate/internal/sqltext"
)

// postgres asks PostgreSQL, from 12 on.
type postgres struct{}

func (postgres) ownID() string { return "SELECT pg_backend_pid()" }

// A session of a role that may not be looked at shows no more than its number, user, database and application name; even
// backend_type is null (pg_stat_get_activity in the server's pgstatfuncs.c). Background processes have no user.
const postgresSessions = `
SELECT pid, coalesce(usename::text, ''), coalesce(datname::text, ''), coalesce(application_name, ''), coalesce(state, ''),
	coalesce(wait_event_type, ''), coalesce(wait_event, ''),
	coalesce(host(client_addr), ''), coalesce(client_port, 0),
	coalesce(extract(epoch FROM clock_timestamp() - state_change), 0)::float8,
	coalesce(extract(epoch FROM clock_timestamp() - backend_start), 0)::float8,
	coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8,
	coalesce(left(query, 4096), ''), coalesce(backend_start::text, ''), coalesce(xact_start::text, ''),
	backend_type IS NULL, pid = pg_backend_pid()
FROM pg_stat_activity
WHERE backend_type = 'client backend' OR backend_type IS NULL AND usesysid IS NOT NULL AND datid IS NOT NULL
ORDER BY backend_start, pid`

func (postgres) list(ctx context.Context, s *server) (out []Session, err error) {
	rows, err := s.conn.QueryContext(ctx, postgresSessions)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			v                         Session
			waitType, wait, addr      string
			port                      int
			inState, age, txAge       float64
			query                     string
			hidden, self              bool
			application, state, began string
		)
		if err := rows.Scan(&v.ID, &v.User, &v.Database, &application, &state, &waitType, &wait, &addr, &port,
			&inState, &age, &txAge, &query, &began, &v.tx, &hidden, &self); err != nil {
			return nil, err
		}
		v.Application, v.State, v.start, v.Hidden, v.self = application, state, began, hidden, self
		v.InState, v.Age, v.TxAge = seconds(inState), seconds(age), seconds(txAge)
		v.IdleInTransaction = state == StateIdleInTransaction || state == "idle in transaction (aborted)"
		v.Client = clientAddress(addr, port)
		if wait != "" {
			v.Wait = waitType + ": " + wait
		}
		if !hidden {
			v.Statement = sqltext.Statement(query)
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// clientAddress is address:port of a client. Through a unix socket it has no address, and the port -1.
func clientAddress(addr string, port int) string {
	switch {
	case port < 0:
		return "local"
	case addr == "":
		return ""
	}
	return joinHostPort(addr, port)
}

// seconds turns seconds of the server into a duration. The server may take the moments in another order: never below 0.
func seconds(s float64) time.Duration { return max(0, time.Duration(s*float64(time.Second))) }

// reserved_connections came with PostgreSQL 16; current_setting gives null for a name that it does not know.
const postgresSlots = `
SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,
	coalesce(current_setting('reserved_connections', true), '0')::int,
	(SELECT count(*) FROM pg_stat_activity
	 WHERE backend_type = 'client backend' OR backend_type IS NULL AND usesysid IS NOT NULL AND datid IS NOT NULL)`

func (postgres) slots(ctx context.Context, s *server) (c Slots, err error) {
	c.what = "roles"
	err = s.conn.QueryRowContext(ctx, postgresSlots).Scan(&c.Max, &c.SuperuserReserved, &c.Reserved, &c.Used)
	if err == sql.ErrNoRows {
		err = fmt.Errorf("the server gave no answer to the question for its limits")
	}
	return c, err
}
