package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// outlivePipe lets the program go on when nobody reads its output any more: leakgate baseline accept ./... | head must
// stop go test's children and remove its folder like any other run. The signal is taken and not ignored, because what is
// ignored is inherited by go test and the tests.
func outlivePipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// lookup gives the last value that the environment has for the name.
func lookup(environ []string, name string) (value string) {
	for _, v := range environ {
		if n, s, _ := strings.Cut(v, "="); n == name {
			value = s
		}
	}
	return value
}

// print writes a whole text to standard output. That nobody reads it (a pipe to head) is no error.
func (c console) print(text []byte) error {
	_, err := c.out.Write(text)
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.ErrClosedPipe) {
		return problem{
			what: fmt.Sprintf("standard output could not be written: %v", err),
			todo: "free some space where it goes to, or write to a file elsewhere with -o FILE",
		}
	}
	return nil
}
