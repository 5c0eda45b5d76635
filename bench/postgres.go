package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// startPostgres gives the data source name of a server over loopback: that of LEAKGATE_POSTGRES_DSN, or one that is started from the
// binaries on this machine. Where there is neither, the error is an absent.
func startPostgres() (dsn string, end func(), err error) {
	if dsn := os.Getenv("LEAKGATE_POSTGRES_DSN"); dsn != "" {
		return dsn, func() {}, nil
	}
	bin, err := postgresBinaries()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "leakgate-bench-pg")
	if err != nil {
		return "", nil, err
	}
	if err := giveToServer(dir); err != nil {
		os.RemoveAll(dir)
		return "", nil, absent(err.Error())
	}
	data := filepath.Join(dir, "data")
	setup := asServer(exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "--no-sync"))
	if out, err := setup.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	for range 3 { // somebody else may take the port first
		var stop func()
		if dsn, stop, err = serve(filepath.Join(bin, "postgres"), data); err == nil {
			return dsn, endOnSignal(func() {
				stop()
				os.RemoveAll(dir)
			}), nil
		}
	}
	os.RemoveAll(dir)
	return "", nil, err
}

// endOnSignal calls end once: when the function that it returns is called, or somebody ends this program before.
func endOnSignal(end func()) func() {
	end = sync.OnceFunc(end)
	asked, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-asked:
			end()
			os.Exit(1)
		case <-over:
		}
	}()
	return func() {
		signal.Stop(asked)
		close(over)
		end()
	}
}

// postgresBinaries finds the folder of initdb and postgres: on PATH, or where Debian keeps them, the latest version first.
func postgresBinaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return filepath.Dir(p), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", absent("no PostgreSQL on this machine: install its server, or set LEAKGATE_POSTGRES_DSN")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// serve runs the server on a free port until stop is called.
func serve(postgres, data string) (dsn string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	var log bytes.Buffer
	cmd := asServer(exec.Command(postgres, "-D", data, "-p", port, "-F", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt) // disconnects everybody
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
	}
	dsn = "postgres://bench@127.0.0.1:" + port + "/postgres?sslmode=disable"
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		stop()
		return "", nil, err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil {
			return dsn, stop, nil
		}
		select {
		case <-exited:
			exited <- nil // for stop
			return "", nil, fmt.Errorf("postgres ended: %s", log.String())
		case <-ctx.Done():
			stop()
			return "", nil, errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
