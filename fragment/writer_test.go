package fragment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGoroutines: records of several goroutines are all there, and whole.
func TestGoroutines(t *testing.T) {
	w := create(t, t.TempDir())
	const goroutines, each = 8, 50
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				assert.NoError(t, w.Test(Test{Name: fmt.Sprintf("Test%d/%d", g, i)}))
				assert.NoError(t, w.Samples([]Sample{{At: began, Goroutines: g, Leased: map[string]int{"db": i}}}))
			}
		})
	}
	wg.Wait()
	f, err := ReadFile(w.Path())
	require.NoError(t, err)
	names := make(map[string]bool)
	for _, x := range f.Tests {
		names[x.Name] = true
	}
	assert.Len(t, names, goroutines*each)
	assert.Len(t, f.Samples, goroutines*each)
}

// TestNames: no two writers have the same file, even when their names meet.
func TestNames(t *testing.T) {
	numbers := []uint64{1, 1, 1, 2, 2, 3}
	defer func(r func() uint64) { random = r }(random)
	random = func() uint64 {
		n := numbers[0]
		numbers = numbers[1:]
		return n
	}
	dir := t.TempDir()
	var got []string
	for range 3 {
		got = append(got, filepath.Base(create(t, dir).Path()))
	}
	assert.Equal(t, []string{
		"example.com_shop_store-4711-0000000000000001.json",
		"example.com_shop_store-4711-0000000000000002.json",
		"example.com_shop_store-4711-0000000000000003.json",
	}, got)

	t.Run("another's temporary file", func(t *testing.T) {
		numbers = []uint64{7, 8}
		other := filepath.Join(dir, "example.com_shop_store-4711-0000000000000007.json.tmp")
		require.NoError(t, os.WriteFile(other, nil, 0o666))
		assert.Contains(t, create(t, dir).Path(), "08.json")
		assert.FileExists(t, other)
	})
	t.Run("no name free", func(t *testing.T) {
		random = func() uint64 { return 1 }
		_, err := Create(dir, header())
		require.Error(t, err)
		assert.Contains(t, err.Error(), "100 names were tried")
	})
}

func TestFileName(t *testing.T) {
	for pkg, want := range map[string]string{
		"example.com/shop/store": "example.com_shop_store",
		"":                       "package",
		"../../etc":              "_.._etc",
		`C:\x "y" z`:             "C__x__y__z",
		"exämple.com/x":          "ex_mple.com_x",
		"example.com/" + strings.Repeat("long/", 100): strings.Repeat("long_", 24),
	} {
		assert.Equal(t, want, fileName(pkg), pkg)
	}
}

// TestCreateErrors: each says where nothing can be written, why, and what to do.
func TestCreateErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o666))
	for _, at := range []string{file, filepath.Join(file, "a", "b")} {
		_, err := Create(at, header())
		require.Error(t, err)
		assert.True(t, strings.HasPrefix(err.Error(), fmt.Sprintf("leakgate: no report can be written to %s: %s is a file; let LEAKGATE_REPORT name a folder: ", at, file)), err)
	}
	t.Run("not allowed", func(t *testing.T) {
		if os.Getuid() <= 0 {
			t.Skip("this user may write everywhere, or the system has other permissions")
		}
		closed := filepath.Join(dir, "closed")
		require.NoError(t, os.Mkdir(closed, 0o555))
		for _, at := range []string{closed, filepath.Join(closed, "new")} {
			_, err := Create(at, header())
			require.ErrorIs(t, err, fs.ErrPermission)
			assert.Contains(t, err.Error(), "no report can be written to "+at+": let LEAKGATE_REPORT name a folder that the tests may write to: ")
		}
	})
}

// TestWorkingDirectory: a test that changes it does not move the report.
func TestWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	w := create(t, "leaks")
	require.NoError(t, os.Mkdir("elsewhere", 0o777))
	t.Chdir("elsewhere")
	require.NoError(t, w.Test(test()))
	assert.True(t, filepath.IsAbs(w.Path()))
	f, err := ReadFile(w.Path())
	require.NoError(t, err)
	assert.Len(t, f.Tests, 1)
}

// TestRemoved: a report that somebody removed meanwhile is not lost in silence.
func TestRemoved(t *testing.T) {
	w := create(t, t.TempDir())
	require.NoError(t, w.Test(test()))
	if err := os.Remove(w.Path()); err != nil {
		t.Skipf("this system removes no file that is open: %v", err)
	}
	err := w.Test(test())
	require.Error(t, err)
	assert.Equal(t, "leakgate: test TestClient cannot be added to the report "+w.Path()+
		": the file was removed while the tests ran: leave LEAKGATE_REPORT's folder alone until they are over", err.Error())
}

// full is a file on a disk that has room for some bytes more.
type full struct {
	file
	room      int
	stubborn  bool // nothing can be written any more, not even where something stood
	truncates error
}

var errFull = &fs.PathError{Op: "write", Path: "x.json", Err: errors.New("no space left on device")}

func (f *full) WriteAt(p []byte, off int64) (int, error) {
	if f.stubborn {
		return 0, errFull
	}
	if f.room < len(p) && len(p) > len(tail) { // what stood there needs no room
		n, err := f.file.WriteAt(p[:f.room], off)
		return n, errors.Join(err, errFull)
	}
	return f.file.WriteAt(p, off)
}

func (f *full) Truncate(size int64) error {
	if f.truncates != nil {
		return f.truncates
	}
	return f.file.Truncate(size)
}

// TestDiskFull: whatever part of a record has room, the document stays whole, and a smaller record that fits is added.
func TestDiskFull(t *testing.T) {
	line, err := encode(record{Leak: ptr(leak())})
	require.NoError(t, err)
	for room := range len(line) {
		if room > 16 && room%50 != 0 {
			continue
		}
		w := create(t, t.TempDir())
		require.NoError(t, w.Test(test()))
		before, err := os.ReadFile(w.Path())
		require.NoError(t, err)
		w.file = &full{file: w.file, room: room}
		err = w.Leak(leak())
		require.ErrorIs(t, err, errFull)
		assert.Contains(t, err.Error(), "leakgate: leak LK001 cannot be added to the report "+w.Path()+": ")
		after, err := os.ReadFile(w.Path())
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), "room for %d bytes", room)
		if room > 60 {
			require.NoError(t, w.Ignored(Ignored{Reason: "x"}))
			f, err := ReadFile(w.Path())
			require.NoError(t, err)
			assert.Len(t, f.Ignored, 1)
		}
	}
	t.Run("and not even that", func(t *testing.T) {
		w := create(t, t.TempDir())
		w.file = &full{file: w.file, stubborn: true}
		err := w.Leak(leak())
		require.Error(t, err)
		assert.Contains(t, err.Error(), "and the file is cut now")
		_, err = ReadFile(w.Path())
		require.NoError(t, err, "nothing was written")

		w.file = &full{file: w.file.(*full).file, room: 30, truncates: errors.New("input/output error")}
		err = w.Leak(leak())
		require.Error(t, err)
		assert.Contains(t, err.Error(), "and the file is cut now: input/output error")
		f, err := ReadFile(w.Path())
		require.Error(t, err, "what is behind the end is told")
		assert.NotNil(t, f)
	})
}

// TestLargeRecord: texts and lists without bound are cut, so that the record is read again.
func TestLargeRecord(t *testing.T) {
	w := create(t, t.TempDir())
	l := leak()
	l.Why = strings.Repeat("why ", 1<<20)
	for range 10_000 {
		l.Stack = append(l.Stack, l.Site)
		l.Holds = append(l.Holds, "a socket")
	}
	require.NoError(t, w.Leak(l))
	assert.Len(t, l.Why, 4<<20, "the caller's own stays")
	f, err := ReadFile(w.Path())
	require.NoError(t, err)
	got := f.Leaks[0]
	assert.Len(t, got.Why, maxString+len("…"))
	assert.Len(t, got.Stack, maxList)
	assert.Len(t, got.Holds, maxList)
	assert.Equal(t, leak().Fingerprint, got.Fingerprint)

	l.Fingerprint = strings.Repeat("f", maxRecord)
	err = w.Leak(l)
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	assert.Equal(t, int64(maxRecord), limit.Limit)
	require.NoError(t, w.Test(test()))
}

// TestFull: what has no room is told, and the end record has some still.
func TestFull(t *testing.T) {
	w := create(t, t.TempDir())
	require.NoError(t, w.Test(test()))
	w.mu.Lock()
	w.pos = maxFile - reserved - 20 // what lies between takes no space on the disk
	w.mu.Unlock()

	err := w.Test(test())
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	assert.Contains(t, err.Error(), "a report may have 128 MiB at most")
	require.ErrorAs(t, w.Samples([]Sample{{}}), &limit)
	require.NoError(t, w.End(End{}))
}

// TestSamples: a long run's are thinned, evenly, and nothing else is.
func TestSamples(t *testing.T) {
	w := create(t, t.TempDir())
	s := make([]Sample, 5000)
	for i := range s {
		s[i] = Sample{At: began.Add(time.Duration(i) * time.Second), Goroutines: i}
	}
	require.NoError(t, w.Samples(s))
	f, err := ReadFile(w.Path())
	require.NoError(t, err)
	assert.Equal(t, s, f.Samples)
	doc, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	assert.Equal(t, 5, strings.Count(string(doc), `{"samples":`), "no record is large")

	w.sampled = 3*samplesStep + 1 // as after three steps
	w.seen = 0
	require.NoError(t, w.Samples(s[:64]))
	f, err = ReadFile(w.Path())
	require.NoError(t, err)
	var got []int
	for _, x := range f.Samples[5000:] {
		got = append(got, x.Goroutines)
	}
	assert.Equal(t, []int{0, 8, 16, 24, 32, 40, 48, 56}, got)
}

// TestOddValues: nothing that a caller gives makes a record fail.
func TestOddValues(t *testing.T) {
	w := create(t, t.TempDir())
	odd := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, w.Test(Test{Name: "Test\xff\x00\u2028</script>", Began: odd, Pools: []Pool{{Limit: math.NaN()}, {Limit: math.Inf(1)}}}))
	require.NoError(t, w.Leak(Leak{At: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}))
	require.NoError(t, w.Samples([]Sample{{At: odd}}))
	require.NoError(t, w.End(End{At: odd}))
	f, err := ReadFile(w.Path())
	require.NoError(t, err)
	assert.Equal(t, "Test\ufffd\x00\u2028</script>", f.Tests[0].Name)
	assert.Zero(t, f.Tests[0].Pools[0].Limit)
}

// secretText has a secret in a form that is masked wherever it stands.
const secretText = "GET /x?token=hunter2"

// fill puts a text into every string of a value, and says into how many.
func fill(v reflect.Value, text string) (n int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		n++
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return 0
		}
		for i := range v.NumField() {
			n += fill(v.Field(i), text)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		n += fill(v.Index(0), text)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(text), reflect.ValueOf(1))
		n++
	}
	return n
}

// TestMasked: every text of every record is masked, and the fingerprint alone is as it was given. A field that is added to a
// type and forgotten here is found.
func TestMasked(t *testing.T) {
	var (
		h Header
		x Test
		l Leak
		i Ignored
		s Sample
		e End
	)
	texts := 0
	for _, v := range []any{&h, &x, &l, &i, &s, &e} {
		texts += fill(reflect.ValueOf(v).Elem(), secretText)
	}
	w, err := Create(t.TempDir(), h)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Test(x))
	require.NoError(t, w.Leak(l))
	require.NoError(t, w.Ignored(i))
	require.NoError(t, w.Samples([]Sample{s}))
	require.NoError(t, w.End(e))
	doc, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	text := string(doc)
	assert.Equal(t, 1, strings.Count(text, "hunter2"), text)
	assert.Contains(t, text, `"fingerprint":"`+secretText+`"`)
	assert.Equal(t, texts-1, strings.Count(text, "token=…"), text)
	assert.NotContains(t, w.Path(), "hunter2")

	// The caller's own values are as they were.
	for _, v := range []any{&h, &x, &l, &i, &s, &e} {
		given, err := json.Marshal(v)
		require.NoError(t, err)
		assert.NotContains(t, string(given), "…")
	}
	t.Run("two names that become one", func(t *testing.T) {
		w := create(t, t.TempDir())
		require.NoError(t, w.Samples([]Sample{{
			Leased: map[string]int{"u:hunter1@tcp(db)/x": 1, "u:hunter2@tcp(db)/x": 2}, States: map[string]int{"token=hunter3": 1, "LISTEN": 2},
		}}))
		f, err := ReadFile(w.Path())
		require.NoError(t, err)
		assert.Equal(t, map[string]int{"u:…@tcp(db)/x": 3}, f.Samples[0].Leased)
		assert.Equal(t, map[string]int{"token=…": 1, "LISTEN": 2}, f.Samples[0].States)
	})
}

// TestNoDescriptor: a process that has no file descriptor left can still write its records.
func TestNoDescriptor(t *testing.T) {
	w := create(t, t.TempDir())
	opened := 0
	w.file = &watched{file: w.file, calls: &opened}
	require.NoError(t, w.Test(test()))
	assert.Equal(t, 1, opened, "one write for a record")
}

type watched struct {
	file
	calls *int
}

func (f *watched) WriteAt(p []byte, off int64) (int, error) {
	*f.calls++
	return f.file.WriteAt(p, off)
}

// TestLeftovers: no temporary file stays.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	w := create(t, dir)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == filepath.Base(w.Path()) }))
	assert.Len(t, entries, 1)
}
