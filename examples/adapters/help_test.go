package adapters

import (
	"database/sql/driver"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/examples/internal/fakepg"
	"github.com/leakgate/leakgate/examples/internal/record"
)

// users starts a server that answers with two of them.
func users(t *testing.T) *fakepg.Server {
	srv := fakepg.New(t, fakepg.Config{})
	srv.Answer([]string{"id", "name"}, []driver.Value{int64(1), "Ada"}, []driver.Value{int64(2), "Grace"})
	return srv
}

// one asserts that the only error of a test is one leak with this code and summary, that its line is the one in the file that
// has the statement, and that no frame of a library is shown above that.
func one(t *testing.T, rec *record.T, code, summary, file, statement string) {
	t.Helper()
	require.Len(t, rec.Errors(), 1)
	report, at := rec.Errors()[0], fmt.Sprintf("%s:%d", file, lineOf(t, file, statement))
	verdict, _, _ := strings.Cut(report, "\n")
	assert.Equal(t, "leakcheck: 1 leak: "+strings.ReplaceAll(summary, "AT", at), verdict)
	assert.Contains(t, report, "\n  "+code+" ")
	assert.Contains(t, report, "\n    taken at    "+at+"  adapters.")
	assert.Contains(t, report, statement)
	assert.NotContains(t, report, "/pkg/mod/")
}

// lineOf gives the number of the first line of the file that has the text.
func lineOf(t *testing.T, file, text string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, _, ok := strings.Cut(string(data), text)
	require.True(t, ok, "%s has no %q", file, text)
	return strings.Count(before, "\n") + 1
}
