// Command leakgate shows what Leakgate catches.
//
//	go run github.com/leakgate/leakgate/cmd/leakgate@latest demo
//
// It needs the go command and nothing else. Its exit status is 0 when all is well, 1 when a leak was missed, 2 when it was
// called wrongly and 3 when it could not do its work.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitOK       = 0
	exitLeaks    = 1
	exitUsage    = 2
	exitCouldNot = 3
)

// console is where the program writes, and how.
type console struct {
	out, err io.Writer
	colour   bool // out is a terminal that may be coloured
	live     bool // err is a terminal: a line may be written over
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C changes nothing: what the first one began is over in some seconds, and leaves nothing behind.
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
	for _, cmd := range commands() {
		for _, name := range cmd.names {
			if args[0] == name {
				return cmd.run(ctx, args[1:], c)
			}
		}
	}
	return unknown(args[0], c)
}
