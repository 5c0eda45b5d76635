//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// The server refuses to be run by root, so that root runs it as somebody else.

// serverUser is who runs the server when root runs the comparison.
func serverUser() (uid, gid int, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		return uid, gid, errors.Join(err1, err2)
	}
	return 0, 0, errors.New("PostgreSQL's server does not run as root, and there is no user postgres or nobody")
}

// giveToServer lets the server write to the folder.
func giveToServer(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := serverUser()
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// asServer runs a command of the server.
func asServer(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = os.TempDir() // which everybody may enter
	if os.Geteuid() == 0 {
		if uid, gid, err := serverUser(); err == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}
	}
	return cmd
}
