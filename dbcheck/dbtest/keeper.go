package dbtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A server must end with the test binary, also when that is killed, and nothing of it may be seen by a census of the
// test's own process: no goroutine, no socket, no child. So it is not this process that starts it, but a keeper: the
// test binary again, started with keeperEnv set, which init below takes aside before any test runs. The keeper starts
// the server (or the container), watches its owner, and ends the server when the owner is gone. It is started by a
// helper that exits at once, so it is nobody's child.
//
// Owner and keeper speak through files in the server's directory: spec.json (what is wanted) and kept.json (what
// came of it).
const keeperEnv = "LEAKGATE_DBTEST_KEEPER" // ROLE:DIRECTORY

func init() {
	v, ok := os.LookupEnv(keeperEnv)
	if !ok {
		return
	}
	os.Unsetenv(keeperEnv)
	role, dir, _ := strings.Cut(v, ":")
	switch role {
	case "start":
		os.Exit(startKeeper(dir))
	case "keep":
		os.Exit(keep(dir))
	case "do":
		os.Exit(do(dir))
	}
	fmt.Fprintf(os.Stderr, "dbtest: %s is %q: it is set by dbtest itself, for the process that looks after a server\n", keeperEnv, v)
	os.Exit(2)
}

type engine string

const (
	postgres engine = "postgres"
	mariadb  engine = "mariadb"
)

// spec is what a keeper is asked to keep. The file is readable by its owner alone: it holds the password.
type spec struct {
	Engine   engine            `json:"engine"`
	How      string            `json:"how"` // local or docker
	Owner    owner             `json:"owner"`
	Password string            `json:"password"`       // the superuser's
	Port     int               `json:"port,omitempty"` // 0: a free one
	Settings map[string]string `json:"settings,omitempty"`

	Bin    binaries `json:"bin"`              // local
	Images []string `json:"images,omitempty"` // docker: what may serve, the best first
	Image  string   `json:"image,omitempty"`  // docker: the one that was chosen

	Max time.Duration `json:"max"` // how long the start may take
}

// kept is what came of it.
type kept struct {
	Error     string `json:"error,omitempty"`
	NotHere   bool   `json:"notHere,omitempty"` // the error means that there is nothing to start here
	Addr      string `json:"addr,omitempty"`
	Password  string `json:"password,omitempty"` // local: the superuser\'s, where it is not the wanted one
	Keeper    owner  `json:"keeper"`
	Server    owner  `json:"server"`              // local: the server's process
	Container string `json:"container,omitempty"` // docker: its ID
}

const (
	specFile    = "spec.json"
	keptFile    = "kept.json"
	ownerFile   = "owner.json"
	serverLog   = "server.log"
	keeperLog   = "keeper.log"
	helperLog   = "helper.log"
	startedFile = "started.json"
	dirPattern  = "leakgate-dbtest-*"
)

func readJSON(dir, name string, v any) error {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// writeJSON writes the file whole or not at all.
func writeJSON(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, name+".new")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, name))
}

// again prepares the command that runs this binary in one of keeperEnv's roles.
func again(role, dir string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), keeperEnv+"="+role+":"+dir, "GORACE="+raceOptions())
	cmd.Dir = dir
	return cmd, nil
}

// raceOptions are this process's options of the race detector, but for one: a binary that has it sleeps for a second at its
// end (https://go.dev/doc/articles/race_detector#Options), and each start, restart and end of a server would take that
// longer. The last of two equal options counts.
func raceOptions() string { return strings.TrimSpace(os.Getenv("GORACE") + " atexit_sleep_ms=0") }

// launch starts a keeper for what the spec says and waits for its answer.
func launch(dir string, s spec) (kept, error) {
	_ = os.Remove(filepath.Join(dir, keptFile))
	if err := writeJSON(dir, specFile, s); err != nil {
		return kept{}, err
	}
	cmd, err := again("start", dir)
	if err != nil {
		return kept{}, err
	}
	most := startMax
	if s.How == docker {
		most = ordinary.pull + startMax
	}
	if err := runBounded(cmd, filepath.Join(dir, helperLog), most); err != nil {
		return kept{}, fmt.Errorf("the process that starts the server: %w%s", err, tail(dir, helperLog))
	}
	// The keeper keeps to s.Max itself; the rest is for a machine under load.
	for end := time.Now().Add(s.Max + 15*time.Second); ; time.Sleep(5 * time.Millisecond) {
		var k kept
		switch err := readJSON(dir, keptFile, &k); {
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return kept{}, err
		case err == nil && k.Error != "":
			return k, k.errorOf()
		case err == nil && (k.Addr != ""):
			return k, nil
		case err != nil && !keeperStarted(dir), err == nil && !k.Keeper.alive():
			return k, fmt.Errorf("the process that looks after the server has ended%s", tail(dir, keeperLog))
		case time.Now().After(end):
			return k, fmt.Errorf("the server did not start within %v", s.Max)
		}
	}
}

// keeperStarted says whether the keeper lives that the helper has started.
func keeperStarted(dir string) bool {
	var o owner
	return readJSON(dir, startedFile, &o) == nil && o.alive()
}

// startKeeper prepares what must be decided before, and starts the keeper as nobody's child: its parent, this process,
// exits.
func startKeeper(dir string) int {
	err := func() error {
		var s spec
		if err := readJSON(dir, specFile, &s); err != nil {
			return err
		}
		var env []string
		if s.How == docker {
			var err error
			if env, err = prepareDocker(&s); err != nil {
				var nh *errNotHere
				return writeJSON(dir, keptFile, kept{Error: err.Error(), NotHere: errors.As(err, &nh)})
			}
			if err := writeJSON(dir, specFile, s); err != nil {
				return err
			}
		}
		cmd, err := again("keep", dir)
		if err != nil {
			return err
		}
		log, err := os.OpenFile(filepath.Join(dir, keeperLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		cmd.Env = append(cmd.Env, env...)
		apart(cmd)
		if err := cmd.Start(); err != nil {
			return err
		}
		// What can be told before the keeper tells it: who it is.
		return writeJSON(dir, startedFile, describe(cmd.Process.Pid))
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// running is a server that a keeper looks after.
type running interface {
	ended() bool // has it ended by itself, or by somebody's signal?
	end()        // stop it now, and wait until it has gone
}

// keep is the keeper's life.
func keep(dir string) int {
	// Linux sends Pdeathsig when the thread ends that started the server, not the process.
	runtime.LockOSThread()
	var s spec
	if err := readJSON(dir, specFile, &s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	me := self()
	k := kept{Keeper: me}
	told := asked()
	if err := writeJSON(dir, keptFile, k); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var r running
	var err error
	switch s.How {
	case local:
		r, err = startLocal(dir, s, &k)
	case docker:
		r, err = startDocker(dir, s, &k)
	default:
		err = fmt.Errorf("unknown kind of server %q", s.How)
	}
	if err != nil {
		var nh *errNotHere
		k.Error, k.NotHere, k.Addr = err.Error(), errors.As(err, &nh), ""
	}
	if werr := writeJSON(dir, keptFile, k); werr != nil || err != nil {
		if r != nil {
			r.end()
		}
		return 1
	}
	for {
		select {
		case <-told:
			r.end()
			return 0
		case <-time.After(watchEvery):
		}
		if !s.Owner.alive() {
			r.end()
			if err := os.RemoveAll(dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			return 0
		}
		if r.ended() {
			// Killed or stopped by the test. Its directory stays: for Restart, by another keeper. This one goes on
			// watching, so that the directory goes with the owner.
			var now kept
			if err := readJSON(dir, keptFile, &now); err != nil || now.Keeper.PID != me.PID {
				return 0
			}
		}
	}
}

// tail is the end of a log file, for a message.
func tail(dir, name string) string {
	b, _ := os.ReadFile(filepath.Join(dir, name))
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) > 12 {
		lines = lines[len(lines)-12:]
	}
	if len(lines) == 1 && lines[0] == "" {
		return ""
	}
	return "\n" + name + " ends with:\n    " + strings.Join(lines, "\n    ")
}
