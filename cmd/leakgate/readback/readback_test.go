package readback

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/format"
	"github.com/leakgate/leakgate/internal/verdict"
	"github.com/leakgate/leakgate/internal/verdict/sample"
)

// runs are the verdicts that are read back.
func runs() map[string]*verdict.Verdict {
	return map[string]*verdict.Verdict{
		"sample":  sample.Verdict(),
		"clean":   verdict.Merge(sample.Clean()),
		"nothing": {},
	}
}

// repo has a test that a leak without a line is shown at.
var repo = fstest.MapFS{"internal/api/orders_test.go": {Data: []byte("package api\n\nfunc TestOrders(t *testing.T) {}\n")}}

// write renders a verdict.
func write(t *testing.T, f func(w io.Writer, v *verdict.Verdict, o format.Options) error, v *verdict.Verdict) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, f(&b, v, format.Options{Repo: repo, Category: "unit", Version: "v1.2.0"}))
	return b.String()
}

// planted puts a fault into what we write. A reader that does not see it proves nothing about what it accepts.
func planted(t *testing.T, out, from, to string) string {
	t.Helper()
	require.Contains(t, out, from, "the fault cannot be planted")
	return strings.Replace(out, from, to, 1)
}
