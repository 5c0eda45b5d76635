package record

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

// childVar tells the child process which of its tests may leak.
const childVar = "LEAKGATE_EXAMPLE_LEAKS"

// Leaky says whether this process was started by Child to run a test that leaks. Everywhere else such a test skips
// itself, or leaves out the line that leaks.
func Leaky() bool { return os.Getenv(childVar) != "" }

// Child runs the tests of this package that match the pattern in a process of its own, where Leaky is true, and gives
// what it printed and its exit code. It is for what ends a process (TestMain) or needs a *testing.T (testify's suite).
func Child(t *testing.T, pattern string) (output string, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), self, "-test.run="+pattern, "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), childVar+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
