package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

// ReportVersion is the version of the shape that JSON writes. It is raised when a reader of the version before would misread
// the report; new members do not raise it.
const ReportVersion = 1

type jsonReport struct {
	Leakgate string        `json:"leakgate"`
	Version  int           `json:"version"`
	Verdict  string        `json:"verdict"`
	Headline string        `json:"headline"`
	Began    *time.Time    `json:"began,omitempty"`
	Ended    *time.Time    `json:"ended,omitempty"`
	Took     time.Duration `json:"took"`
	Baseline string        `json:"baseline,omitempty"`
	Counts   jsonCounts    `json:"counts"`
	Modules  []string      `json:"modules"`
	Packages []string      `json:"packages"`
	Findings jsonLater     `json:"findings"` // of jsonFinding
	Stale    jsonLater     `json:"stale"`    // of jsonStale
	Unjudged jsonLater     `json:"unjudged"` // of jsonEntry
	Tests    jsonLater     `json:"tests"`    // of jsonTest
	Series   jsonLater     `json:"series"`   // of jsonSeries
	Ignored  []jsonIgnored `json:"ignored"`
	Unused   []jsonUnused  `json:"unused_ignores"`
	Unended  []jsonProcess `json:"unended"`
	Problems []jsonProblem `json:"problems"`
}

// jsonCounts counts findings, where nothing else is said.
type jsonCounts struct {
	Failing      int `json:"failing"`
	New          int `json:"new"`
	Over         int `json:"over"`
	Expired      int `json:"expired"`
	Known        int `json:"known"`
	Noted        int `json:"noted"`
	FailingLeaks int `json:"failing_leaks"`
	KnownLeaks   int `json:"known_leaks"`
	Stale        int `json:"stale"`
	Unjudged     int `json:"unjudged"`
	Tests        int `json:"tests"`
	RunsPassed   int `json:"runs_passed"`
	RunsFailed   int `json:"runs_failed"`
	RunsLeaked   int `json:"runs_leaked"`
	RunsSkipped  int `json:"runs_skipped"`
	Packages     int `json:"packages"`
	Fragments    int `json:"fragments"`
	Copies       int `json:"copies"`
	Ignored      int `json:"ignored"`
	Unended      int `json:"unended"`
	Problems     int `json:"problems"`
}

type jsonFinding struct {
	ID          string           `json:"id"`
	Standing    verdict.Standing `json:"standing"`
	Fails       bool             `json:"fails"`
	Ruling      string           `json:"ruling"`
	Title       string           `json:"title"`
	Package     string           `json:"package"`
	Fingerprint string           `json:"fingerprint"`
	Count       int              `json:"count"`
	Allowed     int              `json:"allowed"`
	Runs        int              `json:"runs"`
	Of          int              `json:"of"`
	Tests       []string         `json:"tests"`
	Module      string           `json:"module,omitempty"`
	ModuleDir   string           `json:"module_dir,omitempty"`
	Path        string           `json:"path,omitempty"`
	Line        int              `json:"line,omitempty"`
	See         string           `json:"see,omitempty"`
	Entry       *jsonEntry       `json:"entry,omitempty"`
	Leak        *fragment.Leak   `json:"leak"`
}

type jsonEntry struct {
	Package     string `json:"package"`
	Fingerprint string `json:"fingerprint"`
	Code        string `json:"code,omitempty"`
	Count       int    `json:"count"`
	Reason      string `json:"reason,omitempty"`
	Added       string `json:"added,omitempty"`
	Expires     string `json:"expires,omitempty"`
	Owner       string `json:"owner,omitempty"`
	File        string `json:"file,omitempty"`
	Line        int    `json:"line,omitempty"`
	Found       *int   `json:"found,omitempty"` // of one that is not judged
	Why         string `json:"why,omitempty"`   // likewise
}

type jsonStale struct {
	jsonEntry
	Left int `json:"left"`
}

type jsonTest struct {
	Package string `json:"package"`
	PID     int    `json:"pid"`
	Leaks   int    `json:"leaks"`
	*fragment.Test
}

type jsonSeries struct {
	Package string            `json:"package"`
	PID     int               `json:"pid"`
	Began   time.Time         `json:"began"`
	Samples []fragment.Sample `json:"samples"`
}

type jsonIgnored struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

type jsonUnused struct {
	Package string `json:"package"`
	Ignore  string `json:"ignore"`
}

type jsonProcess struct {
	Package string    `json:"package"`
	PID     int       `json:"pid"`
	Began   time.Time `json:"began"`
}

type jsonProblem struct {
	File  string `json:"file,omitempty"`
	Error string `json:"error"`
}

// JSON writes all that the verdict has, in the shape of docs/report-json.md. Lists are there when they are empty, too.
func JSON(w io.Writer, v *verdict.Verdict, _ Options) error {
	n := v.Counts()
	r := jsonReport{
		Leakgate: "report", Version: ReportVersion, Verdict: "passed", Headline: headline(v), Took: v.Took, Baseline: v.Baseline,
		Counts: jsonCounts{
			n.Fail, n.New, n.Over, n.Expired, n.Known, n.Noted, n.FailLeaks, n.KnownLeaks, n.Stale, n.Unjudged,
			n.Tests, n.Passed, n.Failed, n.Leaked, n.Skipped, n.Packages, v.Fragments, v.Copies, n.Ignored, n.Unended, n.Problems,
		},
		Modules: list0(v.Modules), Packages: list0(v.Packages),
		Ignored: []jsonIgnored{}, Unused: []jsonUnused{}, Unended: []jsonProcess{}, Problems: []jsonProblem{},
	}
	switch {
	case v.Red():
		r.Verdict = "failed"
	case v.Fragments == 0:
		r.Verdict = "nothing"
	}
	if !v.Began.IsZero() {
		r.Began = &v.Began
	}
	if !v.Ended.IsZero() {
		r.Ended = &v.Ended
	}
	for _, ig := range v.Ignored {
		r.Ignored = append(r.Ignored, jsonIgnored{ig.Reason, ig.Count})
	}
	for _, u := range v.Unused {
		r.Unused = append(r.Unused, jsonUnused(u))
	}
	for _, h := range v.Unended {
		r.Unended = append(r.Unended, jsonProcess{h.Package, h.PID, h.Began})
	}
	for _, p := range v.Problems {
		out := jsonProblem{File: p.File, Error: "not readable"}
		if p.Err != nil {
			out.Error = p.Err.Error()
		}
		r.Problems = append(r.Problems, out)
	}
	return writeJSON(w, r,
		jsonList{"findings", len(v.Findings), func(i int) any { return jsonFindingOf(v, &v.Findings[i]) }},
		jsonList{"stale", len(v.Stale), func(i int) any {
			s := &v.Stale[i]
			return jsonStale{entryOf(s.Entry, s.File), s.Count}
		}},
		jsonList{"unjudged", len(v.Unjudged), func(i int) any {
			u := &v.Unjudged[i]
			e := entryOf(u.Entry, u.File)
			e.Found, e.Why = &u.Count, u.Why
			return e
		}},
		jsonList{"tests", len(v.Tests), func(i int) any {
			t := &v.Tests[i]
			return jsonTest{t.Package, t.PID, t.Leaks, &t.Test}
		}},
		jsonList{"series", len(v.Series), func(i int) any {
			s := &v.Series[i]
			return jsonSeries{s.Package, s.PID, s.Began, list0(s.Samples)}
		}},
	)
}

func jsonFindingOf(v *verdict.Verdict, f *verdict.Finding) jsonFinding {
	out := jsonFinding{
		ID: f.ID, Standing: f.Standing, Fails: f.Fails(), Ruling: ruling(v, f), Title: f.Title(), Package: f.Package,
		Fingerprint: f.Fingerprint, Count: f.Count, Allowed: f.Allowed, Runs: f.Runs, Of: f.Of, Tests: list0(f.Tests),
		Module: f.Module, ModuleDir: f.ModuleDir, Path: f.Path, Line: f.Line, See: docURL(f.Leak.Code), Leak: &f.Leak,
	}
	if f.Entry != nil {
		e := entryOf(*f.Entry, "")
		out.Entry = &e
	}
	return out
}

func entryOf(e baseline.Entry, file string) jsonEntry {
	return jsonEntry{
		Package: e.Package, Fingerprint: e.Fingerprint, Code: e.Code, Count: e.Count, Reason: e.Reason, Added: e.Added,
		Expires: e.Expires, Owner: e.Owner, File: file, Line: e.Line,
	}
}

// list0 is the list, and an empty one instead of none, which JSON would give as null.
func list0[E any](all []E) []E {
	if all == nil {
		return []E{}
	}
	return all
}

// jsonLater stands for a list that is written by jsonList.
type jsonLater [0]struct{}

// jsonList gives the elements of a list, one after the other: a report may have a hundred thousand.
type jsonList struct {
	member string
	n      int
	at     func(i int) any
}

// writeJSON writes a document with one member a line, and each element of the lists on a line of its own. The lists are those
// that the document has as jsonLater, in its order. Angle brackets and ampersands are escaped, so that it may stand in HTML.
func writeJSON(w io.Writer, doc any, lists ...jsonList) error {
	rest, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	for _, l := range lists {
		// No string of the data looks like this: in a string a quote has a backslash before it.
		before, after, ok := bytes.Cut(rest, []byte("\""+l.member+"\": []"))
		if !ok {
			return fmt.Errorf("the document has no list %s", l.member)
		}
		rest = after
		b.Write(before)
		b.WriteString("\"" + l.member + "\": [")
		for i := range l.n {
			line, err := json.Marshal(l.at(i))
			if err != nil {
				return err
			}
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("\n")
			b.Write(line)
		}
		b.WriteByte(']')
	}
	b.Write(rest)
	b.WriteByte('\n')
	return b.Flush()
}
