package main

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// services is the script that starts servers: it is called with the name, with the folder that the server may write to in DIR and
// its port in PORT, and becomes the server.
//
//go:embed services.sh
var services string

// absent is the exit status of the script when a server is not installed.
const absent = 42

// An absentError says that something that a project needs is not on this machine.
type absentError struct{ what string }

func (e *absentError) Error() string { return e.what + " is not on this machine" }

// startTime is how long a server may take to answer.
const startTime = 90 * time.Second

// start starts the servers that a project needs, and gives what stands for them in its environment.
func (p *project) start(ctx context.Context) (vars map[string]string, stop func(), err error) {
	vars = make(map[string]string)
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	for _, name := range p.Needs {
		port, dir, end, err := startService(ctx, name)
		if err != nil {
			stop()
			return nil, nil, err
		}
		stops = append(stops, end)
		vars[strings.ToUpper(name)+"_PORT"] = strconv.Itoa(port)
		vars[strings.ToUpper(name)+"_DIR"] = dir
	}
	return vars, stop, nil
}

// startService starts one server.
func startService(ctx context.Context, name string) (port int, dir string, stop func(), err error) {
	dir, err = os.MkdirTemp("", "leakgate-"+name)
	if err != nil {
		return 0, "", nil, err
	}
	if port, err = freePort(); err != nil {
		return 0, "", nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return 0, "", nil, err
	}
	defer log.Close()
	call := func(what string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "bash", "-c", services, "services", what, name)
		cmd.Env = append(os.Environ(), "DIR="+dir, "PORT="+strconv.Itoa(port))
		cmd.Stdout, cmd.Stderr = log, log
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		return cmd
	}
	server := call("serve")
	if err := server.Start(); err != nil {
		return 0, "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	stop = func() {
		_ = server.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = server.Process.Kill()
			<-ended
		}
		os.RemoveAll(dir)
	}
	for by := time.Now().Add(startTime); ; time.Sleep(100 * time.Millisecond) {
		select {
		case err := <-ended:
			if server.ProcessState.ExitCode() == absent {
				os.RemoveAll(dir)
				return 0, "", nil, &absentError{name}
			}
			said, _ := os.ReadFile(log.Name())
			return 0, "", nil, fmt.Errorf("%s ended: %w\n%s", name, err, said)
		default:
		}
		if call("ready").Run() == nil {
			return port, dir, stop, nil
		}
		if time.Now().After(by) {
			said, _ := os.ReadFile(log.Name())
			stop()
			return 0, "", nil, fmt.Errorf("%s does not answer after %v\n%s", name, startTime, said)
		}
	}
}

// freePort gives a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
