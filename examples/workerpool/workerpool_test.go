package workerpool

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
)

// resize forgets the worker when there is nothing to do.
func resize(p *Pool, jobs []string) error {
	w, err := p.Borrow()
	if err != nil {
		return err
	}
	if len(jobs) == 0 {
		return nil
	}
	w.Return()
	return nil
}

func resizeFixed(p *Pool, jobs []string) error {
	w, err := p.Borrow()
	if err != nil {
		return err
	}
	defer w.Return()
	if len(jobs) == 0 {
		return nil
	}
	return nil
}

func TestLeakIsFound(t *testing.T) {
	pool := New(3)
	rec := record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(leakcheck.Verify(rec, leakcheck.With(Probe(pool))))
		for range 2 {
			require.NoError(t, resize(pool, nil))
		}
	})
	require.Len(t, rec.Errors(), 1)
	report := rec.Errors()[0]
	assert.Contains(t, report, "leakcheck: 2 leaks: worker was never returned (×2)")
	assert.Contains(t, report, "workerpool.resize")
	assert.Contains(t, report, "w, err := p.Borrow()")
	assert.Contains(t, report, "defer w.Return()")
}

func TestCleanIsSilent(t *testing.T) {
	pool := New(3)
	busy, err := pool.Borrow() // before the test: not its own
	require.NoError(t, err)
	defer busy.Return()
	for _, call := range []func(*Pool, []string) error{resize, resizeFixed} {
		rec := record.Run(t.Name(), func(rec *record.T) {
			rec.Cleanup(leakcheck.Verify(rec, leakcheck.With(Probe(pool))))
			require.NoError(t, call(pool, []string{"a.png"}))
		})
		assert.Empty(t, rec.Output())
	}
	rec := record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(leakcheck.Verify(rec, leakcheck.With(Probe(pool))))
		require.NoError(t, resizeFixed(pool, nil))
	})
	assert.Empty(t, rec.Output())
}
