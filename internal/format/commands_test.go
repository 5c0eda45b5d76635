package format

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

// TestCommandsDeep: the tests of a folder are run again as they were: where leakgate test ran some of them, with -deep.
func TestCommandsDeep(t *testing.T) {
	found := func(dir, pkg string, deep bool) verdict.Finding {
		return verdict.Finding{Key: baseline.Key{Package: pkg}, Standing: verdict.New, ModuleDir: dir, Deep: deep}
	}
	stale := func(dir, pkg string, deep bool) verdict.Stale {
		return verdict.Stale{Entry: baseline.Entry{Key: baseline.Key{Package: pkg}}, File: dir + "/leakgate.baseline", Deep: deep}
	}
	v := &verdict.Verdict{
		Modules:  []string{"example.com/a", "example.com/b"},
		Findings: []verdict.Finding{found("a", "example.com/a", false), found("b", "example.com/b", false), found("b", "example.com/b/c", true)},
		Stale:    []verdict.Stale{stale("a", "example.com/a", true), stale("b", "example.com/b", false)},
	}
	assert.Equal(t, []string{
		`(cd a && leakgate baseline accept -reason "why it stays" example.com/a)`,
		`(cd b && leakgate baseline accept -deep -reason "why it stays" example.com/b example.com/b/c)`,
	}, acceptCommands(v))
	assert.Equal(t, []string{
		`(cd a && leakgate baseline prune -deep example.com/a)`,
		`(cd b && leakgate baseline prune example.com/b)`,
	}, pruneCommands(v))
}
