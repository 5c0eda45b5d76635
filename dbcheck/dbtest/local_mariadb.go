//go:build unix

package dbtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

var mariadbRecipe = recipe{
	accounts: []string{"mysql", "nobody"},
	prepare:  installDB,
	arrange:  letRootIn,
	serve: func(dir string, s spec, port int) (string, []string) {
		args := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--port=" + strconv.Itoa(port)}
		for _, kv := range settings(s, mariadbQuick, map[string]string{
			"bind-address": "127.0.0.1",
			"socket":       filepath.Join(dir, "data", "s"),
			"pid-file":     filepath.Join(dir, "data", "server.pid"),
			"init-file":    filepath.Join(dir, "init.sql"),
		}) {
			args = append(args, "--"+kv)
		}
		return s.Bin.Server, args
	},
	ready: func(dir string, _ spec, pid, port int) error {
		// A killed server leaves the file.
		b, err := os.ReadFile(filepath.Join(dir, "data", "server.pid"))
		if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(pid) {
			return fmt.Errorf("it has not written its pid file")
		}
		// The pid file is written before the port is opened for good: the greeting says that it takes connections.
		c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, err = c.Read(make([]byte, 5))
		return err
	},
	taken: func(log []byte) bool { return bytes.Contains(log, []byte("Address already in use")) },
}

// installDB makes the data directory.
func installDB(a account, dir string, s spec) error {
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := a.own(data); err != nil {
		return err
	}
	return run(a.command(data, s.Bin.Init, "--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0"))
}

// letRootIn writes the file that the server reads at each start.
func letRootIn(a account, dir string, s spec) error {
	file := filepath.Join(dir, "init.sql")
	if err := os.WriteFile(file, []byte(mariadbRoot(s.Password)), 0o600); err != nil {
		return err
	}
	return a.own(file)
}

// mariadbRoot lets the superuser in by TCP with the password, and nobody without one. One statement to a line: so the
// server reads an init file. The password is of letters and digits.
func mariadbRoot(password string) string {
	return "CREATE USER IF NOT EXISTS root@'127.0.0.1';\n" +
		"ALTER USER root@'127.0.0.1' IDENTIFIED BY '" + password + "';\n" +
		"GRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n" +
		"ALTER USER root@localhost IDENTIFIED BY '" + password + "';\n"
}
