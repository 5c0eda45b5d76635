//go:build !cgo

package patterns_test

import "testing"

func init() {
	bases = append(bases, &base{name: "mattn", dsn: func(t testing.TB) (string, string) {
		t.Skip("mattn/go-sqlite3 needs cgo: set CGO_ENABLED=1 and install a C compiler to run this test")
		return "", ""
	}})
}
