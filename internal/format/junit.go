package format

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
)

type junitSuite struct {
	name      string
	tests     int
	failures  int
	errors    int
	skipped   int
	took      time.Duration
	timestamp string
	known     int // leaks
	cases     []junitCase
}

type junitCase struct {
	class, name string
	took        time.Duration
	// One of them, or none for a test that passed.
	failure, err *junitFailure
	skipped      string
}

type junitFailure struct {
	message, kind, text string
}

// JUnit writes a suite for each package and in it a case for each test that ran. A case has failed when its test leaked
// something that the baseline does not have. A leak that is attributed to no test is a case of its own. A test that ran more
// than once is one case. One that was skipped, or failed by itself, is a skipped case: its leaks were not judged, and its
// failure is in go test's own report.
func JUnit(w io.Writer, v *verdict.Verdict, _ Options) error {
	suites := map[string]*junitSuite{}
	var order []string
	suite := func(pkg string) *junitSuite {
		s := suites[pkg]
		if s == nil {
			s = &junitSuite{name: pkg}
			suites[pkg] = s
			order = append(order, pkg)
		}
		return s
	}
	for _, pkg := range v.Packages {
		suite(pkg)
	}

	type name struct{ pkg, test string }
	leaked := map[name][]*verdict.Finding{}
	var alone []*verdict.Finding
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.Standing == verdict.Known {
			suite(f.Package).known += f.Count
		}
		if !f.Fails() {
			continue
		}
		if len(f.Tests) == 0 {
			alone = append(alone, f)
		}
		for _, t := range f.Tests {
			leaked[name{f.Package, t}] = append(leaked[name{f.Package, t}], f)
		}
	}

	runs := map[name]*fragment.Test{}
	var tests []name
	for i := range v.Tests {
		t := &v.Tests[i]
		k := name{t.Package, t.Name}
		last := runs[k]
		if last == nil {
			tests = append(tests, k)
		}
		// The last run counts, as go test's reruns mean it. One that was skipped says less than one that ran.
		if last == nil || t.Result != fragment.Skipped && (last.Result == fragment.Skipped || !t.Began.Before(last.Began)) {
			runs[k] = &t.Test
		}
	}
	for k := range leaked {
		if runs[k] == nil { // a test that calls Verify in a process without a Main has no record when it was killed
			runs[k] = &fragment.Test{Name: k.test, Result: fragment.Leaked}
			tests = append(tests, k)
		}
	}
	slices.SortFunc(tests, func(a, b name) int { return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.test, b.test)) })

	for _, k := range tests {
		t, s := runs[k], suite(k.pkg)
		c := junitCase{class: k.pkg, name: k.test, took: t.Took}
		switch found := leaked[k]; {
		case len(found) > 0:
			c.failure = failureOf(v, found)
		case t.Result == fragment.Skipped:
			c.skipped = "skipped"
		case t.Result == fragment.Failed:
			c.skipped = "failed by itself: see the report of go test; what it leaked was not judged"
		}
		s.add(c)
		if at := t.Began; !at.IsZero() {
			if stamp := at.UTC().Format("2006-01-02T15:04:05"); s.timestamp == "" || stamp < s.timestamp {
				s.timestamp = stamp
			}
		}
	}
	for _, f := range alone {
		name := "not attributed to a test: " + cut(f.Fingerprint, maxField)
		suite(f.Package).add(junitCase{class: f.Package, name: name, failure: failureOf(v, []*verdict.Finding{f})})
	}
	for _, p := range v.Problems {
		said := problem(p)
		suite("leakgate").add(junitCase{class: "leakgate", name: "report " + p.File, err: &junitFailure{said, "unusable", said}})
	}
	total := junitSuite{name: "leakgate"}
	for _, pkg := range order {
		s := suites[pkg]
		total.tests += s.tests
		total.failures += s.failures
		total.errors += s.errors
		total.skipped += s.skipped
		total.took += s.took
	}
	x := &xmlWriter{b: bufio.NewWriterSize(w, 1<<16)}
	x.raw(xml.Header)
	x.open(0, "testsuites", total.attributes()...)
	for _, pkg := range order {
		suites[pkg].write(x)
	}
	x.raw("</testsuites>\n")
	return x.b.Flush()
}

func (s *junitSuite) add(c junitCase) {
	s.tests++
	s.took += c.took
	switch {
	case c.failure != nil:
		s.failures++
	case c.err != nil:
		s.errors++
	case c.skipped != "":
		s.skipped++
	}
	s.cases = append(s.cases, c)
}

func (s *junitSuite) attributes() []string {
	all := []string{
		"name", s.name, "tests", strconv.Itoa(s.tests), "failures", strconv.Itoa(s.failures), "errors", strconv.Itoa(s.errors),
		"skipped", strconv.Itoa(s.skipped), "time", seconds(s.took),
	}
	if s.timestamp != "" {
		all = append(all, "timestamp", s.timestamp)
	}
	return all
}

func (s *junitSuite) write(x *xmlWriter) {
	x.open(1, "testsuite", s.attributes()...)
	if s.known > 0 {
		x.raw("  <properties>\n")
		x.empty(3, "property", "name", "leakgate.known", "value", strconv.Itoa(s.known))
		x.raw("  </properties>\n")
	}
	for _, c := range s.cases {
		named := []string{"classname", c.class, "name", c.name, "time", seconds(c.took)}
		if c.failure == nil && c.err == nil && c.skipped == "" {
			x.empty(2, "testcase", named...)
			continue
		}
		x.open(2, "testcase", named...)
		if f := c.failure; f != nil {
			x.text(3, "failure", f.text, "message", f.message, "type", f.kind)
		}
		if f := c.err; f != nil {
			x.text(3, "error", f.text, "message", f.message, "type", f.kind)
		}
		if c.skipped != "" {
			x.empty(3, "skipped", "message", c.skipped)
		}
		x.raw("  </testcase>\n")
	}
	x.raw(" </testsuite>\n")
}

// failureOf says all that one test leaked. The text repeats the message: GitLab shows the one, Jenkins both.
func failureOf(v *verdict.Verdict, found []*verdict.Finding) *junitFailure {
	var codes []string
	t := &text{}
	for i, f := range found {
		if i == maxShown {
			fmt.Fprintf(&t.b, "\n  … and %s more\n", plural(len(found)-i, "kind"))
			break
		}
		if code := visible(f.Leak.Code); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
		if i > 0 {
			t.b.WriteByte('\n')
		}
		t.entry(v, f)
	}
	message := title(found[0])
	if n := len(found) - 1; n > 0 {
		message += fmt.Sprintf("; and %s", plural(n, "more entry"))
	}
	return &junitFailure{message, strings.Join(codes, " "), "\n" + t.b.String()}
}

// xmlWriter writes elements, one a line. Names are ours; values are escaped.
type xmlWriter struct {
	b *bufio.Writer // it keeps the first error for Flush
}

func (x *xmlWriter) raw(s string) { x.b.WriteString(s) }

func (x *xmlWriter) open(level int, name string, attributes ...string) {
	x.start(level, name, attributes)
	x.raw(">\n")
}

func (x *xmlWriter) empty(level int, name string, attributes ...string) {
	x.start(level, name, attributes)
	x.raw("/>\n")
}

func (x *xmlWriter) text(level int, name, text string, attributes ...string) {
	x.start(level, name, attributes)
	x.raw(">" + xmlText(text) + "</" + name + ">\n")
}

func (x *xmlWriter) start(level int, name string, attributes []string) {
	x.raw(strings.Repeat(" ", level) + "<" + name)
	for i := 0; i < len(attributes); i += 2 {
		x.raw(" " + attributes[i] + `="` + xmlAttribute.Replace(xmlText(attributes[i+1])) + `"`)
	}
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
