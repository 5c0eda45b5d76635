package goroutine_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/leakgate/leakgate/internal/goroutine"
)

// FuzzParse says that no text makes Parse, Classify or PairKey panic, and that what they give is in order.
func FuzzParse(f *testing.F) {
	for _, file := range dumpFiles(f) {
		goroutine.Scan(readDump(f, file), func(h goroutine.Head) bool {
			f.Add(h.Block)
			return true
		})
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		before := bytes.Clone(block)
		g, err := goroutine.Parse(block)
		if !bytes.Equal(before, block) {
			t.Fatal("the text was changed")
		}
		if len(g.Args) != len(g.Frames) {
			t.Fatalf("%d args of %d frames", len(g.Args), len(g.Frames))
		}
		if g.Raw != strings.Trim(string(block), "\n") {
			t.Fatalf("raw text %q", g.Raw)
		}
		if g.Wait < 0 || g.Elided < 0 || g.CreatedBy.Line < 0 {
			t.Fatalf("negative: %+v", g)
		}
		if err == nil && !strings.HasPrefix(g.Raw, "goroutine ") {
			t.Fatal("no error for what is no goroutine")
		}
		if r := goroutine.Classify(&g); strings.HasPrefix(r.String(), "Role(") {
			t.Fatal(r)
		}
		goroutine.PairKey(&g)
		goroutine.Blocked(g.State)
	})
}

// FuzzScan says that Scan loses no goroutine and no text, and agrees with Parse.
func FuzzScan(f *testing.F) {
	for _, file := range dumpFiles(f) {
		f.Add(readDump(f, file))
	}
	f.Fuzz(func(t *testing.T, dump []byte) {
		rest := dump
		goroutine.Scan(dump, func(h goroutine.Head) bool {
			i := bytes.Index(rest, h.Block)
			if i < 0 || len(h.Block) == 0 {
				t.Fatalf("block %q is not in the rest of the dump", h.Block)
			}
			if strings.Trim(string(rest[:i]), "\n") != "" {
				t.Fatalf("lost %q", rest[:i])
			}
			rest = rest[i+len(h.Block):]
			g, err := goroutine.Parse(h.Block)
			if err == nil && (g.ID != h.ID || g.State != string(h.State)) {
				t.Fatalf("Scan gives %d %q, Parse %d %q", h.ID, h.State, g.ID, g.State)
			}
			// That Leased agrees with Classify holds for real dumps, see TestGolden; Scan does not read whole stacks.
			if h.Leased && (!h.Transport || string(h.State) != "select") {
				t.Fatalf("leased in state %q", h.State)
			}
			return true
		})
		if strings.Trim(string(rest), "\n") != "" {
			t.Fatalf("lost %q", rest)
		}
	})
}
