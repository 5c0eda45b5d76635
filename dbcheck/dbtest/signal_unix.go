//go:build unix

package dbtest

import (
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// watchEvery is how often a keeper looks whether its owner is there. On Linux that is a read of one small file,
// elsewhere a run of ps.
var watchEvery = func() time.Duration {
	if runtime.GOOS == "linux" {
		return 50 * time.Millisecond
	}
	return 500 * time.Millisecond
}()

// apart puts the process in a session of its own: Ctrl-C at the terminal ends the tests, and the keeper sees that.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// asked is closed to by the signal with which an owner ends a keeper.
func asked() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT)
	return c
}

func (o owner) signal(s syscall.Signal) {
	if o.alive() {
		_ = syscall.Kill(o.PID, s)
	}
}

// dismiss ends a keeper and its server and waits for both.
func (o owner) dismiss(max time.Duration) bool {
	o.signal(syscall.SIGTERM)
	return o.gone(max)
}

// account is the user that a server runs as.
type account struct {
	name     string
	uid, gid int
	other    bool // not the user of this process
}

// serverAccount is this process's own user or, for root, which database servers refuse to run as, the first that exists.
func serverAccount(names ...string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return account{name: name, uid: uid, gid: gid, other: true}, nil
		}
	}
	return account{}, notHere("database servers refuse to run as root, and there is no user %s here to run one as: create one of them, or run the tests as another user",
		strings.Join(names, " or "))
}

// command prepares a command that runs as the account and ends with its parent (Linux).
func (a account) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	// MariaDB makes its temporary files in TMPDIR, which the account may not be let into.
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	endWithParent(cmd.SysProcAttr)
	return cmd
}

// own gives a file or folder to the account.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// reachable says whether the account may pass through all folders above the path.
func (a account) reachable(path string) bool {
	if !a.other {
		return true
	}
	for p := path; ; p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if err != nil || fi.Mode().Perm()&1 == 0 {
			return false
		}
		if p == filepath.Dir(p) {
			return true
		}
	}
}
