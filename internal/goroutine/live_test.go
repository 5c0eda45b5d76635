package goroutine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/goroutine/testdata/scenario"
)

func TestMain(m *testing.M) {
	scenario.Child()
	// The first Notify of a process starts a loop that never ends. With it started here, every run finds the same.
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)
	os.Exit(m.Run())
}

// TestScenarios runs every scenario with the Go version at hand and looks at what it starts.
func TestScenarios(t *testing.T) {
	for _, s := range scenario.All {
		t.Run(s.Name, func(t *testing.T) {
			want := s.Wanted()
			if s.Name == "signal" {
				delete(want, goroutine.RoleRuntime) // TestMain started it
			}
			var d goroutine.Dumper
			old := scenario.IDs(d.Dump())
			var h scenario.H
			defer h.Stop()
			func() {
				defer func() {
					if r := recover(); r != nil {
						if err, ok := r.(error); ok && errors.Is(err, scenario.ErrBusy) {
							t.Skip(err)
						}
						panic(r)
					}
				}()
				s.Start(&h)
			}()
			dump, ok := scenario.Settle(&d, old, want, false)
			if !ok {
				got, _ := scenario.Count(dump, old)
				require.Equal(t, want, got, "%s\n%s", s.Reason, dump)
				require.Fail(t, "it did not settle", "%s", dump)
			}
			checkPairs(t, dump, old)
			h.Stop()

			// The scenario is clean: all that it started ends.
			dump, ok = scenario.Settle(&d, old, map[goroutine.Role]int{}, false)
			require.True(t, ok, "%s", dump)
		})
	}
}

// checkPairs says that every read loop has a write loop of the same key, and nothing else has a key.
func checkPairs(t *testing.T, dump []byte, old map[uint64]bool) {
	pairs := map[string][]goroutine.Role{}
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if old[h.ID] {
			return true
		}
		g, err := goroutine.Parse(h.Block)
		require.NoError(t, err)
		role, key := goroutine.Classify(&g), goroutine.PairKey(&g)
		switch role {
		case goroutine.RoleClientIdle, goroutine.RoleClientLeased, goroutine.RoleClientWrite:
			require.NotEmpty(t, key, "%s", h.Block)
			pairs[key] = append(pairs[key], role)
		default:
			require.Empty(t, key, "%s", h.Block)
		}
		return true
	})
	for key, roles := range pairs {
		require.Len(t, roles, 2, key)
		require.True(t, (roles[0] == goroutine.RoleClientWrite) != (roles[1] == goroutine.RoleClientWrite), "%s: %v", key, roles)
	}
}

// TestOwnRunners says that what package testing has around this very test is known, with parallel subtests too.
func TestOwnRunners(t *testing.T) {
	unknown := func(t *testing.T) (out []string) {
		var d goroutine.Dumper
		goroutine.Scan(d.Dump(), func(h goroutine.Head) bool {
			g, err := goroutine.Parse(h.Block)
			require.NoError(t, err)
			if role := goroutine.Classify(&g); role != goroutine.RoleTest && role != goroutine.RoleRuntime {
				out = append(out, fmt.Sprintf("%s: %s", role, h.Block))
			}
			return true
		})
		return out
	}
	for end := time.Now().Add(10 * time.Second); len(unknown(t)) > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // until what the tests before this one started has ended
	}
	check := func(t *testing.T) {
		require.Empty(t, unknown(t))
	}
	t.Cleanup(func() { check(t) })
	t.Run("group", func(t *testing.T) {
		for range 4 {
			t.Run("sub", func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() { check(t) })
				check(t)
			})
		}
	})
}

func TestSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan bool)
		go func() { <-c }()
		synctest.Wait()
		var d goroutine.Dumper
		waiting := 0
		goroutine.Scan(d.Dump(), func(h goroutine.Head) bool {
			g, err := goroutine.Parse(h.Block)
			require.NoError(t, err)
			if !strings.Contains(g.CreatedBy.Func, ".TestSynctest.") {
				return true // what a test before this one has started may still wind down
			}
			if goroutine.Classify(&g) == goroutine.RoleUser {
				waiting++
				assert.Equal(t, "chan receive", g.State)
				assert.Equal(t, "chan receive", string(h.State))
				assert.True(t, g.Durable)
				assert.NotZero(t, g.Bubble)
			}
			return true
		})
		assert.Equal(t, 1, waiting)
		close(c)
	})
}

func TestDumpGrows(t *testing.T) {
	const n = 2000
	release, done := make(chan bool), make(chan bool)
	for range n {
		go func() { <-release; done <- true }()
	}
	defer func() {
		close(release)
		for range n {
			<-done
		}
	}()
	var d goroutine.Dumper
	dump := d.Dump()
	require.Greater(t, len(dump), 64<<10)
	heads := 0
	first := uint64(0)
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if heads == 0 {
			first = h.ID
		}
		heads++
		assert.NotZero(t, h.ID)
		return true
	})
	assert.GreaterOrEqual(t, heads, n)
	assert.Equal(t, goroutine.CurrentID(make([]byte, 64)), first, "the caller comes first")
	assert.Zero(t, allocs(5, func() { d.Dump() }), "a warm Dumper")
	assert.Zero(t, allocs(5, func() {
		goroutine.Scan(dump, func(goroutine.Head) bool { return true })
	}))
}

// allocs is testing.AllocsPerRun, which counts what others allocate meanwhile, without that: goroutines of tests before this one
// may still wind down. What f itself allocates, it does each time.
func allocs(runs int, f func()) float64 {
	least := testing.AllocsPerRun(runs, f)
	for i := 0; i < 20 && least > 0; i++ {
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	return least
}

func TestCurrentID(t *testing.T) {
	mine := goroutine.CurrentID(make([]byte, 64))
	require.NotZero(t, mine)
	assert.Equal(t, mine, goroutine.CurrentID(nil), "a buffer that is too short is replaced")
	buf := make([]byte, 64)
	assert.Zero(t, allocs(10, func() { goroutine.CurrentID(buf) }))
	other := make(chan uint64)
	go func() { other <- goroutine.CurrentID(make([]byte, 32)) }()
	assert.NotEqual(t, mine, <-other)
}

// labelled starts a goroutine with a label and gives what DumpLabels shows of it.
func labelled(t *testing.T, d *goroutine.Dumper) (value string, ok bool) {
	t.Helper()
	release, id := make(chan bool), make(chan uint64)
	go pprof.Do(context.Background(), pprof.Labels("leakgate", "7 TestX/a b]: {}"), func(context.Context) {
		id <- goroutine.CurrentID(nil)
		<-release
	})
	mine := <-id
	defer close(release)
	goroutine.Scan(d.DumpLabels(), func(h goroutine.Head) bool {
		if h.ID == mine {
			g, err := goroutine.Parse(h.Block)
			require.NoError(t, err)
			value, ok = g.Label("leakgate")
		}
		return true
	})
	return value, ok
}

func TestDumpLabels(t *testing.T) {
	supported := !strings.HasPrefix(runtime.Version(), "go1.25")
	require.Equal(t, supported, goroutine.LabelsInDump())
	for _, env := range []struct {
		name  string
		set   bool
		value string
	}{
		{"unset", false, ""},
		{"empty", true, ""},
		{"other setting", true, "http2debug=0"},
		{"turned off", true, "tracebacklabels=0"},
		{"turned on", true, "tracebacklabels=1"},
		{"unset again", false, ""},
	} {
		t.Run(env.name, func(t *testing.T) {
			t.Setenv("GODEBUG", env.value) // restores it in the end
			if !env.set {
				os.Unsetenv("GODEBUG")
			}
			var d goroutine.Dumper
			for range 2 {
				value, ok := labelled(t, &d)
				assert.Equal(t, supported, ok)
				if supported {
					assert.Equal(t, "7 TestX/a b]: {}", value)
				}
				now, set := os.LookupEnv("GODEBUG")
				assert.Equal(t, env.value, now)
				assert.Equal(t, env.set, set)
			}
		})
	}
}

// TestDumpLabelsLeavesChange says that a value that somebody sets during the dump is left alone.
func TestDumpLabelsLeavesChange(t *testing.T) {
	t.Setenv("GODEBUG", "http2debug=0")
	goroutine.WithLabels(func() { os.Setenv("GODEBUG", "http2debug=1") })
	assert.Equal(t, "http2debug=1", os.Getenv("GODEBUG"))
}

// TestDumpLabelsOnAtStart runs TestDumpLabels in a process that prints labels from the start, as programs whose go.mod
// says go 1.27 do.
func TestDumpLabelsOnAtStart(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestDumpLabels$")
	cmd.Env = append(os.Environ(), "GODEBUG=tracebacklabels=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestDumpLabelsKeepsOwn says that looking for labels leaves the caller's alone.
func TestDumpLabelsKeepsOwn(t *testing.T) {
	if !goroutine.LabelsInDump() {
		t.Skip("this Go version shows no labels")
	}
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("own", "kept")))
	defer pprof.SetGoroutineLabels(context.Background())
	var d goroutine.Dumper
	for range 2 {
		goroutine.Scan(d.DumpLabels(), func(h goroutine.Head) bool {
			g, err := goroutine.Parse(h.Block)
			require.NoError(t, err)
			value, _ := g.Label("own")
			assert.Equal(t, "kept", value)
			return false
		})
	}
}

// TestDumpLabelsTogether has several Dumpers at work at the same time: GODEBUG is what it was in the end.
func TestDumpLabelsTogether(t *testing.T) {
	t.Setenv("GODEBUG", "http2debug=0")
	stop, done := make(chan bool), make(chan bool)
	for range 3 {
		go func() {
			defer func() { done <- true }()
			var d goroutine.Dumper
			for {
				select {
				case <-stop:
					return
				default:
					d.DumpLabels()
				}
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	close(stop)
	for range 3 {
		<-done
	}
	assert.Equal(t, "http2debug=0", os.Getenv("GODEBUG"))
}

func BenchmarkScan(b *testing.B) {
	const n = 10_000
	release, done := make(chan bool), make(chan bool)
	for range n {
		go func() { <-release; done <- true }()
	}
	defer func() {
		close(release)
		for range n {
			<-done
		}
	}()
	var d goroutine.Dumper
	dump := d.Dump()
	b.Run("scan", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(dump)))
		for b.Loop() {
			heads := 0
			goroutine.Scan(dump, func(h goroutine.Head) bool {
				if h.ID != 0 {
					heads++
				}
				return true
			})
			if heads < n {
				b.Fatal(heads)
			}
		}
	})
	b.Run("dump", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.Dump()
		}
	})
	b.Run("parse one", func(b *testing.B) {
		b.ReportAllocs()
		var block []byte
		goroutine.Scan(dump, func(h goroutine.Head) bool { block = h.Block; return true })
		for b.Loop() {
			g, _ := goroutine.Parse(block)
			goroutine.Classify(&g)
		}
	})
}
