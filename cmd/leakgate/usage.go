package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// command is one of the words that may follow leakgate; the first name is the one that help shows.
type command struct {
	names []string
	about string
	usage string // its help; the line flagsHere stands for the flags
	flags func() *flag.FlagSet
	args  string // what its arguments are: one of the words below, for completion
	subs  []command
	run   func(ctx context.Context, args []string, c console) int
}

// What a command takes as arguments.
const (
	argNothing  = ""
	argFolders  = "folders"
	argPackages = "packages"
	argCommand  = "command"
	argShell    = "shell"
)

const flagsHere = "FLAGS\n"

// commands lists them in the order of the help text.
func commands() []command {
	return []command{
		{
			names: []string{"demo"}, about: "watch leaks of HTTP and database connections being caught, by go test, on this machine",
			usage: demoUsage, flags: func() *flag.FlagSet { return demoFlags(new(demo)) }, run: demoCommand,
		},
		{
			names: []string{"test"}, about: "run go test with every leak in it given a line, with no change to the code",
			usage: deepUsage, flags: func() *flag.FlagSet { return deepFlags(new(deepOptions)) }, args: argPackages, run: deepCommand,
		},
		{
			names: []string{"report"}, about: "merge what test runs wrote down into one verdict: text, HTML, SARIF, GitHub, GitLab, JUnit",
			usage: reportUsage, flags: func() *flag.FlagSet { return reportFlags(new(reportOptions)) }, args: argFolders, run: reportCommand,
		},
		{
			names: []string{"baseline"}, about: "keep the list of the leaks that were there before: accept, prune, check",
			usage: baselineUsage, subs: baselineCommands(), run: baselineCommand,
		},
		{
			names: []string{"completion"}, about: "print the script that completes these words in bash, zsh, fish or PowerShell",
			usage: completionUsage, args: argShell, run: completionCommand,
		},
		{
			names: []string{"help", "-h", "-help", "--help"}, about: "show this text, or that of one command: leakgate help demo",
			usage: helpUsage, args: argCommand, run: helpCommand,
		},
		{
			names: []string{"version", "-version", "--version"}, about: "print the version",
			usage: versionUsage, run: versionCommand,
		},
	}
}

// text is the command's help.
func (cmd *command) text() string {
	if cmd.flags == nil {
		return cmd.usage
	}
	return strings.Replace(cmd.usage, flagsHere, flagHelp(cmd.flags()), 1)
}

// find gives the command of that name; one of the other names counts too.
func find(cmds []command, name string) *command {
	for i := range cmds {
		for _, n := range cmds[i].names {
			if n == name {
				return &cmds[i]
			}
		}
	}
	return nil
}

const helpUsage = `usage: leakgate help [command [subcommand]]

Shows what a command does, which flags it takes and what its exit status means.
`

func helpCommand(_ context.Context, args []string, c console) int {
	if wantsHelp(args) {
		fmt.Fprint(c.out, helpUsage)
		return exitOK
	}
	if len(args) == 0 {
		return help(c.out, nil, exitOK)
	}
	var cmd *command
	cmds, path := commands(), "leakgate"
	for _, name := range args {
		if len(cmds) == 0 {
			fmt.Fprintf(c.err, "leakgate help: too many arguments: %q has no commands of its own\n", path)
			return exitUsage
		}
		found := find(cmds, name)
		if found == nil || found.names[0] != name {
			return unknown(path, name, cmds, c)
		}
		cmd, cmds, path = found, found.subs, path+" "+name
	}
	return help(c.out, cmd, exitOK)
}

// help writes the text of one command, or of the program when cmd is nil.
func help(w io.Writer, cmd *command, code int) int {
	if cmd != nil {
		fmt.Fprint(w, cmd.text())
		return code
	}
	fmt.Fprint(w, "Leakgate catches the connections, goroutines and sockets that Go code does not give back.\n\n")
	fmt.Fprint(w, "usage: leakgate <command> [flags]\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-10s  %s\n", cmd.names[0], cmd.about)
	}
	fmt.Fprint(w, "\nStart with: leakgate demo\n")
	fmt.Fprint(w, "Exit status: 0 all is well, 1 leaks (of demo: a leak was missed), 2 wrong usage, 3 could not run.\n")
	return code
}

// unknown says that there is no such command, and which one was perhaps meant. path is what precedes it: "leakgate baseline".
func unknown(path, name string, cmds []command, c console) int {
	fmt.Fprintf(c.err, "%s: unknown command %q", path, name)
	if near := nearest(name, cmds); near != "" {
		fmt.Fprintf(c.err, "; did you mean %q?", near)
	}
	_, sub, _ := strings.Cut(path, " ")
	fmt.Fprintf(c.err, "\nrun \"%s\" for a list\n", strings.TrimSpace("leakgate help "+sub))
	return exitUsage
}

// wrongUsage says what is wrong with a call. path is the command: "baseline accept".
func wrongUsage(path string, err error, c console) int {
	fmt.Fprintf(c.err, "leakgate %s: %v\nrun \"leakgate %[1]s -h\" for help\n", path, err)
	return exitUsage
}

// ended says why a command did not do its work, and gives the exit status.
func ended(path string, err error, c console) int {
	var u usageError
	if errors.As(err, &u) {
		return wrongUsage(path, err, c)
	}
	return couldNot(path, err, c)
}

// nearest gives the command that the name is a slip of, or "".
func nearest(name string, cmds []command) string {
	var names []string
	for _, cmd := range cmds {
		names = append(names, cmd.names[0])
	}
	return nearestOf(name, names)
}

// nearestOf gives the word that the name is a slip or the beginning of, or "".
func nearestOf(name string, words []string) string {
	name = strings.ToLower(name)
	best, most := "", max(1, len(name)/2)
	for _, w := range words {
		if len(name) >= 2 && strings.HasPrefix(w, name) {
			return w
		}
		if len(w) < 2 {
			continue // every letter is near it
		}
		if d := distance(name, w); d <= min(most, 2) {
			best, most = w, d-1
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
