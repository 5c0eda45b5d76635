package plain

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
)

var (
	panics, exits, outer, inner, labels sync.Once

	shared *os.File
)

func TestOncePanics(t *testing.T) {
	func() {
		defer func() {
			if p := recover(); p != "oops" {
				t.Error(p)
			}
		}()
		panics.Do(func() { panic("oops") })
	}()
	panics.Do(func() { t.Error("done twice") })
	f, err := os.Open(os.DevNull) // this test's own again
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestOnceExits(t *testing.T) {
	done := make(chan bool)
	go func() {
		defer close(done)
		exits.Do(runtime.Goexit)
	}()
	<-done
	exits.Do(func() { t.Error("done twice") })
}

func TestOnceInOnce(t *testing.T) {
	outer.Do(func() {
		inner.Do(func() { shared, _ = os.Open(os.DevNull) })
	})
	if shared == nil {
		t.Error("not made")
	}
}

// Labels that are set below a sync.Once stay.
func TestOnceLabels(t *testing.T) {
	ctx := pprof.WithLabels(context.Background(), pprof.Labels("own", "label"))
	labels.Do(func() { pprof.SetGoroutineLabels(ctx) })
	got := ""
	pprof.ForLabels(ctx, func(k, v string) bool { got += k + "=" + v; return true })
	if got != "own=label" {
		t.Error(got)
	}
	pprof.SetGoroutineLabels(context.Background())
}
