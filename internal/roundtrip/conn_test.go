package roundtrip

import (
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dial gives both ends of a TCP connection.
func dial(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	server, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// TestGone: closed on this side is certain; closed by the peer is not, since this side still holds its socket.
func TestGone(t *testing.T) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"TCP":         func(c net.Conn) net.Conn { return c },
		"TLS":         func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{}) },
		"TLS twice":   func(c net.Conn) net.Conn { return tls.Client(tls.Client(c, &tls.Config{}), &tls.Config{}) },
		"of its own":  func(c net.Conn) net.Conn { return struct{ net.Conn }{c} },
		"seen before": func(c net.Conn) net.Conn { conns.got(c, false, 1); return c },
	} {
		client, server := dial(t)
		c := conns.got(wrap(client), name == "seen before", 1)
		assert.Equal(t, addrPort(client.LocalAddr()), c.local)
		assert.Equal(t, addrPort(server.LocalAddr()), c.remote)
		assert.False(t, c.gone(), name)
		server.Close()
		assert.False(t, c.gone(), name)
		client.Close()
		assert.Equal(t, name != "of its own", c.gone(), name)
	}
	assert.False(t, connOf{}.gone(), "a mock has none")
	assert.True(t, connOf{isTCP: true}.gone(), "collected")
}

// TestConnTable: the goroutine that reads a connection is found again by its addresses, and never for another one.
func TestConnTable(t *testing.T) {
	var table connTable
	client, server := dial(t)
	c := table.got(client, false, 1)
	c.loop = 7
	table.learn(c)
	assert.EqualValues(t, 7, table.got(client, true, 1).loop)
	assert.EqualValues(t, 0, table.got(server, true, 1).loop)
	assert.EqualValues(t, 0, table.got(client, false, 1).loop, "opened anew with the same addresses")
	other := c
	other.tcp = table.got(server, false, 1).tcp
	other.loop = 8
	table.learn(other)
	assert.EqualValues(t, 0, table.got(client, true, 1).loop, "it is not this one any more")

	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	p := table.got(a, false, 1)
	p.loop = 9
	table.learn(p)
	assert.EqualValues(t, 0, table.got(b, true, 1).loop, "pipes have no addresses to tell them apart")
	assert.Zero(t, table.got(nil, false, 1))

	full := connTable{by: make(map[[2]netip.AddrPort]connOf)}
	for i := range uint16(maxConns) {
		full.by[[2]netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), i)}] = connOf{}
	}
	full.got(client, false, 1)
	assert.Len(t, full.by, 1)
}

func TestMaskURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://example.com":                  "/",
		"http://u:p@example.com/a%2Fb":        "/a%2Fb",
		"/a?token=secret&b=2&b=3":             "/a?b=…&token=…",
		"/a?secret":                           "/a?secret=…",
		"/a?a&b&c&d&e&f&g":                    "/a?a=…&b=…&c=…&d=…&e=…&f=…&…",
		"/a?n%20m=1":                          "/a?n+m=…",
		"/" + strings.Repeat("x", 200):        "/" + strings.Repeat("x", 119) + "…",
		"/a?" + strings.Repeat("y", 50) + "=": "/a?" + strings.Repeat("y", 40) + "…=…",
	} {
		u, err := url.Parse(in)
		require.NoError(t, err)
		assert.Equal(t, want, MaskURL(u), in)
	}
	assert.Equal(t, "ä…", clip("äöü", 3), "cut between characters")
}
