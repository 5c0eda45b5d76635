package deep

// sqlPoints are where database/sql lends connections and takes them back.
var sqlPoints = []point{
	{pkg: "database/sql", name: "driverConn", field: "leakgate leakgatehook.Lease", sees: leases},
	{
		pkg: "database/sql", name: "(*DB).conn", types: "(context.Context, connReuseStrategy) (*driverConn, error)",
		wrap: "leakgateConn, leakgateErr := @orig@(@p0@, @p1@)\n" +
			"\tif leakgateErr == nil {\n" +
			"\t\tleakgateConn.leakgate = leakgatehook.Leased(leakgateunsafe.Pointer(@recv@), leakgateConn.ci)\n" +
			"\t}\n" +
			"\treturn leakgateConn, leakgateErr",
		imports: []string{"unsafe"},
		sees:    leases,
	},
	{
		pkg: "database/sql", name: "(*DB).putConn", types: "(*driverConn, error, bool)",
		enter: "if leakgateLease := @p0@.leakgate; leakgateLease != nil { @p0@.leakgate = nil; leakgateLease.Released() }",
		sees:  leases,
	},
	{
		pkg: "database/sql", name: "(*Rows).initContextClose", types: "(context.Context, context.Context)",
		// With a context that can end, a goroutine of database/sql refers to the rows, and nothing can be proved. Those of a
		// transaction are a part of its lease.
		enter: "if @recv@.dc.leakgate != nil && @p1@ == nil && @p0@.Done() == nil { " +
			"leakgateruntime.AddCleanup(@recv@, func(l leakgatehook.Lease) { l.Dropped(\"sql-rows\") }, @recv@.dc.leakgate) }",
		imports: []string{"runtime"},
		sees:    droppedSQL,
	},
	{
		pkg: "database/sql", name: "(*DB).Conn", types: "(context.Context) (*Conn, error)",
		wrap: "leakgateConn, leakgateErr := @orig@(@p0@)\n" +
			"\tif leakgateErr == nil && leakgateConn.dc.leakgate != nil {\n" +
			"\t\tleakgateruntime.AddCleanup(leakgateConn, func(l leakgatehook.Lease) { l.Dropped(\"sql-conn\") }, leakgateConn.dc.leakgate)\n" +
			"\t}\n" +
			"\treturn leakgateConn, leakgateErr",
		imports: []string{"runtime"},
		sees:    droppedSQL,
	},
	{pkg: "database/sql", name: "Stmt", field: "leakgate leakgatehook.Lease", sees: statements},
	{
		pkg: "database/sql", name: "(*DB).prepareDC", types: "(context.Context, *driverConn, func(error), stmtConnGrabber, string) (*Stmt, error)",
		wrap: "leakgateStmt, leakgateErr := @orig@(@p0@, @p1@, @p2@, @p3@, @p4@)\n" +
			"\tif leakgateErr == nil && leakgatehook.Watched() {\n" +
			"\t\tleakgateTrack(leakgateStmt, @recv@, @p1@, @p3@ != nil)\n" +
			"\t}\n" +
			"\treturn leakgateStmt, leakgateErr",
		tail:    trackStmt,
		imports: []string{"runtime", "unsafe"},
		sees:    statements,
	},
	{
		pkg: "database/sql", name: "(*Stmt).Close", types: "() error",
		enter: "if @recv@.leakgate != nil { @recv@.leakgate.Released() }",
		sees:  statements,
	},
	{
		// Where the connection broke, the end of a transaction does not close its statements.
		pkg: "database/sql", name: "(*Tx).close", types: "(error)",
		enter: "leakgateEnded(@recv@)",
		tail:  endTx,
		sees:  statements,
	},
	{
		pkg: "database/sql", name: "(*driverConn).finalClose", types: "() error",
		enter:   "leakgatehook.ConnClosed(leakgateunsafe.Pointer(@recv@))",
		imports: []string{"unsafe"},
		sees:    statements,
	},
	{
		pkg: "database/sql", name: "OpenDB", types: "(driver.Connector) *DB",
		wrap: "leakgateDB := @orig@(@p0@)\n" +
			"\tleakgatehook.DBOpened(leakgateunsafe.Pointer(leakgateDB))\n" +
			"\treturn leakgateDB",
		imports: []string{"unsafe"},
		sees:    "who opened a sql.DB",
	},
	{
		pkg: "database/sql", name: "(*DB).Close", types: "() error",
		enter:   "leakgatehook.DBClosed(leakgateunsafe.Pointer(@recv@))",
		imports: []string{"unsafe"},
		sees:    "who opened a sql.DB",
	},
}

const leases = "who leases a connection of database/sql"

const (
	statements = "who prepared a statement of database/sql and never closed it"
	droppedSQL = "that nothing refers any more to rows or a connection of database/sql"
)

// trackStmt tracks a statement. While it is bound to one connection, that belongs to whoever has prepared it, and so does the
// lease of it.
const trackStmt = `
func leakgateTrack(s *Stmt, db *DB, dc *driverConn, bound bool) {
	of := leakgatehook.Statement{DB: leakgateunsafe.Pointer(db), Query: s.query}
	if bound {
		of.Conn, of.Lease = leakgateunsafe.Pointer(dc), dc.leakgate
	}
	if s.leakgate = leakgatehook.Prepared(of); s.leakgate != nil && bound { // the pool refers to one that is not
		leakgateruntime.AddCleanup(s, func(l leakgatehook.Lease) { l.Dropped("sql-stmt") }, s.leakgate)
	}
}
`

// endTx takes out the statements of a transaction.
const endTx = `
func leakgateEnded(tx *Tx) {
	tx.stmts.Lock()
	defer tx.stmts.Unlock()
	for _, s := range tx.stmts.v {
		if s.leakgate != nil {
			s.leakgate.Released()
		}
	}
}
`
