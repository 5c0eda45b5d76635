package main

import (
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/internal/deep/mode"
)

var (
	dialTimes = regexp.MustCompile(`\b\d+(\.\d+)?(µ|m|n)?s\b`)
	dialPorts = regexp.MustCompile(`(db\.test):\d+`)
)

// TestDeepDials is -allow-dial and -deny-dial on a module that knows nothing of them. It compiles the standard library, so that
// -short leaves it out.
func TestDeepDials(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	t.Setenv("LEAKGATE_CACHE", t.TempDir())

	out, errs, code := deepRun(t, "./dials")
	assert.Equal(t, exitOK, code, "without a flag nothing is judged: %s%s", out, errs)

	out, errs, code = deepRun(t, "-allow-dial=own", "./dials")
	assert.Equal(t, exitLeaks, code, "%s%s", out, errs)
	if runtime.GOOS == "linux" {
		golden(t, "dials.txt", steadyText(dialPorts.ReplaceAllString(dialTimes.ReplaceAllString(out, "TIME"), "$1:PORT")))
	}

	out, errs, code = deepRun(t, "-allow-dial=own", "-run=TestOwn", "./dials")
	assert.Equal(t, exitLeaks, code, "%s%s", out, errs)
	assert.Contains(t, out, "PASS\nleakgate: 2 leaks: ")
	assert.Contains(t, out, "none: it was before the tests began, in an init function, a package-level variable or TestMain")
	assert.Contains(t, out, "via         dials_test.go:", "TestMain's line")

	out, errs, code = deepRun(t, "-deny-dial", "-run=TestOwn|TestRetries|TestGoroutine|TestUnix|TestDriver|TestByName|TestAddress|TestParallel|TestOnce", "./dials")
	assert.Equal(t, exitOK, code, "what does not leave the machine is allowed, also by a name: %s%s", out, errs)

	out, errs, code = deepRun(t, "-allow-dial=127.0.0.0/8,broker.invalid:5672", "-allow-dial", "*.invalid, unix:/nowhere/*", "./dials")
	assert.Equal(t, exitOK, code, "%s%s", out, errs)

	out, errs, code = deepRun(t, "-allow-dial=db.test,127.0.0.1:8125", "-run=TestDriver|TestByName", "./dials")
	assert.Equal(t, exitLeaks, code, "%s%s", out, errs)
	assert.Contains(t, out, "PASS\nleakgate: 1 leak: ", "what an allowed name led to is allowed, and TestMain dialled the address")

	out, errs, code = deepRun(t, "-deny-dial", "-report", "-v", "-run=TestNoHost", "./dials")
	assert.Equal(t, exitOK, code, "%s%s", out, errs)
	assert.Contains(t, out, "leakgate: 2 leaks: dial of broker.invalid:5672 (no such host) at dials.go:")
}

// TestDialOptions: what the agent is told, and what is refused.
func TestDialOptions(t *testing.T) {
	for _, c := range []struct {
		o    dialOptions
		want string
	}{
		{dialOptions{}, ""},
		{dialOptions{deny: true}, "own listeners\nloopback\nunix"},
		{dialOptions{allow: several{"own"}}, "own listeners"},
		{dialOptions{deny: true, allow: several{"db.internal:5432, own", "https://api.example.com/v1"}}, "own listeners\ndb.internal:5432\napi.example.com:443"},
		{dialOptions{allow: several{"unix:///run/app.sock,[fd00::/8]:80,amqp://u:pw@broker"}}, "own listeners\nunix:/run/app.sock\n[fd00::/8]:80\nbroker:5672"},
	} {
		got, err := c.o.environ()
		assert.NoError(t, err)
		assert.Equal(t, mode.Dials+"="+c.want, got)
	}
	for value, want := range map[string]string{
		"":                   `-allow-dial "": it is empty`,
		"db.internal,":       `-allow-dial "": it is empty`,
		"db.internal:x":      `-allow-dial "db.internal:x": port "x" is no number from 1 to 65535`,
		"http://u:pw@host:x": `-allow-dial "http://…": it is no URL with a host`,
	} {
		out, errs, code := call(t, "test", "-allow-dial", value)
		assert.Equal(t, exitUsage, code)
		assert.Empty(t, out)
		assert.True(t, strings.HasPrefix(errs, "leakgate test: "+want+": expected is a host (db.internal, 10.1.2.3, *.example.com), "), errs)
		assert.NotContains(t, errs, "pw")
	}
}
