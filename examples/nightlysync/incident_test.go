//go:build incident

package nightlysync

import (
	"context"
	"testing"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/fakepg"
	"github.com/leakgate/leakgate/leakcheck"
)

// Three items and a server with room for hundreds. This test fails: three pools were opened, and none was closed.
func TestNightlySync(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))

	srv := fakepg.New(t, fakepg.Config{})
	worker := &Worker{Driver: fakepg.Driver, DSN: srv.DSN, Open: dbcheck.Open}
	if _, err := worker.Sync(context.Background(), []int{1, 2, 3}); err != nil {
		t.Error(err)
	}
}

// The night as a scenario, three times with one item each. This test fails: each run leaves one more.
func TestNightlySyncRepeat(t *testing.T) {
	srv := fakepg.New(t, fakepg.Config{})
	worker := &Worker{Driver: fakepg.Driver, DSN: srv.DSN, Open: dbcheck.Open}
	leakcheck.Repeat(t, 3, func() {
		if _, err := worker.Sync(context.Background(), []int{1}); err != nil {
			t.Error(err)
		}
	})
}

// With the close that the first review asked for nothing leaks, and the budget still fails the test.
func TestNightlySyncDeferred(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, dbcheck.MaxConns(1)))

	srv := fakepg.New(t, fakepg.Config{})
	worker := &Worker{Driver: fakepg.Driver, DSN: srv.DSN, Open: dbcheck.Open}
	if _, err := worker.SyncDeferred(context.Background(), []int{1, 2, 3}); err != nil {
		t.Error(err)
	}
}

// The same with the fixed worker.
func TestNightlySyncFixed(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, dbcheck.MaxConns(1)))

	srv := fakepg.New(t, fakepg.Config{})
	worker := &Worker{Driver: fakepg.Driver, DSN: srv.DSN, Open: dbcheck.Open}
	leakcheck.Repeat(t, 3, func() {
		if _, err := worker.FixedSync(context.Background(), []int{1, 2, 3}); err != nil {
			t.Error(err)
		}
	})
}

// What happened: 100 connections, of which the server keeps 15 for its administrators. This test passes, and shows the
// error of that night.
func TestNightlySyncInProduction(t *testing.T) {
	srv := fakepg.New(t, fakepg.Config{MaxConnections: 100, Reserved: 15})
	worker := &Worker{Driver: fakepg.Driver, DSN: srv.DSN, Open: dbcheck.Open}
	items := make([]int, 100)
	for i := range items {
		items[i] = i + 1
	}
	done, err := worker.Sync(context.Background(), items)
	if done != 85 || err == nil {
		t.Errorf("%d items were synced, and the error is %v", done, err)
	}
	t.Logf("%d items are done, then: %v", done, err)
}
