package goroutine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/goroutine"
)

// TestHooked: a function that deep mode has put another one around is one frame, and what only has such a name is left alone.
func TestHooked(t *testing.T) {
	g, err := goroutine.Parse([]byte(`goroutine 7 [select]:
database/sql.(*DB).leakgate_conn(0xc000020000, {0x1, 0x2}, 0x1)
	/go/src/database/sql/sql.go:1369 +0x6b0
database/sql.(*DB).conn(0xc000020000, {0x1, 0x2}, 0x1)
	/go/src/database/sql/sql.go:3600 +0x44
database/sql.(*DB).leakgate_conn(0x7, {0x1, 0x2}, 0x1)
	/go/src/database/sql/sql.go:1369 +0x6b0
example.com/a.leakgate_conn(0x1)
	/a/a.go:3 +0x1
example.com/b.conn(0x2)
	/a/b.go:3 +0x1
net.(*Dialer).leakgateDialContext(0xc000020001, {0x1, 0x2})
	/go/src/net/dial.go:500 +0x1
net.(*Dialer).DialContext(0xc000020001, {0x1, 0x2})
	/go/src/net/dial.go:900 +0x1
created by example.com/a.Go in goroutine 1
	/a/a.go:9 +0x1
`))
	require.NoError(t, err)
	var names []string
	for _, f := range g.Frames {
		names = append(names, f.Func)
	}
	assert.Equal(t, []string{"database/sql.(*DB).conn", "database/sql.(*DB).leakgate_conn", "example.com/a.leakgate_conn", "example.com/b.conn", "net.(*Dialer).DialContext"}, names)
	require.Len(t, g.Args, 5)
	assert.Equal(t, uint64(0xc000020000), goroutine.FirstPointer(g.Args[0]))
	assert.Contains(t, g.Args[1], "0x7")
}
