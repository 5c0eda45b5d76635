package format

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/leakgate/leakgate/internal/verdict"
)

// Limits of GitHub code scanning, from github/docs (sarif-support-for-code-scanning.md, sarif-limits.md): of the results of a run
// 5 000 are kept, and a file of more than 10 MB, gzip-compressed, is rejected. Of a result 100 locations are kept.
const (
	maxResults = 5000
	maxSARIF   = 10_000_000
	maxRelated = 20
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	srcRoot     = "%SRCROOT%"
	toolURL     = "https://github.com/leakgate/leakgate"
	// fingerprintKey is ours. GitHub's own, primaryLocationLineHash, is for the uploader to fill: one that it has not computed
	// makes it warn.
	fingerprintKey = "leakgate/v1"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool               sarifTool                `json:"tool"`
	AutomationDetails  *sarifAutomation         `json:"automationDetails,omitempty"`
	Invocations        []sarifInvocation        `json:"invocations"`
	OriginalURIBaseIDs map[string]sarifArtifact `json:"originalUriBaseIds"`
	ColumnKind         string                   `json:"columnKind"`
	Results            jsonLater                `json:"results"` // of sarifResult
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name            string      `json:"name"`
	Version         string      `json:"version,omitempty"`
	SemanticVersion string      `json:"semanticVersion,omitempty"`
	InformationURI  string      `json:"informationUri"`
	Rules           []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID                   string          `json:"id"`
	Name                 string          `json:"name,omitempty"`
	ShortDescription     sarifText       `json:"shortDescription"`
	FullDescription      sarifText       `json:"fullDescription"`
	Help                 sarifHelp       `json:"help"`
	HelpURI              string          `json:"helpUri,omitempty"`
	DefaultConfiguration sarifLevel      `json:"defaultConfiguration"`
	Properties           sarifProperties `json:"properties"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifHelp struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifLevel struct {
	Level string `json:"level"`
}

type sarifProperties struct {
	Tags []string `json:"tags,omitempty"`
}

type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifInvocation struct {
	ExecutionSuccessful bool                `json:"executionSuccessful"`
	StartTimeUTC        string              `json:"startTimeUtc,omitempty"`
	EndTimeUTC          string              `json:"endTimeUtc,omitempty"`
	Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

type sarifArtifact struct {
	URI         string     `json:"uri,omitempty"`
	URIBaseID   string     `json:"uriBaseId,omitempty"`
	Description *sarifText `json:"description,omitempty"`
}

type sarifResult struct {
	RuleID              string               `json:"ruleId"`
	RuleIndex           int                  `json:"ruleIndex"`
	Level               string               `json:"level"`
	Message             sarifText            `json:"message"`
	Locations           []sarifLocation      `json:"locations"`
	RelatedLocations    []sarifLocation      `json:"relatedLocations,omitempty"`
	PartialFingerprints map[string]string    `json:"partialFingerprints"`
	BaselineState       string               `json:"baselineState"`
	Suppressions        []sarifSuppression   `json:"suppressions,omitempty"`
	OccurrenceCount     int                  `json:"occurrenceCount"`
	Properties          sarifResultOwnership `json:"properties"`
}

type sarifResultOwnership struct {
	Fingerprint string   `json:"fingerprint"`
	Package     string   `json:"package"`
	Tests       []string `json:"tests,omitempty"`
	Standing    string   `json:"standing"`
	Ruling      string   `json:"ruling"`
}

type sarifLocation struct {
	ID        *int           `json:"id,omitempty"`
	Physical  sarifPhysical  `json:"physicalLocation"`
	Logical   []sarifLogical `json:"logicalLocations,omitempty"`
	MessageIn *sarifText     `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
	Context  *sarifRegion  `json:"contextRegion,omitempty"`
}

type sarifRegion struct {
	StartLine   int        `json:"startLine"`
	StartColumn int        `json:"startColumn,omitempty"`
	EndLine     int        `json:"endLine"`
	EndColumn   int        `json:"endColumn,omitempty"`
	Snippet     *sarifText `json:"snippet,omitempty"`
}

type sarifLogical struct {
	Name      string `json:"fullyQualifiedName"`
	Decorated string `json:"kind"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification,omitempty"`
}

// SARIF writes the findings as SARIF 2.1.0: every code as a rule with its help, and a result for each finding. What fails is an
// error; what the baseline knows is a note with an accepted suppression. A result that no line is known for is shown at its
// test, or at go.mod. What is over GitHub's limits is left out, the least bad first, and a notification says how many.
func SARIF(w io.Writer, v *verdict.Verdict, o Options) error {
	return writeSARIF(w, v, o, maxResults, maxSARIF)
}

// writeSARIF keeps to at most so many results, and to fewer bytes than the limit when it is compressed.
func writeSARIF(w io.Writer, v *verdict.Verdict, o Options, results, limit int) error {
	rules := newRuleSet(v)
	at := newPlaces(o)
	var all []json.RawMessage
	for i := range v.Findings {
		if i == results {
			break
		}
		one, err := json.Marshal(sarifResultOf(v, &v.Findings[i], rules, at))
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	for shown := len(all); ; shown = shown * 3 / 4 {
		var b bytes.Buffer
		list := jsonList{"results", shown, func(i int) any { return all[i] }}
		if err := writeJSON(&b, sarifLogOf(v, o, rules, shown), list); err != nil {
			return err
		}
		if shown == 0 || fits(b.Bytes(), limit) {
			_, err := w.Write(b.Bytes())
			return err
		}
	}
}

// fits says whether a document has fewer bytes than the limit when it is compressed.
func fits(doc []byte, limit int) bool {
	if len(doc) < limit {
		return true // gzip adds some bytes at most, and a document of JSON is not random
	}
	var n counter
	z := gzip.NewWriter(&n)
	z.Write(doc) // neither fails: n takes all
	z.Close()
	return int(n) < limit
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func sarifLogOf(v *verdict.Verdict, o Options, rules *ruleSet, shown int) sarifLog {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "Leakgate", InformationURI: toolURL, Rules: rules.list}},
		Invocations: []sarifInvocation{{
			ExecutionSuccessful: len(v.Problems) == 0, StartTimeUTC: utc(v.Began), EndTimeUTC: utc(v.Ended),
		}},
		OriginalURIBaseIDs: map[string]sarifArtifact{
			srcRoot: {Description: &sarifText{"The root of the repository."}},
		},
		ColumnKind: "utf16CodeUnits",
	}
	if version := strings.TrimPrefix(o.Version, "v"); version != "" {
		run.Tool.Driver.Version = o.Version
		if isSemantic(version) {
			run.Tool.Driver.SemanticVersion = version
		}
	}
	if o.Category != "" {
		id := visible(o.Category)
		if !strings.HasSuffix(id, "/") {
			id += "/" // GitHub takes what is before the last slash as the category, and the rest as the name of the run
		}
		run.AutomationDetails = &sarifAutomation{id}
	}
	note := func(level, said string) {
		in := &run.Invocations[0]
		in.Notifications = append(in.Notifications, sarifNotification{level, sarifText{sarifMessage(said)}})
	}
	for _, p := range v.Problems {
		note("error", problem(p))
	}
	for _, h := range v.Unended {
		note("warning", fmt.Sprintf("The process %d of %s ended without a word: what came after is not in the report.",
			h.PID, visible(h.Package)))
	}
	if n := len(v.Findings) - shown; n > 0 {
		note("warning", fmt.Sprintf("%s left out: GitHub keeps %d results and files of up to 10 MB.", plural(n, "finding"), maxResults))
	}
	return sarifLog{sarifSchema, "2.1.0", []sarifRun{run}}
}

func sarifResultOf(v *verdict.Verdict, f *verdict.Finding, rules *ruleSet, at *places) sarifResult {
	l := &f.Leak
	id, index := rules.of(l.Code)
	where := at.of(f)
	r := sarifResult{
		RuleID: id, RuleIndex: index, Level: "note",
		Locations:           []sarifLocation{sarifAt(where, l.Site.Source)},
		PartialFingerprints: map[string]string{fingerprintKey: f.ID},
		BaselineState:       baselineState(f),
		OccurrenceCount:     max(1, f.Count),
		Properties: sarifResultOwnership{
			Fingerprint: cut(f.Fingerprint, 8*maxField), Package: f.Package, Tests: atMost(f.Tests, 100),
			Standing: string(f.Standing), Ruling: ruling(v, f),
		},
	}
	if f.Fails() {
		r.Level = "error"
	}
	if fn := l.Site.Func; fn != "" && where.what == "" {
		r.Locations[0].Logical = []sarifLogical{{visible(fn), "function"}}
	}
	if f.Standing == verdict.Known {
		s := sarifSuppression{Kind: "external", Status: "accepted"}
		if f.Entry != nil {
			s.Justification = visible(f.Entry.Reason)
		}
		r.Suppressions = []sarifSuppression{s}
	}
	for _, fr := range callers(l) {
		file := inRepo(f, fr)
		if file == "" || len(r.RelatedLocations) == maxRelated {
			continue
		}
		n := len(r.RelatedLocations) + 1
		related := sarifAt(place{path: file, line: max(1, fr.Line)}, fr.Source)
		related.ID = &n
		related.MessageIn = &sarifText{sarifMessage(calledBy(f, fr.Func))}
		r.RelatedLocations = append(r.RelatedLocations, related)
	}
	r.Message.Text = sarifMessage(strings.Join(sentences(v, f, where), " "))
	if n := len(r.RelatedLocations); n > 0 { // GitHub shows them where the message links to them
		r.Message.Text += fmt.Sprintf(" See [where it was called from](%d).", n)
	}
	return r
}

// calledBy names a caller, and says of a test that it is one.
func calledBy(f *verdict.Finding, fn string) string {
	name := fn[strings.LastIndexByte(fn, '/')+1:]
	_, plain, _ := strings.Cut(name, ".")
	top, _, _ := strings.Cut(plain, ".")
	for _, t := range f.Tests {
		if head, _, _ := strings.Cut(t, "/"); head == top {
			return "in the test " + visible(top)
		}
	}
	return "called by " + visible(name)
}

// sentences is a finding for a format that has one text. The first is complete in itself: where there is little room, GitHub
// shows it alone.
func sentences(v *verdict.Verdict, f *verdict.Finding, at place) []string {
	l := &f.Leak
	out := []string{title(f) + "."}
	if at.what != "" && l.Site.File != "" {
		out = append(out, "It was taken at "+fileLine(f, l.Site)+".")
	}
	if l.Example {
		out = append(out, "The line is one of several.")
	}
	switch {
	case len(f.Tests) > 0:
		out = append(out, "Test: "+names(f.Tests, ", ", "and")+".")
	case len(l.Suspects) > 0:
		out = append(out, "Not attributed to a test: it could have been "+names(l.Suspects, ", ", "or")+".")
	}
	if l.State != "" {
		out = append(out, "State: "+visible(l.State)+".")
	}
	if l.Hint != "" {
		name := "Fix: "
		if l.Likely {
			name = "Fix, likely: "
		}
		out = append(out, name+visible(l.Hint))
	}
	if l.Unknown != "" {
		out = append(out, "No line: "+visible(l.Unknown)+".")
	}
	if f.Standing != verdict.New {
		out = append(out, upperFirst(ruling(v, f))+".")
	}
	return out
}

// sarifMessage escapes a message (SARIF 2.1.0, 3.11.6): "[text](1)" in it would be a link.
func sarifMessage(s string) string {
	if !strings.Contains(s, "](") {
		return s
	}
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(s)
}

func sarifAt(at place, source string) sarifLocation {
	end := 2 // one character: that a line has none is not possible where something is taken
	source = visible(source)
	if n := len(utf16.Encode([]rune(source))); n > 0 && at.what == "" {
		end = n + 1
	}
	l := sarifLocation{Physical: sarifPhysical{
		Artifact: sarifArtifact{URI: relativeURI(at.path), URIBaseID: srcRoot},
		Region:   sarifRegion{StartLine: at.line, StartColumn: 1, EndLine: at.line, EndColumn: end},
	}}
	if at.what != "" {
		l.MessageIn = &sarifText{sarifMessage(at.what)}
	} else if source != "" {
		l.Physical.Context = &sarifRegion{StartLine: at.line, EndLine: at.line, Snippet: &sarifText{source}}
	}
	return l
}

// baselineState is SARIF's word for the standing (3.27.24).
func baselineState(f *verdict.Finding) string {
	switch {
	case f.Standing == verdict.Over:
		return "updated"
	case f.Standing == verdict.New || f.Standing == verdict.Noted && f.Entry == nil:
		return "new"
	}
	return "unchanged"
}

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func atMost(all []string, n int) []string {
	return slices.Clip(all[:min(n, len(all))])
}

// isSemantic says whether a version has the form of Semantic Versioning 2.0.0, which a viewer may compare by.
func isSemantic(s string) bool {
	core, _, _ := strings.Cut(s, "+")
	core, _, _ = strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return false
	}
	for _, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
