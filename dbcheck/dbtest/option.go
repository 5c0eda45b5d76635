package dbtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// Option changes what kind of server a test gets.
type Option interface{ apply(*want) error }

// want is what a test asks for.
type want struct {
	engine   engine
	own      bool
	settings map[string]string
	image    string
	limit    int
}

type option func(*want) error

func (o option) apply(w *want) error { return o(w) }

// Own gives the test a server of its own, which ends with the test. Only such a server can be killed, stopped,
// restarted and paused.
func Own() Option {
	return option(func(w *want) error { w.own = true; return nil })
}

// MaxConnections gives the test a server of its own with max_connections set to n.
//
// Of these Postgres keeps 3 back for superusers (superuser_reserved_connections): [Server].DSN's role, which is none,
// gets n-3, and then SQLSTATE 53300; n must be 4 or more. MariaDB has one more than n, for the superuser, and
// takes no n below 10.
func MaxConnections(n int) Option {
	return option(func(w *want) error {
		w.own, w.limit = true, n
		return w.set("max_connections", strconv.Itoa(n))
	})
}

// Settings gives the test a server of its own with these settings: for Postgres what postgresql.conf may hold, for
// MariaDB what mariadbd takes on its command line, without the dashes. A setting here wins over one of dbtest's own.
func Settings(settings map[string]string) Option {
	return option(func(w *want) error {
		w.own = true
		for _, k := range slices.Sorted(maps.Keys(settings)) {
			if err := w.set(k, settings[k]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Image gives the test a server from this container image, started anew when no earlier test of the package wanted
// the same. Where no container can be had the test is skipped: local binaries are of another version.
func Image(name string) Option {
	return option(func(w *want) error {
		if name == "" {
			return fmt.Errorf("dbtest.Image needs the name of an image, such as postgres:17")
		}
		w.image = name
		return nil
	})
}

var settingName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)

func (w *want) set(name, value string) error {
	if !settingName.MatchString(name) {
		return fmt.Errorf("%q is no name of a setting: letters, digits, and _ . - within", name)
	}
	if w.settings == nil {
		w.settings = map[string]string{}
	}
	w.settings[name] = value
	return nil
}

// check refuses what the server would refuse, or would quietly change.
func (w *want) check() error {
	least := map[engine]int{postgres: 4, mariadb: 10}[w.engine]
	if _, limited := w.settings["max_connections"]; limited && w.limit != 0 && w.limit < least || w.limit < 0 {
		why := "Postgres keeps 3 of them back for superusers"
		if w.engine == mariadb {
			why = "MariaDB quietly takes 10 for less"
		}
		return fmt.Errorf("dbtest.MaxConnections(%d): at least %d, because %s", w.limit, least, why)
	}
	return nil
}
