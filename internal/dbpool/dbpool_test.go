package dbpool

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPool(t *testing.T) {
	p := New(7, []uintptr{1})
	assert.Equal(t, View{ID: 7, PCs: []uintptr{1}}, p.View())
	ends := Ends{Local: netip.MustParseAddrPort("127.0.0.1:1")}
	p.Opened(1, ends, "github.com/go-sql-driver/mysql.mysqlConn")
	p.Opened(2, ends, "github.com/go-sql-driver/mysql.mysqlConn")
	p.Closed(1)
	address := uintptr(42)
	p.SetDB(func() uintptr { return address })
	assert.Equal(t, View{
		ID: 7, PCs: []uintptr{1}, DB: 42, Driver: "github.com/go-sql-driver/mysql", Conns: []Ends{ends},
		Types: []string{"github.com/go-sql-driver/mysql.(*mysqlConn)", "github.com/go-sql-driver/mysql.mysqlConn"},
	}, p.View())
	assert.Equal(t, 1, p.Open())
	address = 0
	assert.True(t, p.View().Gone)
	runtime.KeepAlive(p)
}

// TestNotKept: the registry keeps no pool alive.
func TestNotKept(t *testing.T) {
	func() {
		p := New(8, nil)
		assert.Contains(t, All(), p.View())
		runtime.KeepAlive(p)
	}()
	require.Eventually(t, func() bool {
		runtime.GC()
		for _, v := range All() {
			if v.ID == 8 {
				return false
			}
		}
		return true
	}, 10*time.Second, time.Millisecond)
}

func TestModuleOf(t *testing.T) {
	for pkg, want := range map[string]string{
		"github.com/jackc/pgx/v5/stdlib": "github.com/jackc/pgx", "modernc.org/sqlite": "modernc.org/sqlite",
		"modernc.org/sqlite/lib": "modernc.org/sqlite", "github.com/lib/pq": "github.com/lib/pq", "main": "main",
	} {
		assert.Equal(t, want, moduleOf(pkg))
	}
}
