package verdict_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/codes"
	"github.com/leakgate/leakgate/internal/verdict"
	"github.com/leakgate/leakgate/internal/verdict/sample"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares the text with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test ./internal/verdict -update to write it")
	require.Equal(t, string(want), got)
}

// TestSample: the whole sample, so that a change of any rule shows.
func TestSample(t *testing.T) {
	golden(t, "sample", dump(sample.Verdict()))
}

func TestCleanSample(t *testing.T) {
	v := verdict.Merge(sample.Clean())
	require.False(t, v.Red())
	golden(t, "clean", dump(v))
}

// TestSampleHasAll: what the sample promises to the tests of other packages.
func TestSampleHasAll(t *testing.T) {
	v := sample.Verdict()
	found := make(map[string]bool)
	for _, f := range v.Findings {
		found[string(f.Standing)] = true
		found[f.Leak.Code] = true
		if len(f.Leak.Suspects) > 0 && f.Leak.Test == "" {
			found["unattributed"] = true
		}
	}
	for _, s := range verdict.Standings() {
		assert.True(t, found[string(s)], "a finding that is %s", s)
	}
	for _, c := range codes.All() {
		assert.True(t, found[c.ID], "a finding with the code %s", c.ID)
	}
	assert.True(t, found["unattributed"])
	assert.NotEmpty(t, v.Stale)
	assert.NotEmpty(t, v.Unended)
	assert.NotEmpty(t, v.Problems)
	assert.NotEmpty(t, v.Unused)
	assert.Equal(t, 1, v.Copies)
	reasons := make(map[string]bool)
	for _, u := range v.Unjudged {
		reasons[u.Why] = true
	}
	assert.GreaterOrEqual(t, len(reasons), 6, "reasons why entries were not judged")
	shares := make(map[string]bool)
	for _, p := range v.Pools() {
		switch s := p.Share(); {
		case s == 0:
			shares["size not known"] = true
		case s < 0.75:
			shares["below"] = true
		case s == 0.75:
			shares["at"] = true
		default:
			shares["above"] = true
		}
	}
	assert.Len(t, shares, 4, "pools below, at and above 75 %% of their size, and of no known size")
}

// TestOrderDoesNotMatter: the same fragments and baselines give the same verdict in any order, to the last field.
func TestOrderDoesNotMatter(t *testing.T) {
	want := sample.Verdict()
	for seed := range uint64(20) {
		require.Equal(t, want, verdict.Merge(shuffled(seed)), "seed %d", seed)
	}
}

// shuffled is the sample in another order, always the same for a seed.
func shuffled(seed uint64) verdict.Input {
	r := rand.New(rand.NewPCG(seed, 2))
	in := sample.Input()
	shuffle(r, in.Fragments)
	for _, f := range in.Fragments {
		shuffle(r, f.Tests)
		shuffle(r, f.Leaks)
		shuffle(r, f.Ignored)
		shuffle(r, f.Samples)
	}
	for _, module := range slices.Sorted(maps.Keys(in.Baselines)) {
		shuffle(r, in.Baselines[module].Entries)
	}
	return in
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// TestMergeChangesNothing: what it is given stays as it was.
func TestMergeChangesNothing(t *testing.T) {
	in := shuffled(1)
	verdict.Merge(in)
	require.Equal(t, shuffled(1), in)
}

// TestCountsAgree: the numbers are those of the lists.
func TestCountsAgree(t *testing.T) {
	v := sample.Verdict()
	c := v.Counts()
	golden(t, "counts", strings.ReplaceAll(strings.Trim(fmt.Sprintf("%+v", c), "{}"), " ", "\n")+"\n")
	assert.Len(t, v.Findings, c.New+c.Over+c.Expired+c.Known+c.Noted)
	assert.Equal(t, c.Fail, c.New+c.Over+c.Expired)
	assert.Len(t, v.Tests, c.Passed+c.Failed+c.Leaked+c.Skipped)
	assert.Less(t, c.Tests, len(v.Tests), "some ran twice")
	assert.Equal(t, v.Red(), c.Fail > 0)
	assert.Equal(t, verdict.Counts{}, new(verdict.Verdict).Counts())
}

// TestTitlesAreOneLine: whatever the code under test calls its things.
func TestTitlesAreOneLine(t *testing.T) {
	for _, text := range append(sample.Hostile(), "") {
		e := baseline.Entry{Reason: text, Owner: text, Expires: text}
		for _, s := range verdict.Standings() {
			f := verdict.Finding{Standing: s, Count: 2, Entry: &e, Leak: fragment.Leak{Summary: text, Expired: text}}
			for _, line := range []string{f.Title(), f.Ruling()} {
				assert.NotEmpty(t, line)
				assert.True(t, utf8.ValidString(line), "%q", line)
				assert.Equal(t, -1, strings.IndexFunc(line, func(r rune) bool {
					return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
				}), "%q", line)
			}
		}
	}
	f := verdict.Finding{Count: 3, Leak: fragment.Leak{Kind: "socket"}}
	assert.Equal(t, "socket (×3)", f.Title(), "one without a summary")
	assert.Equal(t, "a leak", new(verdict.Finding).Title())
}

func BenchmarkMerge(b *testing.B) {
	in := sample.Large()
	b.ReportAllocs()
	for b.Loop() {
		verdict.Merge(in)
	}
}

func BenchmarkPools(b *testing.B) {
	v := verdict.Merge(sample.Large())
	for b.Loop() {
		v.Pools()
	}
}

func BenchmarkThin(b *testing.B) {
	s := wander(10_000, rand.New(rand.NewPCG(1, 1)))
	for b.Loop() {
		s.Thin(300)
	}
}

// TestLarge: what Large promises.
func TestLarge(t *testing.T) {
	v := verdict.Merge(sample.Large())
	c := v.Counts()
	assert.Equal(t, []int{200, 10_000, 1000}, []int{v.Fragments, c.Tests, len(v.Findings)})
	assert.Positive(t, c.Known)
	assert.Positive(t, c.Over)
}
