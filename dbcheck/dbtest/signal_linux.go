package dbtest

import "syscall"

// endWithParent has the kernel kill the process when its keeper is killed.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
