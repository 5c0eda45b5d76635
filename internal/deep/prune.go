package deep

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// used is the file of an overlay whose time says when it was used last.
const used = "used"

// How long what nobody uses is kept. An overlay is a few hundred kilobytes, and there is one for each version of Go and of
// leakgate. What is half made is of a run that was killed.
const (
	keepFor     = 30 * 24 * time.Hour
	keepHalf    = 24 * time.Hour
	keepPrecise = time.Hour // the time of use is as old as this at most
)

// inUse says whether a file or the folder of an overlay is there, and keeps it from being pruned. In a cache folder that cannot
// be written nothing is pruned either.
func inUse(name string) bool {
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	stamp := name
	if info.IsDir() {
		stamp = filepath.Join(name, used)
		if info, err = os.Stat(stamp); err != nil {
			return false
		}
	}
	if now := time.Now(); now.Sub(info.ModTime()) > keepPrecise {
		_ = os.Chtimes(stamp, now, now)
	}
	return true
}

// prune takes away what nobody has used for long. Errors mean nothing: what is left is tried again when the next overlay is
// made.
func prune(dir, own string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	now := time.Now()
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case name == own:
		case strings.HasPrefix(e.Name(), "making-"):
			if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > keepHalf {
				_ = os.RemoveAll(name)
			}
		case strings.HasPrefix(e.Name(), "goroot-") && e.Type()&fs.ModeSymlink != 0:
			if _, err := os.Stat(name); err != nil { // that Go is gone
				_ = os.Remove(name)
			}
		case strings.HasPrefix(e.Name(), memories):
			if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > keepFor {
				_ = os.Remove(name)
			}
		case strings.HasPrefix(e.Name(), "deep-") && e.IsDir() && unused(name, now):
			discard(dir, name, now)
		}
	}
}

// unused says whether an overlay was last used long ago.
func unused(place string, now time.Time) bool {
	info, err := os.Stat(filepath.Join(place, used))
	if err != nil {
		info, err = os.Stat(place) // one of an earlier version, which has no such file
	}
	return err == nil && now.Sub(info.ModTime()) > keepFor
}

// discard removes an overlay. It is put aside first, so that who comes now makes a new one, and looked at again: somebody may
// have begun to use it before.
func discard(dir, place string, now time.Time) {
	aside, err := os.MkdirTemp(dir, "making-")
	if err != nil {
		return
	}
	defer os.RemoveAll(aside)
	old := filepath.Join(aside, "old")
	if os.Rename(place, old) != nil {
		return
	}
	if !unused(old, now) {
		_ = os.Rename(old, place)
	}
}

// Compiled says whether the overlay has been compiled before, in the way that the text stands for.
func (o *Overlay) Compiled(way string) bool {
	_, err := os.Stat(o.mark(way))
	return err == nil
}

// SetCompiled says that it has been. An error means nothing: then the next run says once more that it takes long.
func (o *Overlay) SetCompiled(way string) { _ = os.WriteFile(o.mark(way), nil, 0o644) }

func (o *Overlay) mark(way string) string {
	sum := sha256.Sum256([]byte(way))
	return filepath.Join(o.place, "compiled-"+hex.EncodeToString(sum[:8]))
}
