package mockserver

import (
	"math/rand/v2"
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// badDelay is a Distribution whose Sample panics.
type badDelay struct{}

func (badDelay) String() string                  { return "badDelay{}" }
func (badDelay) Sample(*rand.Rand) time.Duration { panic("no delay today") }

// badName is a fault whose String panics once it is on the server.
type badName struct{ armed *atomic.Bool }

func (f badName) String() string {
	if f.armed.Load() {
		panic("no name today")
	}
	return "badName{}"
}

func (f badName) Play(w *Wire) { w.Send() }

// firstLines cuts the stacks off messages.
func firstLines(msgs []string) []string {
	stack := regexp.MustCompile(`(?s)\ngoroutine \d+ .*`)
	port := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	var all []string
	for _, m := range msgs {
		all = append(all, port.ReplaceAllString(stack.ReplaceAllString(m, ""), "{client}"))
	}
	return all
}

// A panic in the user's Sample must not end the process, over neither protocol.
func TestDelayThatPanics(t *testing.T) {
	for name, opts := range map[string][]Option{"HTTP/1": nil, "HTTP/2": {HTTP2()}} {
		t.Run(name, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft, opts...)
			srv.On("GET", "/").Reply(Text(200, "here").DelayBy(badDelay{}))
			for range 3 {
				assert.Equal(t, "200 here", read(srv.Client(), "GET", srv.URL+"/", ""))
			}
			ft.end()
			assert.Equal(t, []string{`mockserver: the delay of the reply Text(200): Sample of mockserver.badDelay panicked: no delay today, the reply was not delayed`}, firstLines(ft.failures()))
		})
	}
	_, err := Text(200, "here").DelayBy(badDelay{}).Responder()(nil)
	require.Error(t, err)
	assert.Equal(t, []string{`mockserver: the delay of the reply Text(200): Sample of mockserver.badDelay panicked: no delay today`}, firstLines([]string{err.Error()}))
}

// The name of a fault is asked for in the server's goroutine, before the fault is played.
func TestFaultWhoseNamePanics(t *testing.T) {
	for name, opts := range map[string][]Option{"HTTP/1": nil, "HTTP/2": {HTTP2()}} {
		t.Run(name, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft, opts...)
			var armed atomic.Bool
			srv.On("GET", "/").Reply(Status(200).Fault(badName{&armed}))
			armed.Store(true)
			resp, err := srv.Client().Get(srv.URL + "/")
			if err == nil {
				resp.Body.Close()
			}
			assert.Error(t, err)
			eventually(t, func() bool { return len(ft.failures()) > 0 })
			armed.Store(false)
			ft.end()
			require.Len(t, ft.failures(), 1)
			assert.Regexp(t, `^mockserver: request GET / \(stub GET /, panic_test\.go:\d+\): the fault .*PANIC=String method: no name today.* panicked: no name today$`, firstLines(ft.failures())[0])
		})
	}
}

// Whatever else panics in a goroutine of the server fails the test and ends the connection, or the stream, and not the
// process.
func TestServerPanics(t *testing.T) {
	for name, opts := range map[string][]Option{"HTTP/1": nil, "HTTP/2": {HTTP2()}} {
		t.Run(name, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft, append(opts, func(c *config) { c.onRequest = func(Request) { panic("a bug") } })...)
			srv.On("GET", "/").Reply(Status(200))
			resp, err := srv.Client().Transport.(*http.Transport).RoundTrip(must(http.NewRequest("GET", srv.URL+"/", nil)))
			if err == nil {
				resp.Body.Close()
			}
			assert.Error(t, err)
			ft.end()
			got := firstLines(ft.failures())
			require.NotEmpty(t, got)
			assert.Equal(t, "mockserver: connection 1, from {client}: the server panicked: a bug", got[0])
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
