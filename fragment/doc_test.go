package fragment

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/redact"
)

const page = "../docs/fragment.md"

// documented is the fragment that the page shows.
func documented(t *testing.T) string {
	t.Helper()
	w := create(t, t.TempDir())
	l := leak()
	l.Summary = "response body of GET /session?token=hunter2 (403, awselb/2.0) was never closed"
	l.Why = "net/http keeps the connection until the body is closed"
	require.NoError(t, w.Leak(l))
	require.NoError(t, w.Test(test()))
	require.NoError(t, w.Ignored(Ignored{Test: "TestClient", Reason: "the logger lives as long as the process", Count: 2}))
	require.NoError(t, w.Samples([]Sample{
		{At: began.Add(time.Second), Goroutines: 3, Sockets: 0},
		{At: began.Add(2 * time.Second), Goroutines: 9, Sockets: 2, Leased: map[string]int{"http.DefaultTransport": 2},
			States: map[string]int{"CLOSE_WAIT": 1, "ESTABLISHED": 1}, FDs: 14, HeapInUse: 3 << 20},
	}))
	require.NoError(t, w.End(End{At: began.Add(4 * time.Second), Code: 1, Unused: []string{"the old pool of orders"}}))
	doc, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	return string(doc)
}

// TestPage: the page's example is what is written, and its tables have every member, and no other, with its type.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	got := strings.ReplaceAll(string(text), "\r\n", "\n")
	const open, end = "```json\n", "```\n"
	before, rest, ok := strings.Cut(got, open)
	require.True(t, ok)
	shown, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if want := documented(t); shown != want && *update {
		require.NoError(t, os.WriteFile(page, []byte(before+open+want+end+after), 0o666))
	} else {
		assert.Equal(t, want, shown)
	}
	for _, part := range []struct {
		title string
		of    reflect.Type
	}{
		{"Header", reflect.TypeFor[Header]()},
		{"test", reflect.TypeFor[Test]()},
		{"Peak", reflect.TypeFor[Peak]()},
		{"Pool", reflect.TypeFor[Pool]()},
		{"leak", reflect.TypeFor[Leak]()},
		{"Frame", reflect.TypeFor[Frame]()},
		{"ignored", reflect.TypeFor[Ignored]()},
		{"samples", reflect.TypeFor[Sample]()},
		{"end", reflect.TypeFor[End]()},
	} {
		_, section, ok := strings.Cut(got, "\n### "+part.title+"\n")
		require.True(t, ok, part.title)
		section, _, _ = strings.Cut(section, "\n#")
		var rows, want []string
		for line := range strings.Lines(section) {
			if cells := strings.Split(line, "|"); len(cells) > 3 && strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
				rows = append(rows, strings.TrimSpace(cells[1])+" "+strings.TrimSpace(cells[2]))
			}
		}
		if part.of == reflect.TypeFor[Header]() {
			want = append(want, "`leakgate` string", "`version` integer")
		}
		for i := range part.of.NumField() {
			name, _, _ := strings.Cut(part.of.Field(i).Tag.Get("json"), ",")
			want = append(want, "`"+name+"` "+typeName(part.of.Field(i).Type))
		}
		if part.of == reflect.TypeFor[Header]() {
			want = append(want, "`records` list")
		}
		assert.Equal(t, want, rows, part.title)
	}
}

// TestPageOfMasks: what the page says of masks is so.
func TestPageOfMasks(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n## What is masked\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	n := 0
	for line := range strings.Lines(section) {
		if parts := strings.Split(line, "`"); strings.HasPrefix(line, "|") && len(parts) == 5 {
			mask := redact.Text
			if strings.Contains(line, "lines of source") {
				mask = redact.Code
			}
			assert.Equal(t, parts[3], mask(parts[1]))
			n++
		}
	}
	assert.Equal(t, 9, n, "rows")
}

// typeName is what the page calls a type.
func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[time.Duration]():
		return "nanoseconds"
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "list of strings"
		}
		return "list of " + t.Elem().Name()
	case reflect.Map:
		return "object of integers"
	case reflect.Struct:
		return t.Name()
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "boolean"
	}
	return t.Kind().String()
}

// many writes 200 fragments with 10 000 tests and 1 000 leaks in all.
func many(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for n := range 200 {
		h := header()
		h.Package = fmt.Sprintf("example.com/shop/p%d", n)
		w, err := Create(dir, h)
		require.NoError(t, err)
		for i := range 50 {
			x := test()
			x.Name = fmt.Sprintf("Test%d", i)
			require.NoError(t, w.Test(x))
			if i%10 == 0 {
				require.NoError(t, w.Leak(leak()))
			}
		}
		require.NoError(t, w.End(End{At: began}))
		require.NoError(t, w.Close())
	}
	return dir
}

func BenchmarkReadDir(b *testing.B) {
	dir := many(b)
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(b, err)
	size := int64(0)
	for _, name := range files {
		info, err := os.Stat(name)
		require.NoError(b, err)
		size += info.Size()
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		got, errs := ReadDir(dir)
		if len(got) != 200 || len(errs) > 0 {
			b.Fatal(len(got), errs)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name string
		add  func(w *Writer) error
	}{
		{"test", func(w *Writer) error { return w.Test(test()) }},
		{"leak", func(w *Writer) error { return w.Leak(leak()) }},
		{"sample", func(w *Writer) error { return w.Samples([]Sample{{At: began, Goroutines: 3}}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := create(b, b.TempDir())
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if err := c.add(w); err != nil {
					b.Fatal(err)
				}
				if n%10_000 == 9999 { // a fragment has its limit
					w.mu.Lock()
					require.NoError(b, w.file.Truncate(0))
					w.pos = 0
					w.mu.Unlock()
				}
			}
		})
	}
}

// TestShape: the document is what any JSON reader takes.
func TestShape(t *testing.T) {
	var doc struct {
		Leakgate string
		Version  int
		Records  []map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(written(t), &doc))
	assert.Equal(t, "fragment", doc.Leakgate)
	assert.Equal(t, Version, doc.Version)
	require.Len(t, doc.Records, 5)
	for i, kind := range []string{"test", "leak", "ignored", "samples", "end"} {
		require.Len(t, doc.Records[i], 1)
		assert.Contains(t, doc.Records[i], kind)
	}
}
