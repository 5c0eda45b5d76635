// Package others has what go test runs besides tests, each with a leak.
package others

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// keeper has a goroutine that began before all and keeps what it is given: what a variable held would be process-wide.
var keeper = make(chan *os.File)

func init() {
	go func() {
		var kept []*os.File
		for f := range keeper {
			kept = append(kept, f)
		}
		runtime.KeepAlive(kept)
	}()
}

func open() {
	f, err := os.Open("others_test.go")
	if err != nil {
		panic(err)
	}
	keeper <- f
}

// It is looked at once, and not after each of its runs.
func BenchmarkLeak(b *testing.B) {
	for range b.N {
		open()
	}
}

func BenchmarkSub(b *testing.B) {
	b.Run("leak", func(b *testing.B) {
		b.Run("leaf", func(b *testing.B) {
			for range b.N {
				open()
			}
		})
	})
	b.Run("clean", func(b *testing.B) {
		for b.Loop() {
		}
	})
}

func FuzzLeak(f *testing.F) {
	open()
	f.Add(1)
	f.Fuzz(func(*testing.T, int) {})
}

func FuzzSeed(f *testing.F) {
	f.Add(1)
	f.Fuzz(func(*testing.T, int) { open() })
}

func Example() {
	open()
	fmt.Println("hello")
	// Output: hello
}

func Example_clean() {
	fmt.Println("hello")
	// Output: hello
}
