package dbcheck

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"testing"
	"weak"

	"github.com/leakgate/leakgate/leakcheck"
)

// RenameConnectorField stands for a database/sql that keeps its connector in a field of another name, until the test ends.
func RenameConnectorField(t *testing.T) {
	was := connectorField
	connectorField = "connectorOfAnotherGo"
	t.Cleanup(func() { connectorField = was })
}

// IsKnown says whether it is remembered which pool a sql.DB is of.
func IsKnown(key weak.Pointer[sql.DB]) bool {
	_, ok := known.Load(key)
	return ok
}

// Told is what a sweep told one test.
type Told struct{ Test, Error, Log string }

// SweepInto is Sweep that fails no test, and gives what it told in order.
func SweepInto(t *testing.T, open func() driver.Connector, run func(*testing.T, *sql.DB), opts ...SweepOption) []Told {
	s := newSweeper(t, open, run, opts)
	var r tellRecorder
	s.teller = func(t *testing.T) teller { return &tellOne{&r, t.Name()} }
	s.sweep()
	return r.told
}

type tellRecorder struct {
	mu   sync.Mutex
	told []Told
}

type tellOne struct {
	to   *tellRecorder
	test string
}

func (*tellOne) Helper() {}

func (t *tellOne) Errorf(format string, args ...any) {
	t.add(Told{t.test, fmt.Sprintf(format, args...), ""})
}
func (t *tellOne) Logf(format string, args ...any) {
	t.add(Told{t.test, "", fmt.Sprintf(format, args...)})
}

func (t *tellOne) add(told Told) {
	t.to.mu.Lock()
	defer t.to.mu.Unlock()
	t.to.told = append(t.to.told, told)
}

// LookForClosers is one look of the watch for a Conn.Close that waits, at all connections that are leased.
func LookForClosers(t leakcheck.TB, db *sql.DB) { (&closers{pool: trackedPool(db), t: t}).idle() }

// StmtsByText says how many texts of statements a pool remembers.
func StmtsByText(db *sql.DB) int {
	x := &trackedPool(db).texts
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.by)
}
