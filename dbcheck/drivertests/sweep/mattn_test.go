//go:build cgo

package sweep_test

import (
	"path/filepath"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

func init() {
	bases["mattn"] = base{driver: "sqlite3", dsn: func(t testing.TB) string {
		return "file:" + filepath.Join(t.TempDir(), "db") + "?_journal_mode=WAL&_busy_timeout=1000&_synchronous=OFF"
	}}
}
