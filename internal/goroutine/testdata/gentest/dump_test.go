// Package gentest dumps the goroutines that package testing itself starts. It is run by the Makefile above, which
// says in the environment where each dump goes.
package gentest

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leakgate/leakgate/internal/goroutine"
)

// write writes a dump to the file that the environment variable names, when it holds all of the texts. It says
// whether it did.
func write(variable string, texts ...string) bool {
	file := os.Getenv(variable)
	if file == "" {
		return true
	}
	var d goroutine.Dumper
	dump := d.Dump()
	for _, text := range texts {
		if !bytes.Contains(dump, []byte(text)) {
			return false
		}
	}
	if err := os.WriteFile(file, dump, 0o666); err != nil {
		panic(err)
	}
	return true
}

// until writes the dump as soon as it holds all of the texts.
func until(variable string, texts ...string) {
	for !write(variable, texts...) {
		time.Sleep(time.Millisecond)
	}
}

func TestMain(m *testing.M) {
	if os.Getenv("DUMP_COORDINATOR") != "" && !isWorker() {
		go until("DUMP_COORDINATOR", "internal/fuzz.(*worker).coordinate", "internal/fuzz.(*worker).start.func1")
	}
	os.Exit(m.Run())
}

func isWorker() bool {
	for _, arg := range os.Args {
		if arg == "-test.fuzzworker" {
			return true
		}
	}
	return false
}

func TestParallel(t *testing.T) {
	t.Run("group", func(t *testing.T) {
		for i := range 3 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				// With -parallel 1 the other subtests wait for their turn, and the group for all of them.
				write("DUMP_PARALLEL", "waitParallel")
			})
		}
	})
}

func TestCleanup(t *testing.T) {
	t.Run("sub", func(t *testing.T) {
		t.Cleanup(func() { write("DUMP_CLEANUP") })
	})
}

func TestSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan bool)
		go func() { <-c }()
		go func() {
			select {
			case <-c:
			case <-time.After(time.Hour):
			}
		}()
		go func() { time.Sleep(time.Minute) }()
		synctest.Wait()
		write("DUMP_SYNCTEST")
		close(c)
		time.Sleep(time.Hour) // of the bubble's own time, so that all of them end
	})
}

func BenchmarkDump(b *testing.B) {
	for range b.N {
	}
	b.RunParallel(func(pb *testing.PB) {
		write("DUMP_BENCH")
		for pb.Next() {
		}
	})
}

func Example_dump() {
	write("DUMP_EXAMPLE")
	fmt.Println("done")
	// Output: done
}

func FuzzDump(f *testing.F) {
	f.Add("seed")
	f.Fuzz(func(t *testing.T, text string) {
		if isWorker() {
			write("DUMP_WORKER")
		} else {
			write("DUMP_SEED")
		}
	})
}
