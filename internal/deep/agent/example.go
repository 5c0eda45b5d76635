package agent

import (
	"fmt"

	"github.com/leakgate/leakgate/leakcheck"
)

// example checks one example. Package testing takes what an example prints and compares it, so that what is printed there of a
// leak fails it, and is shown.
func (a *agent) example(name string, f func()) func() {
	return func() {
		l := &listener{name: name, failed: func() bool { return false }}
		check := func() {}
		func() {
			defer contain()
			check = leakcheck.Verify(l, a.opts...)
		}()
		f() // where it panics the binary ends
		defer contain()
		check()
		switch {
		case l.leaks.Len() == 0:
		case a.warn:
			l.Logf("%s", l.leaks.String())
		default:
			fmt.Print(l.leaks.String())
		}
	}
}
