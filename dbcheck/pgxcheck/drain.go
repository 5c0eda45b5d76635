package pgxcheck

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/lease"
)

// drain tells a pool.Close that waits for calls which run, as it is there to do, from one that waits for what nobody is
// about to give back.
type drain struct {
	of   *pgxpool.Pool
	p    *pool // nil when it is not tracked
	wait time.Duration

	out    int32     // connections that were out at the last look
	since  time.Time // so many are out, and no call was seen to run
	dumper goroutine.Dumper
}

// stuck says, once it was asked for so long, that connections are out with no call running on any of them.
func (d *drain) stuck() bool {
	now := time.Now()
	out := d.of.Stat().AcquiredConns()
	if out == 0 {
		d.out = 0 // it closes its connections
		return false
	}
	if out != d.out { // something came back, which is progress
		d.out, d.since = out, now
	}
	if now.Sub(d.since) < d.wait || d.p != nil && d.p.idle() < d.wait {
		return false
	}
	if d.calling() {
		d.since = now
		return false
	}
	return true
}

// idle is how long ago something began or ended on what the pool has lent and not got back.
func (p *pool) idle() time.Duration {
	now, least := lease.Now(), time.Duration(1<<63-1)
	for _, u := range p.held() {
		u.mu.Lock()
		least = min(least, now.Sub(u.at))
		u.mu.Unlock()
	}
	return least
}

// calling says whether a goroutine stands in a call of a connection that the pool has lent. A lease tells only that its
// rows are not closed, which is so too when nobody reads them any more. Where something is out that was not traced, any such call counts,
// because it may be the one.
func (d *drain) calling() bool {
	var lent []uint64
	if d.p != nil {
		for _, u := range d.p.held() {
			lent = append(lent, uint64(u.conn.addr))
		}
	}
	traced := d.p != nil && d.p.unaccounted() == 0
	for _, g := range dbuse.Goroutines(&d.dumper) {
		for i, f := range g.Frames {
			if !inConn(f) {
				continue
			}
			if !traced {
				return true
			}
			if i < len(g.Args) && slices.Contains(lent, goroutine.FirstPointer(g.Args[i])) {
				return true
			}
		}
	}
	return false
}

// inConn says whether the frame is a method of a connection to the server, and not of what looks after one that is closed.
func inConn(f callsite.Frame) bool {
	name, ok := strings.CutPrefix(f.Func, pkgPgx+"/pgconn.(*PgConn).")
	return ok && !strings.Contains(name, ".")
}
