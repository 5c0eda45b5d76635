// Command ignores runs leakcheck.Main over no tests at all: every ignore is one that matched nothing.
package main

import (
	"os"

	"github.com/leakgate/leakgate/leakcheck"
)

type none struct{}

func (none) Run() int { return 0 }

func main() {
	os.Exit(leakcheck.Main(none{}, leakcheck.Ignore("never there", leakcheck.Func("example.com/nowhere.Run"))))
}
