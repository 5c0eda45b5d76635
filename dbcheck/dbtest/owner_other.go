//go:build unix && !linux

package dbtest

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// ps asks the system's own ps for one field of one process; POSIX has it everywhere, and each BSD's kernel
// structures differ.
func ps(pid int, field string) string {
	out, _ := exec.Command("ps", "-o", field+"=", "-p", strconv.Itoa(pid)).Output()
	return strings.Join(strings.Fields(string(out)), " ")
}

func startOf(pid int) string { return ps(pid, "lstart") }

func probe(pid int, _ bool) (start string, running bool) {
	if err := syscall.Kill(pid, 0); err == syscall.ESRCH {
		return "", false
	}
	out := ps(pid, "state")
	return startOf(pid), out != "" && out[0] != 'Z'
}

func machine() (boot, space string) { return ps(1, "lstart"), "" }

// family lists the process and all that descend from it.
func family(root int) []owner {
	out, _ := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	parents := map[int]int{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		parents[pid], _ = strconv.Atoi(f[1])
	}
	var all []owner
	for pid := range parents {
		for p, hops := pid, 0; p > 0 && hops < 100; p, hops = parents[p], hops+1 {
			if p == root {
				all = append(all, owner{PID: pid, Start: startOf(pid)})
				break
			}
		}
	}
	return all
}

// stopped says whether the process is stopped by a signal, or gone.
func (o owner) stopped() bool {
	s := ps(o.PID, "state")
	return s == "" || s[0] == 'T' || s[0] == 'Z'
}

// inside lists the processes that work in the directory: no portable way to ask.
func inside(string) []owner { return nil }
