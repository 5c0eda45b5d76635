package leakcheck

import (
	"fmt"
	"os"
	"sync"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/leakdir"
)

// leakLines is a fragment with the leaks alone, for leakgate test -json; nil when nobody reads it. It is made at the first leak,
// so that a run without one costs nothing.
var leakLines = sync.OnceValue(func() *fragment.Writer {
	dir := leakdir.Dir()
	if dir == "" || recordsElsewhere() {
		return nil
	}
	r := recorder{began: realTime()}
	f, err := fragment.Create(dir, r.header())
	if err != nil {
		fmt.Fprintf(os.Stderr, "leakcheck: the lines of -json will not tell leaks: %v\n", err)
		return nil
	}
	return f
})
