package dbtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// All in this file runs in a helper or a keeper: testcontainers-go keeps connections, goroutines and settings for the
// whole process, which must not be the test's.

const (
	labelOwner  = "org.leakgate.dbtest.owner"
	labelKeeper = "org.leakgate.dbtest.keeper"

	ryukDisabled = "TESTCONTAINERS_RYUK_DISABLED"
	sessionID    = "TESTCONTAINERS_SESSION_ID"
	hubPrefix    = "TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX"
)

// dockerEngine is the engine that testcontainers-go finds.
type dockerEngine struct{ *client.Client }

func connectDocker() (dockerEngine, error) {
	ctx, cancel := context.WithTimeout(context.Background(), ordinary.ping)
	defer cancel()
	// testcontainers-go passes over a DOCKER_HOST that does not answer and takes another engine. Who names one means it.
	if name := os.Getenv("DOCKER_HOST"); name != "" {
		c, err := client.New(client.FromEnv)
		if err == nil {
			_, err = c.Ping(ctx, client.PingOptions{})
			_ = c.Close()
		}
		if err != nil {
			return dockerEngine{}, notHere("the engine that DOCKER_HOST names does not answer: %s", oneLine(err))
		}
	}
	type answer struct {
		c   *testcontainers.DockerClient
		err error
	}
	// It looks in several places, and not all of that heeds the context.
	got := make(chan answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil { // testcontainers-go panics where it finds no engine
				got <- answer{nil, fmt.Errorf("%v", p)}
			}
		}()
		c, err := testcontainers.NewDockerClientWithOpts(ctx)
		got <- answer{c, err}
	}()
	select {
	case a := <-got:
		if a.err != nil {
			return dockerEngine{}, notHere("no container engine was found: %s", oneLine(a.err))
		}
		return dockerEngine{a.c.Client}, nil
	case <-ctx.Done():
		return dockerEngine{}, notHere("the engine does not answer: no answer within %v", ordinary.ping)
	}
}

func (d dockerEngine) ping(ctx context.Context) error {
	_, err := d.Client.Ping(ctx, client.PingOptions{})
	return err
}

func (d dockerEngine) have(ctx context.Context, image string) (bool, error) {
	_, err := d.ImageInspect(ctx, image)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

func (d dockerEngine) pull(ctx context.Context, image string, progress func()) error {
	var opts client.ImagePullOptions
	// With the credentials of docker login, if there are any for this registry.
	if _, auth, err := testcontainers.DockerImageAuth(ctx, image); err == nil {
		if encoded, err := authconfig.Encode(auth); err == nil {
			opts.RegistryAuth = encoded
		}
	}
	resp, err := d.ImagePull(ctx, image, opts)
	if err != nil {
		return err
	}
	defer resp.Close()
	for m, err := range resp.JSONMessages(ctx) {
		if err != nil {
			return err
		}
		if m.Error != nil {
			return m.Error
		}
		progress()
	}
	return nil
}

// prepareDocker chooses the image, and whether testcontainers-go has its reaper. It runs in a process of its own, before
// the keeper's: testcontainers-go reads its settings once in a process.
func prepareDocker(s *spec) (env []string, err error) {
	d, err := connectDocker()
	if err != nil {
		return nil, err
	}
	wanted := s.Images
	if p := os.Getenv(hubPrefix); p != "" {
		wanted = withPrefix(p, wanted)
		env = append(env, hubPrefix+"=") // it is in the name now
	}
	if s.Image, err = chooseImage(d, wanted, ordinary); err != nil {
		return nil, err
	}
	d.sweep()
	owner := sha256.Sum256([]byte(s.Owner.String()))
	env = append(env, fmt.Sprintf("%s=%x", sessionID, owner)) // one reaper for all servers of a test binary
	if os.Getenv(ryukDisabled) == "" && !d.reaper(s.Image) {
		env = append(env, ryukDisabled+"=true")
	}
	return env, nil
}

// withPrefix does what testcontainers-go does with images of Docker Hub.
func withPrefix(prefix string, wanted []string) []string {
	var all []string
	for _, image := range wanted {
		first, _, slash := strings.Cut(image, "/")
		if !strings.HasPrefix(image, "leakgate/") && !(slash && strings.ContainsAny(first, ".:")) {
			image = strings.TrimSuffix(prefix, "/") + "/" + image
		}
		all = append(all, image)
	}
	return all
}

// reaper says whether the image of testcontainers-go's reaper can be had. Without it the labels and the sweep do its work.
func (d dockerEngine) reaper(server string) bool {
	//lint:ignore SA1019 the name is nowhere else to be had, and must fit the version of testcontainers-go
	image := testcontainers.ReaperDefaultImage
	ctx, cancel := context.WithTimeout(context.Background(), ordinary.ping)
	defer cancel()
	if ok, err := d.have(ctx, image); ok || err != nil {
		return ok
	}
	// Where the server's image had to be built, no registry is in reach.
	return !strings.HasPrefix(server, "leakgate/") && pull(d, image, ordinary) == nil
}

// sweep removes the containers of test binaries that are gone, and whose keeper is gone too.
func (d dockerEngine) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	list, err := d.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", labelOwner)})
	if err != nil {
		return // the start that follows will say what is wrong
	}
	for _, c := range list.Items {
		if orphan(c.Labels) {
			_, _ = d.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
}

// orphan says by a container's labels that nobody needs it, for certain.
func orphan(labels map[string]string) bool {
	var o, k owner
	if json.Unmarshal([]byte(labels[labelOwner]), &o) != nil || json.Unmarshal([]byte(labels[labelKeeper]), &k) != nil {
		return false
	}
	return o.stale() && k.stale()
}

// dockerServer is a server in a container, in its keeper.
type dockerServer struct {
	engine    dockerEngine
	container testcontainers.Container
}

func (d *dockerServer) ended() bool { return false } // it may be started again

func (d *dockerServer) end() {
	ctx, cancel := context.WithTimeout(context.Background(), controlMax)
	defer cancel()
	_, err := d.engine.ContainerRemove(ctx, d.container.GetContainerID(), client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		fmt.Fprintln(os.Stderr, err)
	}
}

// toStderr is where testcontainers-go's own words go: into the keeper's log.
type toStderr struct{}

func (toStderr) Printf(format string, v ...any) { fmt.Fprintf(os.Stderr, format+"\n", v...) }

var serverPort = map[engine]string{postgres: "5432/tcp", mariadb: "3306/tcp"}

// startDocker runs the container by testcontainers-go and waits until the superuser gets in.
func startDocker(dir string, s spec, k *kept) (running, error) {
	end := time.Now().Add(s.Max)
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	d, err := connectDocker()
	if err != nil {
		return nil, err
	}
	provider, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(toStderr{}))
	if err != nil {
		return nil, err
	}
	name, err := provider.DaemonHost(ctx)
	if err != nil {
		return nil, err
	}
	at := netip.IPv4Unspecified()
	if name == "localhost" {
		name, at = "127.0.0.1", netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	for try := 1; ; try++ {
		port := pickPort()
		c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
			ContainerRequest: request(s, k.Keeper, at, port), Started: true, Logger: toStderr{},
		})
		if err != nil {
			if c != nil {
				(&dockerServer{d, c}).end()
			}
			if portTaken(err) && try < portTries {
				continue
			}
			return nil, fmt.Errorf("the container of %s: %w", s.Image, err)
		}
		server := &dockerServer{d, c}
		k.Container, k.Addr = c.GetContainerID(), net.JoinHostPort(name, strconv.Itoa(port))
		if err := d.ready(ctx, s, *k); err != nil {
			err = fmt.Errorf("the server in %s: %w%s", s.Image, err, d.log(k.Container))
			server.end()
			return nil, err
		}
		return server, nil
	}
}

// portTaken says that the port was free a moment ago. The engine has no code for it.
func portTaken(err error) bool {
	return strings.Contains(err.Error(), "address already in use") || strings.Contains(err.Error(), "port is already allocated")
}

// request is the container that dbtest wants. The port is a fixed one of those that nobody gets by chance: an engine
// gives a container another one when it is started again, and Restart promises the same address.
func request(s spec, keeper owner, at netip.Addr, port int) testcontainers.ContainerRequest {
	r := testcontainers.ContainerRequest{
		Image:        s.Image,
		ExposedPorts: []string{serverPort[s.Engine]},
		Labels:       map[string]string{labelOwner: s.Owner.String(), labelKeeper: keeper.String()},
		HostConfigModifier: func(h *container.HostConfig) {
			h.PortBindings = network.PortMap{
				network.MustParsePort(serverPort[s.Engine]): {{HostIP: at, HostPort: strconv.Itoa(port)}},
			}
		},
	}
	if s.Engine == postgres {
		r.Env = map[string]string{"POSTGRES_PASSWORD": s.Password}
		r.Cmd = []string{"postgres"}
		for _, kv := range settings(s, postgresQuick) {
			r.Cmd = append(r.Cmd, "-c", kv)
		}
		return r
	}
	r.Env = map[string]string{"MARIADB_ROOT_PASSWORD": s.Password, "MYSQL_ROOT_PASSWORD": s.Password}
	for _, kv := range settings(s, mariadbQuick) {
		r.Cmd = append(r.Cmd, "--"+kv)
	}
	return r
}

// ready waits until the superuser gets in. That a port takes connections says nothing: the engine's own proxy does.
func (d dockerEngine) ready(ctx context.Context, s spec, k kept) error {
	h := &host{engine: s.Engine, how: docker, addr: k.Addr, user: superuser[s.Engine], password: s.Password}
	for {
		_, err := h.ask()
		if err == nil {
			return nil
		}
		i, ierr := d.ContainerInspect(ctx, k.Container, client.ContainerInspectOptions{})
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("takes no connection after %v: %s", s.Max, h.hide(err))
		case ierr != nil:
			return ierr
		case i.Container.State != nil && !i.Container.State.Running:
			return fmt.Errorf("has ended with exit status %d", i.Container.State.ExitCode)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// log is the end of what the container has said.
func (d dockerEngine) log(id string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := d.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "12"})
	if err != nil {
		return ""
	}
	defer out.Close()
	var said bytes.Buffer
	if _, err := stdcopy.StdCopy(&said, &said, out); err != nil || said.Len() == 0 {
		return ""
	}
	return "\nit has said last:\n    " + strings.ReplaceAll(strings.TrimSpace(said.String()), "\n", "\n    ")
}

// order is what a helper is asked to do to a container.
type order struct {
	What      string `json:"what"` // kill, stop, pause, unpause, start
	Container string `json:"container"`
}

const orderFile = "order.json"

// do runs in a helper.
func do(dir string) int {
	err := func() error {
		var o order
		if err := readJSON(dir, orderFile, &o); err != nil {
			return err
		}
		d, err := connectDocker()
		if err != nil {
			return err
		}
		return d.do(o)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, oneLine(err))
		return 1
	}
	return 0
}

func (d dockerEngine) do(o order) error {
	ctx, cancel := context.WithTimeout(context.Background(), controlMax)
	defer cancel()
	i, err := d.ContainerInspect(ctx, o.Container, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	st := i.Container.State
	if st == nil {
		return errors.New("the engine does not tell the container's state")
	}
	seconds := 10
	switch o.What {
	case "kill":
		if st.Running {
			_, err = d.ContainerKill(ctx, o.Container, client.ContainerKillOptions{Signal: "KILL"})
		}
	case "stop":
		if st.Paused {
			if _, err = d.ContainerUnpause(ctx, o.Container, client.ContainerUnpauseOptions{}); err != nil {
				return err
			}
		}
		_, err = d.ContainerStop(ctx, o.Container, client.ContainerStopOptions{Timeout: &seconds})
	case "pause":
		if !st.Running {
			return errors.New("the server does not run")
		}
		if !st.Paused {
			_, err = d.ContainerPause(ctx, o.Container, client.ContainerPauseOptions{})
		}
	case "unpause":
		if st.Paused {
			_, err = d.ContainerUnpause(ctx, o.Container, client.ContainerUnpauseOptions{})
		}
	case "start":
		_, err = d.ContainerStart(ctx, o.Container, client.ContainerStartOptions{})
	default:
		err = fmt.Errorf("unknown order %q", o.What)
	}
	if err != nil || o.What != "kill" && o.What != "stop" {
		return err
	}
	// The engine answers kill when the signal is sent.
	for {
		i, err := d.ContainerInspect(ctx, o.Container, client.ContainerInspectOptions{})
		if err != nil {
			return err
		}
		if !i.Container.State.Running {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}
