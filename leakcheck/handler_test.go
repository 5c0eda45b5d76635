package leakcheck_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// request is one from the same machine.
func request(target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:6060"
	return r
}

func answer(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const refusal = ": only clients on the same machine are answered. Ask there, as with curl http://localhost:PORT/PATH or through an ssh tunnel to it, or give leakcheck.Handler the option leakcheck.AnyClient()\n"

// TestHandlerClients: who is answered, and what the others are told.
func TestHandlerClients(t *testing.T) {
	h, any := leakcheck.Handler(), leakcheck.Handler(leakcheck.AnyClient())
	const peer, host = "leakcheck.Handler: the request does not come from a loopback address", "leakcheck.Handler: the Host header does not name this machine by localhost or a loopback address"
	for _, c := range []struct {
		why, from, host, header string
		want                    string // "" for an answer
	}{
		{"by name", "127.0.0.1:1", "localhost:6060", "", ""},
		{"without a port", "127.0.0.1:1", "LocalHost", "", ""},
		{"a name below", "127.0.0.1:1", "shop.localhost.:6060", "", ""},
		{"by address", "127.8.8.8:1", "127.0.0.1:6060", "", ""},
		{"IPv6", "[::1]:1", "[::1]:6060", "", ""},
		{"IPv6 without a port", "[::1]:1", "[::1]", "", ""},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:1", "localhost", "", ""},
		{"another machine", "10.0.0.7:1", "localhost:6060", "", peer},
		{"another machine, IPv6", "[2001:db8::7]:1", "localhost:6060", "", peer},
		{"no address", "", "localhost:6060", "", peer},
		{"a name that leads here (DNS rebinding)", "127.0.0.1:1", "evil.example:6060", "", host},
		{"a name that begins as ours", "127.0.0.1:1", "localhost.evil.example", "", host},
		{"an address that begins as ours", "127.0.0.1:1", "127.0.0.1.evil.example", "", host},
		{"a name that ends as ours", "127.0.0.1:1", "evillocalhost", "", host},
		{"no name", "127.0.0.1:1", "", "", host},
		{"a port that is none", "127.0.0.1:1", "localhost:x", "", host},
		{"a proxy on this machine", "127.0.0.1:1", "localhost:6060", "X-Forwarded-For", "leakcheck.Handler: a proxy has passed the request on (X-Forwarded-For)"},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := request("/?parts=leases")
			r.RemoteAddr, r.Host = c.from, c.host
			if c.header != "" {
				r.Header.Set(c.header, "10.0.0.7")
			}
			w := answer(h, r)
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			if c.want == "" {
				assert.Equal(t, http.StatusOK, w.Code, w.Body)
			} else {
				assert.Equal(t, http.StatusForbidden, w.Code)
				assert.Equal(t, c.want+refusal, w.Body.String())
			}
			assert.Equal(t, http.StatusOK, answer(any, r).Code, "AnyClient")
		})
	}
	r := request("/?parts=leases")
	r.RemoteAddr, r.Host = "@", "shop"
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/shop", Net: "unix"}))
	assert.Equal(t, http.StatusOK, answer(h, r).Code, "a unix socket is on this machine, whatever the name")
}

// TestHandlerRequests: what may be asked, and what is said of the rest.
func TestHandlerRequests(t *testing.T) {
	h := leakcheck.Handler()
	for _, c := range []struct {
		method, target, accept string
		status                 int
		want                   string // content type, or the text of a refusal
	}{
		{"GET", "/?parts=leases", "", 200, "text/plain; charset=utf-8"},
		{"GET", "/?parts=leases", "*/*", 200, "text/plain; charset=utf-8"},
		{"GET", "/?parts=leases", "text/html,application/xhtml+xml,application/json;q=0.9", 200, "text/plain; charset=utf-8"},
		{"GET", "/?parts=leases", "application/json", 200, "application/json"},
		{"GET", "/?parts=leases&format=json", "text/html", 200, "application/json"},
		{"GET", "/?parts=leases&format=text", "application/json", 200, "text/plain; charset=utf-8"},
		{"HEAD", "/?parts=leases", "", 200, "text/plain; charset=utf-8"},
		{"POST", "/", "", 405, "leakcheck.Handler: \"POST\" does nothing here: use GET or HEAD\n"},
		{"GET", "/?format=xml", "", 400, "leakcheck.Handler: format: give json or text\n"},
		{"GET", "/?sinse=x", "", 400, "leakcheck.Handler: unknown parameter: there are format, since, fresh, after and parts\n"},
		{"GET", "/?parts=leases,x", "", 400, "leakcheck.Handler: parts: give some of leases,goroutines,sockets,databases,children,probes\n"},
		{"GET", "/?after=-1", "", 400, "leakcheck.Handler: after: give the number that an earlier answer has as leases.last\n"},
		{"GET", "/?fresh=maybe", "", 400, "leakcheck.Handler: fresh: give 1 or 0, or nothing for 1\n"},
		{"GET", "/?since=", "", 400, "leakcheck.Handler: since: give the moment that an earlier answer names\n"},
		{"GET", "/?a=%zz", "", 400, "leakcheck.Handler: the query cannot be read: write it as ?format=json&since=MOMENT\n"},
		{"GET", "/?since=" + strings.Repeat("x", 1<<10), "", 400, "leakcheck.Handler: the query is longer than 1024 bytes\n"},
		{"GET", "/?since=00000000-1", "", 410, "leakcheck.Handler: since: the moment 00000000-1 is of another process: "},
		{"GET", "/?since=yesterday", "", 400, "leakcheck.Handler: since: this is no name of a moment: "},
	} {
		t.Run(c.method+c.target[:min(len(c.target), 40)]+c.accept, func(t *testing.T) {
			r := request(c.target)
			r.Method = c.method
			r.Header.Set("Accept", c.accept)
			w := answer(h, r)
			assert.Equal(t, c.status, w.Code)
			if c.status == 200 {
				assert.Equal(t, c.want, w.Header().Get("Content-Type"))
			} else {
				assert.True(t, strings.HasPrefix(w.Body.String(), c.want), w.Body)
			}
		})
	}
	assert.Equal(t, "GET, HEAD", answer(h, httptest.NewRequest("PUT", "/", nil)).Header().Get("Allow"))
}

func FuzzSince(f *testing.F) {
	h := leakcheck.Handler()
	for _, s := range []string{"", "3f9a1c20-1", "%0a", "&since=&", "x\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, since string) {
		r := request("/?parts=leases")
		r.URL.RawQuery += "&since=" + since
		w := answer(h, r)
		require.Contains(t, []int{200, 400, 410}, w.Code)
		if w.Code != 200 {
			require.Equal(t, 1, strings.Count(w.Body.String(), "\n"))
		}
	})
}

// TestHandlerOptions: a wrong option is answered and logged, and panics nowhere.
func TestHandlerOptions(t *testing.T) {
	for _, c := range []struct {
		option leakcheck.Option
		want   string
	}{
		{leakcheck.Wait(-time.Second), "leakcheck.Wait(-1s): the wait is negative: use 0 to look once, or a time such as 2*time.Second"},
		{leakcheck.HighWater(0.5), "leakcheck.Handler: HighWater judges what one test uses: give it to Verify"},
		{leakcheck.Limit("MaxLeased", func(leakcheck.Usage) (leakcheck.Leak, bool) { return leakcheck.Leak{}, false }), "leakcheck.Handler: MaxLeased judges what one test uses: give it to Verify"},
		{leakcheck.Remote("http://localhost:1/x"), "leakcheck.Handler: Remote follows one test: give it to Verify"},
	} {
		var logged bytes.Buffer
		before := log.Writer()
		log.SetOutput(&logged)
		h := leakcheck.Handler(c.option, nil)
		log.SetOutput(before)
		w := answer(h, request("/"))
		assert.Equal(t, http.StatusInternalServerError, w.Code)
		assert.Equal(t, "leakcheck.Handler: wrong options of leakcheck.Handler: "+c.want+"\n", w.Body.String())
		assert.Contains(t, logged.String(), c.want)
	}
	for _, o := range []leakcheck.Option{leakcheck.AnyClient(), leakcheck.Wait(0)} {
		assert.Equal(t, 200, answer(leakcheck.Handler(o), request("/?parts=leases")).Code)
		assert.NoError(t, leakcheck.Check(leakcheck.Instead(), o), "and it is an option everywhere")
	}
}

// census is the part of an answer that tests here look at.
type census struct {
	Moment string
	Age    time.Duration
	Counts struct{ Goroutines, Leased int }
	Leases struct {
		Last    uint64
		Held    int
		LeftOut int `json:"left_out"`
		Groups  []struct {
			Code, Summary string
			Count         int
			Site          struct{ Func, Source string }
		}
	}
	Goroutines *struct {
		Listed bool
		Groups []struct {
			Count           int
			Function, State string
			Site            struct{ Func string }
		}
	}
	Probes []struct {
		Kind string
		Held int
	}
	Ignored []struct {
		Reason string
		Count  int
	}
	Unseen []string
	Since  *struct {
		Changes []struct {
			Of, Change, Name   string
			Before, Now, Fresh int
		}
	}
}

func censusOf(t testing.TB, h http.Handler, query string) (c census) {
	t.Helper()
	w := answer(h, request("/?format=json&"+query))
	require.Equal(t, 200, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &c))
	return c
}

// leaky gives a tracked client whose answers come from no network, and which holds nothing but leases.
func leaky(t *testing.T) func(path string) *http.Response {
	tr := httpcheck.Wrap(roundTrip(func(r *http.Request) (*http.Response, error) {
		body := struct {
			*strings.Reader
			nothing
		}{Reader: strings.NewReader("hello")}
		return &http.Response{StatusCode: 200, Proto: "HTTP/1.1", Header: http.Header{}, Body: body, ContentLength: 5, Request: r}, nil
	}))
	return func(path string) *http.Response {
		resp, err := (&http.Client{Transport: tr}).Get("http://shop.example" + path)
		require.NoError(t, err)
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type nothing struct{}

func (nothing) Close() error { return nil }

func waitUp(up, stop chan struct{}) {
	up <- struct{}{}
	<-stop
}

// TestHandlerSince: two answers and what happened in between, with the line, and no secrets.
func TestHandlerSince(t *testing.T) {
	h, get := leakcheck.Handler(leakcheck.Without(leakcheck.Socket)), leaky(t)
	old := get("/old?token=hunter2")
	before := censusOf(t, h, "fresh")
	old.Body.Close()
	var kept []*http.Response
	for range 3 {
		kept = append(kept, get("/new?token=hunter2"))
	}
	stop, up := make(chan struct{}), make(chan struct{})
	go waitUp(up, stop)
	<-up // what has not begun has no function yet
	w := answer(h, request("/?format=json&fresh&since="+before.Moment))
	close(stop)
	assert.NotContains(t, w.Body.String(), "hunter2")
	var now census
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &now))
	require.NotNil(t, now.Since)
	var got []string
	for _, c := range now.Since.Changes {
		if c.Of == "lease" || strings.Contains(c.Name, "waitUp") {
			got = append(got, c.Change+" "+c.Of+": "+c.Name)
		}
	}
	require.Len(t, got, 3)
	assert.Equal(t, "new lease: response body of GET /new?token=… (200) was never closed", got[0])
	assert.True(t, strings.HasPrefix(got[1], "new goroutine: leakcheck_test.waitUp"), got[1])
	assert.Equal(t, "gone lease: response body of GET /old?token=… (200) was never closed", got[2])
	for _, c := range now.Since.Changes {
		if c.Of == "lease" && c.Change == "new" {
			assert.Equal(t, []int{0, 3, 3}, []int{c.Before, c.Now, c.Fresh})
		}
	}
	for _, g := range now.Leases.Groups {
		if strings.Contains(g.Summary, "/new") {
			assert.Equal(t, 3, g.Count)
			assert.Equal(t, "LK001", g.Code)
			assert.Contains(t, g.Site.Func, "leaky")
			assert.Equal(t, `resp, err := (&http.Client{Transport: tr}).Get("http://shop.example" + path)`, g.Site.Source)
		}
	}
	only := censusOf(t, h, "parts=leases&after="+jsonNumber(before.Leases.Last))
	require.Len(t, only.Leases.Groups, 1)
	assert.Equal(t, 3, only.Leases.Held)
	assert.Nil(t, only.Goroutines)
	for _, r := range kept {
		r.Body.Close()
	}
	assert.Zero(t, censusOf(t, h, "parts=leases&after="+jsonNumber(before.Leases.Last)).Leases.Held)
}

func jsonNumber(n uint64) string {
	b, _ := json.Marshal(n)
	return string(b)
}

// TestHandlerGroups: many leases of one line are one group, many lines are capped and counted, and an ignored line is said.
func TestHandlerGroups(t *testing.T) {
	h, get := leakcheck.Handler(), leaky(t)
	last := censusOf(t, h, "parts=leases").Leases.Last
	deep(70, func() { get("/x") })
	c := censusOf(t, h, "parts=leases&after="+jsonNumber(last))
	assert.Equal(t, 71, c.Leases.Held, "each with a stack of its own, as far as stacks are kept")
	assert.LessOrEqual(t, len(c.Leases.Groups), 50)
	shown := 0
	for _, g := range c.Leases.Groups {
		shown += g.Count
	}
	assert.Equal(t, c.Leases.Held, shown+c.Leases.LeftOut)

	quiet := leakcheck.Handler(leakcheck.Ignore("known", leakcheck.Func("leakcheck_test.deep...")))
	c = censusOf(t, quiet, "parts=leases&after="+jsonNumber(last))
	assert.Zero(t, c.Leases.Held)
	require.Len(t, c.Ignored, 1)
	assert.Equal(t, 71, c.Ignored[0].Count)
	assert.Zero(t, censusOf(t, leakcheck.Handler(leakcheck.Only(leakcheck.SQLRows)), "parts=leases&after="+jsonNumber(last)).Leases.Held)
}

// TestHandlerSinceMany: behind more old lines than an answer lists, a new one is listed, and the old answer is not changed by it.
func TestHandlerSinceMany(t *testing.T) {
	h, get := leakcheck.Handler(leakcheck.Without(leakcheck.Socket, leakcheck.Goroutine)), leaky(t)
	deep(70, func() { get("/x") })
	before := censusOf(t, h, "fresh")
	get("/new")
	plain := censusOf(t, h, "fresh")
	now := censusOf(t, h, "since="+before.Moment)
	count := func(c census) (shown int, found bool) {
		for _, g := range c.Leases.Groups {
			shown += g.Count
			found = found || strings.Contains(g.Summary, "/new")
		}
		return shown + c.Leases.LeftOut - c.Leases.Held, found
	}
	for _, c := range []census{before, plain, censusOf(t, h, "")} {
		wrong, found := count(c)
		assert.Zero(t, wrong)
		assert.False(t, found)
	}
	wrong, found := count(now)
	assert.Zero(t, wrong)
	assert.True(t, found)
	require.Len(t, now.Since.Changes, 1)
	assert.Contains(t, now.Since.Changes[0].Name, "/new")
}

func deep(n int, f func()) {
	f()
	if n > 0 {
		deep(n-1, f)
	}
}

// TestHandlerShares: an answer of a moment ago is given again, unless a fresh one is asked for; many at once are all answered.
func TestHandlerShares(t *testing.T) {
	h := leakcheck.Handler(leakcheck.Only(leakcheck.HTTPResponse))
	a := censusOf(t, h, "")
	assert.NotEqual(t, a.Moment, censusOf(t, h, "fresh").Moment)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { assert.Equal(t, 200, answer(h, request("/?fresh")).Code) })
	}
	all.Wait()
}

// TestHandlerBusy: while a census takes long, 32 requests wait, and the others are told to ask again.
func TestHandlerBusy(t *testing.T) {
	begun, end := make(chan bool, 64), make(chan bool)
	slow := probe{"slow", func() ([]uint64, error) { begun <- true; <-end; return nil, nil }, nil}
	h := leakcheck.Handler(leakcheck.With(slow))
	answers := make(chan *httptest.ResponseRecorder, 40)
	for range 40 {
		go func() { answers <- answer(h, request("/?parts=probes")) }()
	}
	for range 8 {
		w := <-answers
		assert.Equal(t, 503, w.Code)
		assert.Equal(t, "1", w.Header().Get("Retry-After"))
		assert.Equal(t, "leakcheck.Handler: 32 requests wait for a census already: ask again in a second\n", w.Body.String())
	}
	<-begun
	close(end)
	for range 32 {
		assert.Equal(t, 200, (<-answers).Code)
	}
}

// TestHandlerOwnConnection: the connection that a census is asked for on is nobody's.
func TestHandlerOwnConnection(t *testing.T) {
	srv := httptest.NewServer(leakcheck.Handler())
	defer srv.Close()
	c := srv.Client()
	defer c.CloseIdleConnections()
	resp, err := c.Get(srv.URL + "/?format=json&fresh&parts=sockets")
	require.NoError(t, err)
	defer resp.Body.Close()
	var got struct {
		Sockets struct {
			Groups []struct{ State, Local, Remote string }
		}
		Unseen []string
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	if len(got.Sockets.Groups) == 0 {
		t.Skip("sockets cannot be listed here:", got.Unseen)
	}
	listens := false
	for _, g := range got.Sockets.Groups {
		if g.Local == srv.Listener.Addr().String() {
			listens = listens || g.Remote == ""
			assert.Empty(t, g.Remote, "accepted, and answering this request")
		}
	}
	assert.True(t, listens)
}

// TestHandlerMasks: what a pool says of a lease may hold a secret.
func TestHandlerMasks(t *testing.T) {
	p := orders()
	l := &lent{info: lease.Info{Kind: "sql-tx", Code: "LK202", Summary: "login with password=hunter2", State: "token=hunter2", Note: "secret=hunter2"}}
	p.Take(&l.Lease, l, 0)
	defer l.Release(false)
	h := leakcheck.Handler()
	for _, target := range []string{"/?fresh", "/?fresh&format=json"} {
		text := answer(h, request(target)).Body.String()
		assert.Contains(t, text, "login with password=…")
		assert.NotContains(t, text, "hunter2")
	}
}

// TestHandlerProbes: a probe that panics does not take the answer along.
func TestHandlerProbes(t *testing.T) {
	good := probe{"worker", func() ([]uint64, error) { return []uint64{1, 2}, nil }, nil}
	wild := probe{"wild", func() ([]uint64, error) { panic("password=hunter2") }, nil}
	c := censusOf(t, leakcheck.Handler(leakcheck.With(good, wild)), "parts=probes")
	require.Len(t, c.Probes, 1)
	assert.Equal(t, 2, c.Probes[0].Held)
	assert.Equal(t, []string{`leakcheck: probe "wild" panicked in Held: password=…: it sees nothing in this test`}, c.Unseen)
}

// TestHandlerManyGoroutines: with many goroutines the first answer comes without their listing, and one that asks to wait has it.
func TestHandlerManyGoroutines(t *testing.T) {
	const many = 2500
	stop := make(chan struct{})
	var all, up sync.WaitGroup
	up.Add(many)
	for range many {
		all.Go(func() { up.Done(); <-stop })
	}
	defer all.Wait()
	defer close(stop)
	up.Wait()
	h := leakcheck.Handler(leakcheck.Only(leakcheck.Goroutine))
	first := censusOf(t, h, "")
	require.NotNil(t, first.Goroutines)
	assert.False(t, first.Goroutines.Listed)
	assert.GreaterOrEqual(t, first.Counts.Goroutines, many)
	fresh := censusOf(t, h, "fresh")
	assert.True(t, fresh.Goroutines.Listed)
	found := 0
	for _, g := range fresh.Goroutines.Groups {
		if strings.Contains(g.Site.Func, "TestHandlerManyGoroutines") || strings.Contains(g.Function, "TestHandlerManyGoroutines") {
			found += g.Count
		}
	}
	assert.GreaterOrEqual(t, found, many)
	assert.False(t, strings.Contains(answer(h, request("/")).Body.String(), "ServeHTTP"), "the handler's own goroutine is no news")
}

var publications atomic.Int64

// TestPublish: the counts, once for each name.
func TestPublish(t *testing.T) {
	type Var interface{ String() string }
	vars := make(map[string]Var)
	publish := func(name string, v Var) {
		if vars[name] != nil {
			panic("Reuse of exported var name: " + name)
		}
		vars[name] = v
	}
	name := fmt.Sprintf("leakgate of test %d", publications.Add(1)) // for -count: a name cannot be given back
	require.NoError(t, leakcheck.Publish(name, publish))
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(vars[name].String()), &got))
	for _, k := range []string{"goroutines", "sockets", "leased", "children"} {
		assert.Contains(t, got, k)
	}
	assert.NotContains(t, vars[name].String(), "\n")
	l := borrow(orders())
	require.Eventually(t, func() bool {
		now := make(map[string]any)
		require.NoError(t, json.Unmarshal([]byte(vars[name].String()), &now))
		return now["leased"] == got["leased"].(float64)+1
	}, time.Minute, time.Millisecond, "a value gets old")
	l.Release(false)

	taken := name + ", taken"
	vars[taken] = vars[name]
	for _, c := range []struct {
		err  error
		want string
	}{
		{leakcheck.Publish(name, publish), fmt.Sprintf(`leakcheck.Publish: %q is published already: publish it once, or give it another name`, name)},
		{leakcheck.Publish(taken, publish), fmt.Sprintf("leakcheck.Publish: %q could not be published: Reuse of exported var name: %s", taken, taken)},
		{leakcheck.Publish("", publish), `leakcheck.Publish: the name is empty: give one, as in leakcheck.Publish("leakgate", expvar.Publish)`},
		{leakcheck.Publish[Var]("other", nil), `leakcheck.Publish: the function is nil: give expvar.Publish, as in leakcheck.Publish("leakgate", expvar.Publish)`},
		{leakcheck.Publish("other", func(string, *bytes.Buffer) {}), `leakcheck.Publish: the function takes a *bytes.Buffer, and not an interface with the method String: give expvar.Publish`},
	} {
		assert.EqualError(t, c.err, c.want)
	}
}
