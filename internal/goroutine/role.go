package goroutine

import "strconv"

// Role says what a goroutine is for, as far as its code tells. A role is no verdict: an idle connection may be one
// too many, and a server that accepts may have been forgotten.
type Role int

const (
	// RoleUser is a goroutine of which nothing is known: it runs code of the program or of a library.
	RoleUser Role = iota
	// RoleTest is the main goroutine, or one in which package testing runs a test, benchmark, example or fuzz target.
	RoleTest
	// RoleRuntime serves the process: profiles and traces being written, the signal loop, finalizers, the test
	// timeout's alarm. A finalizer that is stuck is not among them, see Classify.
	RoleRuntime

	// RoleClientIdle is the read loop of an HTTP/1 client connection that waits for the server. No response is held.
	// While a request waits for its response the loop looks the same; then the goroutine that sent it shows that.
	RoleClientIdle
	// RoleClientLeased is the read loop of an HTTP/1 client connection that waits until somebody reads the response's
	// body to its end, or closes it.
	RoleClientLeased
	// RoleClientWrite is the write loop beside a read loop. It looks the same for idle and leased connections.
	RoleClientWrite
	// RoleClientDial sets up a client connection: dial, proxy, TLS handshake.
	RoleClientDial
	// RoleClientRequest serves one request in flight: the watcher of its deadline or cancellation, which lives until
	// the body is read or closed, and what drains a body after its Close.
	RoleClientRequest

	// RoleH2ClientConn is the loop of an HTTP/2 client connection, and its helpers. One of them serves many requests.
	RoleH2ClientConn
	// RoleH2ClientStream serves one request of an HTTP/2 client connection, until the server ended its stream.
	RoleH2ClientStream

	// RoleServerAccept accepts connections for an HTTP server.
	RoleServerAccept
	// RoleServerIdle serves an HTTP/1 connection and is in no handler: mostly it waits for the next request.
	RoleServerIdle
	// RoleServerBusy serves an HTTP/1 connection and is in a handler.
	RoleServerBusy
	// RoleServerRead reads ahead on an HTTP/1 connection while its handler runs.
	RoleServerRead
	// RoleH2Server is the loop of an HTTP/2 server connection, and its helpers.
	RoleH2Server
	// RoleH2ServerHandler runs a handler for one request of an HTTP/2 server connection.
	RoleH2ServerHandler

	// RoleSQLOpener opens connections for a sql.DB. There is one for each DB that was not closed.
	RoleSQLOpener
	// RoleSQLTx waits for the end of a transaction. There is one for each sql.Tx that was not finished.
	RoleSQLTx
	// RoleSQLRows waits for the end of rows. There is one for each sql.Rows that was not closed and whose context can
	// be cancelled, or that belongs to a transaction.
	RoleSQLRows
	// RoleSQLCleaner closes old connections of a sql.DB that has limits on their age.
	RoleSQLCleaner

	// RolePgxPool looks after the connections of a pgxpool.Pool. There is one for each that was not closed.
	RolePgxPool
	// RolePgxWatch watches the context of a query of a pgx connection (github.com/jackc/pgx/v5 before v5.8.0), until its
	// rows are closed.
	RolePgxWatch

	// RoleExec copies the input or output of a child process, or waits for its context.
	RoleExec
)

var roleNames = [...]string{
	RoleUser:            "user",
	RoleTest:            "test",
	RoleRuntime:         "runtime",
	RoleClientIdle:      "client-idle",
	RoleClientLeased:    "client-leased",
	RoleClientWrite:     "client-write",
	RoleClientDial:      "client-dial",
	RoleClientRequest:   "client-request",
	RoleH2ClientConn:    "h2-client-conn",
	RoleH2ClientStream:  "h2-client-stream",
	RoleServerAccept:    "server-accept",
	RoleServerIdle:      "server-idle",
	RoleServerBusy:      "server-busy",
	RoleServerRead:      "server-read",
	RoleH2Server:        "h2-server",
	RoleH2ServerHandler: "h2-server-handler",
	RoleSQLOpener:       "sql-opener",
	RoleSQLTx:           "sql-tx",
	RoleSQLRows:         "sql-rows",
	RoleSQLCleaner:      "sql-cleaner",
	RolePgxPool:         "pgx-pool",
	RolePgxWatch:        "pgx-watch",
	RoleExec:            "exec",
}

// String gives the role's name.
func (r Role) String() string {
	if r < 0 || int(r) >= len(roleNames) {
		return "Role(" + strconv.Itoa(int(r)) + ")"
	}
	return roleNames[r]
}
