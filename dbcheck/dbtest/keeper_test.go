//go:build unix

package dbtest

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const victimEnv = "DBTEST_TEST_VICTIM" // ENGINE:SERVERS:WAY TO END

// TestVictim is run in a process of its own by the tests below: it starts the servers that it is asked for, tells
// where they are, and ends as it is asked.
func TestVictim(t *testing.T) {
	asked := strings.Split(os.Getenv(victimEnv), ":")
	if len(asked) != 3 {
		t.Skip("the tests below start this one in a process of its own")
	}
	e, servers, end := asked[0], asked[1], asked[2]
	for _, k := range kinds {
		if k.name != e {
			continue
		}
		started := []*Server{k.start(t)}
		if servers == sharedAndOwn {
			started = append(started, k.start(t, Own()))
		}
		var all []kept
		for _, s := range started {
			h := *s.host
			h.kept.Error = h.dir // a field that is free, for the directory
			all = append(all, h.kept)
		}
		b, err := json.Marshal(all)
		require.NoError(t, err)
		fmt.Println("\nVICTIM " + string(b))
	}
	switch end {
	case "panic":
		panic("a test that panics")
	case "exit":
		os.Exit(3)
	case "wait":
		select {}
	}
}

// What a victim starts.
const (
	sharedOne    = "shared"
	sharedAndOwn = "shared and own"
)

// victim starts the test above and gives what it keeps.
func victim(t *testing.T, e, servers, end string) (*exec.Cmd, []kept) {
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run", "^TestVictim$", "-test.v")
	cmd.Env = append(os.Environ(), victimEnv+"="+e+":"+servers+":"+end, "GORACE="+raceOptions())
	out, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = w, w
	require.NoError(t, cmd.Start())
	w.Close()
	t.Cleanup(func() { out.Close() })
	r := bufio.NewReader(out)
	var said strings.Builder
	for {
		line, err := r.ReadString('\n')
		said.WriteString(line)
		if rest, ok := strings.CutPrefix(line, "VICTIM "); ok {
			var all []kept
			require.NoError(t, json.Unmarshal([]byte(rest), &all))
			go io.Copy(io.Discard, r) // until the process ends: nothing else holds the pipe
			return cmd, all
		}
		if err != nil {
			_ = cmd.Wait()
			if strings.Contains(said.String(), "--- SKIP") && os.Getenv(envRequire) != "1" {
				t.Skip(said.String())
			}
			require.NoError(t, err, said.String())
		}
	}
}

// vanished waits until nothing is left of a server.
func vanished(t *testing.T, k kept) {
	t.Helper()
	dir := k.Error
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", k.Addr, time.Second)
		if err == nil {
			c.Close()
			return false
		}
		_, err = os.Stat(dir)
		return os.IsNotExist(err) && !k.Server.alive() && !k.Keeper.alive() && len(inside(dir)) == 0
	}, 20*time.Second, 20*time.Millisecond, "the server at %s in %s is still there", k.Addr, dir)
}

// However the test binary ends, its servers end too: the shared one, and one whose test has not come to its end.
func TestServersEndWithTheTestBinary(t *testing.T) {
	for _, c := range []struct{ engine, servers, end string }{
		{"postgres", sharedAndOwn, "wait"},
		{"mariadb", sharedOne, "wait"},
		{"postgres", sharedOne, "panic"},
		{"mariadb", sharedOne, "exit"},
	} {
		t.Run(c.engine+"/"+c.end, func(t *testing.T) {
			t.Parallel()
			cmd, all := victim(t, c.engine, c.servers, c.end)
			if c.end == "wait" {
				for _, k := range all {
					conn, err := net.Dial("tcp", k.Addr)
					require.NoError(t, err, "the server runs until then")
					conn.Close()
				}
				require.NoError(t, cmd.Process.Kill())
			}
			assert.Error(t, cmd.Wait())
			for _, k := range all {
				vanished(t, k)
			}
		})
	}
}

// A keeper that is killed too cannot clean up. Its server ends with it on Linux, and the next start removes the rest.
func TestTheNextStartSweeps(t *testing.T) {
	cmd, all := victim(t, "postgres", sharedOne, "wait")
	k := all[0]
	require.NoError(t, syscall.Kill(k.Keeper.PID, syscall.SIGKILL))
	require.NoError(t, cmd.Process.Kill())
	assert.Error(t, cmd.Wait())
	require.True(t, k.Keeper.gone(10*time.Second))
	assert.DirExists(t, k.Error)
	if k.Container == "" && runtime.GOOS == "linux" {
		assert.True(t, k.Server.gone(10*time.Second), "the server ends with its keeper")
	}
	sweepOnce = sync.Once{} // as in the next test binary
	Postgres(t, Own())
	vanished(t, k)
}

// The sweep ends what still works in a directory of a dead owner, and lets a living one's be.
func TestSweepDir(t *testing.T) {
	sleeper := func(dir string) *exec.Cmd {
		data := filepath.Join(dir, "data")
		require.NoError(t, os.MkdirAll(data, 0o755))
		cmd := exec.Command("sleep", "600")
		cmd.Dir = data
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	dead := exec.Command("true")
	require.NoError(t, dead.Run())
	gone := self()
	gone.PID, gone.Start = dead.Process.Pid, "1"

	for _, c := range []struct {
		name  string
		owner owner
		swept bool
	}{
		{"living", self(), false},
		{"dead", gone, true},
		{"another machine's", owner{PID: gone.PID, Start: "1", Host: "elsewhere"}, false},
		{"another container's", func() owner { o := gone; o.Space = "pid:[1]"; return o }(), false},
		{"before the machine started", func() owner { o := self(); o.Boot = "earlier"; return o }(), true},
	} {
		dir := t.TempDir()
		cmd := sleeper(dir)
		server := describe(cmd.Process.Pid)
		require.NoError(t, writeJSON(dir, ownerFile, c.owner))
		require.NoError(t, writeJSON(dir, keptFile, kept{Keeper: c.owner, Server: server}))
		if c.name == "living" || !c.swept {
			assert.False(t, sweepDir(dir), c.name)
			assert.True(t, server.alive(), c.name)
			assert.DirExists(t, dir, c.name)
			continue
		}
		assert.True(t, sweepDir(dir), c.name)
		assert.False(t, server.alive(), c.name)
		assert.NoDirExists(t, dir, c.name)
	}
}

// What the user says of the race detector holds in the keeper too, but for the second that it would sleep at its end.
func TestTheKeeperDoesNotSleepAtItsEnd(t *testing.T) {
	for _, c := range []struct{ users, keepers string }{
		{"", "GORACE=atexit_sleep_ms=0"},
		{"halt_on_error=1 atexit_sleep_ms=50", "GORACE=halt_on_error=1 atexit_sleep_ms=50 atexit_sleep_ms=0"},
	} {
		t.Setenv("GORACE", c.users)
		cmd, err := again("keep", t.TempDir())
		require.NoError(t, err)
		assert.Equal(t, c.keepers, cmd.Env[len(cmd.Env)-1], "the last one counts")
	}
}

func TestOwner(t *testing.T) {
	me := self()
	assert.True(t, me.alive())
	assert.False(t, me.stale())
	other := me
	other.Start = "1"
	assert.False(t, other.alive(), "the number was given to another process")
	assert.True(t, other.stale())

	cmd := exec.Command("sleep", "600")
	require.NoError(t, cmd.Start())
	o := describe(cmd.Process.Pid)
	assert.True(t, o.alive())
	require.NoError(t, cmd.Process.Kill())
	assert.True(t, o.gone(10*time.Second), "ended, though nobody has waited for it yet")
	_ = cmd.Wait()
	assert.False(t, o.alive())
}

func TestOrphan(t *testing.T) {
	me, gone := self(), self()
	gone.Start = "1"
	foreign := gone
	foreign.Host = "elsewhere"
	for _, c := range []struct {
		owner, keeper string
		want          bool
	}{
		{me.String(), me.String(), false},
		{gone.String(), me.String(), false}, // the keeper is about to do it
		{gone.String(), gone.String(), true},
		{foreign.String(), foreign.String(), false},
		{"", "", false},
		{gone.String(), "{", false},
	} {
		assert.Equal(t, c.want, orphan(map[string]string{labelOwner: c.owner, labelKeeper: c.keeper}), "%v", c)
	}
}

// Between the look for a free port and the server's own start another process may take it.
func TestATakenPort(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			bin, ok := here(k.engine)
			if !ok {
				if os.Getenv(envRequire) == "1" {
					t.Fatalf("%s is not installed on this machine", k.name)
				}
				t.Skipf("%s is not installed on this machine", k.name)
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer ln.Close()
			_, p, _ := net.SplitHostPort(ln.Addr().String())
			taken, _ := strconv.Atoi(p)
			picked := 0
			pickPort = func() int {
				if picked++; picked == 1 {
					return taken
				}
				return freePort()
			}
			defer func() { pickPort = freePort }()
			dir, err := newDir()
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			got := kept{}
			r, err := startLocal(dir, spec{Engine: k.engine, How: local, Owner: self(), Password: rand.Text(), Bin: bin, Max: startMax}, &got)
			require.NoError(t, err)
			defer func() {
				r.end()
				require.Eventually(t, r.ended, 10*time.Second, time.Millisecond)
			}()
			assert.Equal(t, 2, picked)
			assert.NotEqual(t, ln.Addr().String(), got.Addr)
			h := &host{engine: k.engine, how: local, addr: got.Addr, user: superuser[k.engine], password: got.Password}
			_, err = h.ask()
			assert.NoError(t, err)
		})
	}
}
