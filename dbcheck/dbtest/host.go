package dbtest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// host is a server that runs, with its superuser.
type host struct {
	engine   engine
	how      string
	addr     string
	user     string // the superuser's name
	password string
	database string        // given: the database to connect to for the work of dbtest itself
	url      *url.URL      // given Postgres: all else that its DSN says
	config   *mysql.Config // given MariaDB: the same
	version  string

	dir  string // its files; empty for a given one
	spec spec
	kept kept
}

// startMax bounds the start of a server: initdb and the first start take a second or two on an idle machine.
const startMax = 60 * time.Second

// shared are the servers that all tests of this process use, by engine and image.
var shared struct {
	sync.Mutex
	hosts map[string]*sharedHost
}

type sharedHost struct {
	once  sync.Once
	host  *host
	notes []string
	err   error
}

// obtain gives the server that the test wants.
func obtain(w want) (h *host, notes []string, err error) {
	if w.own {
		return start(w)
	}
	key := string(w.engine) + " " + w.image
	shared.Lock()
	if shared.hosts == nil {
		shared.hosts = map[string]*sharedHost{}
	}
	s := shared.hosts[key]
	if s == nil {
		s = &sharedHost{}
		shared.hosts[key] = s
	}
	shared.Unlock()
	// A test that ends within (a panic) must not leave the others with neither a server nor an error.
	s.once.Do(func() {
		s.err = fmt.Errorf("the start of the server was cut short")
		s.host, s.notes, s.err = start(w)
	})
	return s.host, s.notes, s.err
}

func start(w want) (*host, []string, error) {
	order, err := ways()
	if err != nil {
		return nil, nil, err
	}
	var notes []string
	if dsn := os.Getenv(namesOf[w.engine].envDSN); dsn != "" {
		switch {
		case w.own:
			notes = append(notes, namesOf[w.engine].envDSN+" names a server that others use: this test gets another one, of its own")
		case w.image != "":
			notes = append(notes, namesOf[w.engine].envDSN+" names a server: this test asks for the image "+w.image+" instead")
		default:
			h, err := useGiven(w.engine, dsn)
			return h, nil, err
		}
	}
	if w.image != "" {
		if len(order) == 1 && order[0] == local {
			return nil, nil, &unavailable{engine: w.engine, reasons: []string{"docker: " + envHow + " is local, and dbtest.Image asks for a container"}}
		}
		order = []string{docker}
	}
	sweepOnce.Do(sweepDirs)
	h, more, err := firstWay(w.engine, order, func(how string) (*host, error) {
		if how == docker {
			return onDocker(w)
		}
		return onLocal(w)
	})
	return h, append(notes, more...), err
}

func onLocal(w want) (*host, error) {
	if !localSupported {
		return nil, notHere("local servers are started on Unix systems only")
	}
	bin, ok := here(w.engine)
	if !ok {
		wn := wantedOf[w.engine]
		return nil, notHere("neither on PATH nor in the usual folders: %s and %s", strings.Join(wn.server, " or "), strings.Join(wn.init, " or "))
	}
	return launchHost(w, spec{How: local, Bin: bin})
}

func onDocker(w want) (*host, error) {
	return launchHost(w, spec{How: docker, Images: w.images()})
}

// launchHost starts a server by a keeper, in a directory of its own.
func launchHost(w want, s spec) (*host, error) {
	dir, err := newDir()
	if err != nil {
		return nil, err
	}
	s.Engine, s.Owner, s.Settings, s.Max = w.engine, self(), w.settings, startMax
	s.Password = rand.Text()
	h := &host{engine: w.engine, how: s.How, dir: dir, spec: s, password: s.Password, user: superuser[w.engine]}
	h.kept, err = launch(dir, s)
	if err == nil {
		h.addr = h.kept.Addr
		if h.kept.Password != "" {
			h.password, h.spec.Password = h.kept.Password, h.kept.Password
		}
		h.version, err = h.ask()
	}
	if err != nil {
		h.discard()
		return nil, err
	}
	return h, nil
}

var superuser = map[engine]string{postgres: "postgres", mariadb: "root"}

// discard ends the server with all that belongs to it.
func (h *host) discard() {
	if h.dir == "" {
		return
	}
	h.kept.Keeper.dismiss(30 * time.Second)
	_ = os.RemoveAll(h.dir)
}

// newDir makes a server's directory, where a server that runs as another user gets to it, and marks it as ours.
func newDir() (string, error) {
	var tried []string
	for _, base := range tempFolders() {
		if !passable(base) {
			tried = append(tried, base+": is not there, or closed to the user that the server runs as")
			continue
		}
		dir, err := os.MkdirTemp(base, dirPattern)
		if err != nil {
			if pe := (*os.PathError)(nil); errors.As(err, &pe) {
				err = pe.Err // without the name that was tried
			}
			tried = append(tried, base+": "+err.Error())
			continue
		}
		// The files in it are readable by their owners alone; the folder itself must be passed by the server's user.
		if err := os.Chmod(dir, 0o711); err != nil {
			return "", err
		}
		if err := writeJSON(dir, ownerFile, self()); err != nil {
			return "", err
		}
		return dir, nil
	}
	return "", fmt.Errorf("no folder for the server's files: set TMPDIR to one that this user may write to and the server's user may pass (%s)", strings.Join(tried, "; "))
}

// tempFolders are where a server's directory may be, the best first.
var tempFolders = func() []string { return slices.Compact([]string{os.TempDir(), "/tmp", "/var/tmp"}) }

var sweepOnce sync.Once

// sweepDirs removes what a killed keeper has left: its processes and its directory. Each start of a server does this
// once per process.
func sweepDirs() {
	seen := map[string]bool{}
	for _, base := range tempFolders() {
		found, _ := filepath.Glob(filepath.Join(base, dirPattern))
		for _, dir := range found {
			if seen[dir] {
				continue
			}
			seen[dir] = true
			sweepDir(dir)
		}
	}
}

// sweepDir removes one, if its owner and its keeper are gone for certain. It says whether it did.
func sweepDir(dir string) bool {
	fi, err := os.Lstat(dir)
	if err != nil || !fi.IsDir() || !ours(fi) {
		return false
	}
	var o owner
	b, err := os.ReadFile(filepath.Join(dir, ownerFile))
	if err != nil || json.Unmarshal(b, &o) != nil {
		// Its maker writes the file at once. Without one after an hour there is no maker.
		if time.Since(fi.ModTime()) > time.Hour {
			_ = os.RemoveAll(dir)
			return true
		}
		return false
	}
	if !o.stale() {
		return false
	}
	var k kept
	if readJSON(dir, keptFile, &k) == nil && k.Keeper.judged() {
		// A keeper that lives is about to do this itself.
		if k.Keeper.Boot == self().Boot && !k.Keeper.gone(5*time.Second) {
			return false
		}
		endRemains(k, dir)
	}
	_ = os.RemoveAll(dir)
	return true
}
