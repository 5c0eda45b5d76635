package mockserver

import (
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
)

// What a client leaves open against a peer is one leak of the client's; what the peer has is none, whatever it is at.
// These tests do not run in parallel: they look at what the whole process has.
func TestLeakAgainstAPeer(t *testing.T) {
	entries := regexp.MustCompile(`\bLK\d{3} `)
	for _, kind := range []struct {
		name string
		make func(t TB) *TCP
	}{
		{"BlackHole", BlackHole},
		{"HangUp", HangUp},
		{"Stall", func(t TB) *TCP { return Script(t, Stall()) }},
		{"Pause", func(t TB) *TCP { return Script(t, Pause(time.Hour)) }},
		{"Send", func(t TB) *TCP { return Script(t, Loop(Send(strings.Repeat("x", 1<<16)))) }},
		{"behind the last step", func(t TB) *TCP { return Script(t) }},
	} {
		for _, order := range []string{"peer first", "check first"} {
			for _, client := range []string{"closes", "forgets", "waits"} {
				t.Run(kind.name+"/"+order+"/"+client, func(t *testing.T) {
					if client == "waits" && (order == "check first" || kind.name == "HangUp" || kind.name == "Send") {
						t.Skip("what the client waits for comes")
					}
					if runtime.GOOS != "linux" && client == "forgets" {
						t.Skip("sockets without a goroutine are listed on Linux for certain")
					}
					before := leakcheck.Take()
					ft := &fakeT{}
					var peer *TCP
					if order == "peer first" {
						peer = kind.make(ft)
					}
					verify := leakcheck.Verify(ft)
					if order == "check first" {
						ft.Cleanup(verify)
						peer = kind.make(ft)
					}
					nc, err := net.Dial("tcp", peer.Addr())
					require.NoError(t, err)
					require.Equal(t, 1, peer.Dials())
					ended := make(chan struct{})
					switch client {
					case "closes":
						nc.Close()
						eventually(t, func() bool { return peer.Conns()[0].State == ConnClosed || kind.name == "Pause" })
						close(ended)
					case "forgets":
						close(ended)
					case "waits":
						go waitForAnswer(nc, ended)
					}
					if order == "peer first" {
						verify()
					}
					ft.end()

					found := strings.Join(ft.failures(), "\n")
					if client == "closes" {
						assert.Empty(t, found)
					} else {
						assert.Len(t, entries.FindAllString(found, -1), 1, "one leak, one entry:\n%s", found)
					}
					switch client {
					case "forgets":
						assert.Contains(t, found, "LK301 socket")
					case "waits":
						assert.Contains(t, found, "goroutine mockserver.waitForAnswer has not ended")
						assert.Contains(t, found, "go waitForAnswer(nc, ended)", "the line that started it")
						assert.Contains(t, found, "socket tcp4 "+nc.LocalAddr().String()+"->"+peer.Addr(), "it holds the connection")
					}
					nc.Close()
					<-ended
					eventually(t, func() bool { return serverGoroutines() == 0 })
					assert.Empty(t, before.Leaks())
				})
			}
		}
	}
}

// waitForAnswer has no deadline.
func waitForAnswer(nc net.Conn, ended chan struct{}) {
	defer close(ended)
	nc.Read(make([]byte, 1))
}

// A peer that nobody closes is the leak of whoever made it.
func TestPeerThatIsNeverClosed(t *testing.T) {
	ft := &fakeT{}
	verify := leakcheck.Verify(ft)
	peer := Script(&bareT{}, Stall())
	nc := dialTCP(t, peer.Addr())
	require.Equal(t, 1, peer.Dials())
	verify()
	nc.Close()
	peer.Close()
	found := strings.Join(ft.failures(), "\n")
	assert.Contains(t, found, "mockserver.TCP was never closed")
	assert.Contains(t, found, "defer peer.Close(); or, if the check runs by defer: t.Cleanup(leakcheck.Verify(t)), so that it runs after")
	assert.Contains(t, found, "defer peer.Close()")
}
