package page

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

// TestDeep: the commands of the page run the tests as they were run.
func TestDeep(t *testing.T) {
	for deep, flag := range map[bool]string{true: " -deep", false: ""} {
		key := baseline.Key{Package: "example.com/a"}
		v := &verdict.Verdict{
			Findings: []verdict.Finding{{Key: key, Standing: verdict.New, Count: 1, Leak: fragment.Leak{Kind: "file"}, Deep: deep}},
			Stale:    []verdict.Stale{{Entry: baseline.Entry{Key: key, Count: 1}, File: "leakgate.baseline", Deep: deep}},
		}
		got := newView(v, Options{})
		assert.Equal(t, "leakgate baseline prune"+flag, got.Prune)
		f := newFinding(&v.Findings[0], v, Options{})
		require.NotEmpty(t, f.Accept)
		assert.Equal(t, "leakgate baseline accept"+flag+` -reason "…" example.com/a`, f.Accept)
	}
}
