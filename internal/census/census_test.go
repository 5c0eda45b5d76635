package census

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files and the page's example anew")

var began = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// answer has every member.
func answer() *Answer {
	get := Frame{Func: "example.com/shop/session.(*Client).Get", File: "/src/shop/session/client.go", Line: 41, Source: "resp, err := c.http.Do(req)"}
	up := Frame{Func: "example.com/shop/web.(*Server).login", File: "/src/shop/web/login.go", Line: 12, Source: "u, err := s.session.Get(ctx)"}
	work := Frame{Func: "example.com/shop/mail.(*Queue).run", File: "/src/shop/mail/queue.go", Line: 77, Source: "m := <-q.in"}
	return &Answer{
		Leakgate: Name, Version: Version, Moment: "3f9a1c20-4", At: began.Add(time.Hour), Age: 2 * time.Millisecond,
		Process: Process{ID: "3f9a1c20", PID: 4711, Module: "example.com/shop", Go: "go1.26.8", GOOS: "linux", GOARCH: "amd64", Began: began},
		Counts: Counts{
			Goroutines: 12, Sockets: 3, States: map[string]int{"CLOSE_WAIT": 1, "ESTABLISHED": 1, "LISTEN": 1},
			Leased: 3, Pools: map[string]int{"http.DefaultTransport": 3}, Children: 1,
		},
		Leases: &Leases{
			Last: 91, Held: 3,
			Pools: []Pool{{Kind: "http-conn", Name: "http.DefaultTransport", Size: 10, Leased: 3, Peak: 4, Longest: 83 * time.Second}},
			Groups: []Lease{{
				Key: "1r1wz6q2r4dhi", Kind: "http-response", Code: "LK001", Pool: "http.DefaultTransport",
				Summary: "response body of GET /session?token=… (403, awselb/2.0) was never closed", Count: 2,
				Oldest: 83 * time.Second, Newest: 1200 * time.Millisecond, Site: get, Stack: []Frame{get, up},
				State: "0 of 118 bytes read", Note: "the server has closed the connection", Hint: "defer resp.Body.Close()",
			}},
			LeftOut: 1,
		},
		Goroutines: &Goroutines{
			Listed: true, Age: 2 * time.Millisecond, Idle: 2,
			Groups: []Goroutine{
				{Key: "2v", Count: 8, Role: "user", State: "chan receive", Function: work.Func, Site: work, Stack: []Frame{work}},
				{Key: "3w", Count: 2, Role: "client-idle", State: "IO wait", Function: "net/http.(*persistConn).readLoop"},
			},
			LeftOut: 2,
		},
		Sockets: &Sockets{Groups: []Socket{
			{Key: "tcp4 CLOSE_WAIT  10.0.0.7:443", Count: 1, Family: "tcp4", State: "CLOSE_WAIT", Remote: "10.0.0.7:443"},
			{Key: "tcp4 ESTABLISHED 127.0.0.1:8080 127.0.0.1", Count: 1, Family: "tcp4", State: "ESTABLISHED", Local: "127.0.0.1:8080", Remote: "127.0.0.1"},
		}, LeftOut: 1},
		Databases: []Database{{Name: "the sql.DB opened at store.go:12", Driver: "github.com/jackc/pgx/v5", Open: 3, Site: up}},
		Probes:    []Probe{{Kind: "worker", Held: 2}},
		Children:  []string{"process 4712 sleep (1 argument), sleeping, started 1.2s ago"},
		Ignored:   []Ignored{{Reason: "the metrics exporter lives as long as the process", Count: 1}},
		Unseen:    []string{"of UDP sockets the peer is not seen"},
		Since: &Diff{
			Moment: "3f9a1c20-1", Ago: time.Minute,
			Changes: []Change{
				{Of: OfLease, Change: IsNew, Key: "1r1wz6q2r4dhi", Name: "response body of GET /session?token=… (403, awselb/2.0) was never closed", Site: get, Now: 2, Fresh: 2},
				{Of: OfLease, Change: Grew, Key: "9", Name: "rows of SELECT … were not closed", Site: up, Before: 2, Now: 2, Fresh: 1},
				{Of: OfGoroutine, Change: IsGone, Key: "3w", Name: "http.(*persistConn).readLoop [IO wait] (client-idle)", Before: 2, Idle: true},
			},
			LeftOut: 1, Missing: []string{OfSocket},
		},
	}
}

// golden compares with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o666))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test ./internal/census -update")
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}

func TestText(t *testing.T) {
	golden(t, "full.txt", answer().Text())
	empty := &Answer{
		Moment: "3f9a1c20-1", At: began, Process: Process{PID: 4711, Began: began}, Counts: Counts{Goroutines: 10_000, Sockets: -1, Children: -1},
		Leases: &Leases{}, Goroutines: &Goroutines{}, Since: &Diff{Moment: "3f9a1c20-0"},
	}
	golden(t, "empty.txt", empty.Text())
}

const page = "../../docs/handler-json.md"

// document is an answer as the handler writes it.
func document(t *testing.T, a *Answer) string {
	t.Helper()
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", " ")
	require.NoError(t, out.Encode(a))
	return b.String()
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
	if want := document(t, answer()); shown != want && *update {
		require.NoError(t, os.WriteFile(page, []byte(before+open+want+end+after), 0o666))
	} else {
		assert.Equal(t, want, shown)
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[Answer](), reflect.TypeFor[Process](), reflect.TypeFor[Counts](), reflect.TypeFor[Leases](), reflect.TypeFor[Pool](),
		reflect.TypeFor[Lease](), reflect.TypeFor[Goroutines](), reflect.TypeFor[Goroutine](), reflect.TypeFor[Sockets](),
		reflect.TypeFor[Socket](), reflect.TypeFor[Database](), reflect.TypeFor[Probe](), reflect.TypeFor[Ignored](),
		reflect.TypeFor[Frame](), reflect.TypeFor[Diff](), reflect.TypeFor[Change](),
	} {
		_, section, ok := strings.Cut(got, "\n### "+of.Name()+"\n")
		require.True(t, ok, of.Name())
		section, _, _ = strings.Cut(section, "\n#")
		var rows, want []string
		for line := range strings.Lines(section) {
			if cells := strings.Split(line, "|"); len(cells) > 3 && strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
				rows = append(rows, strings.TrimSpace(cells[1])+" "+strings.TrimSpace(cells[2]))
			}
		}
		for i := range of.NumField() {
			f := of.Field(i)
			name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
			kind := typeName(f.Type)
			if rest == "omitempty" {
				kind += ", may be missing"
			}
			want = append(want, "`"+name+"` "+kind)
		}
		assert.Equal(t, want, rows, of.Name())
	}
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[time.Duration]():
		return "nanoseconds"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "list of strings"
		}
		return "list of " + t.Elem().Name()
	case reflect.Map:
		return "object of integers"
	case reflect.Struct:
		return t.Name()
	case reflect.Int, reflect.Uint64:
		return "integer"
	case reflect.Bool:
		return "boolean"
	}
	return t.Kind().String()
}

func TestRead(t *testing.T) {
	got, err := Read(strings.NewReader(document(t, answer())))
	require.NoError(t, err)
	assert.Equal(t, answer(), got)
	for _, c := range []struct {
		name string
		doc  string
		want string
	}{
		{"nothing", "", "this is no census of leakgate"},
		{"a page", "<html>", "this is no census of leakgate"},
		{"a list", "[1]", "this is no census of leakgate"},
		{"cut", `{"leakgate":"census","version":1`, "this is no census of leakgate: unexpected end of JSON input"},
		{"a fragment", `{"leakgate":"fragment","version":1}`, "this is no census of leakgate"},
		{"a later version", `{"leakgate":"census","version":2,"process":7}`, "the census has version 2, and version 1 was expected"},
		{"another type", `{"leakgate":"census","version":1,"leases":{"groups":7}}`, "the census cannot be read: json: cannot unmarshal number into Go struct field"},
		{"no process", `{"leakgate":"census","version":1}`, "the census cannot be read: it does not say of which process it is (process.id)"},
		{"a count that cannot be", `{"leakgate":"census","version":1,"process":{"id":"x"},"leases":{"groups":[{"count":-1}]}}`, "the census cannot be read: the count of a group of leases is -1, and a number from 1 on was expected"},
		{"too many", `{"leakgate":"census","version":1,"process":{"id":"x"},"leases":{"groups":[` + strings.Repeat(`{"count":1},`, maxItems) + `{"count":1}]}}`, "the census cannot be read: leases.groups has 1001 entries, and at most 1000 were expected"},
		{"deep", `{"leakgate":` + strings.Repeat("[", 1<<20), "this is no census of leakgate"},
		{"endless", `{"leakgate":"` + strings.Repeat("x", MaxSize), "the answer is longer than 4 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := Read(strings.NewReader(c.doc))
			require.Error(t, err, "%v", a)
			assert.True(t, strings.HasPrefix(err.Error(), c.want), err.Error())
		})
	}
}

// endless gives bytes for ever, and counts them.
type endless struct{ n int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.n += len(b)
	return len(b), nil
}

// TestReadIsBounded: what never ends is not read on.
func TestReadIsBounded(t *testing.T) {
	e := &endless{}
	_, err := Read(io.MultiReader(strings.NewReader(`{`), e))
	require.ErrorIs(t, err, ErrTooBig)
	assert.LessOrEqual(t, e.n, 2*MaxSize)
}

// TestOneLine: what another process says cannot break out of its line of a report.
func TestOneLine(t *testing.T) {
	assert.Equal(t, "a  --- FAIL: b  [31m", oneLine("a\r\n--- FAIL: b\u2028\x1b[31m\n"))
	assert.Equal(t, "�", oneLine("\xff"))
	assert.Len(t, oneLine(strings.Repeat("x", maxText+1)), maxText+len("…"))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"leakgate":"census","version":1,"process":{"id":"x"},"leases":{"groups":[{"count":1,"site":{"line":-1}}]}}`))
	f.Add([]byte(`{"leakgate":"census","version":1,"process":{"id":"x"},"since":{"changes":[{"now":1}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		require.NotEmpty(t, a.Process.ID)
		if a.Leases != nil {
			for _, g := range a.Leases.Groups {
				require.Positive(t, g.Count)
				require.NotContains(t, g.Summary, "\n")
			}
		}
		_ = a.Text()
	})
}

// moment is one with a group of each count: "lease a" to 2.
func moment(at time.Time, last uint64, groups map[string]int) *Moment {
	m := &Moment{At: at, Last: last, Listed: map[string]bool{OfLease: true, OfGoroutine: true}}
	for k, n := range groups {
		of, key, _ := strings.Cut(k, " ")
		m.Add(Group{Of: of, Key: key, Name: "name of " + key, Count: n})
	}
	return m
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		why           string
		before, now   map[string]int
		fresh         map[string]int
		want, missing []string
	}{
		{why: "the same", before: map[string]int{"lease a": 2}, now: map[string]int{"lease a": 2}},
		{why: "as many, but others", before: map[string]int{"lease a": 2}, now: map[string]int{"lease a": 2}, fresh: map[string]int{"a": 1}, want: []string{"grew lease a 2 2 1"}},
		{why: "fewer, and one of them new", before: map[string]int{"lease a": 3}, now: map[string]int{"lease a": 2}, fresh: map[string]int{"a": 1}, want: []string{"shrank lease a 3 2 1"}},
		{why: "new first, leases before others", before: map[string]int{"goroutine x": 1, "lease o": 1}, now: map[string]int{"goroutine x": 3, "goroutine y": 1, "lease a": 1}, fresh: map[string]int{"a": 1}, want: []string{"new lease a 0 1 1", "new goroutine y 0 1 0", "grew goroutine x 1 3 0", "gone lease o 1 0 0"}},
		{why: "not listed then", before: nil, now: map[string]int{"socket s": 1}, missing: []string{"socket"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			before, now := moment(began, 7, c.before), moment(began.Add(time.Second), 9, c.now)
			if c.missing != nil {
				now.Listed[OfSocket] = true
			}
			d := Compare("m", before, now, func(key string, after uint64) int {
				assert.Equal(t, uint64(7), after)
				return c.fresh[key]
			})
			var got []string
			for _, x := range d.Changes {
				got = append(got, fmt.Sprintf("%s %s %s %d %d %d", x.Change, x.Of, x.Key, x.Before, x.Now, x.Fresh))
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.missing, d.Missing)
			assert.Equal(t, time.Second, d.Ago)
		})
	}
}

func TestCompareIsBounded(t *testing.T) {
	now := &Moment{Listed: map[string]bool{OfGoroutine: true}}
	for i := range maxChanges + 5 {
		now.Add(Group{Of: OfGoroutine, Key: fmt.Sprint(i), Count: 1})
	}
	d := Compare("m", &Moment{Listed: now.Listed}, now, nil)
	assert.Len(t, d.Changes, maxChanges)
	assert.Equal(t, 5, d.LeftOut)
}

func TestMoments(t *testing.T) {
	const p = "3f9a1c20"
	var r Moments
	first, second := r.Put(p, &Moment{Last: 1}), r.Put(p, &Moment{Last: 2})
	for range Keep - 2 {
		r.Put(p, &Moment{})
	}
	m, err := r.Get(p, first) // and so it is remembered longer than the second
	require.NoError(t, err)
	assert.Equal(t, uint64(1), m.Last)
	r.Put(p, &Moment{})
	_, err = r.Get(p, first)
	require.NoError(t, err)
	for _, c := range []struct {
		id      string
		expired bool
		want    string
	}{
		{second, true, "since: the moment 3f9a1c20-2 is not remembered any more: the last 64 are, and one that is asked for longest; begin with a new answer"},
		{"00000000-1", true, "since: the moment 00000000-1 is of another process: this one is 3f9a1c20, so the program was restarted, or several run behind this address; begin with a new answer"},
		{p + "-66", false, "since: there was no moment 3f9a1c20-66 yet: give the one that an earlier answer names"},
		{"yesterday", false, "since: this is no name of a moment: give the one that an earlier answer names, such as 3f9a1c20-1"},
	} {
		_, err := r.Get(p, c.id)
		assert.EqualError(t, err, c.want)
		assert.IsType(t, map[bool]error{true: &Expired{}, false: &Malformed{}}[c.expired], err)
	}
}

func FuzzMoment(f *testing.F) {
	for _, s := range []string{"", "3f9a1c20-1", "3f9a1c20-0", "3f9a1c20-999999999999999999", "\n3f9a1c20-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		var r Moments
		name := r.Put("3f9a1c20", &Moment{})
		m, err := r.Get("3f9a1c20", id)
		require.Equal(t, id == name, err == nil)
		require.Equal(t, err == nil, m != nil)
		if err != nil {
			require.Less(t, len(err.Error()), 300)
			require.NotContains(t, err.Error(), "\n")
		}
	})
}
