//go:build deep

package heldacross

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/leakgate/leakgate/examples/internal/fakepg"
)

// This test knows nothing of the harness, and leaks nothing: the checkout holds its connection too long, and gives it back.
func TestPayAlone(t *testing.T) {
	db := sql.OpenDB(fakepg.New(t, fakepg.Config{}).Connector())
	defer db.Close()
	payments := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	defer payments.Close()
	if err := (&Checkout{DB: db, Payments: payments.URL}).Pay(context.Background(), "7"); err != nil {
		t.Error(err)
	}
}
