package format

import (
	"fmt"
	"io"
	"strings"

	"github.com/leakgate/leakgate/internal/verdict"
)

type gitlabIssue struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
}

// GitLab writes the findings as a GitLab code quality report: a list with an issue for each. GitLab compares by fingerprint
// with the report of the target branch, so known leaks are in it too, as "info": they are in both, and nothing is said of
// them. What fails is "critical".
func GitLab(w io.Writer, v *verdict.Verdict, o Options) error {
	at := newPlaces(o)
	rules := newRuleSet(v)
	out := make([]gitlabIssue, 0, len(v.Findings))
	used := map[string]int{}
	for i := range v.Findings {
		f := &v.Findings[i]
		where := at.of(f)
		check, _ := rules.of(f.Leak.Code)
		issue := gitlabIssue{
			Description: strings.Join(sentences(v, f, where), " "), CheckName: check, Fingerprint: f.ID, Severity: severity(f),
			Location: gitlabLocation{where.path, gitlabLines{where.line}},
		}
		// Of two issues with one fingerprint GitLab shows one. Merge gives each key an ID of its own; this is for what it did
		// not make.
		if used[f.ID]++; used[f.ID] > 1 {
			issue.Fingerprint = fmt.Sprintf("%s-%d", f.ID, used[f.ID])
		}
		out = append(out, issue)
	}
	return writeJSON(w, out)
}

// severity is one of GitLab's: info, minor, major, critical, blocker.
func severity(f *verdict.Finding) string {
	switch {
	case f.Fails():
		return "critical"
	case f.Standing == verdict.Noted:
		return "minor"
	}
	return "info"
}
