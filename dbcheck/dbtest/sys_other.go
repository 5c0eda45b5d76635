//go:build !unix

package dbtest

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

const localSupported = false

var errNotUnix = errors.New("local servers are started on Unix systems only")

var watchEvery = 500 * time.Millisecond

func apart(*exec.Cmd) {}

func asked() <-chan os.Signal { return nil }

// dismiss ends a keeper. It cannot be told to end its server first: with the directory gone it sees that itself.
func (o owner) dismiss(time.Duration) bool { return true }

func passable(dir string) bool {
	fi, err := os.Stat(dir)
	return err == nil && fi.IsDir()
}

func ours(os.FileInfo) bool { return true }

func endRemains(kept, string) {}

func startLocal(string, spec, *kept) (running, error) { return nil, errNotUnix }

type localPower struct{ *host }

func (localPower) kill() error    { return errNotUnix }
func (localPower) stop() error    { return errNotUnix }
func (localPower) pause() error   { return errNotUnix }
func (localPower) unpause() error { return errNotUnix }
func (localPower) restart() error { return errNotUnix }
