package dbtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// stat is what /proc/PID/stat tells (proc_pid_stat(5)): the state's letter, the parent, and the start in ticks
// since the machine started.
type stat struct {
	state   byte
	parent  int
	threads int // how many threads it has
	start   string
}

// over says that the process has ended. The first thread of one that was killed may be a zombie while others
// still go: until then its sockets are open.
func (s stat) over() bool { return s.state == 'X' || s.state == 'Z' && s.threads <= 1 }

func readStat(pid int) (stat, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, false
	}
	// The second field is the command in parentheses, and may hold anything.
	f := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+1:])
	if len(f) < 20 {
		return stat{}, false
	}
	parent, _ := strconv.Atoi(f[1])
	threads, _ := strconv.Atoi(f[17])
	return stat{state: f[0][0], parent: parent, threads: threads, start: f[19]}, true
}

func startOf(pid int) string {
	s, _ := readStat(pid)
	return s.start
}

func probe(pid int, _ bool) (start string, running bool) {
	s, ok := readStat(pid)
	return s.start, ok && !s.over()
}

func machine() (boot, space string) {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ = os.Readlink("/proc/self/ns/pid")
	return strings.TrimSpace(string(b)), space
}

// family lists the process and all that descend from it.
func family(root int) []owner {
	parents := map[int]int{}
	starts := map[int]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if s, ok := readStat(pid); ok {
			parents[pid], starts[pid] = s.parent, s.start
		}
	}
	var all []owner
	for pid, start := range starts {
		for p, hops := pid, 0; p > 0 && hops < 100; p, hops = parents[p], hops+1 {
			if p == root {
				all = append(all, owner{PID: pid, Start: start})
				break
			}
		}
	}
	return all
}

// stopped says whether the process is stopped by a signal, or gone.
func (o owner) stopped() bool {
	s, ok := readStat(o.PID)
	return !ok || s.start != o.Start || s.state == 'T' || s.state == 'Z' || s.state == 'X'
}

// inside lists the processes that work in the directory or below it: all those of a database server do in its data.
func inside(dir string) []owner {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil
	}
	var all []owner
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, l := range links {
		cwd, err := os.Readlink(l)
		if err != nil || !strings.HasPrefix(cwd, filepath.Join(dir, "data")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(l)))
		if s, ok := readStat(pid); ok {
			all = append(all, owner{PID: pid, Start: s.start})
		}
	}
	return all
}
