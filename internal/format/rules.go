package format

import (
	"strings"

	"github.com/leakgate/leakgate/internal/codes"
	"github.com/leakgate/leakgate/internal/verdict"
)

// maxDescription bounds a rule's descriptions, in bytes: GitHub takes 1 024 characters.
const maxDescription = 1000

// unknownCode names the rule of findings whose code is empty.
const unknownCode = "unknown"

// ruleSet are the rules that a report may refer to: every code of ours, whatever was found, and those that the findings have
// beside.
type ruleSet struct {
	list  []sarifRule
	index map[string]int
}

func newRuleSet(v *verdict.Verdict) *ruleSet {
	s := &ruleSet{index: map[string]int{}}
	for _, c := range codes.All() {
		s.add(sarifRule{
			ID: c.ID, Name: c.Name(),
			ShortDescription: sarifText{upperFirst(cut(c.Short, maxDescription))},
			FullDescription:  sarifText{cut(c.Full, maxDescription)},
			Help:             sarifHelp{c.Plain(), c.Markdown}, HelpURI: c.URL(),
			Properties: sarifProperties{Tags: c.Tags},
		})
	}
	for i := range v.Findings {
		id := ruleID(v.Findings[i].Leak.Code)
		if _, ok := s.index[id]; ok {
			continue
		}
		said := "What a probe of your own reports as " + id
		s.add(sarifRule{
			ID: id, ShortDescription: sarifText{said}, FullDescription: sarifText{said + "."},
			Help: sarifHelp{Text: "The code is not one of Leakgate's: see the probe that reports it."},
		})
	}
	return s
}

func (s *ruleSet) add(r sarifRule) {
	r.DefaultConfiguration = sarifLevel{"error"}
	s.index[r.ID] = len(s.list)
	s.list = append(s.list, r)
}

// of gives the rule's name and where it stands.
func (s *ruleSet) of(code string) (id string, index int) {
	id = ruleID(code)
	return id, s.index[id]
}

func ruleID(code string) string {
	if code = strings.TrimSpace(cut(visible(code), 100)); code == "" {
		return unknownCode
	}
	return code
}

// docURL is where the code is explained, "" for one that is not ours.
func docURL(code string) string {
	c, ok := codes.Find(code)
	if !ok {
		return ""
	}
	return c.URL()
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
