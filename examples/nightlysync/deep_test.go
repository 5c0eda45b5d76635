//go:build deep

package nightlysync

import (
	"context"
	"database/sql"
	"testing"

	"github.com/leakgate/leakgate/examples/internal/fakepg"
)

// These tests know nothing of the harness: leakgate test -tags deep finds what they leak.

func worker(t *testing.T) *Worker {
	srv := fakepg.New(t, fakepg.Config{})
	return &Worker{Driver: fakepg.Driver, DSN: srv.DSN, Open: sql.Open}
}

func TestSync(t *testing.T) {
	if done, err := worker(t).Sync(context.Background(), []int{1, 2, 3}); done != 3 || err != nil {
		t.Error(done, err)
	}
}

func TestSyncDeferred(t *testing.T) {
	if done, err := worker(t).SyncDeferred(context.Background(), []int{1, 2, 3}); done != 3 || err != nil {
		t.Error(done, err)
	}
}

func TestSyncFixed(t *testing.T) {
	if done, err := worker(t).FixedSync(context.Background(), []int{1, 2, 3}); done != 3 || err != nil {
		t.Error(done, err)
	}
}
