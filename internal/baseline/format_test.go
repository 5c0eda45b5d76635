package baseline

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse(Name, []byte(text))
	require.NoError(t, err)
	return f
}

func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

// TestParse reads what people do to a file: another order, no blank lines, comments anywhere.
func TestParse(t *testing.T) {
	f := parse(t, lines(
		"# the header", "# goes on", "", "# of payments", "leak:  http-response | GET |  x | TestA", "package: example.com/a", "",
		"count: 2", "code:\tLK001", "owner: @payments", "# see issue 12", "reason: old: very old # really", "expires: 2027-01-01", "added: 2026-11-21",
		"# it flaps", "", "# a section", "", "leak: goroutine | x | y | TestB", "added: 2026-11-22", "reason: r", "count: 1", "code: LK102", "package: example.com/a",
		"", "# the end",
	))
	assert.Equal(t, []string{"the header", "goes on"}, f.Header)
	assert.Equal(t, []string{"the end"}, f.Footer)
	require.Len(t, f.Entries, 2)
	b, a := f.Entries[0], f.Entries[1]
	assert.Equal(t, Entry{
		Key:   Key{"example.com/a", "http-response | GET | x | TestA"},
		Count: 2, Code: "LK001", Reason: "old: very old # really", Owner: "@payments", Expires: "2027-01-01", Added: "2026-11-21",
		Notes: []string{"of payments", "see issue 12", "it flaps"}, Line: 5,
		above: 1, order: []string{"owner", "#", "reason", "expires", "added", "#"},
	}, a)
	assert.Equal(t, []string{"a section"}, b.Notes)
	assert.Equal(t, 19, b.Line)
	assert.Same(t, &f.Entries[1], f.Find(Key{"example.com/a", "http-response | GET | x | TestA "}), "white space does not matter")
	assert.Nil(t, f.Find(Key{"example.com/b", "http-response | GET | x | TestA"}))
}

// TestFormat: a rewrite keeps what people wrote, in their order, and puts the rest in ours.
func TestFormat(t *testing.T) {
	const header = "# mine\n"
	for _, c := range []struct{ name, in, want string }{
		{"own order and comments", lines(
			"# mine", "", "# above", "leak: b", "owner: @o", "# why it is late", "reason: r", "count: 2", "added: 2026-11-21", "# last", "package: p", "code: LK001"), lines(
			"# mine", "", "# above", "leak: b", "package: p", "code: LK001", "count: 2", "id: c1190eac012c877c", "owner: @o", "# why it is late", "reason: r", "added: 2026-11-21", "# last")},
		{"sorted by package, then leak; a comment goes with its entry", lines(
			"# mine", "", "# z", "leak: z", "package: p", "code: C", "count: 1", "reason: r", "added: d", "# on z", "",
			"# a", "leak: a", "package: q", "code: C", "count: 1", "reason: r", "added: d",
			"# b", "leak: b", "package: p", "code: C", "count: 1", "reason: r", "added: d", "", "# end"), lines(
			"# mine", "", "# b", "leak: b", "package: p", "code: C", "count: 1", "id: c1190eac012c877c", "reason: r", "added: d", "",
			"# z", "leak: z", "package: p", "code: C", "count: 1", "id: fed408725d7f2de4", "reason: r", "added: d", "# on z", "",
			"# a", "leak: a", "package: q", "code: C", "count: 1", "id: 0d317b0da1b1c6fe", "reason: r", "added: d", "", "# end")},
		{"rules and empty comments stay, blank lines between comments become empty ones", lines(
			"#####", "#", "#  indented", "#x", "", "# two", "", "leak: a", "package: p", "code: C", "count: 1", "reason: r", "added: d"), lines(
			"#####", "#", "#  indented", "# x", "#", "# two", "", "leak: a", "package: p", "code: C", "count: 1", "id: a11efd2502f9ff34", "reason: r", "added: d")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(parse(t, c.in).Format())
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want, string(parse(t, got).Format()), "again")
		})
	}

	t.Run("a new file has our header, and new keys have their places", func(t *testing.T) {
		f := &File{Entries: []Entry{{Key: Key{"p", "leak \n one | "}, Count: 3, Code: "LK001", Reason: "two\nlines", Added: "2026-11-21", Notes: []string{"n"}}}}
		text := string(f.Format())
		assert.True(t, strings.HasPrefix(text, "# Leaks that were there when Leakgate came."), text)
		assert.True(t, strings.HasSuffix(text, "\n\nleak: leak one |\npackage: p\ncode: LK001\ncount: 3\nid: 35661e55597cf636\nreason: two lines\nadded: 2026-11-21\n# n\n"), text)
		got := parse(t, text)
		got.Entries[0].Expires, got.Entries[0].Owner = "2027-01-01", "@o"
		assert.Contains(t, string(got.Format()), "reason: two lines\nowner: @o\nexpires: 2027-01-01\nadded: 2026-11-21\n# n\n")
	})
	t.Run("Windows line ends stay", func(t *testing.T) {
		in := strings.ReplaceAll(header+"\nleak: a\npackage: p\ncode: C\ncount: 1\nid: a11efd2502f9ff34\nreason: r\nadded: d\n", "\n", "\r\n")
		assert.Equal(t, in, string(parse(t, in).Format()))
	})
	t.Run("a byte order mark and a last line without an end are read", func(t *testing.T) {
		f := parse(t, "\ufeff# mine\n\nleak: a\npackage: p\ncode: C\ncount: 1\nreason: r\nadded: d")
		assert.Equal(t, "d", f.Entries[0].Added)
		assert.Equal(t, []string{"mine"}, f.Header)
	})
	t.Run("no entries", func(t *testing.T) {
		for _, text := range []string{"", "\n\n", "# only\n# comments\n\n#", "\ufeff", "\r\n"} {
			assert.Empty(t, parse(t, text).Entries, "%q", text)
		}
	})
}

// TestKey: what a probe of the user's own puts into a fingerprint must not break the file.
func TestKey(t *testing.T) {
	for in, want := range map[string]string{
		"a | b |  | ":          "a | b | |",
		"a\nleak: b":           "a leak: b",
		"\x00a\x1b[31m\u0085b": "a [31m b",
		"bad \xff utf":         "bad \uFFFD utf",
		"":                     "-",
		" \t":                  "-",
		"# a":                  "# a",
		"<<<<<<< a":            "<<<<<<< a",
	} {
		assert.Equal(t, want, NewKey("p", in).Fingerprint, "%q", in)
	}
	one, two := NewKey("p", strings.Repeat("é", maxPart)+"1"), NewKey("p", strings.Repeat("é", maxPart)+"2")
	assert.NotEqual(t, one, two, "a long one keeps its end in a hash")
	assert.LessOrEqual(t, len(one.Fingerprint), maxPart)
	assert.Equal(t, one, canonicalKey(one), "which stays as it is")
}

func entry(pkg, leak string, count int) Entry {
	return Entry{Key: NewKey(pkg, leak), Count: count, Code: "LK001", Reason: "old", Added: "2026-11-01"}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, Name)
	f := &File{Path: path, Entries: []Entry{entry("p", "b", 1), entry("p", "a", 2)}}
	require.NoError(t, f.Save())
	got, err := Load(path)
	require.NoError(t, err)
	assert.Equal(t, "a", got.Entries[0].Fingerprint)

	t.Run("the mode stays", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no such modes")
		}
		require.NoError(t, os.Chmod(path, 0o664))
		got.Entries[0].Count = 7
		require.NoError(t, got.Save())
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o664), info.Mode().Perm())
	})
	t.Run("the same text is not written", func(t *testing.T) {
		before, err := os.Stat(path)
		require.NoError(t, err)
		again, err := Load(path)
		require.NoError(t, err)
		require.NoError(t, again.Save())
		after, err := os.Stat(path)
		require.NoError(t, err)
		assert.True(t, os.SameFile(before, after))
	})
	t.Run("another text is another file, put in its place", func(t *testing.T) {
		before, err := os.Stat(path)
		require.NoError(t, err)
		got.Entries[0].Count++
		require.NoError(t, got.Save())
		after, err := os.Stat(path)
		require.NoError(t, err)
		assert.False(t, os.SameFile(before, after), "who has the old one open reads it to its end")
	})
	t.Run("a link stays a link", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), Name)
		if err := os.Symlink(path, link); err != nil {
			t.Skip("no links here: " + err.Error())
		}
		f, err := Load(link)
		require.NoError(t, err)
		f.Entries[0].Count = 11
		require.NoError(t, f.Save())
		info, err := os.Lstat(link)
		require.NoError(t, err)
		assert.NotZero(t, info.Mode()&os.ModeSymlink)
		f, err = Load(path)
		require.NoError(t, err)
		assert.Equal(t, 11, f.Entries[0].Count)
	})
	t.Run("what could not be read again is not written", func(t *testing.T) {
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		bad := &File{Path: path, Entries: []Entry{entry("p", "a", 1), entry("p", "b", 0)}}
		assert.ErrorContains(t, bad.Save(), "the baseline is not written, because it could not be read again: ")
		bad.Entries[1] = entry("p", "a", 2)
		assert.ErrorContains(t, bad.Save(), "has an entry in line")
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(before), string(after))
	})
	t.Run("nothing is left beside it", func(t *testing.T) {
		all, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, all, 1)
		unwritable := &File{Path: filepath.Join(dir, "not", "there"), Entries: []Entry{entry("p", "a", 1)}}
		assert.ErrorContains(t, unwritable.Save(), "the baseline cannot be written: ")
		folder := &File{Path: dir, Entries: unwritable.Entries}
		assert.Error(t, folder.Save())
		all, err = os.ReadDir(filepath.Dir(dir))
		require.NoError(t, err)
		for _, e := range all {
			assert.False(t, strings.HasPrefix(e.Name(), "."), e.Name())
		}
	})
	t.Run("one without entries is removed", func(t *testing.T) {
		f := &File{Path: path}
		require.NoError(t, f.Save())
		assert.NoFileExists(t, path)
		require.NoError(t, f.Save(), "and need not be there")
	})
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, Name)
	_, err := Load(path)
	assert.ErrorIs(t, err, os.ErrNotExist)

	_, err = Load(dir)
	assert.EqualError(t, err, dir+": is a folder, and a baseline is a file of text: name the file itself")

	// A hole: 100 MB that are nowhere.
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, 100<<20))
	const large = " MB, and a baseline has at most 16 MB, which is enough for 30 000 leaks: is it another file?"
	_, err = Load(path)
	assert.EqualError(t, err, path+": has 100.0"+large)
	_, err = Parse(Name, make([]byte, maxFile+1))
	assert.EqualError(t, err, Name+": has 16.0"+large)
}

func TestLapse(t *testing.T) {
	for expires, want := range map[string]string{
		"":             "",
		"2026-11-22":   "",
		"9999-12-31":   "",
		"2026-11-21":   "the baseline accepted it until 2026-11-21 (old; @data)",
		"2020-02-29":   "the baseline accepted it until 2020-02-29 (old; @data)",
		"next week":    "the baseline's date for it cannot be read (expires: next week), and is to be like 2027-03-01 (old; @data)",
		"2027-02-30":   "the baseline's date for it cannot be read (expires: 2027-02-30), and is to be like 2027-03-01 (old; @data)",
		"2027-1-2":     "the baseline's date for it cannot be read (expires: 2027-1-2), and is to be like 2027-03-01 (old; @data)",
		"2027-01-02 #": "the baseline's date for it cannot be read (expires: 2027-01-02 #), and is to be like 2027-03-01 (old; @data)",
	} {
		e := Entry{Expires: expires, Reason: "old", Owner: "@data"}
		why, lapsed := e.Lapse(noon)
		assert.Equal(t, want, why, expires)
		assert.Equal(t, want != "", lapsed, expires)
		assert.Equal(t, lapsed, e.Expired(noon), expires)
	}
	why, _ := (&Entry{Expires: "2026-01-01", Reason: "old"}).Lapse(noon)
	assert.Equal(t, "the baseline accepted it until 2026-01-01 (old)", why)
}

func TestLocate(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("go.mod", "// module wrong\nmodule example.com/shop // the shop\n\ngo 1.25.0\n")
	write("store/sql/x.go", "package sql\n")
	write("tools/go.mod", "\ufeffmodules x\nmodule (\r\n\t\"example.com/shop/tools\"\r\n)\n")
	write("tools/cmd/x.go", "package main\n")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "odd", "go.mod"), 0o755))

	for _, c := range []struct{ dir, module, want string }{
		{".", "example.com/shop", "."},
		{"store/sql", "example.com/shop", "."},
		{"store/sql", "", "."},
		{"store/not/there", "example.com/shop", "."},
		{"tools/cmd", "example.com/shop/tools", "tools"},
		{"tools/cmd", "", "tools"},
		{"tools/cmd", "example.com/shop", "."},
		{"odd", "example.com/shop", "."},
	} {
		got, err := Locate(filepath.Join(root, filepath.FromSlash(c.dir)), c.module)
		require.NoError(t, err, "%+v", c)
		assert.Equal(t, filepath.Join(root, c.want, Name), got, "%+v", c)
	}
	_, err := Locate(filepath.Join(root, "tools"), "example.com/other")
	require.ErrorIs(t, err, ErrNoModule)
	assert.ErrorContains(t, err, "there is no go.mod of the module at or above the folder: looked for example.com/other from ")
	assert.ErrorContains(t, err, filepath.Join(root, "tools", "go.mod")+" is of example.com/shop/tools, "+filepath.Join(root, "go.mod")+" is of example.com/shop")

}

// TestDocumentation: the example of the package's documentation is a file.
func TestDocumentation(t *testing.T) {
	source, err := os.ReadFile("baseline.go")
	require.NoError(t, err)
	var text strings.Builder
	for line := range strings.Lines(string(source)) {
		if example, ok := strings.CutPrefix(line, "//\t"); ok {
			text.WriteString(example)
		}
	}
	f := parse(t, text.String())
	require.Len(t, f.Entries, 1)
	f.Header = []string{"-"}
	assert.Equal(t, "# -\n\n"+text.String(), string(f.Format()))
}
