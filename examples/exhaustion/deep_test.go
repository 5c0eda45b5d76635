//go:build deep

package exhaustion

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/leakgate/leakgate/examples/internal/fakepg"
)

// These tests know nothing of the harness: leakgate test -tags deep finds what they leak.

// stock is a server that has one of everything.
func stock(t *testing.T) driver.Connector {
	srv := fakepg.New(t, fakepg.Config{})
	srv.Answer([]string{"one"}, []driver.Value{int64(1)})
	return srv.Connector()
}

func TestInStock(t *testing.T) {
	db := Open(sql.OpenDB, stock(t))
	defer db.Close()
	if there, err := (&Catalog{DB: db}).InStock(context.Background(), "lamp"); !there || err != nil {
		t.Error(there, err)
	}
}

func TestInStockFixed(t *testing.T) {
	db := FixedOpen(sql.OpenDB, stock(t))
	defer db.Close()
	if there, err := (&FixedCatalog{DB: db}).InStock(context.Background(), "lamp"); !there || err != nil {
		t.Error(there, err)
	}
}
