package dbcheck

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Slots is how many connections a server takes, and how many it has: what Headroom gives. Whether a whole fleet fits is Capacity's question.
type Slots struct {
	Max               int // max_connections
	SuperuserReserved int // of Max, kept for superusers: superuser_reserved_connections; 0 in MySQL and MariaDB
	Reserved          int // of Max, kept for members of pg_use_reserved_connections (PostgreSQL from 16 on); 0 elsewhere
	Extra             int // beside Max, for an administrator: 1 in MySQL and MariaDB, 0 in PostgreSQL
	Used              int // sessions of clients now, the one that asked included

	what string // "roles", or "users"
}

// Ordinary is how many slots there are for those without a privilege: 85 where 15 of 100 are reserved.
func (c Slots) Ordinary() int { return max(0, c.Max-c.SuperuserReserved-c.Reserved) }

// Free is how many more connections somebody without a privilege could open: 0 when it would be refused, which Exhausted recognises.
// Limits of a single role, user or database may be lower, and are not looked at.
func (c Slots) Free() int { return max(0, c.Ordinary()-c.Used) }

// String says it in words: "85 of 85 slots for ordinary roles are taken (max_connections 100, 15 of them reserved)".
func (c Slots) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d slots for ordinary %s are taken", min(c.Used, c.Ordinary()), c.Ordinary(), orWord(c.what, "roles"))
	fmt.Fprintf(&b, " (max_connections %d", c.Max)
	if r := c.SuperuserReserved + c.Reserved; r > 0 {
		fmt.Fprintf(&b, ", %d of them reserved", r)
		if over := c.Used - c.Ordinary(); over > 0 {
			fmt.Fprintf(&b, " and %d of these taken", over)
		}
	}
	if c.Extra > 0 {
		fmt.Fprintf(&b, ", and %d for an administrator", c.Extra)
	}
	b.WriteByte(')')
	return b.String()
}

// Headroom asks the server that db is connected to how many connections it takes and has. What applies to the pool, the
// user's privileges and the error is as in Sessions; the number that are used is right for every user.
func Headroom(ctx context.Context, db *sql.DB) (c Slots, err error) {
	err = asking(ctx, db, func(s *server) error {
		c, err = s.headroom(ctx)
		return err
	})
	if err != nil {
		return Slots{}, because("Headroom", err)
	}
	return c, nil
}

func (s *server) headroom(ctx context.Context) (Slots, error) {
	c, err := s.slots(ctx, s)
	if err != nil {
		return c, fmt.Errorf("no limits from the server, which says it is %s: %w", cutText(s.version), err)
	}
	return c, nil
}
