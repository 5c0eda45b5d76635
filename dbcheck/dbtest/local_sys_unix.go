//go:build unix

package dbtest

import (
	"os"
	"syscall"
)

const localSupported = true

// passable says whether the user that servers run as gets into the folder.
func passable(dir string) bool {
	fi, err := os.Stat(dir)
	if err != nil || !fi.IsDir() {
		return false
	}
	if os.Geteuid() != 0 {
		return true
	}
	return account{other: true}.reachable(dir)
}

// ours says whether the file belongs to this process's user.
func ours(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// endRemains ends the processes of a server whose keeper was killed.
func endRemains(k kept, dir string) {
	if k.Server.PID != 0 {
		killAll(k.Server, dir)
	}
}
