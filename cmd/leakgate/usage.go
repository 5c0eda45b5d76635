package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// command is one of the words that may follow leakgate; the first name is the one that help shows.
type command struct {
	names []string
	about string
	usage string
	run   func(ctx context.Context, args []string, c console) int
}

// commands lists them in the order of the help text.
func commands() []command {
	return []command{
		{[]string{"demo"}, "watch a leak of an HTTP connection being caught, by go test, on this machine", demoUsage, demoCommand},
		{[]string{"help", "-h", "-help", "--help"}, "show this text, or that of one command: leakgate help demo", helpUsage, helpCommand},
		{[]string{"version", "-version", "--version"}, "print the version", versionUsage, versionCommand},
	}
}

const helpUsage = `usage: leakgate help [command]

Shows what a command does, which flags it takes and what its exit status means.
`

func helpCommand(_ context.Context, args []string, c console) int {
	if len(args) > 1 {
		fmt.Fprintf(c.err, "leakgate help: too many arguments: it takes one command\n")
		return exitUsage
	}
	if wantsHelp(args) {
		fmt.Fprint(c.out, helpUsage)
		return exitOK
	}
	if len(args) == 0 {
		return help(c.out, nil, exitOK)
	}
	for _, cmd := range commands() {
		if cmd.names[0] == args[0] {
			return help(c.out, &cmd, exitOK)
		}
	}
	return unknown(args[0], c)
}

// help writes the text of one command, or of the program when cmd is nil.
func help(w io.Writer, cmd *command, code int) int {
	if cmd != nil {
		fmt.Fprint(w, cmd.usage)
		return code
	}
	fmt.Fprint(w, "Leakgate catches the connections, goroutines and sockets that Go code does not give back.\n\n")
	fmt.Fprint(w, "usage: leakgate <command> [flags]\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", cmd.names[0], cmd.about)
	}
	fmt.Fprint(w, "\nStart with: leakgate demo\n")
	fmt.Fprint(w, "Exit status: 0 all is well, 1 a leak was missed, 2 wrong usage, 3 could not run.\n")
	return code
}

// unknown says that there is no such command, and which one was perhaps meant.
func unknown(name string, c console) int {
	fmt.Fprintf(c.err, "leakgate: unknown command %q", name)
	if near := nearest(name); near != "" {
		fmt.Fprintf(c.err, "; did you mean %q?", near)
	}
	fmt.Fprint(c.err, "\nrun \"leakgate help\" for a list\n")
	return exitUsage
}

// nearest gives the command that the name is a slip of, or "".
func nearest(name string) string {
	best, most := "", max(1, len(name)/2)
	for _, cmd := range commands() {
		n := cmd.names[0]
		if len(name) >= 2 && strings.HasPrefix(n, strings.ToLower(name)) {
			return n
		}
		if d := distance(strings.ToLower(name), n); d <= min(most, 2) {
			best, most = n, d-1
		}
	}
	return best
}

// distance counts the letters to add, drop, change or swap with the next one to get from a to b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func wantsHelp(args []string) bool {
	for _, a := range args {
		switch a {
		case "-h", "-help", "--help":
			return true
		case "--":
			return false
		}
	}
	return false
}
