package patterns_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
)

// childVar is set in the process that testMainReports starts, to the driver and its data source.
const childVar = "LEAKGATE_PATTERNS_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		os.Exit(leakcheck.Main(m))
	}
	_ = mysql.SetLogger(log.New(io.Discard, "", 0)) // it says when a connection was killed, which tests do
	os.Exit(m.Run())
}

// inChild leak in one process and one database; what locks the table comes last.
var inChild = []string{"Stmt on db", "early return", "one row read", "panic", "Row without Scan", "pool layer", "Conn, error",
	"pool per call", "rows, cancellable", "Tx, error"}

// TestInChild leaks, and has no check of its own.
func TestInChild(t *testing.T) {
	name, source, ok := strings.Cut(os.Getenv(childVar), " ")
	if !ok {
		t.Skip("it runs in the process that testMainReports starts")
	}
	b := bases[slices.IndexFunc(bases, func(b *base) bool { return strings.ReplaceAll(b.name, " ", "_") == name })]
	s := store{database{b, source, ""}, nil, &forgotten}
	s.db = s.open(t)
	for _, name := range inChild {
		func() {
			defer func() { _ = recover() }()
			ended, end := context.WithCancel(context.Background())
			end()
			if err := named(name).buggy(s, ended); err != nil && !errors.Is(err, context.Canceled) {
				assert.ErrorIs(t, err, errWrong)
			}
		}()
	}
}

func named(name string) pattern {
	return patterns[slices.IndexFunc(patterns, func(p pattern) bool { return p.name == name })]
}

// forgotten keeps what the child leaks.
var forgotten []func() error

// testMainReports: at the end of a package's tests, each leak of them is one entry too.
func testMainReports(t *testing.T, d database) {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestInChild$", "-test.count=1", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), childVar+"="+strings.ReplaceAll(d.name, " ", "_")+" "+d.source)
	out, err := cmd.CombinedOutput()
	assert.Error(t, err)
	text := string(out)
	assert.Contains(t, text, "--- PASS: TestInChild")
	assert.Contains(t, text, fmt.Sprintf("leakcheck: %d leaks: ", len(inChild)))
	var want, got []string
	for _, name := range inChild {
		want = append(want, named(name).code+" "+named(name).line)
	}
	for _, entry := range strings.Split(text, "\n  LK")[1:] {
		lines := strings.Split(entry, "\n")
		code, _, _ := strings.Cut(lines[0], " ")
		for i, l := range lines {
			if l := strings.TrimSpace(l); strings.HasPrefix(l, "taken at") || strings.HasPrefix(l, "opened at") {
				got = append(got, "LK"+code+" "+strings.TrimSpace(lines[i+1]))
			}
		}
		assert.Contains(t, entry, "TestInChild")
	}
	assert.ElementsMatch(t, want, got, text)
}
