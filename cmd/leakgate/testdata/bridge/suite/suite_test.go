// Package suite has leakcheck.Main in its TestMain, and tests with and without a check of their own.
package suite

import (
	"os"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"

	"example.com/harnessed/shop"
)

func TestMain(m *testing.M) {
	os.Exit(leakcheck.Main(m, leakcheck.Ignore("kept on purpose", leakcheck.Site("shop.Log"))))
}

func open(t *testing.T, f func() error) {
	t.Helper()
	if err := f(); err != nil {
		t.Fatal(err)
	}
}

func TestAgent(t *testing.T) { open(t, shop.Open) }

// Main's options hold for every test of the package.
func TestIgnored(t *testing.T) { open(t, shop.Log) }

func TestVerified(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	open(t, shop.Open)
	open(t, shop.Log)
}

// What an example leaves is told with the example.
func ExampleOpen() {
	if err := shop.Open(); err != nil {
		panic(err)
	}
	// Output:
}
