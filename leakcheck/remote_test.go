package leakcheck_test

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// serviceEnv makes the test binary the service that the tests of Remote call. TestMain asks for it.
const serviceEnv = "LEAKCHECK_TEST_SERVICE"

// store is the service: it calls another one, and a database.
type store struct {
	client *http.Client
	db     *sql.DB
	other  string // address of what it calls

	mu   sync.Mutex
	held []io.Closer
}

// serveShop is what the child process does until its input ends.
func serveShop() {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, strings.Repeat("<html>", 1<<14))
	}))
	tr := &http.Transport{}
	httpcheck.Instrument(tr)
	s := &store{client: &http.Client{Transport: tr}, db: dbcheck.OpenDB(shopConnector{}), other: other.URL}
	mux := http.NewServeMux()
	mux.HandleFunc("/session", s.session)
	mux.HandleFunc("/orders", s.orders)
	mux.HandleFunc("/worker", func(http.ResponseWriter, *http.Request) {
		jobs := make(chan int)
		go offer(jobs)
		<-jobs
	})
	mux.HandleFunc("/late", s.late)
	mux.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) {
		if c, err := net.Dial("tcp", r.FormValue("to")); err == nil {
			s.keep(c)
		}
	})
	mux.HandleFunc("/release", s.release)
	mux.Handle("/debug/leakgate", leakcheck.Handler())
	srv := httptest.NewServer(mux)
	fmt.Println(srv.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func (s *store) keep(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, c)
}

// offer waits at one line from beginning to end.
func offer(jobs chan<- int) {
	for {
		jobs <- 1
	}
}

// session never closes what it gets on a 403.
func (s *store) session(w http.ResponseWriter, r *http.Request) {
	resp, err := s.client.Get(s.other + "/session?token=hunter2")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	s.keep(resp.Body)
}

// orders never closes its rows.
func (s *store) orders(w http.ResponseWriter, r *http.Request) {
	rows, err := s.db.Query("SELECT id FROM orders WHERE secret = 'hunter2'")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.keep(rows)
}

// late gives back what it took a while after it has answered.
func (s *store) late(w http.ResponseWriter, r *http.Request) {
	rows, err := s.db.Query("SELECT 1")
	if err == nil {
		time.AfterFunc(50*time.Millisecond, func() { rows.Close() })
	}
}

func (s *store) release(http.ResponseWriter, *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.held {
		c.Close()
	}
	s.held = nil
}

// shopConnector is a database that answers each query with rows that have no end.
type shopConnector struct{}

func (shopConnector) Connect(context.Context) (driver.Conn, error) { return shopConn{}, nil }
func (shopConnector) Driver() driver.Driver                        { return nil }

type shopConn struct{}

func (shopConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not here") }
func (shopConn) Close() error                        { return nil }
func (shopConn) Begin() (driver.Tx, error)           { return nil, errors.New("not here") }
func (shopConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return shopRows{}, nil
}

type shopRows struct{}

func (shopRows) Columns() []string         { return []string{"id"} }
func (shopRows) Close() error              { return nil }
func (shopRows) Next([]driver.Value) error { return nil }

// service starts the child process, and gives its address; it ends with the test, because its input does.
func service(t *testing.T) (url string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serviceEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		assert.NoError(t, in.Close())
		assert.NoError(t, cmd.Wait())
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

// call calls the service as an end-to-end test does.
func call(t *testing.T, url string) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
}

var (
	ages     = regexp.MustCompile(`held for [0-9.]+(µs|ms|s)`)
	folders  = regexp.MustCompile(`(/[^\s:]+)+/([^/\s:]+_test\.go)`)
	started  = regexp.MustCompile(`\d+ before the test, \d+ now`)
	busy     = regexp.MustCompile(` \[chan send\]`)
	agos     = regexp.MustCompile(`[0-9.]+(µs|ms|s) ago`)
	closures = regexp.MustCompile(`\.func\d+`)
)

func remoteText(r *recorder) string {
	text := r.errors()
	if logged := strings.Join(r.logs, "\n"); logged != "" {
		text += "\n--- logged\n" + logged
	}
	text = ages.ReplaceAllString(text, "held for AGE")
	text = agos.ReplaceAllString(text, "AGE ago")
	text = busy.ReplaceAllString(text, "")
	text = folders.ReplaceAllString(text, "$2")
	text = started.ReplaceAllString(text, "N before the test, N now")
	return closures.ReplaceAllString(text, ".func*")
}

// TestRemoteLeaks: an end-to-end test fails for what the server did not give back, with the server's line.
func TestRemoteLeaks(t *testing.T) {
	url := service(t)
	const none = "" // of a golden file: the test passes and is told nothing
	at := url + "/debug/leakgate"
	for _, c := range []struct {
		name, why string
		calls     []string
		opts      []leakcheck.Option
		golden    string
	}{
		{"clean", "what is idle is no leak", []string{"/release"}, []leakcheck.Option{leakcheck.Remote(at)}, none},
		{"response", "a response that the server holds", []string{"/session"}, []leakcheck.Option{leakcheck.Remote(at)}, "remote-response"},
		{"rows", "rows that the server holds, twice", []string{"/orders", "/orders"}, []leakcheck.Option{leakcheck.Remote(at)}, "remote-rows"},
		{"late", "what is given back a moment after the answer is waited for", []string{"/late"}, []leakcheck.Option{leakcheck.Remote(at), leakcheck.Wait(time.Minute)}, none},
		{"other kind", "Only holds on the server too", []string{"/orders"}, []leakcheck.Option{leakcheck.Remote(at), leakcheck.Only(leakcheck.HTTPResponse)}, none},
		{"named kind", "and so do the kinds that Remote is given", []string{"/orders"}, []leakcheck.Option{leakcheck.Remote(at, leakcheck.SQLTx)}, none},
		{"ignored", "an Ignore sets aside what is on the server", []string{"/orders"}, []leakcheck.Option{leakcheck.Remote(at), leakcheck.Ignore("known", leakcheck.Func("leakcheck_test.(*store).orders"))}, "remote-ignored"},
		{"goroutine not asked for", "leases alone, unless more is named", []string{"/worker"}, []leakcheck.Option{leakcheck.Remote(at)}, none},
		{"goroutine", "a goroutine that was asked for", []string{"/worker"}, []leakcheck.Option{leakcheck.Remote(at, leakcheck.Goroutine), leakcheck.Wait(200 * time.Millisecond)}, "remote-goroutine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer call(t, url+"/release")
			r := &recorder{name: "TestCheckout"}
			opts := append([]leakcheck.Option{leakcheck.Instead(), leakcheck.Wait(0)}, c.opts...)
			done := leakcheck.Verify(r, opts...)
			require.Empty(t, r.errors())
			for _, path := range c.calls {
				call(t, url+path)
			}
			done()
			if c.golden == none {
				assert.Empty(t, remoteText(r), c.why)
				return
			}
			golden(t, c.golden, c.why+"\n\n"+remoteText(r))
		})
	}
}

// TestRemoteFromBefore: what the server held before the test is none of the test's, however it is compared.
func TestRemoteFromBefore(t *testing.T) {
	url := service(t)
	call(t, url+"/session")
	call(t, url+"/orders")
	defer call(t, url+"/release")
	for _, kinds := range [][]leakcheck.Kind{nil, {leakcheck.SQLRows, leakcheck.HTTPResponse, leakcheck.Goroutine}} {
		r := &recorder{name: "TestCheckout"}
		leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Remote(url+"/debug/leakgate", kinds...))()
		assert.Empty(t, r.errors())

		done := leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Wait(0), leakcheck.Remote(url+"/debug/leakgate", kinds...))
		call(t, url+"/orders")
		done()
		assert.Equal(t, 1, strings.Count(r.errors(), "  LK203 sql-rows\n"), "one, and not those of before: %s", r.errors())
		assert.NotContains(t, r.errors(), "LK001")
	}
}

// TestRemoteHandler: the text of a service that holds something.
func TestRemoteHandler(t *testing.T) {
	url := service(t)
	call(t, url+"/session")
	call(t, url+"/orders")
	defer call(t, url+"/release")
	resp, err := http.Get(url + "/debug/leakgate?parts=leases,databases")
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "hunter2")
	for _, want := range []string{
		"leakgate: what pid ", "\n  LK001 http-response", "GET /session?token=… (403", "\n  LK203 sql-rows", "leakcheck_test.(*store).orders",
		"\nopen database pools\n  the sql.DB opened at ", "remote_test.go:",
	} {
		assert.Contains(t, string(text), want)
	}
}

// TestRemoteErrors: what is wrong with an address, and with what answers there.
func TestRemoteErrors(t *testing.T) {
	const census = `{"leakgate":"census","version":1,"process":{"id":"x","pid":7},"leases":{"last":3}}`
	serve := func(status int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(s.Close)
		return s.URL + "/debug/leakgate"
	}
	refused := "http://" + mockserver.Refuse(t) + "/debug/leakgate"
	hangsUp := listen(t)
	go func() {
		for {
			c, err := hangsUp.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	defer hangsUp.Close()
	for _, c := range []struct {
		name, url string
		opts      []leakcheck.Option
		want      string // after the address
	}{
		{"nothing there", refused, nil, "the census could not be read: nothing listens there; expected was a service that mounts leakcheck.Handler() there: start it, or correct the address"},
		{"hangs up", "http://" + hangsUp.Addr().String() + "/x", nil, "the census could not be read: the connection was closed before the answer had ended; expected was a service that mounts leakcheck.Handler() there: start it, or correct the address"},
		{"TLS where there is none", "https://" + strings.TrimPrefix(serve(200, census), "http://"), nil, "the census could not be read: tls: first record does not look like a TLS handshake; expected was a service that mounts leakcheck.Handler() there: start it, or correct the address"},
		{"not mounted", serve(404, "404 page not found"), nil, `the server answered 404: mount it: mux.Handle("/debug/leakgate", leakcheck.Handler()), or correct the address`},
		{"no path", strings.TrimSuffix(serve(404, "404 page not found"), "/debug/leakgate"), nil, `the server answered 404: give the address with the path at which the service mounts leakcheck.Handler(), such as /debug/leakgate`},
		{"our own 403", serve(403, "leakcheck.Handler: no: only here\nmore"), nil, `the server answered 403 and said "no: only here": run the test on the same machine, or let the service give leakcheck.Handler the option leakcheck.AnyClient()`},
		{"another 403", serve(403, "no"), nil, "the server answered 403: give the address that is not guarded, or with a user, as in http://USER:PASSWORD@HOST"},
		{"redirect", serve(302, ""), nil, "the server answered 302: give the address that it leads to; redirects are not followed"},
		{"wrong options there", serve(500, "leakcheck.Handler: wrong options\n"), nil, `the server answered 500 and said "wrong options": correct the options in the service`},
		{"broken", serve(502, "Bad Gateway"), nil, "the server answered 502: expected was a service that mounts leakcheck.Handler() there"},
		{"a page", serve(200, "<html>"), nil, "this is no census of leakgate; expected was a service that mounts leakcheck.Handler() there: correct the address"},
		{"another version", serve(200, `{"leakgate":"census","version":7}`), nil, "the census has version 7, and version 1 was expected: use the same version of github.com/leakgate/leakgate in the test and in the service"},
		{"no leases", serve(200, `{"leakgate":"census","version":1,"process":{"id":"x","pid":7}}`), nil, "the answer of pid 7 has no leases, and they were asked for: use the same version of github.com/leakgate/leakgate in the test and in the service"},
		{"endless", serve(200, strings.Repeat(" ", 8<<20)), nil, "the answer is longer than 4 MiB; expected was a service that mounts leakcheck.Handler() there: correct the address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{name: "TestCheckout"}
			leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Remote(c.url))()
			assert.Equal(t, fmt.Sprintf("leakcheck.Remote(%q): %s", c.url, c.want), r.errors())
		})
	}
	for _, c := range []struct {
		option leakcheck.Option
		want   string
	}{
		{leakcheck.Remote("localhost:6060"), `leakcheck.Remote("localhost:6060"): an http or https address was expected: give one such as http://localhost:6060/debug/leakgate`},
		{leakcheck.Remote(""), `leakcheck.Remote(""): an http or https address was expected: give one such as http://localhost:6060/debug/leakgate`},
		{leakcheck.Remote("http://h/%zz"), `leakcheck.Remote: the address cannot be read: give one such as http://localhost:6060/debug/leakgate`},
		{leakcheck.Remote("http://h/x?since=1"), `leakcheck.Remote("http://h/x?since=…"): an address without ? and # was expected: what is asked for is added to it`},
		{leakcheck.Remote("http://h/", "worker"), `leakcheck.Remote: a server does not tell of the kind "worker"; there are http-response, sql-rows, sql-tx, sql-conn, sql-stmt, pgx-conn, pgx-rows, goroutine, socket, process`},
		{leakcheck.Join(leakcheck.Remote("http://h/"), leakcheck.Only(leakcheck.Goroutine)), `leakcheck.Remote: Only and Without leave nothing to look at on the server: name the kinds there too, as in leakcheck.Remote(url, leakcheck.Goroutine)`},
		{leakcheck.Ignore("why", leakcheck.Remote("10.0.0.7", leakcheck.Socket)), `leakcheck.Ignore("why"): leakcheck.Remote: as a Matcher it takes no kinds: add leakcheck.KindIs(kind)`},
		{leakcheck.Ignore("why", leakcheck.Wait(0)), `leakcheck.Ignore("why"): matcher 1 picks nothing: make it with Func, CreatedBy, Remote, KindIs or Site`},
	} {
		r := &recorder{name: "TestCheckout"}
		leakcheck.Verify(r, leakcheck.Instead(), c.option)()
		assert.Equal(t, c.want, r.errors())
	}
	assert.EqualError(t, leakcheck.Check(leakcheck.Instead(), leakcheck.Remote("http://localhost:1/")), "leakcheck.Remote follows one test: give it to Verify")
}

// scripted is a server that answers with one census after the other, the last one again and again.
func scripted(t *testing.T, answers ...string) string {
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		a := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		_, _ = io.WriteString(w, a)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestRemoteRestart: of a server that was started anew nothing is known, and that is said.
func TestRemoteRestart(t *testing.T) {
	const process = `{"leakgate":"census","version":1,"process":{"id":"%s","pid":%d,"module":"example.com/shop","began":"2026-11-21T09:3%d:00Z"},"leases":{"last":3,"groups":[{"kind":"sql-rows","code":"LK203","summary":"rows","count":1}]}}`
	r := &recorder{name: "TestCheckout"}
	url := scripted(t, fmt.Sprintf(process, "a", 4711, 0), fmt.Sprintf(process, "b", 4712, 5))
	leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Remote(url))()
	assert.Empty(t, r.errors())
	assert.Equal(t, []string{"leakcheck: " + url + " was pid 4711 (example.com/shop), which began 2026-11-21T09:30:00Z, and is pid 4712 (example.com/shop) now, which began " +
		"2026-11-21T09:35:00Z: it was started anew, or another process answers. Nothing was compared, and what the test left there is not known"}, r.logs)
}

// TestRemoteEnds: a server that is gone at the end fails the test, and a test that failed by itself is not failed again.
func TestRemoteEnds(t *testing.T) {
	const census = `{"leakgate":"census","version":1,"process":{"id":"x","pid":7},"leases":{"last":3}}`
	var gone atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gone.Load() {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, census)
	}))
	defer s.Close()
	r, failed := &recorder{name: "TestCheckout"}, &recorder{name: "TestCheckout"}
	done := leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Remote(s.URL))
	doneFailed := leakcheck.Verify(failed, leakcheck.Instead(), leakcheck.Remote(s.URL))
	failed.Errorf("by itself")
	gone.Store(true)
	done()
	doneFailed()
	assert.Equal(t, fmt.Sprintf("leakcheck.Remote(%q): the census could not be read: the connection was closed before the answer had ended; expected was a service that mounts leakcheck.Handler() there: start it, or correct the address", s.URL), r.errors())
	assert.Equal(t, "by itself", failed.errors())
}

// TestRemoteHostile: what a server says stays within its line, and a code that is none is not shown.
func TestRemoteHostile(t *testing.T) {
	const before = `{"leakgate":"census","version":1,"process":{"id":"x","pid":7},"leases":{"last":3}}`
	const after = `{"leakgate":"census","version":1,"process":{"id":"x","pid":7},"leases":{"last":3,"groups":[{"kind":"sql-rows","code":"LK1\n--- FAIL","summary":"a\n--- FAIL: TestOther","count":1,"oldest":-5,"site":{"func":"x.y","file":"/nowhere/x.go","line":-3,"source":"\u001b[31m"}}]}}`
	r := &recorder{name: "TestCheckout"}
	leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Wait(0), leakcheck.Remote(scripted(t, before, after)))()
	golden(t, "remote-hostile", "what a server says stays within its line\n\n"+remoteText(r))
}

// TestRemoteLeavesNothing: reading a server takes nothing that the check could see.
func TestRemoteLeavesNothing(t *testing.T) {
	url := service(t)
	before := leakcheck.Take()
	r := &recorder{name: "TestCheckout"}
	leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Remote(url+"/debug/leakgate", leakcheck.Goroutine, leakcheck.SQLRows))()
	assert.Empty(t, before.Leaks())
}

// TestRemoteUser: the user of an address is given to the server, and the password to nobody else.
func TestRemoteUser(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user+password != "cihunter2" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "leakcheck.Handler: no: password=hunter2\n")
			return
		}
		_, _ = io.WriteString(w, `{"leakgate":"census","version":1,"process":{"id":"x","pid":7},"leases":{"last":3}}`)
	}))
	defer s.Close()
	check := func(user string) string {
		r := &recorder{name: "TestCheckout"}
		leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Remote(strings.Replace(s.URL, "//", "//"+user+"@", 1)))()
		return remoteText(r)
	}
	assert.Empty(t, check("ci:hunter2"))
	text := check("ci:hunter3")
	assert.Contains(t, text, `: the server answered 401 and said "no: password=…": give the address that is not guarded`)
	assert.NotContains(t, text, "hunter")
}

// TestRemoteSilent: a server that accepts and says nothing costs no more than the test's own deadline leaves.
func TestRemoteSilent(t *testing.T) {
	l := listen(t)
	defer l.Close()
	var conns []net.Conn
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	})
	r := &recorder{name: "TestCheckout", deadline: time.Now().Add(200 * time.Millisecond)}
	leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Remote("http://"+l.Addr().String()))()
	assert.Contains(t, r.errors(), "the census could not be read: there was no answer in time;")
	l.Close()
	wg.Wait()
	for _, c := range conns {
		c.Close()
	}
}

// TestRemoteLeftOut: what an answer does not list one by one is counted all the same, and what a server cannot list is said.
func TestRemoteLeftOut(t *testing.T) {
	const head = `{"leakgate":"census","version":1,"process":{"id":"x","pid":7},"counts":{"children":0},"sockets":{},"goroutines":{"listed":true},"leases":{"last":3,"left_out":%d}`
	both := []leakcheck.Kind{leakcheck.SQLRows, leakcheck.Goroutine}
	for _, c := range []struct {
		name, why, before, after string
		kinds                    []leakcheck.Kind
		errs                     []string
		logs                     []string
	}{
		{"a lease", "the oldest lines are listed, and the new one is not among them", fmt.Sprintf(head, 5) + "}",
			fmt.Sprintf(head, 6) + `,"since":{"changes":[{"of":"lease","change":"new","key":"k","name":"sql.Rows of SELECT 1","now":1,"fresh":1,"site":{"func":"shop.orders","file":"shop.go","line":7}}]}}`,
			both, []string{"leakcheck: 1 leak: 1 lease of sql.Rows of SELECT 1, which the server left out of its list", "shop.go:7"}, nil},
		{"an older lease", "one that was there is none", fmt.Sprintf(head, 5) + "}",
			fmt.Sprintf(head, 5) + `,"since":{"changes":[{"of":"lease","change":"gone","key":"k","name":"rows","before":1}]}}`, both, nil, nil},
		{"changes", "more changes than an answer lists", fmt.Sprintf(head, 0) + "}", fmt.Sprintf(head, 0) + `,"since":{"left_out":3}}`,
			both, []string{"3 more changes, which the server left out of its answer"}, nil},
		{"leases without a comparison", "leases alone are asked for by their number", fmt.Sprintf(head, 0) + "}", fmt.Sprintf(head, 3) + "}",
			nil, []string{"leakcheck: 3 leaks: leases of further lines, which the server left out of its answer"}, nil},
		{"idle", "an idle connection's goroutine is no leak", fmt.Sprintf(head, 0) + "}",
			fmt.Sprintf(head, 0) + `,"since":{"changes":[{"of":"goroutine","change":"new","key":"g","name":"readLoop","now":1,"idle":true}]}}`, both, nil, nil},
		{"no comparison", "a server that does not know ?since= compares nothing", fmt.Sprintf(head, 0) + "}", fmt.Sprintf(head, 0) + "}",
			both, []string{"the answer of pid 7 has no comparison, and it was asked for: use the same version"}, nil},
		{"sockets", "a server that cannot list its sockets", strings.Replace(fmt.Sprintf(head, 0), `"sockets":{},`, `"unseen":["no /proc"],`, 1) + "}", fmt.Sprintf(head, 0) + `,"since":{"missing":["socket"]}}`,
			[]leakcheck.Kind{leakcheck.Socket}, nil, []string{"its sockets are not compared, because the server cannot list them (no /proc)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{name: "TestCheckout"}
			leakcheck.Verify(r, leakcheck.Instead(), leakcheck.Wait(0), leakcheck.Remote(scripted(t, c.before, c.after), c.kinds...))()
			assert.Equal(t, len(c.errs) > 0, len(r.errs) > 0, c.why)
			for _, want := range c.errs {
				assert.Contains(t, r.errors(), want, c.why)
			}
			for _, want := range c.logs {
				assert.Contains(t, strings.Join(r.logs, "\n"), want, c.why)
			}
		})
	}
}
