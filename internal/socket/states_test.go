package socket

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStates: each socket counts in the state that Describe gives it, and with too many of them they are counted alone.
func TestStates(t *testing.T) {
	var c Census
	before := make(map[string]int)
	n, err := c.States(before, 1<<20)
	if err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	server, err := l.Accept()
	require.NoError(t, err)
	defer server.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer udp.Close()

	after := make(map[string]int)
	m, err := c.States(after, 1<<20)
	require.NoError(t, err)
	assert.Equal(t, n+4, m)
	assert.Equal(t, before["LISTEN"]+1, after["LISTEN"])
	assert.Equal(t, before["ESTABLISHED"]+2, after["ESTABLISHED"])
	sum := 0
	for _, k := range after {
		sum += k
	}
	assert.Equal(t, m, sum)

	refs, err := c.List(nil)
	require.NoError(t, err)
	described := make(map[string]int)
	for _, r := range refs {
		s, ok := Describe(r)
		require.True(t, ok)
		described[stateOrUnknown(s.State)]++
	}
	assert.Equal(t, described, after)
}
