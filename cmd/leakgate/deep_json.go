package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/deep"
)

// wantsJSON says whether go test is asked for lines of JSON; the last flag counts.
func wantsJSON(args []string, goflags string) (yes bool) {
	for _, list := range [][]string{deep.Words(goflags), args} {
		for _, a := range list {
			name, isFlag, hasValue := cutFlag(a)
			if isFlag && name == "args" {
				break
			}
			if isFlag && name == "json" {
				_, value, _ := strings.Cut(a, "=")
				yes = !hasValue || slices.Contains([]string{"1", "t", "T", "true", "TRUE", "True"}, value)
			}
		}
	}
	return yes
}

// leakFolder makes the folder that the test binaries write their leaks to.
func leakFolder() (string, error) {
	dir, err := os.MkdirTemp("", "leakgate-leaks-")
	if err != nil {
		return "", problem{
			what: fmt.Sprintf("a temporary folder could not be made: %v", err),
			todo: "point TMPDIR (on Windows, TMP) to a folder that can be written",
		}
	}
	return filepath.EvalSymlinks(dir)
}

// leakStream passes on what go test -json prints, byte for byte, and puts a line for each leak before the line that ends its
// package.
type leakStream struct {
	to   io.Writer
	dir  string
	line []byte // the beginning of the last line
	seen []string
	err  error // of the first write that failed
}

// streamLine is one of the lines: to all that know nothing of Leak an output of nothing, of the package. An action of its own,
// or a member Test, would be less: gotestsum takes an action that it does not know for the end of the test, or for a test more
// when that has ended, and tparse lists it as one. Leak says which test it was.
type streamLine struct {
	Time    time.Time
	Action  string
	Package string
	Output  string
	Leak    *fragment.Leak
}

func (s *leakStream) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		s.line = append(s.line, line...)
		if bytes.HasSuffix(s.line, []byte("\n")) {
			s.pass()
		}
	}
	return len(p), s.err
}

// pass passes a line on.
func (s *leakStream) pass() {
	var e event
	ends := bytes.HasPrefix(s.line, []byte("{")) && !bytes.Contains(s.line, []byte(`"Test":`)) && json.Unmarshal(s.line, &e) == nil &&
		(e.Action == "pass" || e.Action == "fail" || e.Action == "skip")
	if ends && e.Package != "" {
		s.tell(e.Package)
	}
	s.write(s.line)
	s.line = s.line[:0]
}

// files is what go test calls a package that is named by its files. There is one then.
const files = "command-line-arguments"

// tell writes the lines of a package's leaks; those of all that are left where it is "".
func (s *leakStream) tell(pkg string) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return // there is no leak, or the folder is gone
	}
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) != ".json" || slices.Contains(s.seen, name) {
			continue
		}
		f, err := fragment.ReadFile(filepath.Join(s.dir, name))
		if f == nil || err != nil && len(f.Leaks) == 0 || pkg != "" && pkg != files && f.Package != pkg {
			continue
		}
		s.seen = append(s.seen, name)
		of := f.Package
		if pkg == files {
			of = files
		}
		for i := range f.Leaks {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if enc.Encode(streamLine{Time: f.Leaks[i].At, Action: "output", Package: of, Leak: &f.Leaks[i]}) == nil {
				s.write(b.Bytes())
			}
		}
	}
}

func (s *leakStream) write(p []byte) {
	if s.err == nil {
		_, s.err = s.to.Write(p)
	}
}

// close passes on the rest: a last line without its end, and leaks of packages that go test has not ended.
func (s *leakStream) close() {
	s.write(s.line)
	s.line = nil
	s.tell("")
}
