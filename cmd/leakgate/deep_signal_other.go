//go:build !unix

package main

import "os"

// passedOn has a console's other events, which reach all of its processes.
var passedOn = []os.Signal{os.Interrupt}
