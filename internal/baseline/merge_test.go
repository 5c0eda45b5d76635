package baseline

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// repository is one that git made, with the baseline at its root.
type repository struct {
	t   *testing.T
	dir string
}

func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err == nil {
		return
	}
	if os.Getenv("LEAKGATE_REQUIRE_SERVICES") == "1" {
		t.Fatal("git is not on PATH, and LEAKGATE_REQUIRE_SERVICES=1 wants it")
	}
	t.Skip("git is not on PATH")
}

func (r repository) git(args ...string) (string, int) {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	// The user's own settings (another style of conflict marks, hooks, signatures) are left out.
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_CONFIG_COUNT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (r repository) must(args ...string) {
	r.t.Helper()
	out, code := r.git(args...)
	require.Zero(r.t, code, "git %s: %s", strings.Join(args, " "), out)
}

func (r repository) path() string { return filepath.Join(r.dir, Name) }

func (r repository) commit(entries ...Entry) {
	r.t.Helper()
	f := &File{Path: r.path(), Entries: entries}
	require.NoError(r.t, f.Save())
	r.must("add", "-A")
	r.must("commit", "-q", "--allow-empty", "-m", "x")
}

// merge makes a repository with two branches and merges them.
func merge(t *testing.T, base, ours, theirs []Entry) (r repository, clean bool) {
	t.Helper()
	needGit(t)
	r = repository{t, t.TempDir()}
	r.must("init", "-q", "-b", "main")
	r.commit(base...)
	r.must("checkout", "-q", "-b", "theirs")
	r.commit(theirs...)
	r.must("checkout", "-q", "main")
	r.commit(ours...)
	_, code := r.git("merge", "-q", "-m", "x", "theirs")
	return r, code == 0
}

func listed(f *File) (out []string) {
	for _, e := range f.Entries {
		out = append(out, fmt.Sprintf("%s %s ×%d %s %s", e.Package, e.Fingerprint, e.Count, e.Reason, e.Owner))
	}
	return out
}

// The entries of these tests differ in their first line alone, as they do when one person accepts them on one day: the
// hardest case for a merge by lines.
func some(names ...string) (out []Entry) {
	for _, name := range names {
		out = append(out, entry(shop, name, 1))
	}
	return out
}

// TestMerge lets git merge what two branches did.
func TestMerge(t *testing.T) {
	raised := func(entries []Entry, name string, count int) []Entry {
		for i := range entries {
			if entries[i].Fingerprint == name {
				entries[i].Count = count
			}
		}
		return entries
	}
	for _, c := range []struct {
		name               string
		base, ours, theirs []Entry
		want               []Entry
	}{
		{"entries are added at different places", some("c", "f"), some("a", "c", "f"), some("c", "f", "g"), some("a", "c", "f", "g")},
		{"one removes, the other adds beside another", some("a", "c", "f"), some("c", "f"), some("a", "c", "d", "f"), some("c", "d", "f")},
		{"both change, different entries", some("a", "c", "f"), raised(some("a", "c", "f"), "a", 5), raised(some("a", "c", "f"), "f", 7), raised(raised(some("a", "c", "f"), "a", 5), "f", 7)},
		{"both change, neighbours", some("a", "c"), raised(some("a", "c"), "a", 5), raised(some("a", "c"), "c", 7), raised(raised(some("a", "c"), "a", 5), "c", 7)},
		{"both remove, different entries", some("a", "c", "d", "f"), some("a", "d", "f"), some("a", "c", "d"), some("a", "d")},
		{"both add the same", some("a"), some("a", "b"), some("a", "b"), some("a", "b")},
		{"both remove the same", some("a", "b", "c"), some("a", "c"), some("a", "c"), some("a", "c")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, clean := merge(t, c.base, c.ours, c.theirs)
			require.True(t, clean, "a conflict")
			f, err := Load(r.path())
			require.NoError(t, err)
			assert.Equal(t, listed(file(c.want...)), listed(f))
		})
	}
}

// keepBoth is what "accept both changes" of an editor does.
func keepBoth(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, withoutMarks(data), 0o600))
}

func withoutMarks(data []byte) []byte {
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if conflictMark([]byte(line)) == "" {
			b.WriteString(line)
		}
	}
	return []byte(b.String())
}

func theirOwn(name, reason, owner string) Entry {
	e := entry(shop, name, 1)
	e.Reason, e.Owner = reason, owner
	return e
}

// TestMergeConflict: what both sides add at one place is a conflict, the error names the line of the mark, and keeping both
// sides is right.
func TestMergeConflict(t *testing.T) {
	owned := func(names ...string) []Entry {
		out := some(names...)
		out[0].Owner, out[0].Code = "@a", "LK102"
		return out
	}
	for _, c := range []struct {
		name               string
		base, ours, theirs []Entry
		want               []Entry
	}{
		{"one each", some("a", "z"), some("a", "m", "z"), some("a", "n", "z"), some("a", "m", "n", "z")},
		{"at the end", some("a"), some("a", "m"), some("a", "n"), some("a", "m", "n")},
		{"several", some("a", "z"), some("a", "k", "m", "z"), some("a", "l", "n", "z"), some("a", "k", "l", "m", "n", "z")},
		{"with lines that differ", some("z"), append(owned("m"), some("z")...), some("n", "z"), append(owned("m"), some("n", "z")...)},
		{"with owners and other reasons", some("a"), append(some("a"), theirOwn("m", "r1", "@o")), append(some("a"), theirOwn("n", "r2", "@o")),
			append(some("a"), theirOwn("m", "r1", "@o"), theirOwn("n", "r2", "@o"))},
		{"one has an owner", some("a"), append(some("a"), theirOwn("m", "r", "")), append(some("a"), theirOwn("n", "r", "@o")),
			append(some("a"), theirOwn("m", "r", ""), theirOwn("n", "r", "@o"))},
		{"the file is new on both sides", nil, some("m"), some("n"), some("m", "n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, clean := merge(t, c.base, c.ours, c.theirs)
			require.False(t, clean, "no conflict")
			_, err := Load(r.path())
			var e *Error
			require.ErrorAs(t, err, &e)
			data, err := os.ReadFile(r.path())
			require.NoError(t, err)
			at := strings.Split(string(data), "\n")[e.Problems[0].Line-1]
			assert.Equal(t, "<<<<<<< HEAD", at)
			assert.Contains(t, e.Error(), `"<<<<<<< HEAD" is a mark of a merge conflict`)

			keepBoth(t, r.path())
			f, err := Load(r.path())
			require.NoError(t, err, "%s", data)
			assert.Equal(t, listed(file(c.want...)), listed(f), "%s", data)
		})
	}
}

func counted(f *File) (out []string) {
	for _, e := range f.Entries {
		out = append(out, fmt.Sprintf("%s %s ×%d", e.Package, e.Fingerprint, e.Count))
	}
	return out
}

// TestMergeByChance makes two branches of any kind. Where git sees no conflict the result is that of a merge by entries. Where
// the conflict is of added entries alone, keeping both sides is, but for words of people: where several entries were added on
// each side, git may leave a reason or an owner that entries share below another one.
func TestMergeByChance(t *testing.T) {
	needGit(t)
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	clean, kept := 0, 0
	for round := range rounds {
		var base, ours, theirs, want []Entry
		added := true // nothing but additions
		for _, c := range "abcdefghijklmnopqrst" {
			e := entry([]string{"p", "q"}[random.IntN(2)], string(c), 1+random.IntN(2))
			if random.IntN(3) == 0 {
				e.Owner = "@" + string(c)
			}
			if random.IntN(4) == 0 {
				e.Reason = "because of " + string(c)
			}
			changed := e
			changed.Count = 7
			what := random.IntN(12)
			if round%2 == 1 && what >= 2 && what <= 5 {
				what = 6
			}
			switch what {
			case 0:
				ours, want = append(ours, e), append(want, e)
			case 1:
				theirs, want = append(theirs, e), append(want, e)
			case 2:
				base, theirs, added = append(base, e), append(theirs, e), false
			case 3:
				base, ours, added = append(base, e), append(ours, e), false
			case 4:
				base, ours, theirs, want, added = append(base, e), append(ours, changed), append(theirs, e), append(want, changed), false
			case 5:
				base, ours, theirs, want, added = append(base, e), append(ours, e), append(theirs, changed), append(want, changed), false
			case 6, 7, 8:
				// an entry that never was
			default:
				base, ours, theirs, want = append(base, e), append(ours, e), append(theirs, e), append(want, e)
			}
		}
		var paths []string
		for i, side := range [][]Entry{ours, base, theirs} {
			path := filepath.Join(dir, fmt.Sprintf("%d.%d", round, i))
			require.NoError(t, os.WriteFile(path, file(side...).Format(), 0o600))
			paths = append(paths, path)
		}
		before := kept
		out, err := exec.Command("git", append([]string{"merge-file", "-p"}, paths...)...).Output()
		var exit *exec.ExitError
		if err != nil {
			require.ErrorAs(t, err, &exit)
			if !added {
				continue
			}
			kept++
			out = withoutMarks(out)
		} else {
			clean++
		}
		f, err := Parse(Name, out)
		require.NoError(t, err, "round %d: %s", round, out)
		if kept == before {
			require.Equal(t, listed(file(want...)), listed(f), "round %d: %s", round, out)
		} else {
			require.Equal(t, counted(file(want...)), counted(f), "round %d: %s", round, out)
		}
	}
	t.Logf("%d clean merges, %d conflicts with both sides kept", clean, kept)
	assert.NotZero(t, clean)
	assert.NotZero(t, kept)
}
