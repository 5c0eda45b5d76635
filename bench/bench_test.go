package main

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// The benchmarks are the comparisons of the tables in the form that benchstat reads: each side is a tool, so that
//
//	go test -bench Clean -count 10 | tee new.txt && benchstat -col /tool new.txt
//
// puts them side by side. They run one after the other; on a machine that others use too, trust the tables.

func BenchmarkClean(b *testing.B) {
	for _, v := range variants {
		for _, n := range []int{10, 100, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", v.name, n), func(b *testing.B) {
				b.Cleanup(background(n))
				runSides(b, cleanSides(v))
			})
		}
	}
}

func BenchmarkReport(b *testing.B) {
	for _, n := range []int{0, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			b.Cleanup(background(n))
			runSides(b, reportSides(false))
		})
	}
}

func BenchmarkSockets(b *testing.B) {
	for _, kind := range []string{"check", "listing"} {
		for _, n := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/sockets=%d", kind, n), func(b *testing.B) {
				done, err := openSockets(n)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(done)
				runSides(b, socketSides(kind, n))
			})
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, c := range requestComparisons() {
		b.Run(c.name[len("request/"):], func(b *testing.B) {
			sides, done, err := c.open()
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(done)
			runSides(b, sides)
		})
	}
}

func BenchmarkDatabase(b *testing.B) {
	for _, c := range databaseComparisons() {
		b.Run(c.name[len("database/"):], func(b *testing.B) {
			sides, done, err := c.open()
			if a := absent(""); errors.As(err, &a) {
				b.Skip(a)
			}
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(done)
			runSides(b, sides)
		})
	}
}

func runSides(b *testing.B, sides []side) {
	for _, s := range sides {
		b.Run("tool="+s.name, func(b *testing.B) {
			b.ReportAllocs()
			var took time.Duration
			n := 0
			var wrong error
			for b.Loop() {
				d, err := s.run(1)
				took += d
				n++
				if err != nil {
					wrong = err
				}
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(n), "ns/op") // without what prepares an operation
			switch {
			case wrong != nil && s.name == nameOurs:
				b.Error(wrong)
			case wrong != nil:
				b.Log(wrong)
			}
		})
	}
}
