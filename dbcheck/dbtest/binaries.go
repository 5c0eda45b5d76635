package dbtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// binaries are the two programs that a server needs.
type binaries struct {
	Server string `json:"server"`
	Init   string `json:"init"`
}

// program is one of the two, by the names that it has.
type wanted struct {
	server, init []string
	together     bool     // both from one folder: of one version
	folders      []string // where packages put them, beside PATH; may hold wildcards
	accept       func(server string) bool
}

var wantedOf = map[engine]wanted{
	postgres: {
		server: []string{"postgres"}, init: []string{"initdb"}, together: true,
		folders: []string{
			"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
			"/usr/pgsql-*/bin",                  // the PostgreSQL project's packages for Fedora and the like
			"/usr/libexec/postgresql*",          // Alpine
			"/opt/homebrew/opt/postgresql*/bin", // Homebrew
			"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
			"/Applications/Postgres.app/Contents/Versions/*/bin",
			"/usr/local/pgsql/bin", // from source
			"/usr/local/bin", "/usr/bin",
		},
	},
	mariadb: {
		server: []string{"mariadbd", "mysqld"}, init: []string{"mariadb-install-db", "mysql_install_db"},
		folders: []string{
			"/usr/sbin", "/usr/bin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin", "/usr/local/libexec",
			"/opt/homebrew/opt/mariadb*/bin", "/usr/local/opt/mariadb*/bin",
			"/usr/local/mysql/bin", "/usr/local/mysql/scripts", "/usr/scripts",
		},
		// mysqld is Oracle's MySQL too, whose data directory is made in another way.
		accept: func(server string) bool {
			out, err := exec.Command(server, "--no-defaults", "--version").Output()
			return err == nil && strings.Contains(string(out), "MariaDB")
		},
	},
}

// find looks for an engine's programs: on PATH first, then where packages put them, the highest version first.
func find(e engine, path []string, folders []string) (binaries, bool) {
	w := wantedOf[e]
	var dirs []string
	add := func(dir string) {
		if dir != "" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, d := range path {
		add(d)
	}
	for _, pattern := range folders {
		found, _ := filepath.Glob(pattern)
		slices.SortFunc(found, func(a, b string) int { return byVersion(b, a) })
		for _, d := range found {
			add(d)
		}
	}
	first := func(dirs, names []string, ok func(string) bool) string {
		for _, name := range names {
			for _, d := range dirs {
				if p := filepath.Join(d, name); executable(p) && (ok == nil || ok(p)) {
					return p
				}
			}
		}
		return ""
	}
	if !w.together {
		b := binaries{Server: first(dirs, w.server, w.accept), Init: first(dirs, w.init, nil)}
		return b, b.Server != "" && b.Init != ""
	}
	for _, d := range dirs {
		one := []string{d}
		b := binaries{Server: first(one, w.server, w.accept), Init: first(one, w.init, nil)}
		if b.Server != "" && b.Init != "" {
			return b, true
		}
	}
	return binaries{}, false
}

// here looks on this machine.
func here(e engine) (binaries, bool) {
	return find(e, filepath.SplitList(os.Getenv("PATH")), wantedOf[e].folders)
}

func executable(file string) bool {
	fi, err := os.Stat(file)
	return err == nil && fi.Mode().IsRegular() && fi.Mode().Perm()&0o111 != 0
}

// byVersion compares two paths: digits in them as numbers, so that 9 comes before 15.
func byVersion(a, b string) int {
	na, nb := numbers(a), numbers(b)
	if c := slices.Compare(na, nb); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

func numbers(s string) []int {
	var all []int
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(f)
		all = append(all, n)
	}
	return all
}
