package clean

import (
	"io"
	"os/exec"
	"testing"
)

// worker is a process that is kept for all tests, and ends with its input.
var (
	worker *exec.Cmd
	input  io.Closer
)

func TestKeptProcess(t *testing.T) {
	path, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("there is no program that waits for its input")
	}
	cmd := exec.Command(path)
	if input, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	worker = cmd
}
