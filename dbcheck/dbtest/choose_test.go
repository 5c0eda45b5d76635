package dbtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheVariableNamesTheWays(t *testing.T) {
	for value, want := range map[string][]string{
		"": {docker, local}, "auto": {docker, local}, "docker": {docker}, "local": {local},
	} {
		t.Setenv(envHow, value)
		got, err := ways()
		require.NoError(t, err)
		assert.Equal(t, want, got, value)
	}
}

func TestAnUnknownWayIsToldWithTheKnownOnes(t *testing.T) {
	t.Setenv(envHow, "foo")
	for _, e := range []engine{postgres, mariadb} {
		t.Setenv(namesOf[e].envDSN, "")
	}
	ft := &fakeTB{name: "TestX"}
	golden(t, "unknown-way", "LEAKGATE_DBTEST=foo", ft.run(func() { Postgres(ft, Own()) }))
}

// Each case is what docker and local say in turn.
func TestFirstWay(t *testing.T) {
	none := notHere("the engine does not answer: connection refused")
	missing := notHere("neither on PATH nor in the usual folders: postgres and initdb")
	broken := errors.New("initdb: exit status 1")
	for _, c := range []struct {
		name          string
		docker, local error
		how           string
		notes         []string
	}{
		{name: "docker", how: docker},
		{name: "no docker", docker: none, how: local, notes: []string{"docker: " + none.Error()}},
		{name: "docker broken", docker: broken, how: local, notes: []string{"docker: " + broken.Error()}},
		{name: "neither", docker: none, local: missing},
		{name: "no docker, local broken", docker: none, local: broken},
	} {
		var asked []string
		h, notes, err := firstWay(postgres, []string{docker, local}, func(how string) (*host, error) {
			asked = append(asked, how)
			return &host{how: how}, map[string]error{docker: c.docker, local: c.local}[how]
		})
		if c.how != "" {
			require.NoError(t, err, c.name)
			assert.Equal(t, c.how, h.how, c.name)
			assert.Equal(t, c.notes, notes, c.name)
			continue
		}
		assert.Equal(t, []string{docker, local}, asked)
		var un *unavailable
		assert.Equal(t, c.local != broken, errors.As(err, &un), "%s: only what is not here skips a test", c.name)
		golden(t, "way-"+map[bool]string{true: "none", false: "broken"}[errors.As(err, &un)], c.name, err.Error()+"\n")
	}
}

// nowhere makes a machine without Docker and without the servers' programs.
func nowhere(t *testing.T) {
	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
	t.Setenv("PATH", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv(envHow, "")
	for _, e := range []engine{postgres, mariadb} {
		was := wantedOf[e]
		w := was
		w.folders = nil
		wantedOf[e] = w
		t.Cleanup(func() { wantedOf[e] = was })
		t.Setenv(namesOf[e].envDSN, "")
		t.Setenv(namesOf[e].envImage, "")
	}
}

func TestNoServerSkips(t *testing.T) {
	nowhere(t)
	t.Setenv(envRequire, "")
	ft := &fakeTB{name: "TestX"}
	golden(t, "skipped", "neither Docker nor binaries", ft.run(func() { Postgres(ft, Own()) }))
	ft = &fakeTB{name: "TestX"}
	golden(t, "skipped-mariadb", "neither Docker nor binaries", ft.run(func() { MariaDB(ft, Own()) }))
}

func TestNoServerFailsWhereServicesAreRequired(t *testing.T) {
	nowhere(t)
	t.Setenv(envRequire, "1")
	ft := &fakeTB{name: "TestX"}
	golden(t, "required", "LEAKGATE_REQUIRE_SERVICES=1", ft.run(func() { Postgres(ft, Own()) }))
}

func TestBadOptions(t *testing.T) {
	for name, c := range map[string]struct {
		start func(testing.TB, ...Option) *Server
		opt   Option
	}{
		"max-connections-postgres": {Postgres, MaxConnections(3)},
		"max-connections-mariadb":  {MariaDB, MaxConnections(9)},
		"max-connections-negative": {Postgres, MaxConnections(-1)},
		"setting-name":             {Postgres, Settings(map[string]string{"work mem": "4MB"})},
		"image-empty":              {Postgres, Image("")},
	} {
		ft := &fakeTB{name: "TestX"}
		golden(t, "option-"+name, "a value that the server would refuse or change", ft.run(func() { c.start(ft, c.opt) }))
	}
}

func TestAnImageNeedsDocker(t *testing.T) {
	t.Setenv(envHow, local)
	t.Setenv(envRequire, "")
	t.Setenv(namesOf[postgres].envDSN, "")
	ft := &fakeTB{name: "TestX"}
	golden(t, "option-image-local", "LEAKGATE_DBTEST=local and dbtest.Image", ft.run(func() { Postgres(ft, Image("postgres:12")) }))
}

// fakeDocker is an engine.
type fakeDocker struct {
	silent bool            // does not answer
	there  map[string]bool // images
	pulls  func(ctx context.Context, image string, progress func()) error
	pulled []string
}

func (f *fakeDocker) ping(ctx context.Context) error {
	if f.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (f *fakeDocker) have(_ context.Context, image string) (bool, error) { return f.there[image], nil }

func (f *fakeDocker) pull(ctx context.Context, image string, progress func()) error {
	f.pulled = append(f.pulled, image)
	if f.pulls == nil {
		return errors.New("dial tcp: lookup registry: no such host")
	}
	return f.pulls(ctx, image, progress)
}

var quickly = patience{ping: 20 * time.Millisecond, stall: 20 * time.Millisecond, pull: 10 * time.Second}

func TestChooseImage(t *testing.T) {
	dir := t.TempDir()
	was := failureFile
	t.Cleanup(func() { failureFile = was })
	failureFile = func(image string) string { return filepath.Join(dir, filepath.Base(image)) }
	wanted := defaultImages[postgres]

	f := &fakeDocker{there: map[string]bool{wanted[0]: true, wanted[1]: true}}
	got, err := chooseImage(f, wanted, quickly)
	require.NoError(t, err)
	assert.Equal(t, wanted[0], got, "the public one first")

	f = &fakeDocker{there: map[string]bool{wanted[1]: true}}
	got, err = chooseImage(f, wanted, quickly)
	require.NoError(t, err)
	assert.Equal(t, wanted[1], got, "what is there before what must be pulled")
	assert.Empty(t, f.pulled)

	f = &fakeDocker{pulls: func(context.Context, string, func()) error { return nil }}
	got, err = chooseImage(f, wanted, quickly)
	require.NoError(t, err)
	assert.Equal(t, wanted[0], got)
	assert.Equal(t, wanted[:1], f.pulled, "ours is in no registry")

	f = &fakeDocker{}
	_, err = chooseImage(f, wanted, quickly)
	golden(t, "image-none", "nothing there, and the pull fails", err.Error()+"\n")
	var nh *errNotHere
	assert.ErrorAs(t, err, &nh, "another way may serve")

	f = &fakeDocker{}
	_, err = chooseImage(f, wanted, quickly)
	require.Error(t, err)
	assert.Empty(t, f.pulled, "a failed pull is not tried again at once")
	assert.Contains(t, err.Error(), "could not be pulled 0s ago: dial tcp: lookup registry: no such host")

	old := time.Now().Add(-2 * remembered)
	require.NoError(t, os.Chtimes(failureFile(wanted[0]), old, old))
	_, err = chooseImage(f, wanted, quickly)
	require.Error(t, err)
	assert.Equal(t, wanted[:1], f.pulled, "but after a while it is")

	f = &fakeDocker{silent: true}
	_, err = chooseImage(f, wanted, quickly)
	assert.EqualError(t, err, "the engine does not answer: no answer within 20ms")
}

func TestASilentPullIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	was := failureFile
	t.Cleanup(func() { failureFile = was })
	failureFile = func(image string) string { return filepath.Join(dir, filepath.Base(image)) }

	// It heeds the context late, as a call does that hangs in a system call.
	let := make(chan struct{})
	f := &fakeDocker{pulls: func(context.Context, string, func()) error { <-let; return nil }}
	_, err := chooseImage(f, []string{"postgres:silent"}, quickly)
	close(let)
	assert.EqualError(t, err, "the image postgres:silent is not there and cannot be pulled: nothing came for 20ms")

	// A slow one that goes on is waited for: 20 s in all, more than it may be silent.
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDocker{pulls: func(ctx context.Context, _ string, progress func()) error {
			for range 10 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(2 * time.Second):
					progress()
				}
			}
			return nil
		}}
		_, err := chooseImage(f, []string{"postgres:slow"}, patience{ping: time.Second, stall: 3 * time.Second, pull: time.Minute})
		assert.NoError(t, err)
	})
}

func TestTheImageVariable(t *testing.T) {
	t.Setenv(namesOf[postgres].envImage, "registry.example/postgres:16")
	assert.Equal(t, []string{"registry.example/postgres:16"}, want{engine: postgres}.images())
	assert.Equal(t, []string{"postgres:12"}, want{engine: postgres, image: "postgres:12"}.images(), "the option wins")
}

func TestTheHubPrefix(t *testing.T) {
	assert.Equal(t,
		[]string{"mirror.example/hub/postgres:17", "mirror.example/hub/bitnami/postgres", "ghcr.io/x/y", "leakgate/postgres:debian"},
		withPrefix("mirror.example/hub", []string{"postgres:17", "bitnami/postgres", "ghcr.io/x/y", "leakgate/postgres:debian"}))
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	program := func(path string, mode os.FileMode) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho MariaDB\n"), mode))
	}
	for _, v := range []string{"9.6", "15", "16"} {
		program(filepath.Join(dir, v, "bin", "postgres"), 0o755)
		if v != "16" {
			program(filepath.Join(dir, v, "bin", "initdb"), 0o755)
		}
	}
	folders := []string{filepath.Join(dir, "*", "bin")}
	b, ok := find(postgres, nil, folders)
	require.True(t, ok)
	assert.Equal(t, filepath.Join(dir, "15", "bin", "postgres"), b.Server, "the highest version that is whole; 15 is after 9.6")
	b, ok = find(postgres, []string{filepath.Join(dir, "9.6", "bin")}, folders)
	require.True(t, ok)
	assert.Equal(t, filepath.Join(dir, "9.6", "bin", "initdb"), b.Init, "PATH first")
	_, ok = find(postgres, []string{filepath.Join(dir, "16", "bin")}, nil)
	assert.False(t, ok, "without initdb")

	program(filepath.Join(dir, "sbin", "mysqld"), 0o755)
	program(filepath.Join(dir, "scripts", "mysql_install_db"), 0o644)
	_, ok = find(mariadb, []string{filepath.Join(dir, "sbin"), filepath.Join(dir, "scripts")}, nil)
	assert.False(t, ok, "not executable")
	program(filepath.Join(dir, "bin", "mariadb-install-db"), 0o755)
	b, ok = find(mariadb, []string{filepath.Join(dir, "sbin"), filepath.Join(dir, "bin")}, nil)
	require.True(t, ok)
	assert.Equal(t, filepath.Join(dir, "sbin", "mysqld"), b.Server)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sbin", "mysqld"), []byte("#!/bin/sh\necho mysqld 8.4 MySQL Community\n"), 0o755))
	_, ok = find(mariadb, []string{filepath.Join(dir, "sbin"), filepath.Join(dir, "bin")}, nil)
	assert.False(t, ok, "Oracle's MySQL has no mysql_install_db")
}
