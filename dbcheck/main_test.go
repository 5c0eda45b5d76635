package dbcheck_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets two tests run together also where there is one processor, and go test would run one at a time: parallel
// subtests that wait for each other would wait for ever.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == "1" {
		if err := flag.Set("test.parallel", "2"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
