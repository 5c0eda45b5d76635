package dbcheck

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/sqltext"
	"github.com/leakgate/leakgate/leakcheck"
)

const codeBlocked = "LK207"

// watchEvery is how often it is looked whether a Conn.Close waits. Only when it waits at two looks with no call of the
// driver between, is it told.
const watchEvery = 500 * time.Millisecond

// watchdog looks, while the test runs, for a Conn.Close of a wrapped pool that waits for rows or a transaction that the
// program still has open: it waits for ever, and so does a test that calls it.
func watchdog(db *sql.DB) leakcheck.Option {
	p := trackedPool(db)
	return leakcheck.Follow("Conn.Close", func(fd leakcheck.Followed) (func() []leakcheck.Leak, error) {
		if p == nil || fd.T == nil {
			return nil, nil
		}
		d := &closers{pool: p, t: fd.T, test: label.ID(fd.Test), since: make(map[uint64]*use)}
		stop := every(fd, watchEvery, d.look)
		return func() []leakcheck.Leak {
			stop()
			d.found.take()
			return nil
		}, nil
	})
}

// closers looks for goroutines in Conn.Close.
type closers struct {
	pool  *pool
	t     leakcheck.TB
	test  label.ID
	found found

	dumper goroutine.Dumper
	since  map[uint64]*use // that were there at the last look, with a lease that nothing was done with
}

func (d *closers) look() {
	idle := d.idle()
	if len(idle) == 0 {
		clear(d.since)
		return
	}
	now := make(map[uint64]*use)
	for _, g := range dbuse.Goroutines(&d.dumper) {
		i := inConnClose(g)
		if i < 0 || !dbuse.Belongs(g, d.test) {
			continue
		}
		u := idle[0] // which connection it closes is not in its stack
		now[g.ID] = u
		if d.since[g.ID] != u {
			continue
		}
		leak := atFrames(leakcheck.Leak{}, g.Frames[i:])
		d.found.add(fmt.Sprint(g.ID), func() leakcheck.Leak {
			speak(d.t, blocked(u, leak))
			return leak
		})
	}
	d.since = now
}

// mine says whether what was taken under a label may be what the test closes: its own, what was taken before it or by the
// test that it is a part of, and what nobody is known to have taken.
func (d *closers) mine(by label.ID) bool {
	name := label.NameOf(by)
	return by == d.test || name == "" || name == d.t.Name() || strings.HasPrefix(d.t.Name(), name+"/")
}

// idle lists the connections taken with db.Conn that no call of the driver was made on since the last look but one.
func (d *closers) idle() (out []*use) {
	for _, l := range lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == d.pool.conns }) {
		u, ok := l.Owner().(*use)
		if !ok || u.over.Load() || !d.mine(u.Test()) {
			continue
		}
		u.mu.Lock()
		stale := !u.running && lease.Now().Sub(u.at) > watchEvery && (u.rows > 0 || u.tx > 0)
		u.mu.Unlock()
		if stale && dbuse.CallOf(u.PCs()).Method == "Conn" {
			out = append(out, u)
		}
	}
	return out
}

// inConnClose gives the index of the frame of a blocked Conn.Close; -1 when the goroutine is elsewhere.
func inConnClose(g *goroutine.Goroutine) int {
	if !goroutine.Blocked(g.State) || !strings.HasPrefix(g.State, "sync.") && !strings.HasPrefix(g.State, "semacquire") {
		return -1
	}
	for i, f := range g.Frames {
		if f.Func == "database/sql.(*Conn).close" {
			return i
		}
	}
	return -1
}

// where is "file:line  function" as in a report.
func where(f leakcheck.Frame) string {
	return fmt.Sprintf("%s:%d  %s", callsite.Short(f.File), f.Line, f.Function[strings.LastIndexByte(f.Function, '/')+1:])
}

func blocked(u *use, closer leakcheck.Leak) string {
	what, fix := "rows that are", "close the rows first: defer rows.Close(), after defer conn.Close()"
	u.mu.Lock()
	query := u.query
	if u.tx > 0 {
		what, fix = "a transaction that is", "end the transaction first: defer tx.Rollback(), after defer conn.Close()"
	}
	u.mu.Unlock()
	var b strings.Builder
	at := where(closer.Site)
	if closer.Site.Function == "" {
		at = "a place that is not in its stack"
	}
	fmt.Fprintf(&b, "Conn.Close at %s waits for %s still open on the connection (%s)\n", at, what, codeBlocked)
	fmt.Fprintf(&b, "  connection  %s\n", u.What())
	if q := sqltext.Statement(query); q != "" {
		fmt.Fprintf(&b, "  statement   %s\n", q)
	}
	b.WriteString(takenAt(u.PCs()))
	fmt.Fprintf(&b, "  fix         %s", fix)
	return b.String()
}

// takenAt gives the line that took a lease and those that called it, labelled as in a report.
func takenAt(pcs []uintptr) string {
	var b strings.Builder
	row := "taken at"
	for i, f := range takers(pcs) {
		fmt.Fprintf(&b, "  %-11s %s\n", row, where(frame(f)))
		if row = "via"; i > 0 {
			row = ""
		}
	}
	return b.String()
}

// toStderr says a text where it is seen also when the test never ends: what t is told is lost then.
func toStderr(test, text string) { fmt.Fprintf(os.Stderr, "%s: %s\n", test, text) }
