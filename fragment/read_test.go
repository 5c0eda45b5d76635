package fragment

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

const head = `{"leakgate":"fragment","version":1,"package":"p","records":[`

// written is a document with one record of each kind.
func written(t testing.TB) []byte {
	t.Helper()
	w := create(t, t.TempDir())
	require.NoError(t, w.Test(test()))
	require.NoError(t, w.Leak(leak()))
	require.NoError(t, w.Ignored(Ignored{Test: "TestClient", Reason: "lives as long as the process", Count: 2}))
	require.NoError(t, w.Samples([]Sample{{At: began, Goroutines: 3, Sockets: 2, Leased: map[string]int{"db": 2}}}))
	require.NoError(t, w.End(End{At: began, Code: 1}))
	doc, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	return doc
}

// TestMessages holds the errors of a reader, each whole and with the reason why it is there.
func TestMessages(t *testing.T) {
	var b strings.Builder
	for _, c := range []struct{ name, reason, doc string }{
		{"empty", "a disk that was full, or a file that somebody made", ""},
		{"blank", "the same", " \n"},
		{"text", "a log that was given the name", "2026/11/21 leaks found"},
		{"list", "another tool's report", `[{"a":1}]`},
		{"other", "another tool's report", `{"results":[{"a":[{}]}],"version":"2.1.0"}`},
		{"other leakgate", "what another command of Leakgate writes", `{"leakgate":"report","version":1}`},
		{"no JSON", "another tool's file", `{"a":b}`},
		{"large", "another tool's file, of which no more is read", `{"a":"` + strings.Repeat("x", markWithin) + `","leakgate":"fragment"}`},
		{"version 2", "a fragment of a later version", `{"leakgate":"fragment","version":2,"package":7,"records":{}}`},
		{"version text", "the version may be anything", `{"leakgate":"fragment","version":"1"}`},
		{"no version", "or missing", `{"leakgate":"fragment","package":"p"}`},
		{"no package", "what it is about must be known", `{"leakgate":"fragment","version":1,"records":[{"test":{"name":"TestA"}}]}`},
		{"header", "a member of the header of a wrong type: the others count", `{"leakgate":"fragment","version":1,"package":"p","pid":"12","began":"yesterday","main":1,"records":[]}`},
		{"no list", "records of a wrong type", `{"leakgate":"fragment","version":1,"package":"p","records":{"test":{}}}`},
		{"wrong type", "a record is left out, and the others count", head + `{"leak":{"code":"LK001","count":"two"}},{"test":{"name":"TestA"}},{"leak":{"site":{"line":1.5}}},{"leak":{"stack":[{},{"func":[]}]}}]}`},
		{"wrong time", "a text that is no time", head + `{"test":{"began":"yesterday"}},{"test":{"took":1e99}}]}`},
		{"no object", "a record that is none", head + `1,"x",null,[],{"test":[]}]}`},
		{"bad record", "broken within: it is clear where the next one begins", head + `{"test":{"name":TestA}},{"test":{"name":"TestB"}}]}`},
		{"many", "only the first are told one by one", head + strings.Repeat(`{"test":1},`, 30) + `{}]}`},
		{"deep", "nothing of Leakgate's is nested that much", head + strings.Repeat(`{"x":`, 100) + `1` + strings.Repeat(`}`, 100) + `]}`},
		{"very deep", "and a reader's stack is safe from it", head + strings.Repeat(`[`, 1<<20) + strings.Repeat(`]`, 1<<20) + `]}`},
		{"large record", "it is left out, and the others count", head + `{"leak":{"why":"` + strings.Repeat("x", maxRecord) + `"}},{"test":{"name":"TestB"}}]}`},
		{"cut header", "copied before it was done", head[:40]},
		{"cut in its name", "copied before it says what it is", head[:9]},
		{"cut record", "killed while it wrote", head + "\n" + `{"test":{"name":"TestA"}},` + "\n" + `{"test":{"na`},
		{"cut behind a comma", "killed while it wrote", head + "\n" + `{"test":{"name":"TestA"}},` + "\n"},
		{"no end", "killed while it wrote", head + "\n" + `{"test":{"name":"TestA"}}` + "\n]"},
		{"old tail", "killed when the comma was written and no more: the old end is behind it", head + "\n" + `{"test":{"name":"TestA"}},` + "\n}\n"},
		{"zeros", "the machine went down: the file system has the length and not the bytes", head + "\n" + `{"test":{"name":"TestA"}}` + strings.Repeat("\x00", 20)},
		{"joined", "two fragments in one file", head + `]}` + head + `]}`},
	} {
		f, err := Read(strings.NewReader(c.doc))
		require.Error(t, err, c.name)
		fmt.Fprintf(&b, "# %s: %s\n%s\n", c.name, c.reason, err)
		if f == nil {
			fmt.Fprintf(&b, "nothing of it is used\n\n")
		} else {
			fmt.Fprintf(&b, "used: package %q, %d tests, %d leaks\n\n", f.Package, len(f.Tests), len(f.Leaks))
		}
	}
	golden(t, "messages.txt", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile(name, []byte(got), 0o666))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// TestCutAnywhere: of a document that is cut after any byte, every record before the cut is read.
func TestCutAnywhere(t *testing.T) {
	doc := written(t)
	whole, err := Read(bytes.NewReader(doc))
	require.NoError(t, err)
	ends := []int{} // where records end
	for i, c := range doc {
		if c == '\n' && i > 0 && (doc[i-1] == ',' || doc[i-1] == '}') && !bytes.HasSuffix(doc[:i+1], []byte("]}\n")) {
			ends = append(ends, i)
		}
	}
	require.Len(t, ends, 5)
	for n := range len(doc) - 1 { // without the last newline it is whole
		if n == len(doc)-1 {
			continue
		}
		f, err := Read(bytes.NewReader(doc[:n]))
		require.Error(t, err, n)
		var cut *CutError
		if !errors.As(err, &cut) {
			var foreign *ForeignError
			require.ErrorAs(t, err, &foreign, "%d: %v", n, err)
			require.Less(t, n, len(`{"leakgate":"fragment"`), err)
			require.Nil(t, f)
			continue
		}
		before := 0
		for _, end := range ends {
			if end <= n+1 { // the record, without what is behind it
				before++
			}
		}
		got := len(f.Tests) + len(f.Leaks) + len(f.Ignored) + len(f.Samples)
		if f.End != nil {
			got++
		}
		require.GreaterOrEqual(t, got, before-1, n)
		require.LessOrEqual(t, got, before, n)
		require.Equal(t, got, cut.Records, n)
		require.LessOrEqual(t, cut.Offset, int64(n))
		if len(f.Tests) > 0 {
			require.Equal(t, whole.Tests, f.Tests)
		}
		if len(f.Leaks) > 0 {
			require.Equal(t, whole.Leaks, f.Leaks)
		}
	}
}

// TestTolerant: what a reader takes without a word.
func TestTolerant(t *testing.T) {
	for _, c := range []struct{ name, doc string }{
		{"as it is written", head + "\n{\"test\":{\"name\":\"TestA\"}}\n]}\n"},
		{"without a newline", head + `{"test":{"name":"TestA"}}]}`},
		{"other blanks", strings.NewReplacer(",", "\t,\r\n ", ":", " :\n ").Replace(head) + " {\"test\" : {\"name\":\"TestA\"} } \n ] } \r\n\t "},
		{"sorted members", `{"package":"p","records":[{"test":{"name":"TestA"}}],"version":1,"leakgate":"fragment"}`},
		{"unknown members", `{"leakgate":"fragment","version":1,"ci":{"job":[1,"]}",{"\"":null}]},"package":"p","records":[{"test":{"name":"TestA","flaky":{"x":[1e9,true]}}}],"x":-1.5e+3}`},
		{"unknown records", head + `{"weather":{"sun":true}},{},{"test":{"name":"TestA"}},{"test":null}]}`},
		{"a byte order mark", "\ufeff" + head + `{"test":{"name":"TestA"}}]}`},
		{"members that are there twice", `{"leakgate":"fragment","leakgate":"fragment","version":1,"package":"q","package":"p","records":[{"test":{"name":"TestB","name":"TestA"}}]}`},
		{"records in two lists", head + `{"test":{"name":"TestA"}}],"records":[]}`},
		{"nulls", `{"leakgate":"fragment","version":1,"module":null,"package":"p","records":[{"test":{"name":"TestA","pools":null}}]}`},
	} {
		f, err := Read(strings.NewReader(c.doc))
		require.NoError(t, err, c.name)
		assert.Equal(t, "p", f.Package, c.name)
		require.Len(t, f.Tests, 1, c.name)
		assert.Equal(t, "TestA", f.Tests[0].Name, c.name)
	}
}

func TestInvalidUTF8(t *testing.T) {
	f, err := Read(strings.NewReader(head + "{\"test\":{\"name\":\"Test\xff\xfe\"}}]}"))
	require.NoError(t, err)
	assert.Equal(t, "Test\ufffd\ufffd", f.Tests[0].Name)
}

// TestReadInPieces: it does not matter how the source gives its bytes.
func TestReadInPieces(t *testing.T) {
	doc := written(t)
	want, err := Read(bytes.NewReader(doc))
	require.NoError(t, err)
	for _, r := range []io.Reader{iotest.OneByteReader(bytes.NewReader(doc)), iotest.HalfReader(bytes.NewReader(doc)), iotest.DataErrReader(bytes.NewReader(doc))} {
		got, err := Read(r)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// TestSourceFails: what was read before the source failed counts, and its error is told.
func TestSourceFails(t *testing.T) {
	broken := errors.New("input/output error")
	f, err := Read(io.MultiReader(strings.NewReader(head+`{"test":{"name":"TestA"}},`), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	require.Len(t, f.Tests, 1)
	assert.Contains(t, err.Error(), "it can be read up to byte ")
}

// TestEndless: of a source without an end no more is read than the limit, and no more kept than is needed.
func TestEndless(t *testing.T) {
	for _, c := range []struct {
		name, begin, again string
		tests              int
	}{
		{"one record", head + `{"test":{"name":"TestA"}},{"leak":{"why":"`, "x", 1},
		{"empty records", head + `{"test":{"name":"TestA"}}`, ",{}", 1},
		{"blanks", head + `{"test":{"name":"TestA"}}`, " ", 1},
		{"lists", head + `{"test":{"name":"TestA"}},`, "[", 1},
		{"a member", `{"leakgate":"fragment","x":"`, "x", 0},
	} {
		source := &counted{r: io.MultiReader(strings.NewReader(c.begin), endless(c.again))}
		left := int64(maxAll)
		f, err := read(source, 2<<20, &left)
		var limit *LimitError
		require.ErrorAs(t, err, &limit, c.name)
		require.NotNil(t, f, c.name)
		assert.Len(t, f.Tests, c.tests, c.name)
		assert.LessOrEqual(t, source.n, int64(3<<20), c.name)
		assert.Contains(t, err.Error(), "a report may have 2 MiB at most", c.name)
	}
}

// TestMemory: records that are empty are a few bytes of JSON and much more of memory.
func TestMemory(t *testing.T) {
	left := int64(10 << 20)
	f, err := read(io.MultiReader(strings.NewReader(head+`{}`), endless(`,{"leak":{"stack":[{},{},{},{},{},{},{},{},{},{}]}}`)), maxFile, &left)
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	assert.Less(t, len(f.Leaks), 10<<20/1000)
	assert.Contains(t, err.Error(), "all reports together may have 512 MiB at most")
}

func TestForeignIsNotRead(t *testing.T) {
	source := &counted{r: io.MultiReader(strings.NewReader(`{"x":1`), endless(`,"y":[1,2,3]`))}
	_, err := Read(source)
	var foreign *ForeignError
	require.ErrorAs(t, err, &foreign)
	assert.LessOrEqual(t, source.n, int64(1<<20))
}

// endless gives a text again and again.
func endless(text string) io.Reader { return &repeated{text: strings.Repeat(text, 1<<15)} }

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// TestReadDir: what can be read is read, and what cannot is told by file.
func TestReadDir(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
		return name
	}
	good := head + `{"test":{"name":"TestA"}}]}`
	a := write("shard1/a.json", good)
	cut := write("shard1/cut.json", good[:len(good)-10])
	write("shard1/a.json.tmp", `{"leakgate":`) // killed before it had its name
	write("shard1/notes.txt", "nothing")
	deep := write("shard2/x/y/deep.JSON", good)
	other := write("shard2/package.json", `{"name":"left-pad"}`)
	later := write("shard2/later.json", `{"leakgate":"fragment","version":99}`)

	got, errs := ReadDir(filepath.Join(dir, "shard1"), filepath.Join(dir, "shard2"), filepath.Join(dir, "shard3"))
	var names []string
	for _, f := range got {
		names = append(names, f.File)
	}
	assert.Equal(t, []string{a, cut, deep}, names)
	var said []string
	for _, err := range errs {
		var file *FileError
		require.ErrorAs(t, err, &file)
		rel, relErr := filepath.Rel(dir, file.File)
		require.NoError(t, relErr)
		assert.True(t, strings.HasPrefix(err.Error(), file.File+": "), err)
		said = append(said, filepath.ToSlash(rel)+": "+file.Err.Error())
	}
	golden(t, "read_dir.txt", strings.Join(said, "\n")+"\n")
	assert.ErrorAs(t, errs[0], new(*CutError))
	assert.ErrorAs(t, errs[1], new(*VersionError), later)
	assert.ErrorAs(t, errs[2], new(*ForeignError), other)
	assert.ErrorIs(t, errs[3], fs.ErrNotExist)

	t.Run("a file", func(t *testing.T) {
		got, errs := ReadDir(a, a, filepath.Join(dir, "shard1", "..", "shard1", "a.json"))
		assert.Empty(t, errs)
		assert.Len(t, got, 1, "what is given twice is read once")
	})
	t.Run("an empty folder", func(t *testing.T) {
		got, errs := ReadDir(t.TempDir())
		assert.Empty(t, errs)
		assert.Empty(t, got)
	})
	t.Run("nothing", func(t *testing.T) {
		got, errs := ReadDir()
		assert.Empty(t, errs)
		assert.Empty(t, got)
	})
}

// TestLinks: links are followed, loops end, and what two links lead to is read once.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	good := head + `{"test":{"name":"TestA"}}]}`
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "in"), 0o777))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "out"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "out", "a.json"), []byte(good), 0o666))
	for from, to := range map[string]string{
		"in/self": ".", "in/up": "..", "in/there": "../out", "in/again": "../out", "in/b.json": "../out/a.json", "out/back": "../in", "loop": "loop",
	} {
		if err := os.Symlink(filepath.FromSlash(to), filepath.Join(dir, filepath.FromSlash(from))); err != nil {
			t.Skipf("symbolic links cannot be made here: %v", err)
		}
	}
	got, errs := ReadDir(filepath.Join(dir, "in"))
	assert.Len(t, got, 1)
	require.Len(t, errs, 1, "the link to itself, which in/up leads to")
	assert.Contains(t, errs[0].Error(), "loop")
}

func TestUnreadable(t *testing.T) {
	if os.Getuid() <= 0 {
		t.Skip("what may not be read can be read here: this user may all, or the system has other permissions")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.json"), []byte(head+`]}`), 0))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.json"), []byte(head+`]}`), 0o666))
	got, errs := ReadDir(dir)
	assert.Len(t, got, 1)
	require.Len(t, errs, 1)
	assert.ErrorIs(t, errs[0], fs.ErrPermission)
}

func TestReadFileErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadFile(filepath.Join(dir, "none.json"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, 1, strings.Count(err.Error(), "none.json"), err)
	_, err = ReadFile(dir)
	assert.ErrorAs(t, err, new(*ForeignError))
}

func FuzzRead(f *testing.F) {
	f.Add(written(f))
	f.Add([]byte(head + `{"test":{"name":1}},{"x":[[]]}]}`))
	f.Add([]byte(`{"leakgate":"fragment","version":2}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := Read(bytes.NewReader(doc))
		if got == nil && err == nil {
			t.Error("neither a fragment nor an error")
		}
		slow, slowErr := Read(iotest.OneByteReader(bytes.NewReader(doc)))
		assert.Equal(t, fmt.Sprint(err), fmt.Sprint(slowErr))
		assert.Equal(t, got, slow)
		if got == nil {
			return
		}
		// What was read can be written, and is the same then but for what the writer masks and makes regular.
		w, err := Create(t.TempDir(), got.Header)
		require.NoError(t, err)
		defer w.Close()
		for _, x := range got.Tests {
			require.NoError(t, w.Test(x))
		}
		for _, x := range got.Leaks {
			require.NoError(t, w.Leak(x))
		}
		require.NoError(t, w.Samples(got.Samples))
		again, err := ReadFile(w.Path())
		if got.Package != "" {
			require.NoError(t, err)
		}
		require.Len(t, again.Tests, len(got.Tests))
		require.Len(t, again.Leaks, len(got.Leaks))
		require.Len(t, again.Samples, len(got.Samples))
		for i := range got.Leaks {
			require.Equal(t, got.Leaks[i].Fingerprint, again.Leaks[i].Fingerprint)
		}
	})
}
