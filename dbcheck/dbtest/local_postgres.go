//go:build unix

package dbtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

var postgresRecipe = recipe{
	accounts: []string{"postgres", "nobody"},
	prepare:  initdb,
	serve: func(dir string, s spec, port int) (string, []string) {
		args := []string{"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port)}
		for _, kv := range settings(s, postgresQuick, map[string]string{
			"listen_addresses":        "127.0.0.1",
			"unix_socket_directories": "", // paths of sockets are limited to about 100 bytes
		}) {
			args = append(args, "-c", kv)
		}
		return s.Bin.Server, args
	},
	ready: func(dir string, _ spec, pid, port int) error {
		// The server itself says in its lock file when it takes connections (src/include/utils/pidfile.h: line 8), so
		// no connection has to be tried and its log stays clean. Line 1 is the process: a killed server leaves the file.
		b, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
		if err != nil {
			return fmt.Errorf("it has not written postmaster.pid")
		}
		lines := strings.Split(string(b), "\n")
		if len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" || strings.TrimSpace(lines[0]) != strconv.Itoa(pid) {
			return fmt.Errorf("postmaster.pid does not say ready")
		}
		return nil
	},
	taken: func(log []byte) bool {
		return bytes.Contains(log, []byte("Address already in use")) || bytes.Contains(log, []byte("Is another postmaster already running on port"))
	},
}

// initdb makes the data directory, with the superuser postgres and the password that the spec says.
func initdb(a account, dir string, s spec) error {
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := a.own(data); err != nil {
		return err
	}
	pw := filepath.Join(dir, "password")
	if err := os.WriteFile(pw, []byte(s.Password+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(pw)
	if err := a.own(pw); err != nil {
		return err
	}
	return run(a.command(data, s.Bin.Init, "-D", data, "-U", "postgres", "--pwfile", pw,
		"-A", "scram-sha-256", "-E", "UTF8", "--locale", "C", "--no-sync", "--wal-segsize", "1"))
}
