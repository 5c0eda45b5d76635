package nightlysync

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/fakepg"
	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
)

type syncFunc func(w *Worker, ctx context.Context, items []int) (done int, err error)

// With three items each way of opening too much is found, and the fixed worker is not.
func TestThreeItems(t *testing.T) {
	for _, tc := range []struct {
		name   string
		sync   syncFunc
		open   func(driver, dsn string) (*sql.DB, error)
		budget leakcheck.Option
		says   []string
	}{
		{"a pool for each item, never closed", (*Worker).Sync, dbcheck.Open, nil, []string{
			"leakcheck: 3 leaks: sql.DB was opened and never closed (×3)",
			"sync.go:" + lineOf(t, "sync.go", "w.Open(") + "  nightlysync.(*Worker).syncItem",
			"defer db.Close()",
		}},
		{"the same, where dbcheck does not see it opened", (*Worker).Sync, sql.Open, nil, []string{
			"leakcheck: 3 leaks: sql.DB was opened and never closed (×3)",
			"no line",
		}},
		{"closed at the end: nothing leaks", (*Worker).SyncDeferred, dbcheck.Open, nil, nil},
		{"closed at the end, with a budget", (*Worker).SyncDeferred, dbcheck.Open, dbcheck.MaxConns(1), []string{
			"leakcheck: 1 leak: 3 database connections were open at once, and the budget is 1",
			"deferred.go:" + lineOf(t, "deferred.go", "db.ExecContext") + "  nightlysync.(*Worker).SyncDeferred",
		}},
		{"one pool", (*Worker).FixedSync, dbcheck.Open, dbcheck.MaxConns(1), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := fakepg.New(t, fakepg.Config{})
			rec := record.Run(t.Name(), func(rec *record.T) {
				var opts []leakcheck.Option
				if tc.budget != nil {
					opts = append(opts, tc.budget)
				}
				rec.Cleanup(leakcheck.Verify(rec, opts...))
				done, err := tc.sync(&Worker{fakepg.Driver, srv.DSN, tc.open}, t.Context(), []int{1, 2, 3})
				require.NoError(t, err)
				assert.Equal(t, 3, done)
			})
			if len(tc.says) == 0 {
				assert.Empty(t, rec.Output())
				return
			}
			require.Len(t, rec.Errors(), 1)
			for _, text := range tc.says {
				assert.Contains(t, rec.Errors()[0], text)
			}
		})
	}
}

// Repeat with three runs of one item each finds the pool of each item, and nothing in the two others.
func TestThreeRuns(t *testing.T) {
	for name, sync := range map[string]syncFunc{"never closed": (*Worker).Sync, "closed at the end": (*Worker).SyncDeferred, "one pool": (*Worker).FixedSync} {
		t.Run(name, func(t *testing.T) {
			srv := fakepg.New(t, fakepg.Config{})
			rec := record.Run(t.Name(), func(rec *record.T) {
				leakcheck.Repeat(rec, 3, func() {
					_, err := sync(&Worker{fakepg.Driver, srv.DSN, dbcheck.Open}, t.Context(), []int{1})
					require.NoError(t, err)
				})
			})
			if name != "never closed" {
				assert.Empty(t, rec.Output())
				return
			}
			require.Len(t, rec.Errors(), 1)
			assert.Contains(t, rec.Errors()[0], "leakcheck: 3 leaks: sql.DB was opened and never closed: 1 more after each of 3 runs (×3)\n")
			assert.Contains(t, rec.Errors()[0], "LK601 ")
			assert.Contains(t, rec.Errors()[0], "sync.go:"+lineOf(t, "sync.go", "w.Open(")+"  nightlysync.(*Worker).syncItem\n")
		})
	}
}

// What the error says, by the server's version.
func TestTheLimit(t *testing.T) {
	items := make([]int, 100)
	for i := range items {
		items[i] = i + 1
	}
	for version, says := range map[int]string{
		15: "remaining connection slots are reserved for non-replication superuser connections",
		17: "remaining connection slots are reserved for roles with the SUPERUSER attribute",
	} {
		for name, sync := range map[string]syncFunc{"never closed": (*Worker).Sync, "closed at the end": (*Worker).SyncDeferred} {
			t.Run(fmt.Sprintf("%s, PostgreSQL %d", name, version), func(t *testing.T) {
				srv := fakepg.New(t, fakepg.Config{Version: version, MaxConnections: 100, Reserved: 15})
				done, err := sync(&Worker{fakepg.Driver, srv.DSN, sql.Open}, t.Context(), items)
				assert.Equal(t, 85, done)
				assert.EqualError(t, err, "item 86: FATAL: "+says+" (SQLSTATE 53300)")
				assert.Equal(t, 85, srv.Peak())
			})
		}
	}
	t.Run("one pool", func(t *testing.T) {
		srv := fakepg.New(t, fakepg.Config{MaxConnections: 100, Reserved: 15})
		done, err := (&Worker{fakepg.Driver, srv.DSN, sql.Open}).FixedSync(t.Context(), items)
		require.NoError(t, err)
		assert.Equal(t, 100, done)
		assert.Equal(t, 1, srv.Peak())
		assert.Equal(t, 0, srv.Sessions())
	})
}

// The tests that the README shows.
func TestIncident(t *testing.T) {
	out := record.Incident(t, map[string]string{
		"TestNightlySync": "FAIL", "TestNightlySyncRepeat": "FAIL", "TestNightlySyncDeferred": "FAIL", "TestNightlySyncFixed": "PASS", "TestNightlySyncInProduction": "PASS",
	})
	assert.Contains(t, out, "85 items are done, then: item 86: FATAL: remaining connection slots are reserved")
	assert.Equal(t, 20, record.ReadmeShows(t, out), "lines of README.md that are compared")
}

// lineOf gives the number of the first line of the file that has the text.
func lineOf(t *testing.T, file, text string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, _, ok := strings.Cut(string(data), text)
	require.True(t, ok, "%s has no %q", file, text)
	return fmt.Sprint(strings.Count(before, "\n") + 1)
}
