package dbcheck

import (
	"fmt"

	"github.com/leakgate/leakgate/leakcheck"
)

// count is a probe of a pool of which only the number of leases is known. Its IDs are the numbers up to that.
type count struct {
	what   string
	tally  func() int
	leases bool    // they are leases of a sql.DB
	db     uintptr // its address; 0 when it is tracked
	plain  bool    // which is not tracked, so that nothing else is known of it
	state  string
	hint   string
}

// Kind is leakcheck.SQLConn for a sql.DB.
func (c *count) Kind() leakcheck.Kind {
	if c.leases {
		return leakcheck.SQLConn
	}
	return "pool"
}

// Held lists the numbers up to how many are held.
func (c *count) Held(ids []uint64) ([]uint64, error) {
	n := c.tally()
	if n < 0 {
		return nil, fmt.Errorf("%s: %d are held, which is less than none", c.what, n)
	}
	for i := range n {
		ids = append(ids, uint64(i)+1)
	}
	return ids, nil
}

// Describe says that one more is held than before.
func (c *count) Describe(uint64) (leakcheck.Leak, bool) {
	return leakcheck.Leak{Summary: c.what + " was not given back", Code: codeConn, State: c.state, Hint: c.hint}, true
}

// CountsLeases tells leakcheck that goroutines of database/sql may tell more of the same.
func (c *count) CountsLeases() bool { return c.leases }

// Address is that of a sql.DB that is not tracked: the agent of deep mode has its leases by that.
func (c *count) Address() uintptr { return c.db }
