package main

import (
	"errors"
	"fmt"
	"strings"
)

// problem is why a command could not do its work, what another program said about it, and what to do.
type problem struct{ what, said, todo string }

func (p problem) Error() string { return p.what }

// couldNot says why a command could not do its work, and gives the exit status. path is the command: "baseline accept".
func couldNot(path string, err error, c console) int {
	var p problem
	if !errors.As(err, &p) {
		p = problem{what: err.Error(), todo: "this should not happen: please report it"}
	}
	fmt.Fprintf(c.err, "leakgate %s: could not run: %s\n", path, p.what)
	c.quote(p.said)
	fmt.Fprintf(c.err, "what to do: %s\n", p.todo)
	return exitCouldNot
}

// quote writes what another program said, as far as it helps.
func (c console) quote(said string) {
	if said == "" {
		return
	}
	lines := strings.Split(said, "\n")
	const most = 20
	for _, line := range lines[:min(len(lines), most)] {
		fmt.Fprintf(c.err, "    %s\n", line)
	}
	if len(lines) > most {
		fmt.Fprintf(c.err, "    … %d lines more\n", len(lines)-most)
	}
}
