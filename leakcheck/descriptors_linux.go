package leakcheck

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// countDescriptors says how many file descriptors the process has open; -1 when that is not known. Linux 6.2 and later tell
// it as the size of /proc/self/fd, where earlier ones say 0 and the folder is read.
func countDescriptors() int {
	if n := toldDescriptors(); n > 0 {
		return n
	}
	names, err := descriptorNames()
	if err != nil {
		return -1
	}
	return len(names)
}

// toldDescriptors says what Linux 6.2 and later tell without a listing; 0 elsewhere.
func toldDescriptors() int {
	var st syscall.Stat_t
	if err := syscall.Stat("/proc/self/fd", &st); err != nil {
		return 0
	}
	return int(st.Size)
}

// descriptorNames lists the numbers of the open descriptors, that of the listing left out.
func descriptorNames() (names []string, err error) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	own := strconv.Itoa(int(dir.Fd()))
	all, err := dir.Readdirnames(-1)
	for _, name := range all {
		if name != own {
			names = append(names, name)
		}
	}
	return names, err
}

// describeDescriptors says what the open descriptors are, at most so many of them: "socket", "pipe", or a file's path.
func describeDescriptors(most int) (what []string) {
	names, _ := descriptorNames()
	for _, name := range names[:min(len(names), most)] {
		to, err := os.Readlink("/proc/self/fd/" + name)
		if err != nil {
			continue // closed since
		}
		if kind, _, ok := strings.Cut(to, ":["); ok {
			to = kind // "socket:[4711]", "pipe:[4712]"
		}
		what = append(what, strings.TrimPrefix(to, "anon_inode:"))
	}
	return what
}
