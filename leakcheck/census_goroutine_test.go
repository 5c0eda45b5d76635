package leakcheck

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
)

// TestGoroutinesUnchanged: in deep mode no listing is needed when only goroutines that run tests were started, and one is needed
// after any other.
func TestGoroutinesUnchanged(t *testing.T) {
	if startedSample() == nil {
		t.Skip("before Go 1.26 the runtime does not count goroutines")
	}
	registry.startsHere()
	registry.runsOn(label.NewID())
	defer registry.own.Add(^uint64(0))
	c := &goroutineCensus{started: startedSample(), dealt: make(map[uint64][]goroutine.Label)}
	start := func(asTest bool) {
		over := make(chan bool)
		go func() {
			if asTest {
				registry.startsHere()
				registry.runsOn(label.NewID())
				registry.startsHere()
			}
			close(over)
		}()
		<-over
		if asTest {
			t.Cleanup(func() { registry.own.Add(^uint64(0)) })
		}
	}
	unchanged := false
	for range 20 { // something else may start one at any time
		b := c.base()
		start(true)
		if unchanged = c.unchanged() && c.nothingNew(b); unchanged {
			break
		}
	}
	assert.True(t, unchanged)
	c.base()
	start(false)
	assert.False(t, c.unchanged())
}

// TestDealtShared: where a dump cannot show labels (Go 1.25), a goroutine that was started while its test made what is for the
// life of the process is not the test's, though the test's own goroutine started it; what it started before and after that is.
func TestDealtShared(t *testing.T) {
	end := make(chan bool)
	defer close(end)
	id := label.NewID()
	listed := make(chan []*goroutine.Goroutine)
	profiled := make(chan string, 1)
	go func() {
		registry.runsOn(id)
		defer label.Mark(id, t.Name())()
		ready := make(chan bool)
		go func() { ready <- true; <-end }()
		<-ready
		over := label.Mark(label.NewID(), label.Shared)
		go func() { ready <- true; <-end; _ = label.Shared }()
		<-ready
		over()
		go func() { ready <- true; <-end; _ = label.Key }()
		<-ready
		profiled <- goroutine.LabelProfile()
		var d goroutine.Dumper
		var gs []*goroutine.Goroutine
		self := goroutine.CurrentID(make([]byte, 64))
		goroutine.Scan(d.Dump(), func(h goroutine.Head) bool {
			if g, err := goroutine.Parse(h.Block); err == nil && g.CreatorID == self {
				g.Labels = nil
				gs = append(gs, &g)
			}
			return true
		})
		listed <- gs
	}()
	gs := <-listed
	require.Len(t, gs, 3)
	slices.SortFunc(gs, func(a, b *goroutine.Goroutine) int { return cmp.Compare(a.CreatedBy.Line, b.CreatedBy.Line) }) // IDs are in no order
	c := &goroutineCensus{dealt: make(map[uint64][]goroutine.Label)}
	c.deal(<-profiled, nil, gs)
	var names []string
	for _, g := range gs {
		v, _ := g.Label(label.Key)
		_, name, _ := label.Parse(v)
		names = append(names, name)
	}
	assert.Equal(t, []string{t.Name(), label.Shared, t.Name()}, names)
}
