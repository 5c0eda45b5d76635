package mockserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dialTCP connects, and closes when the test ends.
func dialTCP(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	return nc.(*net.TCPConn)
}

// say writes and reads until the peer's end, or until as much has come as is wanted.
func say(t *testing.T, nc net.Conn, text string, want int) string {
	t.Helper()
	_, err := io.WriteString(nc, text)
	require.NoError(t, err)
	got := make([]byte, want)
	n, err := io.ReadFull(nc, got)
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		require.NoError(t, err)
	}
	return string(got[:n])
}

func isRefused(err error) bool {
	const wsaRefused = syscall.Errno(10061)
	return errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS == "windows" && errors.Is(err, wsaRefused)
}

func TestRefuse(t *testing.T) {
	for range 20 {
		ft := &fakeT{}
		addr := Refuse(ft)
		for range 3 {
			_, err := net.Dial("tcp", addr)
			require.Error(t, err)
			assert.True(t, isRefused(err), "%v", err)
		}
		if runtime.GOOS == "linux" {
			_, err := net.Listen("tcp", addr)
			assert.ErrorIs(t, err, syscall.EADDRINUSE, "nobody else can have the port")
		}
		ft.end()
		assert.Empty(t, ft.failures())
	}
}

// What the other systems do works here too, as far as one dials.
func TestRefuseByConnection(t *testing.T) {
	for range 20 {
		addr, free, err := holdByConnection()
		require.NoError(t, err)
		for range 3 {
			_, err := net.Dial("tcp", addr)
			require.Error(t, err)
			assert.True(t, isRefused(err), "%v", err)
		}
		free()
	}
}

func TestBlackHole(t *testing.T) {
	peer := BlackHole(t)
	assert.Equal(t, "amqp://"+peer.Addr(), peer.URL("amqp"))
	assert.Equal(t, "amqp://"+peer.Addr(), peer.URL("amqp://"))
	assert.Zero(t, peer.Dials())

	nc := dialTCP(t, peer.Addr())
	assert.Equal(t, 1, peer.Dials())
	fmt.Fprint(nc, "hello")
	require.NoError(t, nc.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := nc.Read(make([]byte, 1))
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)

	eventually(t, func() bool { return string(peer.Conns()[0].Received) == "hello" })
	c := peer.Conns()[0]
	assert.Equal(t, nc.LocalAddr().String(), c.RemoteAddr)
	assert.Equal(t, ConnActive, c.State)
	assert.Equal(t, int64(5), c.ReceivedN)
	assert.Zero(t, c.SentN)
	assert.Equal(t, "step 1 of 1, BlackHole", c.Step)
	assert.False(t, c.ClientDone)
	assert.NotZero(t, c.Age)

	nc.Close()
	eventually(t, func() bool { return peer.Conns()[0].State == ConnClosed })
	assert.True(t, peer.Conns()[0].ClientDone)
	assert.Equal(t, 1, peer.Dials())
}

// It stops reading, so that a client which sends without end is held up.
func TestBlackHoleHoldsUpAWriter(t *testing.T) {
	peer := BlackHole(t)
	nc := dialTCP(t, peer.Addr())
	written := make(chan error, 1)
	go func() {
		_, err := nc.Write(make([]byte, 64<<20))
		written <- err
	}()
	eventually(t, func() bool { c := peer.Conns(); return len(c) == 1 && len(c[0].Received) == keepTCP })
	require.NoError(t, nc.SetWriteDeadline(time.Now().Add(300*time.Millisecond))) // it has what it keeps; the rest stands
	assert.ErrorIs(t, <-written, os.ErrDeadlineExceeded)
	c := peer.Conns()[0]
	assert.Len(t, c.Received, keepTCP)
	assert.Less(t, c.ReceivedN, int64(2*keepTCP))
}

func TestHangUp(t *testing.T) {
	peer := HangUp(t)
	nc := dialTCP(t, peer.Addr())
	_, err := io.WriteString(nc, strings.Repeat("x", 1<<20)) // is read, so that it does not reset the connection
	require.NoError(t, err)
	_, err = nc.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err)
	eventually(t, func() bool { return peer.Conns()[0].State == ConnClosing })
	nc.Close()
	eventually(t, func() bool { return peer.Conns()[0].State == ConnClosed })
}

func TestHangUpReset(t *testing.T) {
	peer := HangUpReset(t)
	nc, err := net.Dial("tcp", peer.Addr())
	if err == nil {
		defer nc.Close()
		_, err = nc.Read(make([]byte, 1))
	}
	assert.True(t, isReset(err), "%v", err)
	assert.Equal(t, 1, peer.Dials())
}

func isReset(err error) bool {
	const wsaReset, wsaAborted = syscall.Errno(10054), syscall.Errno(10053)
	return errors.Is(err, syscall.ECONNRESET) ||
		runtime.GOOS == "windows" && (errors.Is(err, wsaReset) || errors.Is(err, wsaAborted))
}

// needsDrop skips where a dial cannot be made to hang.
func needsDrop(t *testing.T) {
	t.Helper()
	_, free, err := holdDropping()
	if errors.Is(err, errCannotDrop) {
		t.Skip(err)
	}
	require.NoError(t, err)
	free()
}

func TestDropSYN(t *testing.T) {
	peer := DropSYN(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			nc, err := new(net.Dialer).DialContext(ctx, "tcp", peer.Addr())
			if !assert.Error(t, err) {
				nc.Close()
				return
			}
			var timeout net.Error
			assert.True(t, errors.As(err, &timeout) && timeout.Timeout(), "%v", err)
		})
	}
	wg.Wait()
	assert.Zero(t, peer.Dials())
	assert.Empty(t, peer.Conns())
	peer.Close()
	_, err := net.Dial("tcp", peer.Addr())
	assert.True(t, isRefused(err), "%v", err)
}

// Each dial that has returned is counted, however busy the machine is, and the peer's own are not.
func TestDialsIsExact(t *testing.T) {
	peer := HangUp(t)
	for i := range 200 {
		nc, err := net.Dial("tcp", peer.Addr())
		require.NoError(t, err)
		nc.Close()
		require.Equal(t, i+1, peer.Dials())
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				nc, err := net.Dial("tcp", peer.Addr())
				if assert.NoError(t, err) {
					nc.Close()
				}
				peer.Dials()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 400, peer.Dials())
	assert.Len(t, peer.Conns(), 400)
	for i, c := range peer.Conns() {
		assert.Equal(t, i+1, c.ID)
	}
}

func TestWaitDials(t *testing.T) {
	ft := &fakeT{}
	peer := BlackHole(ft)
	assert.True(t, peer.WaitDials(0, 0))
	got := make(chan bool, 1)
	go func() { got <- peer.WaitDials(3, time.Minute) }()
	for range 3 {
		dialTCP(t, peer.Addr())
	}
	assert.True(t, <-got)
	assert.Empty(t, ft.failures())

	go func() { got <- peer.WaitDials(4, time.Minute) }()
	ft.end()
	assert.False(t, <-got, "it does not wait for a closed peer")
}

func TestScript(t *testing.T) {
	header := "AMQP\x00\x00\x09\x01"
	for _, c := range []struct {
		name  string
		steps []Step
		play  func(t *testing.T, nc *net.TCPConn)
		done  bool // the client is to be seen as gone
	}{
		{"a handshake", []Step{Expect(header), Send("AMQP\x00\x01"), Close()}, func(t *testing.T, nc *net.TCPConn) {
			assert.Equal(t, "AMQP\x00\x01", say(t, nc, header, 99))
		}, true},
		{"bytes", []Step{Expect([]byte(header)), Send([]byte{1, 2}), Close()}, func(t *testing.T, nc *net.TCPConn) {
			assert.Equal(t, "\x01\x02", say(t, nc, header, 99))
		}, true},
		{"in pieces", []Step{Expect("abc"), Expect("d"), ExpectMatching(`^[0-9]+\n`), Expect("end"), Send("ok"), Close()}, func(t *testing.T, nc *net.TCPConn) {
			for _, piece := range []string{"a", "bcd1", "2", "3", "\ne", "nd"} {
				io.WriteString(nc, piece)
				time.Sleep(time.Millisecond)
			}
			assert.Equal(t, "ok", say(t, nc, "", 99))
		}, true},
		{"at once", []Step{Expect("abc"), Expect("d"), ExpectMatching(`[0-9]+\n`), Expect("end"), Send("ok"), Close()}, func(t *testing.T, nc *net.TCPConn) {
			assert.Equal(t, "ok", say(t, nc, "abcdskipped 123\nend", 99))
		}, true},
		{"stays open", []Step{Expect("a"), Send("b")}, func(t *testing.T, nc *net.TCPConn) {
			assert.Equal(t, "b", say(t, nc, "a", 1))
			nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, err := nc.Read(make([]byte, 1))
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		}, true},
		{"stalls, whatever comes", []Step{Expect("a"), Stall()}, func(t *testing.T, nc *net.TCPConn) {
			say(t, nc, "a"+strings.Repeat("more", 1<<20), 0)
		}, true},
		{"pauses", []Step{Pause(30 * time.Millisecond), Send("b"), ExpectClose()}, func(t *testing.T, nc *net.TCPConn) {
			assert.Equal(t, "b", say(t, nc, "", 1))
		}, true},
		{"resets", []Step{Expect("a"), Reset()}, func(t *testing.T, nc *net.TCPConn) {
			io.WriteString(nc, "a")
			_, err := nc.Read(make([]byte, 1))
			assert.True(t, isReset(err), "%v", err)
		}, false},
		{"loops", []Step{Expect("hello "), Loop(ExpectMatching(`(?s)^PING.`), Send("PONG"))}, func(t *testing.T, nc *net.TCPConn) {
			assert.Equal(t, "PONGPONGPONG", say(t, nc, "hello PING\nPING\nPING\n", 12))
			assert.Equal(t, "PONG", say(t, nc, "PING\n", 4))
		}, true},
		{"loops until it hangs up", []Step{Loop(Expect("a"), Close())}, func(t *testing.T, nc *net.TCPConn) {
			assert.Empty(t, say(t, nc, "a", 9))
		}, true},
		{"loops in loops", []Step{Loop(Loop(Expect("a"), Send("b")))}, func(t *testing.T, nc *net.TCPConn) {
			assert.Equal(t, "bbb", say(t, nc, "aaa", 3))
		}, true},
		{"floods", []Step{Loop(Send(strings.Repeat("x", 1<<16)))}, func(t *testing.T, nc *net.TCPConn) {
			say(t, nc, "", 8<<20)
		}, true},
		{"beats", []Step{Loop(Send("x"), Pause(time.Millisecond))}, func(t *testing.T, nc *net.TCPConn) {
			assert.Equal(t, "xxx", say(t, nc, "", 3))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ft := &fakeT{}
			peer := Script(ft, c.steps...)
			for range 2 { // each connection from the beginning
				nc := dialTCP(t, peer.Addr())
				c.play(t, nc)
				nc.Close()
			}
			eventually(t, func() bool {
				for _, c := range peer.Conns() {
					if c.State != ConnClosed {
						return false
					}
				}
				return true
			})
			for _, conn := range peer.Conns() {
				assert.NoError(t, conn.Err)
				assert.Equal(t, c.done, conn.ClientDone)
			}
			ft.end()
			assert.Empty(t, ft.failures())
			assert.Empty(t, ft.logged())
		})
	}
}

func TestThen(t *testing.T) {
	peer := HangUp(t).Then(Send("busy"), Close()).Then(Expect("PING"), Send("PONG"))
	for _, want := range []string{"", "busy", "PONG", "PONG"} {
		nc := dialTCP(t, peer.Addr())
		assert.Equal(t, want, say(t, nc, "PING"[:len(want)], 4))
		nc.Close()
	}
}

func TestManyTCPPeersAtOnce(t *testing.T) {
	before := sockets()
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			ft := &fakeT{}
			peer := Script(ft, Loop(Expect("a"), Send("b")))
			for range 3 {
				nc, err := net.Dial("tcp", peer.Addr())
				if assert.NoError(t, err) {
					assert.Equal(t, "b", say(t, nc, "a", 1))
					nc.Close()
				}
			}
			assert.Equal(t, 3, peer.Dials())
			ft.end()
			assert.Empty(t, ft.failures())
		})
	}
	wg.Wait()
	eventually(t, func() bool { return serverGoroutines() == 0 })
	eventually(t, func() bool { return sockets() <= before })
}

// Whatever a connection is at, Close ends it, and leaves nothing.
func TestTCPCloseLeavesNothing(t *testing.T) {
	before := sockets()
	for _, c := range []struct {
		name string
		make func(t TB) *TCP
		send string
	}{
		{"unused", BlackHole, "none"},
		{"silent client", BlackHole, ""},
		{"client that sends much", BlackHole, strings.Repeat("x", 100<<10)},
		{"hung up", HangUp, ""},
		{"hung up with unread bytes", HangUp, "x"},
		{"stalled", func(t TB) *TCP { return Script(t, Stall()) }, "x"},
		{"pausing", func(t TB) *TCP { return Script(t, Pause(time.Hour), Send("x")) }, ""},
		{"sending", func(t TB) *TCP { return Script(t, Send(strings.Repeat("x", 64<<20))) }, ""},
		{"flooding", func(t TB) *TCP { return Script(t, Loop(Send("x"))) }, ""},
		{"at the start of a loop", func(t TB) *TCP { return Script(t, Loop(Expect("x"), Send("y"))) }, "x"},
		{"behind the last step", func(t TB) *TCP { return Script(t, Expect("x")) }, "x"},
		{"before the client's end", func(t TB) *TCP { return Script(t, ExpectClose()) }, ""},
		{"no answer", DropSYN, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.send == "-" {
				needsDrop(t)
			}
			ft := &fakeT{}
			peer := c.make(ft)
			var nc net.Conn
			if c.send != "-" && c.send != "none" {
				nc = dialTCP(t, peer.Addr())
				io.WriteString(nc, c.send)
				eventually(t, func() bool {
					cs := peer.Conns()
					return len(cs) == 1 && cs[0].ReceivedN >= int64(min(len(c.send), keepTCP))
				})
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(peer.Close)
			}
			ft.end()
			wg.Wait()
			peer.mu.Lock()
			assert.Zero(t, peer.running, "Close has waited for them")
			peer.mu.Unlock()
			for _, conn := range peer.Conns() {
				assert.Equal(t, ConnClosed, conn.State)
			}
			if nc != nil {
				nc.Close()
			}
			eventually(t, func() bool { return serverGoroutines() == 0 })
			eventually(t, func() bool { return sockets() <= before }, "sockets are left")
			assert.Empty(t, ft.failures())
			assert.Empty(t, ft.logged())
		})
	}
}

// A t that ends the goroutine, or panics, in Errorf takes neither the process nor the connection with it.
func TestTCPFailureEndsTheGoroutine(t *testing.T) {
	for name, onFail := range map[string]func(){
		"panics": func() { panic("as Ginkgo does") },
		"exits":  runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			ft := &fakeT{bareT: bareT{onFail: onFail}}
			peer := Script(ft, Expect("a"))
			nc := dialTCP(t, peer.Addr())
			io.WriteString(nc, "b")
			_, err := io.ReadAll(nc)
			assert.NoError(t, err)
			ft.end()
			assert.Len(t, ft.failures(), 1)
		})
	}
}

func FuzzDumps(f *testing.F) {
	f.Add([]byte("AMQP\x00\x00\x09\x01"), []byte("AMQP\x01\x01\x00\x0a"))
	f.Add([]byte("abc"), []byte{})
	f.Add([]byte{}, []byte(strings.Repeat("x", 300)))
	f.Fuzz(func(t *testing.T, want, got []byte) {
		for _, text := range []string{bothDumps(want, got), oneDump(got), quoteBytes(want)} {
			for _, r := range text {
				if (r < ' ' || r > '~') && r != '\n' && r != '\t' && strings.ContainsRune(quoteBytes(want), r) == false {
					t.Fatalf("%q has %q", text, r)
				}
			}
			assert.LessOrEqual(t, strings.Count(text, "\n"), dumpRows+3)
		}
	})
}

// A client that breaks the script and closes in the last moment of its test is judged by all that it did, whether or not
// the peer has come to accept it, or to read what it sent.
func TestScriptJudgesWhatHasArrived(t *testing.T) {
	for range 200 {
		ft := &fakeT{}
		peer := Script(ft, Expect("HELLO\n"), Send("OK\n"), ExpectMatching("^BYE .*\n"), Close())
		nc, err := net.Dial("tcp", peer.Addr())
		require.NoError(t, err)
		_, err = io.WriteString(nc, "HELLO\n")
		require.NoError(t, err)
		nc.Close()
		ft.end()
		require.Len(t, ft.failures(), 1)
		require.Contains(t, ft.failures()[0], "connection 1, step 3 of 4, ExpectMatching(\"^BYE .*\\n\"):")
	}
}

// What came in a Pause is judged too; a client that waits for its end is not failed for it.
func TestScriptJudgesWhatCameInAPause(t *testing.T) {
	for range 50 {
		ft := &fakeT{}
		peer := Script(ft, Expect("a"), Pause(time.Hour), Expect("b"))
		_, err := io.WriteString(dialTCP(t, peer.Addr()), "ax")
		require.NoError(t, err)
		ft.end()
		require.Len(t, ft.failures(), 1)
		require.Contains(t, ft.failures()[0], "connection 1, step 3 of 3, Expect(\"b\"):")

		ft = &fakeT{}
		peer = Script(ft, Expect("a"), Pause(time.Hour), Expect("b"))
		_, err = io.WriteString(dialTCP(t, peer.Addr()), "a")
		require.NoError(t, err)
		ft.end()
		require.Empty(t, ft.failures())
	}
}

// A loop that does not read ends with its peer.
func TestTalkingLoopEndsWithItsPeer(t *testing.T) {
	ft := &fakeT{}
	peer := Script(ft, Loop(Send("tick\n"), Pause(time.Millisecond)))
	say(t, dialTCP(t, peer.Addr()), "x", 10)
	ft.end()
	assert.Empty(t, ft.failures())
}

// The fence does not keep the accept loop from emptying a queue that its own dial waits for.
func TestDialsWhileManyDial(t *testing.T) {
	peer := HangUp(t)
	const dialers, each = 20, 20
	var wg sync.WaitGroup
	for range dialers {
		wg.Go(func() {
			for range each {
				nc, err := net.Dial("tcp", peer.Addr())
				if assert.NoError(t, err) {
					nc.Close()
				}
				peer.Dials()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, dialers*each, peer.Dials())
}
