package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func list(t testing.TB) []Ref {
	t.Helper()
	var c Census
	refs, err := c.List(nil)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return refs
}

// added gives the sockets that open opens.
func added(t testing.TB, open func()) []Ref {
	t.Helper()
	before := make(map[Ref]bool)
	for _, r := range list(t) {
		before[r] = true
	}
	open()
	var refs []Ref
	for _, r := range list(t) {
		if !before[r] {
			refs = append(refs, r)
		}
	}
	return refs
}

// describe gives the one socket of refs for which want is true.
func describe(t testing.TB, refs []Ref, want func(Socket) bool) Socket {
	t.Helper()
	var found []Socket
	for _, r := range refs {
		if s, ok := Describe(r); ok && want(s) {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1)
	return found[0]
}

func addrPortOf(t testing.TB, a net.Addr) netip.AddrPort {
	t.Helper()
	p, err := netip.ParseAddrPort(a.String())
	require.NoError(t, err)
	return p
}

// pair opens a listener and both ends of a connection to it.
func pair(t testing.TB, network, address string) (l net.Listener, client, server net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil && strings.HasSuffix(network, "6") {
		t.Skip("no IPv6 here: ", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	client, err = net.Dial(network, l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	server, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	return l, client, server
}

func TestTCP(t *testing.T) {
	for _, c := range []struct{ network, address string }{{"tcp4", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}} {
		t.Run(c.network, func(t *testing.T) {
			var l net.Listener
			var client, server net.Conn
			refs := added(t, func() { l, client, server = pair(t, c.network, c.address) })
			require.Len(t, refs, 3)

			s := describe(t, refs, func(s Socket) bool { return s.Listening })
			require.Equal(t, c.network, s.Family)
			require.True(t, s.Stream)
			require.Equal(t, "LISTEN", s.State)
			require.Equal(t, addrPortOf(t, l.Addr()), s.Local)
			require.False(t, s.Remote.IsValid())

			here, there := addrPortOf(t, client.LocalAddr()), addrPortOf(t, client.RemoteAddr())
			out := describe(t, refs, func(s Socket) bool { return s.Local == here })
			require.Equal(t, c.network, out.Family)
			require.Equal(t, there, out.Remote)
			in := describe(t, refs, func(s Socket) bool { return s.Remote == here })
			require.Equal(t, there, in.Local)
			require.True(t, out.Pairs(in))
			require.True(t, in.Pairs(out))
			require.False(t, out.Pairs(s))
			require.False(t, out.Pairs(out))
			require.NotEqual(t, out.ID, in.ID)
			if runtime.GOOS == "linux" || runtime.GOOS == "windows" {
				require.Equal(t, "ESTABLISHED", out.State)
				require.Equal(t, "ESTABLISHED", in.State)
			}

			client.Close()
			server.Close()
			l.Close()
			for _, r := range refs {
				_, ok := Describe(r)
				require.False(t, ok)
			}
		})
	}
}

func TestUDP(t *testing.T) {
	var bound, connected net.Conn
	refs := added(t, func() {
		p, err := net.ListenPacket("udp4", "127.0.0.1:0")
		require.NoError(t, err)
		bound = p.(*net.UDPConn)
		connected, err = net.Dial("udp4", p.LocalAddr().String())
		require.NoError(t, err)
	})
	defer bound.Close()
	defer connected.Close()
	require.Len(t, refs, 2)

	here, there := addrPortOf(t, bound.LocalAddr()), addrPortOf(t, connected.LocalAddr())
	s := describe(t, refs, func(s Socket) bool { return s.Local == here })
	require.Equal(t, "udp4", s.Family)
	require.False(t, s.Stream)
	require.False(t, s.Listening)
	require.False(t, s.Remote.IsValid())
	s = describe(t, refs, func(s Socket) bool { return s.Local == there })
	if runtime.GOOS != "windows" { // whose tables do not have the peer of a UDP socket
		require.Equal(t, here, s.Remote)
	}
}

func TestDescribeUnknown(t *testing.T) {
	for _, fd := range []int{-1, 0, 1 << 19, 1<<31 - 1} {
		_, ok := Describe(Ref{ID: 1, FD: fd})
		require.False(t, ok)
	}
}

func TestKey(t *testing.T) {
	require.NotEqual(t, Ref{ID: 1, FD: 2}.Key(), Ref{ID: 1, FD: 3}.Key())
	require.NotEqual(t, Ref{ID: 1, FD: 2}.Key(), Ref{ID: 2, FD: 2}.Key())
	require.NotEqual(t, Ref{ID: 1, FD: 2}.Key(), Ref{ID: 2, FD: 1}.Key())
	require.Equal(t, Ref{ID: 1, FD: 2}.Key(), Ref{ID: 1, FD: 2}.Key())
	_ = Ref{ID: 1, FD: -1}.Key()
}

func TestString(t *testing.T) {
	ap := netip.MustParseAddrPort
	for want, s := range map[string]Socket{
		"tcp4 127.0.0.1:5->127.0.0.1:80 CLOSE_WAIT (fd 7)": {Ref: Ref{FD: 7}, Family: "tcp4", State: "CLOSE_WAIT",
			Local: ap("127.0.0.1:5"), Remote: ap("127.0.0.1:80")},
		"tcp6 [::1]:80 LISTEN (fd 0)": {Family: "tcp6", State: "LISTEN", Local: ap("[::1]:80")},
		"udp4 127.0.0.1:5":            {Ref: Ref{FD: -1}, Family: "udp4", Local: ap("127.0.0.1:5")},
		"tcp4 CLOSED (fd 3)":          {Ref: Ref{FD: 3}, Family: "tcp4", State: "CLOSED"},
		"tcp4 ?->10.0.0.1:80 (fd 3)":  {Ref: Ref{FD: 3}, Family: "tcp4", Remote: ap("10.0.0.1:80")},
		"unix unnamed->/run/x.sock ESTABLISHED, peer made by this process (fd 3)": {Ref: Ref{FD: 3}, Family: "unix",
			State: "ESTABLISHED", RemotePath: "/run/x.sock", PeerPID: 9, PeerHere: true},
		"unix unnamed pair ESTABLISHED, peer made by process 9 (fd 3)": {Ref: Ref{FD: 3}, Family: "unix",
			State: "ESTABLISHED", PeerPID: 9},
		"unix @name LISTEN (fd 3)": {Ref: Ref{FD: 3}, Family: "unix", State: "LISTEN", LocalPath: "@name"},
		"other (netlink) (fd 3)":   {Ref: Ref{FD: 3}, Family: "other", Detail: "netlink"},
	} {
		require.Equal(t, want, s.String())
	}
}

func TestErrUnsupported(t *testing.T) {
	require.ErrorIs(t, ErrUnsupported, ErrUnsupported)
	require.ErrorIs(t, fmt.Errorf("x: %w", ErrUnsupported), errors.ErrUnsupported)
	require.Contains(t, ErrUnsupported.Error(), runtime.GOOS)
	require.Equal(t, runtime.GOOS == "linux", Limits() == "")
}
