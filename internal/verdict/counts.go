package verdict

import "github.com/leakgate/leakgate/fragment"

// Counts is a verdict in numbers.
type Counts struct {
	// Findings, by standing. Fail is New, Over and Expired together.
	New, Over, Expired, Known, Noted, Fail int
	// Resources leaked by what fails, and by what is known: each finding's Count, added up.
	FailLeaks, KnownLeaks int

	Stale, Unjudged int // entries of the baseline
	Tests           int // tests by name: one that ran twice counts once; a subtest counts when it is in the report
	// Runs of tests, by result; together more than Tests when one ran twice.
	Passed, Failed, Leaked, Skipped int
	Packages                        int
	Ignored                         int // resources that Ignore options set aside
	Unended, Problems               int
}

// Counts adds up.
func (v *Verdict) Counts() Counts {
	c := Counts{
		Stale: len(v.Stale), Unjudged: len(v.Unjudged), Packages: len(v.Packages), Unended: len(v.Unended), Problems: len(v.Problems),
	}
	for i := range v.Findings {
		f := &v.Findings[i]
		switch f.Standing {
		case New:
			c.New++
		case Over:
			c.Over++
		case Expired:
			c.Expired++
		case Known:
			c.Known++
			c.KnownLeaks += f.Count
		case Noted:
			c.Noted++
		}
		if f.Fails() {
			c.Fail++
			c.FailLeaks += f.Count
		}
	}
	for i := range v.Tests {
		t := &v.Tests[i]
		if i == 0 || t.Package != v.Tests[i-1].Package || t.Name != v.Tests[i-1].Name { // they are sorted by both
			c.Tests++
		}
		switch t.Result {
		case fragment.Passed:
			c.Passed++
		case fragment.Failed:
			c.Failed++
		case fragment.Leaked:
			c.Leaked++
		case fragment.Skipped:
			c.Skipped++
		}
	}
	for _, ig := range v.Ignored {
		c.Ignored += ig.Count
	}
	return c
}
