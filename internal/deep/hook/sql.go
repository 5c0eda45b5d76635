package hook

import "unsafe"

// SQL is told of what database/sql lends.
type SQL struct {
	// Leased is told of each connection that a *sql.DB lends, a driver.Conn. DBOpened and DBClosed are told of the pools themselves.
	Leased   func(db unsafe.Pointer, conn any) Lease
	DBOpened func(db unsafe.Pointer)
	DBClosed func(db unsafe.Pointer)
	// Prepared is told of each statement that the code prepares, and ConnClosed of the end of a driver's connection.
	Prepared   func(s Statement) Lease
	ConnClosed func(conn unsafe.Pointer)
}

// Statement is a statement that was prepared.
type Statement struct {
	DB    unsafe.Pointer // the *sql.DB
	Conn  unsafe.Pointer // the only connection that it is prepared on; nil for one that can be used on any
	Lease Lease          // that of Conn
	Query string
}

// Leased tells of a connection that a *sql.DB lends; nil when nobody wants to know.
func Leased(db unsafe.Pointer, conn any) Lease {
	if a := agent.Load(); a != nil {
		return a.Leased(db, conn)
	}
	return nil
}

// DBOpened tells of a new *sql.DB.
func DBOpened(db unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.DBOpened(db)
	}
}

// DBClosed tells of the end of a *sql.DB.
func DBClosed(db unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.DBClosed(db)
	}
}

// Prepared tells of a statement; nil when nobody wants to know.
func Prepared(s Statement) Lease {
	if a := agent.Load(); a != nil {
		return a.Prepared(s)
	}
	return nil
}

// ConnClosed tells of the end of a driver's connection.
func ConnClosed(conn unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.ConnClosed(conn)
	}
}
