package leakcheck

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/report"
)

// What go test -json, and with it JUnit files, say of a test that leaks.
const (
	attrLeaks       = "leakgate.leaks"       // how many resources it leaked that the baseline does not have
	attrKnown       = "leakgate.known"       // and how many that it has
	attrFingerprint = "leakgate.fingerprint" // of the first
)

// annotate tells the testing package what was found, where it can be told: by t.Attr (Go 1.25), and with go test -artifacts
// by a file leaks.json in t.ArtifactDir (Go 1.26), a fragment with the leaks alone. It comes last, because a folder that
// cannot be made ends the test's goroutine.
func (w *watch) annotate() {
	found := w.ruled
	if found == nil {
		return
	}
	w.ruled = nil
	w.t.Helper()
	leaks := slices.Concat(found.failing, found.allowed)
	if a, ok := w.t.(interface{ Attr(key, value string) }); ok {
		attr(a.Attr, attrLeaks, strconv.Itoa(held(found.failing)))
		attr(a.Attr, attrKnown, strconv.Itoa(held(found.allowed)))
		attr(a.Attr, attrFingerprint, leaks[0].Fingerprint)
	}
	if a, ok := w.t.(interface{ ArtifactDir() string }); ok && flagSet("test.artifacts") {
		if err := writeArtifact(a.ArtifactDir(), leaks, len(found.failing)); err != nil {
			w.t.Logf("leakcheck: leaks.json cannot be written to the test's artifacts: %v", err)
		}
	}
}

func held(leaks []report.Leak) (n int) {
	for _, l := range leaks {
		n += max(l.Count, 1)
	}
	return n
}

// attr sets an attribute. A value with a line end would fail the test, and a test that is over panics.
func attr(set func(key, value string), key, value string) {
	defer func() { _ = recover() }()
	set(key, strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(value, "\uFFFD")))
}

// writeArtifact writes the leaks of one check, of which the first ones fail the test and the others are known.
func writeArtifact(dir string, leaks []report.Leak, fail int) error {
	b := binary()
	r := recorder{began: realTime()}
	f, err := fragment.Create(dir, r.header())
	if err != nil {
		return err
	}
	for i, l := range leaks {
		outcome := fragment.Fatal
		if i >= fail {
			outcome = fragment.Known
		}
		out := b.toFragment(l, outcome, baseline.Answer{})
		out.At = realTime()
		if err := f.Leak(out); err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Path(), freeName(dir))
}

// freeName is leaks.json, or leaks-2.json and so on where a test has several checks.
func freeName(dir string) string {
	name := filepath.Join(dir, "leaks.json")
	for i := 2; ; i++ {
		if _, err := os.Lstat(name); err != nil {
			return name
		}
		name = filepath.Join(dir, "leaks-"+strconv.Itoa(i)+".json")
	}
}
