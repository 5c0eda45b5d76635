package socket

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// truth lists the sockets as ls -l /proc/self/fd does.
func truth(t testing.TB) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	var fds []int
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		require.NoError(t, err)
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFSOCK {
			fds = append(fds, fd)
		}
	}
	slices.Sort(fds)
	return fds
}

func numbers(refs []Ref) []int {
	fds := []int{}
	for _, r := range refs {
		fds = append(fds, r.FD)
	}
	return fds
}

func socketpair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	return fds[0], fds[1]
}

// dupTo opens fd under the number to as well.
func dupTo(t testing.TB, fd, to int) {
	t.Helper()
	var r syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r))
	if uint64(r.Cur) <= uint64(to) {
		t.Skipf("the limit of descriptors is %d", r.Cur)
	}
	require.NoError(t, syscall.Dup3(fd, to, syscall.O_CLOEXEC))
	t.Cleanup(func() { syscall.Close(to) })
}

func TestListWays(t *testing.T) {
	a, b := socketpair(t)
	defer syscall.Close(a)
	defer syscall.Close(b)
	want := truth(t)
	for _, high := range []int{0, 150, 500, 1023, 1024, 5000} {
		t.Run(fmt.Sprint(high), func(t *testing.T) {
			if high > 0 {
				dupTo(t, a, high)
				want = append(slices.Clone(want), high)
				slices.Sort(want)
				want = slices.Compact(want)
				defer func() { want = truthWithout(want, high) }()
			}
			var c Census
			refs, err := c.List(nil)
			require.NoError(t, err)
			require.Equal(t, want, numbers(refs))

			// The same from /proc alone, as where select is not as on Linux.
			byProc, ok := c.proc(nil)
			require.True(t, ok)
			require.ElementsMatch(t, refs, byProc)

			end, known := c.table()
			if known { // gVisor and the like do without
				require.Greater(t, end, high)
				require.LessOrEqual(t, end, tableCap)
			}
		})
	}
}

func truthWithout(fds []int, fd int) []int {
	return slices.DeleteFunc(slices.Clone(fds), func(n int) bool { return n == fd })
}

func TestSome(t *testing.T) {
	a, b := socketpair(t)
	defer syscall.Close(a)
	defer syscall.Close(b)
	dupTo(t, a, 700)
	dupTo(t, a, 701)
	dir := openFDs()
	require.GreaterOrEqual(t, dir, 0)
	defer syscall.Close(dir)
	var c Census
	for from, want := range map[int][]int{650: {700, 701}, 700: {700, 701}, 701: {701}, 702: {}, 1 << 20: {}} {
		refs, last, ok := c.some(nil, dir, from)
		require.True(t, ok)
		require.Equal(t, want, numbers(refs))
		if len(want) == 0 {
			require.Negative(t, last)
		} else {
			require.Equal(t, 701, last)
		}
	}
	_, _, ok := c.some(nil, a, 0)
	require.False(t, ok, "not a directory")
}

// Numbers with gaps of all sizes, up to several that are passed over.
func TestGaps(t *testing.T) {
	a, b := socketpair(t)
	defer syscall.Close(a)
	defer syscall.Close(b)
	for fd, gap := 64, 1; fd < 4096; fd, gap = fd+gap, gap*3/2+1 {
		dupTo(t, a, fd)
		dupTo(t, b, fd+1)
	}
	require.Equal(t, truth(t), numbers(list(t)))
}

func TestListUntrusted(t *testing.T) {
	was := trusted.Swap(false)
	defer trusted.Store(was)
	a, b := socketpair(t)
	defer syscall.Close(a)
	defer syscall.Close(b)
	require.Equal(t, truth(t), numbers(list(t)))
}

func TestListKeepsWhatIsThere(t *testing.T) {
	first := Ref{ID: 1, FD: 2}
	var c Census
	refs, err := c.List([]Ref{first})
	require.NoError(t, err)
	require.Equal(t, first, refs[0])
}

func TestListDescriptorsUsedUp(t *testing.T) {
	// At the limit /proc/self/fd cannot be opened. The listing must not need it.
	var r syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r))
	a, b := socketpair(t)
	defer syscall.Close(a)
	defer syscall.Close(b)
	dupTo(t, a, 900)
	want := truth(t)
	small := r
	small.Cur = 1
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &small))
	var c Census
	refs, err := c.List(nil)
	_, ok := c.proc(nil)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r))
	require.NoError(t, err)
	require.Equal(t, want, numbers(refs))
	require.False(t, ok)
}

func TestNoAllocations(t *testing.T) {
	a, b := socketpair(t)
	defer syscall.Close(a)
	defer syscall.Close(b)
	var c Census
	refs := make([]Ref, 0, 1024)
	run := func() {
		var err error
		if refs, err = c.List(refs[:0]); err != nil {
			t.Error(err)
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(50, run))
	t.Run("far", func(t *testing.T) {
		dupTo(t, a, 3000)
		run()
		require.Zero(t, testing.AllocsPerRun(50, run))
		require.Equal(t, 3000, refs[len(refs)-1].FD)
	})
}

func TestReusedNumber(t *testing.T) {
	a, b := socketpair(t)
	refs := list(t)
	i := slices.Index(numbers(refs), a)
	require.GreaterOrEqual(t, i, 0)
	_, ok := Describe(refs[i])
	require.True(t, ok)

	// The number a goes to another socket.
	c, d := socketpair(t)
	defer syscall.Close(c)
	defer syscall.Close(d)
	require.NoError(t, syscall.Dup3(c, a, syscall.O_CLOEXEC))
	defer syscall.Close(a)
	defer syscall.Close(b)
	_, ok = Describe(refs[i])
	require.False(t, ok, "the number is another socket's now")

	again := list(t)
	i = slices.Index(numbers(again), a)
	require.GreaterOrEqual(t, i, 0)
	require.NotContains(t, refs, again[i])
	require.Equal(t, again[slices.Index(numbers(again), c)].ID, again[i].ID, "two descriptors of one socket")
	require.NotEqual(t, again[slices.Index(numbers(again), c)].Key(), again[i].Key())
}

func TestInodeIdentity(t *testing.T) {
	a, b := socketpair(t)
	defer syscall.Close(a)
	defer syscall.Close(b)
	x, e := inode(a)
	require.Zero(t, e)
	y, e := inode(b)
	require.Zero(t, e)
	require.NotEqual(t, x, y)
	again, e := inode(a)
	require.Zero(t, e)
	require.Equal(t, x, again)
	_, e = inode(1 << 20)
	require.Equal(t, syscall.EBADF, e)
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	_, e = inode(int(f.Fd()))
	require.Equal(t, syscall.ENOTSOCK, e)
}

func TestTCPStates(t *testing.T) {
	var client, server net.Conn
	refs := added(t, func() { _, client, server = pair(t, "tcp4", "127.0.0.1:0") })
	here := addrPortOf(t, client.LocalAddr())
	in := func() Socket { return describe(t, refs, func(s Socket) bool { return s.Remote == here }) }
	out := func() Socket { return describe(t, refs, func(s Socket) bool { return s.Local == here }) }

	require.NoError(t, client.(*net.TCPConn).CloseWrite())
	_, err := server.Read(make([]byte, 1)) // until the FIN is here
	require.Error(t, err)
	require.Equal(t, "CLOSE_WAIT", in().State)
	require.Contains(t, []string{"FIN_WAIT1", "FIN_WAIT2"}, out().State)

	require.NoError(t, server.(*net.TCPConn).CloseWrite())
	_, err = client.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotContains(t, []string{"ESTABLISHED", "CLOSE_WAIT", ""}, describe(t, refs, func(s Socket) bool {
		return s.State != "LISTEN" && s.Local != addrPortOf(t, server.LocalAddr())
	}).State)
}

func TestUnboundTCP(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer syscall.Close(fd)
	s := describe(t, list(t), func(s Socket) bool { return s.FD == fd })
	require.Equal(t, "tcp4", s.Family)
	require.Equal(t, "CLOSED", s.State)
	require.False(t, s.Remote.IsValid())
}

// A dial that nobody answers: the listener's queue is full.
func TestHangingDial(t *testing.T) {
	l, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer syscall.Close(l)
	require.NoError(t, syscall.Bind(l, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(l, 0))
	to, err := syscall.Getsockname(l)
	require.NoError(t, err)
	port := uint16(to.(*syscall.SockaddrInet4).Port)
	for range 8 {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		require.NoError(t, err)
		defer syscall.Close(fd)
		_ = syscall.Connect(fd, to)
		s := describe(t, list(t), func(s Socket) bool { return s.FD == fd })
		if s.State != "SYN_SENT" {
			continue
		}
		require.Equal(t, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port), s.Remote)
		return
	}
	t.Skip("the queue does not fill here")
}

func TestDualStack(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer l.Close()
	client, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port))
	require.NoError(t, err)
	defer client.Close()
	server, err := l.Accept()
	require.NoError(t, err)
	defer server.Close()
	here := addrPortOf(t, client.LocalAddr())
	refs := list(t)
	in := describe(t, refs, func(s Socket) bool { return s.Remote == here })
	out := describe(t, refs, func(s Socket) bool { return s.Local == here })
	require.True(t, in.Local.Addr().Is4())
	require.Equal(t, out.Remote, in.Local)
	t.Log(in, out)
}

func TestUnixStream(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "s"), fmt.Sprintf("@leakgate-socket-test-%d", os.Getpid())} {
		var client, server net.Conn
		refs := added(t, func() { _, client, server = pair(t, "unix", name) })
		require.Len(t, refs, 3)
		l := describe(t, refs, func(s Socket) bool { return s.Listening })
		require.Equal(t, "unix", l.Family)
		require.Equal(t, "LISTEN", l.State)
		require.Equal(t, name, l.LocalPath)
		require.Empty(t, l.RemotePath)
		out := describe(t, refs, func(s Socket) bool { return s.RemotePath == name })
		require.Empty(t, out.LocalPath)
		in := describe(t, refs, func(s Socket) bool { return s.LocalPath == name && !s.Listening })
		require.Empty(t, in.RemotePath)
		for _, s := range []Socket{in, out} {
			require.True(t, s.Stream)
			require.Equal(t, "ESTABLISHED", s.State)
			require.Equal(t, os.Getpid(), s.PeerPID)
			require.True(t, s.PeerHere)
		}
		client.Close()
		in = describe(t, refs, func(s Socket) bool { return s.LocalPath == name && !s.Listening })
		require.Equal(t, "CLOSE_WAIT", in.State)
		server.Close()
	}
}

func TestUnixDatagram(t *testing.T) {
	name := filepath.Join(t.TempDir(), "d")
	var bound *net.UnixConn
	var client net.Conn
	refs := added(t, func() {
		var err error
		bound, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		require.NoError(t, err)
		client, err = net.Dial("unixgram", name)
		require.NoError(t, err)
	})
	defer bound.Close()
	defer client.Close()
	s := describe(t, refs, func(s Socket) bool { return s.LocalPath == name })
	require.Equal(t, "unix", s.Family)
	require.False(t, s.Stream)
	require.Equal(t, "UNCONNECTED", s.State)
	s = describe(t, refs, func(s Socket) bool { return s.RemotePath == name })
	require.Equal(t, "ESTABLISHED", s.State)
}

func TestSocketpair(t *testing.T) {
	a, b := socketpair(t)
	defer syscall.Close(b)
	s := describe(t, list(t), func(s Socket) bool { return s.FD == a })
	require.Equal(t, "unix", s.Family)
	require.Empty(t, s.LocalPath+s.RemotePath)
	require.True(t, s.PeerHere)
	require.Equal(t, fmt.Sprintf("unix unnamed pair ESTABLISHED, peer made by this process (fd %d)", a), s.String())
	syscall.Close(a)
	s = describe(t, list(t), func(s Socket) bool { return s.FD == b })
	require.Equal(t, "CLOSE_WAIT", s.State)
}

func TestOtherFamily(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	require.NoError(t, err)
	defer syscall.Close(fd)
	s := describe(t, list(t), func(s Socket) bool { return s.FD == fd })
	require.Equal(t, "other", s.Family)
	require.Equal(t, "netlink", s.Detail)
}

// What is open all the time must be in every listing, whatever others open and close meanwhile.
func TestConcurrent(t *testing.T) {
	a, b := socketpair(t)
	defer syscall.Close(a)
	defer syscall.Close(b)
	dupTo(t, a, 700)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, err := net.ListenPacket("udp4", "127.0.0.1:0")
				if err != nil {
					t.Error(err)
					return
				}
				f, err := os.Open(os.DevNull)
				if err != nil {
					t.Error(err)
				}
				f.Close()
				p.Close()
			}
		})
	}
	var c Census
	var refs []Ref
	for range 500 {
		var err error
		refs, err = c.List(refs[:0])
		if err != nil {
			t.Error(err)
			break
		}
		fds := numbers(refs)
		if !slices.Contains(fds, a) || !slices.Contains(fds, b) || !slices.Contains(fds, 700) {
			t.Errorf("%d, %d or 700 is missing in %v", a, b, fds)
			break
		}
		for _, r := range refs {
			if s, ok := Describe(r); ok && s.Ref != r {
				t.Errorf("%v is described as %v", r, s)
			}
		}
	}
	close(stop)
	wg.Wait()
}

func TestSockaddr(t *testing.T) {
	unix := func(path string) string {
		a := sockaddr{n: uint32(2 + len(path))}
		copy(a.b[2:], path)
		return a.path()
	}
	require.Empty(t, unix(""))
	require.Equal(t, "@", unix("\x00"))
	require.Equal(t, "@a\x00b", unix("\x00a\x00b"))
	require.Equal(t, "/run/x", unix("/run/x\x00"))
	require.Equal(t, "/run/x", unix("/run/x"))
	a := sockaddr{n: 2}
	require.False(t, a.addrPort().IsValid())
}

func TestHexAddr(t *testing.T) {
	for _, bad := range []string{"", ":", "0100007F", "xx:1F90", "0100007F:1F90F", "01:1F90"} {
		require.False(t, hexAddr([]byte(bad)).IsValid(), bad)
	}
}

func TestNumber(t *testing.T) {
	n, ok := number([]byte("120\x00\x00"))
	require.True(t, ok)
	require.Equal(t, 120, n)
	for _, bad := range []string{"", "\x00", ".\x00", "1", "12a\x00", "99999999999999999999\x00"} {
		_, ok := number([]byte(bad))
		require.False(t, ok, "%q", bad)
	}
}

func TestDomainName(t *testing.T) {
	require.Equal(t, "vsock", domainName(40))
	require.Equal(t, "address family 99", domainName(99))
	require.Empty(t, domainName(-1))
}

// fill opens sockets until n are open.
func fill(b *testing.B, n int) {
	for len(truth(b)) < n {
		x, y := socketpair(b)
		b.Cleanup(func() { syscall.Close(x); syscall.Close(y) })
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fill(b, n)
			var c Census
			refs, _ := c.List(nil)
			b.ReportAllocs()
			for b.Loop() {
				refs, _ = c.List(refs[:0])
			}
			if len(refs) < n {
				b.Fatalf("%d of %d sockets", len(refs), n)
			}
		})
	}
}

// BenchmarkProc is the same from /proc/self/fd alone.
func BenchmarkProc(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fill(b, n)
			var c Census
			refs, _ := c.proc(nil)
			b.ReportAllocs()
			for b.Loop() {
				refs, _ = c.proc(refs[:0])
			}
			if len(refs) < n {
				b.Fatalf("%d of %d sockets", len(refs), n)
			}
		})
	}
}

// BenchmarkListFar is 10 sockets and one more at 5000.
func BenchmarkListFar(b *testing.B) {
	fill(b, 10)
	x, y := socketpair(b)
	defer syscall.Close(x)
	defer syscall.Close(y)
	dupTo(b, x, 5000)
	var c Census
	refs, _ := c.List(nil)
	b.ReportAllocs()
	for b.Loop() {
		refs, _ = c.List(refs[:0])
	}
}

func BenchmarkDescribe(b *testing.B) {
	x, y := socketpair(b)
	defer syscall.Close(x)
	defer syscall.Close(y)
	id, _ := identity(x)
	b.ReportAllocs()
	for b.Loop() {
		Describe(Ref{ID: id, FD: x})
	}
}
