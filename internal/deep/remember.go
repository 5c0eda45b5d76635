package deep

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// memory is what is kept of an overlay, so that the next run need not read and parse the standard library to find it.
type memory struct {
	File    string
	Missing []string
}

// key names all that an overlay is made of: the agent's sources, which those of this package are among, and the names, sizes
// and times of the files of the standard library that are looked at.
func (g Goroot) key() (string, error) {
	if Sources == nil {
		return "", errors.New("this program was built without the sources of the agent")
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q\n", g.Dir, g.Version)
	err := fs.WalkDir(Sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(Sources, name)
		fmt.Fprintf(h, "%q %d\n", name, len(text))
		h.Write(text)
		return err
	})
	if err != nil {
		return "", err
	}
	file := func(name string) {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintf(h, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	dirs := map[string]bool{"runtime": true} // for the walk
	for _, p := range points {
		dirs[p.pkg] = true
	}
	for _, house := range houses {
		dirs[house] = true
	}
	for _, pkg := range slices.Sorted(maps.Keys(dirs)) {
		dir := filepath.Join(g.Dir, "src", filepath.FromSlash(pkg))
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		fmt.Fprintf(h, "%q\n", pkg)
		for _, e := range entries {
			if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				file(filepath.Join(dir, name))
			}
		}
	}
	for _, from := range slices.Sorted(maps.Keys(g.Replaced)) {
		fmt.Fprintf(h, "%q %q\n", from, g.Replaced[from])
		file(g.Replaced[from])
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// remembered gives the overlay that an earlier run has made of the same; nil when there is none, or not all of it.
func remembered(dir, key string) *Overlay {
	text, err := os.ReadFile(memoryFile(dir, key))
	if err != nil {
		return nil
	}
	var m memory
	var made struct{ Replace map[string]string }
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	if text, err = os.ReadFile(m.File); err != nil || json.Unmarshal(text, &made) != nil {
		return nil
	}
	for _, name := range made.Replace {
		if strings.HasPrefix(name, dir) {
			if _, err := os.Stat(name); err != nil {
				return nil
			}
		}
	}
	place := filepath.Dir(m.File)
	if !inUse(place) || !inUse(memoryFile(dir, key)) {
		return nil
	}
	return &Overlay{File: m.File, Missing: m.Missing, place: place}
}

// remember keeps an overlay for remembered. What cannot be written is made again the next time.
func remember(dir, key string, o *Overlay) {
	if text, err := json.Marshal(memory{o.File, o.Missing}); err == nil {
		_ = os.Remove(memoryFile(dir, key)) // what it says is no longer so
		_ = writeFile(memoryFile(dir, key), text)
	}
}

// memories is what the names of their files begin with.
const memories = "made-"

func memoryFile(dir, key string) string { return filepath.Join(dir, memories+key+".json") }
