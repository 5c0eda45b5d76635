//go:build unix

package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// localServer is a server of this machine's own binaries, in the keeper.
type localServer struct {
	dir  string
	cmd  *exec.Cmd
	who  owner
	over atomic.Bool // it has ended and was waited for
}

func (l *localServer) ended() bool { return l.over.Load() }

func (l *localServer) end() { killAll(l.who, l.dir) }

// recipe is what differs between the engines.
type recipe struct {
	accounts []string
	// prepare makes the data directory.
	prepare func(a account, dir string, s spec) error
	// arrange does what each new directory needs beside its data.
	arrange func(a account, dir string, s spec) error
	// serve is the command line of the server.
	serve func(dir string, s spec, port int) (name string, args []string)
	// ready asks whether it takes connections.
	ready func(dir string, s spec, pid, port int) error
	// taken says by its log that the port belongs to somebody else.
	taken func(log []byte) bool
}

var recipes = map[engine]recipe{postgres: postgresRecipe, mariadb: mariadbRecipe}

// startLocal starts the server and waits until it takes connections.
func startLocal(dir string, s spec, k *kept) (running, error) {
	r := recipes[s.Engine]
	a, err := serverAccount(r.accounts...)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(s.Max)
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); err != nil {
		if !fromTemplate(a, dir, &s) {
			if err := r.prepare(a, dir, s); err != nil {
				return nil, err
			}
			keepTemplate(dir, s)
		}
		k.Password = s.Password
		if r.arrange != nil {
			if err := r.arrange(a, dir, s); err != nil {
				return nil, err
			}
		}
	}
	for try := 1; ; try++ {
		port := s.Port
		if port == 0 {
			port = pickPort()
		}
		l, taken, err := r.try(a, dir, s, port, end)
		switch {
		case err == nil:
			k.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			k.Server = l.who
			return l, nil
		case !taken:
			return nil, err
		case s.Port != 0 && time.Now().After(end.Add(-s.Max/2)):
			return nil, fmt.Errorf("the port %d of the stopped server was taken by another process meanwhile: %w", s.Port, err)
		case s.Port == 0 && try == portTries:
			return nil, fmt.Errorf("%d ports in turn were taken: %w", portTries, err)
		case s.Port != 0:
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func (r recipe) try(a account, dir string, s spec, port int, end time.Time) (l *localServer, taken bool, err error) {
	logName := filepath.Join(dir, serverLog)
	log, err := os.OpenFile(logName, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	defer log.Close()
	from, _ := log.Seek(0, 2)
	name, args := r.serve(dir, s, port)
	cmd := a.command(filepath.Join(dir, "data"), name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, false, err
	}
	l = &localServer{dir: dir, cmd: cmd, who: describe(cmd.Process.Pid)}
	exit := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		l.over.Store(true)
		exit <- err
	}()
	for {
		select {
		case err := <-exit:
			all, _ := os.ReadFile(logName)
			now := all[min(int(from), len(all)):]
			if err == nil {
				err = errors.New("exit status 0")
			}
			return nil, r.taken(now), fmt.Errorf("%s has ended at once: %w%s", filepath.Base(name), err, tail(dir, serverLog))
		case <-time.After(10 * time.Millisecond):
		}
		err := r.ready(dir, s, l.who.PID, port)
		if err == nil {
			return l, false, nil
		}
		if time.Now().After(end) {
			l.end()
			return nil, false, fmt.Errorf("%s takes no connection after %v: %w%s", filepath.Base(name), s.Max, err, tail(dir, serverLog))
		}
	}
}

// run runs a command to its end; the error holds the end of what it said.
func run(cmd *exec.Cmd) error {
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(b.String())
		if len(said) > 1500 {
			said = "…" + said[len(said)-1500:]
		}
		return fmt.Errorf("%s: %w\n    %s", filepath.Base(cmd.Path), err, strings.ReplaceAll(said, "\n", "\n    "))
	}
	return nil
}

// killAll ends a server and all its processes, also stopped ones, and waits until they are gone.
func killAll(server owner, dir string) bool {
	// Stopped first: so it starts no further process while its children are listed.
	if server.alive() {
		_ = syscall.Kill(server.PID, syscall.SIGSTOP)
		for end := time.Now().Add(time.Second); !server.stopped() && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	all := processes(server, dir)
	for _, p := range all {
		p.signal(syscall.SIGKILL)
	}
	for _, p := range all {
		if !p.gone(10 * time.Second) {
			return false
		}
	}
	return true
}

// processes lists a server's own process and those it has started.
func processes(server owner, dir string) []owner {
	all := inside(dir)
	if server.alive() {
		for _, p := range family(server.PID) {
			if !slices.ContainsFunc(all, func(o owner) bool { return o.PID == p.PID }) {
				all = append(all, p)
			}
		}
	}
	return slices.DeleteFunc(all, func(o owner) bool { return o.PID == os.Getpid() })
}
