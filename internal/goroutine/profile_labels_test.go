package goroutine

import (
	"context"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/callsite"
)

func waits(begun chan<- struct{}, stop <-chan struct{}) {
	begun <- struct{}{}
	<-stop
}

// TestAttachLabels: equal stacks with different labels get as many of each as there are.
func TestAttachLabels(t *testing.T) {
	begun, stop := make(chan struct{}), make(chan struct{})
	defer close(stop)
	for _, who := range []string{"a", "b", "b", ""} {
		ctx := context.Background()
		if who != "" {
			ctx = pprof.WithLabels(ctx, pprof.Labels("who", who, "odd", "x\": {\n"))
		}
		pprof.SetGoroutineLabels(ctx)
		go waits(begun, stop)
		<-begun
	}
	pprof.SetGoroutineLabels(context.Background())

	profile := LabelProfile()
	var d Dumper
	var gs []*Goroutine
	Scan(d.Dump(), func(h Head) bool {
		g, err := Parse(h.Block)
		require.NoError(t, err)
		if len(g.Frames) > 0 && g.Frames[len(g.Frames)-1].Func == "github.com/leakgate/leakgate/internal/goroutine.waits" {
			g.Labels = nil // as Go 1.25 has it
			gs = append(gs, &g)
		}
		return true
	})
	require.Len(t, gs, 4)
	dealt := make(map[uint64][]Label)
	AttachLabels(gs, profile, dealt)
	count := make(map[string]int)
	for _, g := range gs {
		who, _ := g.Label("who")
		count[who]++
		if who != "" {
			odd, _ := g.Label("odd")
			assert.Equal(t, "x\": {\n", odd)
		}
	}
	assert.Equal(t, map[string]int{"a": 1, "b": 2, "": 1}, count)

	before := make(map[uint64]string)
	for _, g := range gs {
		before[g.ID], _ = g.Label("who")
		g.Labels = nil
	}
	AttachLabels(gs[1:], profile, dealt) // whoever asks for fewer gets the same
	for _, g := range gs[1:] {
		if who, _ := g.Label("who"); before[g.ID] != "" {
			assert.Equal(t, before[g.ID], who)
		}
	}
}

func TestAttachTolerant(t *testing.T) {
	g := &Goroutine{Frames: []callsite.Frame{{Func: "main.f", Line: 3}}}
	for _, text := range []string{"", "\n\n", "x @ y\n# labels: {\n#\tno", "1 @ 0x1\n# labels: {\"a\n#\t0x1\tmain.f+0x1\t/x.go:3", "1 @ 0x1\n# labels: {\"a\":\"b\"}\n#\t0x1\tmain.f+0x1\t/x.go:4"} {
		attach([]*Goroutine{g}, text, map[uint64][]Label{})
		assert.Empty(t, g.Labels)
	}
	attach([]*Goroutine{g}, "1 @ 0x1\n# labels: {\"a\":\"b\"}\n#\t0x1\tmain.f+0x1\t/x.go:3", map[uint64][]Label{})
	assert.Equal(t, []Label{{Key: "a", Value: "b"}}, g.Labels)
}
