package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// gnuTime starts what is measured where it is installed. The most memory that Linux tells of a process counts what the process
// that started it had, until the new program is loaded: of a program that needs less than this one it would say nothing. What starts
// it must be small.
const gnuTime = "/usr/bin/time"

// hasGNUTime says whether it is there, and knows the flags: others of the name do not.
var hasGNUTime = sync.OnceValue(func() bool {
	return exec.Command(gnuTime, "-q", "-f", "%M", "-o", os.DevNull, "true").Run() == nil
})

// peakFile makes the file for what gnuTime says.
func peakFile() (name string, done func(), err error) {
	if !hasGNUTime() {
		return "", nil, errors.ErrUnsupported
	}
	f, err := os.CreateTemp("", "deepcost-peak")
	if err != nil {
		return "", nil, err
	}
	return f.Name(), func() { os.Remove(f.Name()) }, f.Close()
}

// readPeak gives the kilobytes that gnuTime has written; 0 where it has not.
func readPeak(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
