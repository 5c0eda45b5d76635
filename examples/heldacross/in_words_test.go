//go:build incident

package heldacross

import (
	"fmt"

	"github.com/leakgate/leakgate/leakcheck"
)

// inWords says what a load did to the one pool of a database.
func inWords(size int, load *leakcheck.Load) string {
	for _, p := range load.Pools {
		if p.Kind != leakcheck.SQLConn {
			continue
		}
		waited := "nobody waited"
		if p.Waits > 0 {
			waited = fmt.Sprintf("%d customers waited", p.Waits)
		}
		return fmt.Sprintf("a pool of %d: %.0f payments a second, %d transactions at once, %s", size, load.Rate, p.Peak, waited)
	}
	return fmt.Sprintf("a pool of %d was not seen", size)
}
