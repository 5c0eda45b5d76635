// Command leakgate is the part of Leakgate that is no test: it shows what the harness catches, merges what test runs wrote
// down into one report, and keeps the list of the leaks that were there before.
//
//	go run github.com/leakgate/leakgate/cmd/leakgate@latest demo
//	LEAKGATE_REPORT=leaks go test -count=1 ./...
//	go run github.com/leakgate/leakgate/cmd/leakgate@latest report -o leaks.html leaks
//	go run github.com/leakgate/leakgate/cmd/leakgate@latest baseline accept ./...
//
// "leakgate help" lists the commands and "leakgate help report" explains one. The exit status is 0 when all is well, 1 when
// there are leaks that fail (of demo: when one was missed), 2 when it was called wrongly and 3 when it could not do its work.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Exit statuses.
const (
	exitOK       = 0
	exitLeaks    = 1
	exitUsage    = 2
	exitCouldNot = 3
)

// console is where the program runs, and where and how it writes.
type console struct {
	out, err io.Writer
	colour   bool // out is a terminal that may be coloured
	live     bool // err is a terminal: a line may be written over

	dir     string   // the working folder; "" for the process's own
	environ []string // as os.Environ has it; nil for the process's own
}

// env gives a variable of the environment.
func (c console) env(name string) string {
	if c.environ == nil {
		return os.Getenv(name)
	}
	return lookup(c.environ, name)
}

// path makes a path that the user gave absolute, from the working folder.
func (c console) path(name string) (string, error) {
	if !filepath.IsAbs(name) && c.dir != "" {
		name = filepath.Join(c.dir, name)
	}
	return filepath.Abs(name)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C changes nothing: what the first one began is over in some seconds, and leaves nothing behind.
	outlivePipe()
	code := run(ctx, os.Args[1:], console{
		out: os.Stdout, err: os.Stderr,
		colour: isTerminal(os.Stdout) && wantsColour(os.Getenv), live: isTerminal(os.Stderr),
	})
	stop()
	os.Exit(code)
}

// run runs one command and gives its exit status.
func run(ctx context.Context, args []string, c console) int {
	if len(args) == 0 {
		return help(c.err, nil, exitUsage)
	}
	if cmd := find(commands(), args[0]); cmd != nil {
		return cmd.run(ctx, args[1:], c)
	}
	return unknown("leakgate", args[0], commands(), c)
}
