package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDeepEnter: the standard library's own tests are run by the name of a downloaded Go that is replaced in; everything else
// where it is.
func TestDeepEnter(t *testing.T) {
	goroot, alias, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	for _, c := range []struct{ name, here, chdir, dir string }{
		{"in it", filepath.Join(goroot, "src"), "", filepath.Join(alias, "src")},
		{"by -C", elsewhere, "-C=" + filepath.Join(goroot, "src", "os"), filepath.Join(alias, "src", "os")},
		{"elsewhere", elsewhere, "", ""},
		{"elsewhere by -C", goroot, "-C=" + elsewhere, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &deepSetup{chdir: c.chdir, env: goEnv{GOROOT: goroot}}
			require.NoError(t, s.enter(console{dir: c.here}, alias))
			assert.Equal(t, c.dir, s.dir)
			if c.dir == "" {
				assert.Equal(t, c.chdir, s.chdir)
				assert.Empty(t, s.environ)
				return
			}
			assert.Empty(t, s.chdir)
			assert.Equal(t, []string{"PWD=" + c.dir}, s.environ)
		})
	}
}
