// Command gen runs one scenario and writes the dump of its goroutines to standard output.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/goroutine/testdata/scenario"
)

func main() {
	scenario.Child()
	list := flag.Bool("list", false, "print the names of the scenarios")
	withLabels := flag.Bool("labels", false, "put labels on the goroutines and into the dump")
	forever := flag.Bool("forever", false, "add goroutines in states that never end")
	flag.Parse()
	if *list {
		for _, s := range scenario.All {
			fmt.Println(s.Name)
		}
		return
	}
	var d goroutine.Dumper
	old := scenario.IDs(d.Dump())
	if *withLabels {
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(
			"leakgate", "3 TestSession/expired token",
			"plain", "value_1.a/b",
			"odd ]: {}, key", "line\nend \"quoted\" \\ tab\t é \x00 \xff 😀 [select]: goroutine 1 [running]:",
			"empty", "",
		)))
	}
	for _, s := range scenario.All {
		if s.Name != flag.Arg(0) {
			continue
		}
		var h scenario.H
		s.Start(&h)
		want := s.Wanted()
		if *forever {
			scenario.Forever()
			want[goroutine.RoleUser] += 3
		}
		dump, ok := scenario.Settle(&d, old, want, *withLabels)
		os.Stdout.Write(dump)
		if !ok {
			got, _ := scenario.Count(dump, old)
			fmt.Fprintf(os.Stderr, "%s: did not settle: got %v, want %v\n", s.Name, got, want)
			os.Exit(1)
		}
		h.Stop()
		return
	}
	fmt.Fprintf(os.Stderr, "no scenario %q\n", flag.Arg(0))
	os.Exit(2)
}
