package dbtest

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// The environment variables. The package comment explains them.
const (
	envHow     = "LEAKGATE_DBTEST"
	envRequire = "LEAKGATE_REQUIRE_SERVICES"
)

// names are the words of an engine in messages and variables.
type names struct {
	title, envImage, envDSN, debian string
}

var namesOf = map[engine]names{
	postgres: {"Postgres", "LEAKGATE_POSTGRES_IMAGE", "LEAKGATE_POSTGRES_DSN", "postgresql"},
	mariadb:  {"MariaDB", "LEAKGATE_MARIADB_IMAGE", "LEAKGATE_MARIADB_DSN", "mariadb-server"},
}

// How a server came to be: the values of [Server.How].
const (
	given  = "given"
	docker = "docker"
	local  = "local"
)

// ways lists in order how a server may be had, by LEAKGATE_DBTEST.
func ways() ([]string, error) {
	switch v := os.Getenv(envHow); v {
	case "", "auto":
		return []string{docker, local}, nil
	case docker, local:
		return []string{v}, nil
	default:
		return nil, fmt.Errorf("%s is %q: it may be docker, local or auto (containers first, then the machine's own server)", envHow, v)
	}
}

// unavailable says why no server can be had; the test is skipped, or fails where services are required.
type unavailable struct {
	engine  engine
	reasons []string
}

func (e *unavailable) Error() string {
	n := namesOf[e.engine]
	var b strings.Builder
	fmt.Fprintf(&b, "no %s for this test:", n.title)
	for _, r := range e.reasons {
		b.WriteString("\n  - " + r)
	}
	fmt.Fprintf(&b, "\nInstall one (Debian and Ubuntu: apt-get install %s), or Docker, or name a server in %s.", n.debian, n.envDSN)
	return b.String()
}

// errNotHere says that a way leads nowhere on this machine, for a reason that is no fault.
type errNotHere struct{ reason string }

func (e *errNotHere) Error() string { return e.reason }

func notHere(format string, args ...any) error { return &errNotHere{fmt.Sprintf(format, args...)} }

// firstWay tries the ways in turn. What is merely not here is noted; a server that was found and does not start is
// noted too, and told in a log line by the caller, because the next way may still serve.
func firstWay(e engine, order []string, try func(how string) (*host, error)) (h *host, notes []string, err error) {
	un := &unavailable{engine: e}
	broken := false
	for _, how := range order {
		h, err := try(how)
		if err == nil {
			return h, un.reasons, nil
		}
		un.reasons = append(un.reasons, how+": "+err.Error())
		var nh *errNotHere
		broken = broken || !errors.As(err, &nh)
	}
	if broken {
		return nil, nil, fmt.Errorf("no %s started:\n  - %s", namesOf[e].title, strings.Join(un.reasons, "\n  - "))
	}
	return nil, nil, un
}
