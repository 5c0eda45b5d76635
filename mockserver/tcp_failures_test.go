package mockserver

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTCPFailures compares every message that a TCP peer fails a test with. Read testdata/tcp_failures.txt as a user would.
func TestTCPFailures(t *testing.T) {
	// sends gives the peer's client something to send, which then ends its half and waits for the peer's.
	sends := func(text string, steps ...Step) func(*fakeT) {
		return func(ft *fakeT) {
			nc := dialTCP(t, Script(ft, steps...).Addr())
			io.WriteString(nc, text)
			require.NoError(t, nc.CloseWrite())
			_, err := io.ReadAll(nc)
			assert.NoError(t, err)
		}
	}
	// waits leaves the connection open until the peer is closed.
	waits := func(text string, steps ...Step) func(*fakeT) {
		return func(ft *fakeT) {
			peer := Script(ft, steps...)
			io.WriteString(dialTCP(t, peer.Addr()), text)
			eventually(t, func() bool { return len(peer.Conns()) == 1 && peer.Conns()[0].ReceivedN == int64(len(text)) })
		}
	}
	script := func(steps ...Step) func(*fakeT) {
		return func(ft *fakeT) {
			nc := dialTCP(t, Script(ft, steps...).Addr())
			b, err := io.ReadAll(nc)
			assert.NoError(t, err)
			assert.Empty(t, b)
		}
	}
	header := "AMQP\x00\x00\x09\x01"
	long := strings.Repeat("0123456789abcdef", 20)

	cases := []failure{
		{"another version", "the usual handshake fault", sends("AMQP\x03\x01\x00\x00", Expect(header), Send(header))},
		{"another protocol", "nothing is right", sends("GET / HTTP/1.1\r\n\r\n", Expect(header))},
		{"too little", "the client closes in the middle", sends("AMQP", Expect(header))},
		{"nothing", "the client closes at once", sends("", Expect("PING"))},
		{"second step", "the step is named, and what the first took is not shown", sends("hello PONG", Expect("hello "), Expect("PING"), Send("PONG"))},
		{"long", "only what is around the difference is shown", sends(long[:100]+"X"+long[101:], Expect(long))},
		{"long and nothing right", "the dump is cut", sends(strings.Repeat("x", 300), Expect(strings.Repeat("y", 300)))},
		{"no match", "what came stands beside the expression", sends("SELECT 1\n", ExpectMatching(`^SELECT .*;\n`))},
		{"no match at all", "the buffer is bounded", sends(strings.Repeat("x", keepTCP), ExpectMatching(`y`))},
		{"in a loop", "the round is named", sends("PING\nPING\nPONG\n", Loop(ExpectMatching(`PING\n`)))},
		{"half a round", "a round that has begun must be finished", sends("ab", Loop(Expect("a"), Expect("b"), Expect("c")))},
		{"behind the end", "nothing more is expected", sends("aQUIT\n", Expect("a"))},
		{"more before the end", "the client says more than the script knows", sends("abc", Expect("a"), ExpectClose())},
		{"no script", "nothing is expected, and something comes", sends("x")},
		{"still waited for", "the test is over and the client never sent it", waits("AMQP", Expect(header))},
		{"still nothing", "nothing came at all", waits("", Expect(header))},
		{"still no match", "what came so far is shown", waits("PIN", ExpectMatching("PING"))},
		{"reset by the client", "the script stops in the middle", func(ft *fakeT) {
			peer := Script(ft, Expect("ab"))
			nc := dialTCP(t, peer.Addr())
			io.WriteString(nc, "a")
			eventually(t, func() bool { return len(peer.Conns()) == 1 && peer.Conns()[0].ReceivedN == 1 })
			reset(nc)
			eventually(t, func() bool { return peer.Conns()[0].State == ConnClosed })
		}},
		{"many connections", "the first are reported, the rest counted", func(ft *fakeT) {
			peer := Script(ft, Expect("a"))
			for range 12 {
				nc := dialTCP(t, peer.Addr())
				io.WriteString(nc, "b")
				_, err := io.ReadAll(nc)
				assert.NoError(t, err)
				nc.Close()
			}
		}},

		{"nothing to expect", "it would be met at once", script(Expect(""))},
		{"nothing to send", "it would do nothing", script(Send([]byte(nil)))},
		{"bad expression", "the error of regexp is shown", script(Send("a"), ExpectMatching("("))},
		{"expression that matches nothing", "it would not wait", script(ExpectMatching("a*"))},
		{"no pause", "it would do nothing", script(Pause(0))},
		{"empty step", "Step{} was made by hand", script(Send("a"), Step{})},
		{"behind the last", "it would never be reached", script(Close(), Send("a"))},
		{"empty loop", "it would spin", script(Loop())},
		{"bad step in a loop", "the step is named by its place", script(Loop(Send("a"), Send("")))},
		{"bad Then", "it is checked as a script is", func(ft *fakeT) { HangUp(ft).Then(Expect("")) }},
		{"too few dials", "how many came is told", func(ft *fakeT) {
			peer := BlackHole(ft)
			dialTCP(t, peer.Addr())
			assert.False(t, peer.WaitDials(2, time.Millisecond))
		}},
	}
	compareFailures(t, "tcp_failures.txt", cases)
}

// What a peer cannot do to which nothing ever comes.
func TestDropSYNFailures(t *testing.T) {
	needsDrop(t)
	ft := &fakeT{}
	peer := DropSYN(ft).Then(Send("a"))
	assert.False(t, peer.WaitDials(1, time.Hour))
	ft.end()
	require.Len(t, ft.failures(), 2)
	assert.Equal(t, "mockserver: Then: a DropSYN ("+peer.site+") accepts no connection that could have a script", ft.failures()[0])
	assert.Equal(t, "mockserver: WaitDials(1): the dials to a DropSYN ("+peer.site+") never arrive and cannot be counted", ft.failures()[1])
	assert.Contains(t, peer.site, "tcp_failures_test.go:")
}

// Without a Skip a system on which dials cannot be made to hang is a failure, and the peer a closed one.
func TestPeerThatCannotBe(t *testing.T) {
	ft := &fakeT{}
	peer := &TCP{t: ft, what: "DropSYN", settling: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}), dialled: make(chan struct{})}
	peer.fail(errCannotDrop)
	assert.Equal(t, []string{"mockserver: DropSYN: there is no reliable way to let a dial hang"}, ft.failures())
	_, err := net.Dial("tcp", peer.Addr())
	assert.Error(t, err)
	assert.Zero(t, peer.Dials())
	assert.Empty(t, peer.Conns())
	peer.Close()
}

// A test that has failed or was skipped is told of a script that was not played to its end, and not failed for it.
func TestTCPUnmetIsQuietAfterAFailure(t *testing.T) {
	failed, skipped := &fakeT{}, &skippedT{}
	for _, ft := range []TB{failed, skipped} {
		peer := Script(ft, Expect("PING"))
		dialTCP(t, peer.Addr())
		require.Equal(t, 1, peer.Dials())
	}
	failed.Errorf("something else")
	failed.end()
	skipped.end()
	assert.Equal(t, []string{"something else"}, failed.failures())
	assert.Empty(t, skipped.failures())
	for _, logs := range [][]string{failed.logged(), skipped.logged()} {
		require.Len(t, logs, 1)
		assert.Contains(t, logs[0], `connection 1, step 1 of 1, Expect("PING"):`)
	}
}

// One report for each connection, and what it says is on the connection too.
func TestTCPErr(t *testing.T) {
	ft := &fakeT{}
	peer := Script(ft, Expect("a"))
	nc := dialTCP(t, peer.Addr())
	_, err := io.WriteString(nc, strings.Repeat("b", 1<<20))
	require.NoError(t, err)
	_, err = io.ReadAll(nc)
	require.NoError(t, err, "the connection is ended, and not reset")
	conns := peer.Conns()
	require.Len(t, conns, 1)
	assert.EqualError(t, conns[0].Err, `step 1 of 1, Expect("a"): byte 0 is 0x62 'b', not 0x61 'a'`)
	ft.end()
	assert.Len(t, ft.failures(), 1)
	_, err = net.Dial("tcp", peer.Addr())
	assert.True(t, isRefused(err), "%v", err)
}
