// Command notes fails if a file of this tree holds what belongs to its writer alone: a path of the machine it was
// written on, a note to self, or the marker of an unfinished merge. It reads every file that git tracks or would
// add, testdata too: captured dumps and recorded bytes are where such paths come from.
//
// A path is a writer's own if it lies below a user's home or in a usual checkout folder of a build machine, or in this
// machine's home, checkout or module cache. Documentation may use the made-up users of [madeUp].
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A rule names what a line must not hold.
type rule struct {
	what string
	re   *regexp.Regexp
}

// A finding is one line that breaks a rule.
type finding struct {
	file string
	line int
	what string
	text string
}

// madeUp are the users that examples may speak of.
var madeUp = []string{"user", "you", "me", "ci", "dev", "alice", "bob", "gopher"}

// The words are put together here so that this file passes its own check.
var (
	noteWords  = []string{"TO" + "DO", "FIX" + "ME"}
	homes      = []string{"/ho" + "me/", "/Use" + "rs/", `[A-Za-z]:\\+Use` + `rs\\+`}
	checkouts  = []string{"/ro" + "ot/", "/wo" + "rk/", "/works" + "pace/", "/bui" + "lds/"}
	mergeMarks = `^(<{7}|>{7}) `
)

// rules returns the rules for a machine that keeps the given folders.
func rules(own ...string) []rule {
	// What comes before a path: not the rest of a longer path, an import path or a URL.
	const before = `(?:^|[^\w./@-])(?:file://)?`
	list := []rule{
		{"merge marker", regexp.MustCompile(mergeMarks)},
		// Not after a dot: the context package has a function of that name.
		{"note to self", regexp.MustCompile(`(?:^|[^\w.])(?:` + strings.Join(noteWords, "|") + `)\b`)},
		{"machine path", regexp.MustCompile(before + `(?:` + strings.Join(checkouts, "|") + `)\w`)},
		{"machine path", regexp.MustCompile(before + `(?:` + strings.Join(homes, "|") + `)([\w.-]+)[/\\]`)},
	}
	for _, dir := range own {
		// Short ones ("/", "/src") are too common to say anything.
		if strings.Count(filepath.ToSlash(dir), "/") >= 2 {
			list = append(list, rule{"machine path", regexp.MustCompile(before + regexp.QuoteMeta(dir) + `\b`)})
		}
	}
	return list
}

// scan returns the lines of data that break a rule, each once. Binary data has none.
func scan(file string, data []byte, list []rule) []finding {
	if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
		return nil
	}
	var found []finding
	for i, line := range strings.Split(string(data), "\n") {
		for _, r := range list {
			if breaks(r, line) {
				found = append(found, finding{file, i + 1, r.what, strings.TrimSpace(line)})
				break
			}
		}
	}
	return found
}

func breaks(r rule, line string) bool {
	for _, m := range r.re.FindAllStringSubmatch(line, -1) {
		if len(m) > 1 && slices.Contains(madeUp, m[1]) {
			continue
		}
		return true
	}
	return false
}

// ownDirs are the folders of this machine that no file should name.
func ownDirs() []string {
	var dirs []string
	if wd, err := os.Getwd(); err == nil {
		dirs = append(dirs, wd)
	}
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, home)
	}
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOCACHE").Output()
	if err == nil {
		dirs = append(dirs, strings.Fields(string(out))...)
	}
	return dirs
}

func main() {
	out, err := exec.Command("git", "ls-files", "-z", "-co", "--exclude-standard").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "notes: git ls-files:", err)
		os.Exit(2)
	}
	list := rules(ownDirs()...)
	var found []finding
	read := 0
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		info, err := os.Lstat(name)
		if os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() {
			continue // deleted but still tracked, a link or a submodule
		}
		data, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "notes:", err)
			os.Exit(2)
		}
		read++
		found = append(found, scan(name, data, list)...)
	}
	if read == 0 {
		fmt.Fprintln(os.Stderr, "notes: git lists no file here; run it in the root of the tree")
		os.Exit(2)
	}
	for _, f := range found {
		fmt.Printf("%s:%d: %s: %.120s\n", f.file, f.line, f.what, f.text)
	}
	if len(found) > 0 {
		fmt.Printf("notes: %d lines to change in %d files read\n", len(found), read)
		os.Exit(1)
	}
	fmt.Printf("notes: ok, %d files read\n", read)
}
