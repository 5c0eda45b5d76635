//go:build unix

package dbtest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Making a data directory takes a second, copying one a tenth of that. So the first server of a version leaves a
// pristine copy in the user's cache folder, and later ones, also those of other packages and of other runs, start
// from it. The folder is the user's own (0700), as the copy holds the superuser's password hash.
//
// layout changes when what prepare does changes.
const layout = "1"

// template is the folder of the copy for these programs; "" where none can be kept.
func template(e engine, bin binaries) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	key := sha256.New()
	fmt.Fprintln(key, layout, e, runtime.GOARCH)
	for _, file := range []string{bin.Server, bin.Init} {
		real, err := filepath.EvalSymlinks(file)
		if err != nil {
			return ""
		}
		fi, err := os.Stat(real)
		if err != nil {
			return ""
		}
		fmt.Fprintln(key, real, fi.Size(), fi.ModTime().UnixNano()) // another version after an upgrade
	}
	return filepath.Join(cache, "leakgate", "dbtest", fmt.Sprintf("%s-%x", e, key.Sum(nil)[:8]))
}

// fromTemplate makes the data directory from the copy, and the password that belongs to it; false where there is none.
func fromTemplate(a account, dir string, s *spec) bool {
	from := template(s.Engine, s.Bin)
	if from == "" {
		return false
	}
	fi, err := os.Lstat(from)
	if err != nil || !fi.IsDir() || !ours(fi) || fi.Mode().Perm()&0o077 != 0 {
		return false
	}
	pw, err := os.ReadFile(filepath.Join(from, "password"))
	if err != nil || len(pw) == 0 {
		return false
	}
	data := filepath.Join(dir, "data")
	if err := copyTree(filepath.Join(from, "data"), data, a); err != nil {
		_ = os.RemoveAll(data)
		return false
	}
	now := time.Now()
	_ = os.Chtimes(from, now, now) // in use: see forget
	s.Password = strings.TrimSpace(string(pw))
	return true
}

// keepTemplate leaves a copy of a data directory that no server has used. That it cannot be kept is no fault.
func keepTemplate(dir string, s spec) {
	to := template(s.Engine, s.Bin)
	if to == "" || os.MkdirAll(filepath.Dir(to), 0o700) != nil {
		return
	}
	forget(filepath.Dir(to))
	tmp, err := os.MkdirTemp(filepath.Dir(to), "new-*") // 0700
	if err != nil {
		return
	}
	defer os.RemoveAll(tmp)
	if copyTree(filepath.Join(dir, "data"), filepath.Join(tmp, "data"), account{}) != nil {
		return
	}
	if os.WriteFile(filepath.Join(tmp, "password"), []byte(s.Password), 0o600) != nil {
		return
	}
	_ = os.Rename(tmp, to) // fails where another process was faster
}

// forget removes copies that nobody has used for a month, and pieces of unfinished ones.
func forget(cache string) {
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || !e.IsDir() {
			continue
		}
		age := time.Since(fi.ModTime())
		if age > 30*24*time.Hour || strings.HasPrefix(e.Name(), "new-") && age > time.Hour {
			_ = os.RemoveAll(filepath.Join(cache, e.Name()))
		}
	}
}

// copyTree copies folders, files and links, and gives them to the account.
func copyTree(from, to string, a account) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			err = os.Mkdir(target, 0o700)
		case d.Type().IsRegular():
			err = copyFile(path, target)
		case d.Type() == fs.ModeSymlink:
			var link string
			if link, err = os.Readlink(path); err == nil {
				return os.Symlink(link, target)
			}
		default:
			return nil // a socket
		}
		if err != nil {
			return err
		}
		return a.own(target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}
