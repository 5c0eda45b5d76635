package hook

import "unsafe"

// Processes is told of child processes.
type Processes struct {
	// Started is told of each child process, and of the *os.Process that stands for it.
	Started func(pid int, process unsafe.Pointer)
}

// Started tells of a child process.
func Started(pid int, process unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.Started(pid, process)
	}
}
