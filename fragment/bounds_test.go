package fragment

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBounds: numbers that no process has are cut, so that whoever adds them up meets no overflow. -1 and what is usual stay.
func TestBounds(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("the numbers do not fit an int of 32 bits: such a record is left out with an error")
	}
	const most, least = "9223372036854775807", "-9223372036854775808"
	doc := head + strings.NewReplacer("MOST", most, "LEAST", least).Replace(`
{"leak":{"kind":"k","code":"c","fingerprint":"f","outcome":"failed","summary":"s","count":MOST,"allowed":MOST,
 "site":{"line":MOST},"stack":[{"line":LEAST}],"at":"2026-11-21T09:00:00Z"}},
{"test":{"name":"T","result":"passed","began":"2026-11-21T09:00:00Z","took":1,"goroutines":{"before":1,"after":2,"most":MOST},
 "sockets":{"before":-1,"after":LEAST,"most":-1},"pools":[{"kind":"k","name":"n","size":MOST,"peak":MOST,"requests":3}]}},
{"ignored":{"reason":"r","count":MOST}},
{"samples":[{"at":"2026-11-21T09:00:00Z","goroutines":MOST,"sockets":LEAST,"leased":{"db":MOST,"other":2},
 "states":{"CLOSE_WAIT":MOST,"LISTEN":LEAST},"fds":MOST,"heap_in_use":MOST},
 {"at":"2026-11-21T09:00:00Z","goroutines":1,"sockets":1,"fds":LEAST,"heap_in_use":LEAST}]}]}`)
	f, err := Read(strings.NewReader(doc))
	require.NoError(t, err)
	l, x, s := f.Leaks[0], f.Tests[0], f.Samples[0]
	assert.Equal(t, []int{maxCount, maxCount, maxCount, -1}, []int{l.Count, l.Allowed, l.Site.Line, l.Stack[0].Line})
	assert.Equal(t, Peak{1, 2, maxCount}, x.Goroutines)
	assert.Equal(t, Peak{-1, -1, -1}, x.Sockets)
	assert.Equal(t, Pool{Kind: "k", Name: "n", Size: maxCount, Peak: maxCount, Requests: 3}, x.Pools[0])
	assert.Equal(t, maxCount, f.Ignored[0].Count)
	assert.Equal(t, Sample{
		At: s.At, Goroutines: maxCount, Sockets: -1, Leased: map[string]int{"db": maxCount, "other": 2},
		States: map[string]int{"CLOSE_WAIT": maxCount, "LISTEN": -1}, FDs: maxCount, HeapInUse: maxBytes,
	}, s)
	assert.Equal(t, Sample{At: s.At, Goroutines: 1, Sockets: 1, FDs: -1}, f.Samples[1])
}
