//go:build unix

package main

import (
	"os"
	"syscall"
)

// passedOn are the signals besides an interrupt. SIGQUIT is among them because it would end this program with a dump of its
// own, beside that of the tests.
var passedOn = []os.Signal{syscall.SIGTERM, syscall.SIGQUIT}
