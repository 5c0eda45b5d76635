//go:build unix

package dbtest

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unwritable is a folder in which this process cannot make another.
func unwritable(t *testing.T) string {
	if os.Geteuid() != 0 {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, 0o555))
		return dir
	}
	if runtime.GOOS != "linux" {
		t.Skip("root writes everywhere here")
	}
	return "/proc"
}

// A TMPDIR that cannot be written to, and one that is not there, do not keep a server from starting.
func TestABadTMPDIRIsPassedOver(t *testing.T) {
	for name, bad := range map[string]string{"unwritable": unwritable(t), "missing": filepath.Join(t.TempDir(), "not-there")} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", bad)
			dir, err := newDir()
			require.NoError(t, err)
			assert.NotEqual(t, bad, filepath.Dir(dir))
			assert.NoError(t, os.RemoveAll(dir))
		})
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "not-there"))
			assert.NoError(t, open(t, k.driver, k.start(t, Own()).DSN).Ping(), "nor do the server's own temporary files need it")
		})
	}
}

func TestNoFolderAtAll(t *testing.T) {
	was := tempFolders
	t.Cleanup(func() { tempFolders = was })
	bad, missing := unwritable(t), filepath.Join(t.TempDir(), "not-there")
	tempFolders = func() []string { return []string{bad, missing} }
	_, err := newDir()
	require.Error(t, err)
	said := strings.NewReplacer(bad, "UNWRITABLE", missing, "MISSING").Replace(err.Error())
	for _, why := range []string{"no such file or directory", "permission denied", "operation not permitted"} {
		said = strings.Replace(said, "UNWRITABLE: "+why, "UNWRITABLE: WHY", 1)
	}
	golden(t, "no-folder", "neither TMPDIR nor the others can be written to", said+"\n")
}

// What a server cannot run as is no fault of the server: the test is skipped, and not failed.
func TestRootWithoutAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has to take another user")
	}
	_, err := serverAccount("no-such-user", "nor-this-one")
	var nh *errNotHere
	require.ErrorAs(t, err, &nh)
	golden(t, "no-account", "root, where there is neither the engine's user nor nobody", err.Error()+"\n")
}
