//go:build cgo

package patterns_test

import (
	"path/filepath"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

func init() {
	bases = append(bases, &base{name: "mattn", driver: "sqlite3", conn: "*sqlite3.SQLiteConn", dsn: func(t testing.TB) (string, string) {
		return "file:" + filepath.Join(t.TempDir(), "db") + "?_journal_mode=WAL&_busy_timeout=10000&_synchronous=OFF", ""
	}})
}
