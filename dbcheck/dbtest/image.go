package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The images that are tried when no variable and no option names one: the public one, and the one that
// images/build.sh builds from Debian's packages where no registry can be reached.
var defaultImages = map[engine][]string{
	postgres: {"postgres:17-alpine", "leakgate/postgres:debian"},
	mariadb:  {"mariadb:11.4", "leakgate/mariadb:debian"},
}

// images lists what the test may be served from, the best first.
func (w want) images() []string {
	if w.image != "" {
		return []string{w.image}
	}
	if v := os.Getenv(namesOf[w.engine].envImage); v != "" {
		return []string{v}
	}
	return defaultImages[w.engine]
}

// containers is what dbtest asks of a container engine before it starts anything there. Tests put a fake in its place.
type containers interface {
	ping(ctx context.Context) error
	have(ctx context.Context, image string) (bool, error)
	// pull calls progress with each word that comes.
	pull(ctx context.Context, image string, progress func()) error
}

// patience bounds what is waited for.
type patience struct {
	ping  time.Duration // the first answer of the engine
	stall time.Duration // a pull that shows no progress
	pull  time.Duration // a pull in all
}

var ordinary = patience{ping: 5 * time.Second, stall: 10 * time.Second, pull: 4 * time.Minute}

// chooseImage gives the first image that is there, else the first that can be pulled.
func chooseImage(c containers, wanted []string, p patience) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.ping)
	defer cancel()
	if err := c.ping(ctx); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no answer within %v", p.ping)
		}
		return "", notHere("the engine does not answer: %v", oneLine(err))
	}
	for _, image := range wanted {
		ok, err := c.have(ctx, image)
		if err != nil {
			return "", notHere("asking for the image %s: %v", image, oneLine(err))
		}
		if ok {
			return image, nil
		}
	}
	var failed []string
	for _, image := range wanted {
		if strings.HasPrefix(image, "leakgate/") {
			continue // built, and in no registry
		}
		err := pull(c, image, p)
		if err == nil {
			return image, nil
		}
		failed = append(failed, err.Error())
	}
	more := ""
	if len(wanted) > 1 {
		more = fmt.Sprintf("; %s, which dbtest's images/build.sh builds, is not there either", wanted[len(wanted)-1])
	}
	return "", notHere("%s%s", strings.Join(failed, "; "), more)
}

// pull pulls an image, and gives up when nothing comes. That it was given up is remembered for a while, so that not
// each package of `go test ./...` waits for the same silent registry.
func pull(c containers, image string, p patience) error {
	if said, ago := recentFailure(image); said != "" {
		return fmt.Errorf("the image %s is not there and could not be pulled %v ago: %s", image, ago.Round(time.Second), said)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), p.pull, fmt.Errorf("it was not done within %v", p.pull))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	silent := time.AfterFunc(p.stall, func() { stop(fmt.Errorf("nothing came for %v", p.stall)) })
	defer silent.Stop()
	done := make(chan error, 1)
	go func() { done <- c.pull(ctx, image, func() { silent.Reset(p.stall) }) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	rememberFailure(image, oneLine(err))
	return fmt.Errorf("the image %s is not there and cannot be pulled: %s", image, oneLine(err))
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// remembered is how long a failed pull counts.
const remembered = 5 * time.Minute

// failureFile is a small file in the user's cache folder; "" where there is none.
var failureFile = func(image string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == ':' || r == '\\' || r == '@' {
			return '_'
		}
		return r
	}, image)
	return filepath.Join(dir, "leakgate", "dbtest", "pull-failed-"+name)
}

func recentFailure(image string) (said string, ago time.Duration) {
	file := failureFile(image)
	fi, err := os.Stat(file)
	if err != nil {
		return "", 0
	}
	ago = time.Since(fi.ModTime())
	if ago < 0 || ago > remembered {
		return "", 0
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", 0
	}
	return string(b), ago
}

func rememberFailure(image, said string) {
	file := failureFile(image)
	if file == "" || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	_ = os.WriteFile(file, []byte(said), 0o600) // at worst the next process asks again
}

// errorOf gives back what a helper process wrote into kept.json.
func (k kept) errorOf() error {
	switch {
	case k.Error == "":
		return nil
	case k.NotHere:
		return &errNotHere{k.Error}
	}
	return errors.New(k.Error)
}
