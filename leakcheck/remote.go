//go:build !leakgate_deep

package leakcheck

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/leakgate/leakgate/internal/census"
	"github.com/leakgate/leakgate/internal/redact"
)

// How a server is read.
const (
	remoteTimeout    = 5 * time.Second // of one request, from the dial to the end of the answer
	remoteFirstPause = 5 * time.Millisecond
	remoteMaxPause   = 100 * time.Millisecond
	remoteWhat       = "a service that mounts leakcheck.Handler() there"
)

// leaseKinds are the kinds that tracked leases have.
var leaseKinds = []Kind{HTTPResponse, SQLRows, SQLTx, SQLConn, SQLStmt, PgxConn, PgxRows}

// Remote looks at a server too, for tests that run against a deployed service. url is the address of its Handler:
//
//	t.Cleanup(leakcheck.Verify(t, leakcheck.Remote("http://localhost:6060/debug/leakgate")))
//
// It is read when the check begins and when the test has ended. What the server leased in between and still holds fails the
// test, with the server's codes, lines and ages, and with the process named. As with what the test itself holds, it is read again
// until nothing new is left, for as long as Wait says. Each request has 5 s, and opens and closes a connection of its own.
//
// Without kinds these are the leases that the server tracks (httpcheck, dbcheck, http.DefaultTransport); with some of their kinds,
// those. Goroutine, Socket and Process may be named as well. A lease is known by a number that is given once. Of goroutines only
// the number by the function that they began with is compared, of sockets that by state and peer, and idle connections of net/http are left out. Only, Without and Ignore hold for
// what is found on the server too.
//
// The server cannot know which test a request belongs to. What other users of it do meanwhile, tests that run beside this one
// included, is reported as well: it takes a server of one's own, and tests that do not call t.Parallel, for an exact answer.
//
// A server that was started anew in between, or another one that answers at the same address, is logged, and nothing is compared: what the
// test left is not known. A server that cannot be reached, does not know the address, or refuses, fails the test with an error that says why.
// A test that failed by itself is not failed again, and the server not read. Remote watches one test; Main, Take, Check and
// Handler refuse it with an error, and so does a test in a testing/synctest bubble.
//
// Given to Ignore, Remote is a Matcher instead: it matches a leak that holds a connection to this peer: "127.0.0.1:5432",
// "10.0.0.1..." or a unix socket's path, a full address or one that ends in "...".
func Remote(url string, kinds ...Kind) Option {
	return func(c *config) {
		if c.picks != nil {
			*c.picks = remoteMatcher(url)
			if len(kinds) > 0 {
				c.picks.err = errors.New("leakcheck.Remote: as a Matcher it takes no kinds: add leakcheck.KindIs(kind)")
			}
			return
		}
		at, err := remoteURL(url)
		if err != nil {
			c.errs = append(c.errs, err)
			return
		}
		for _, k := range kinds {
			if !slices.Contains(leaseKinds, k) && k != Goroutine && k != Socket && k != Process {
				c.wrong("leakcheck.Remote: a server does not tell of the kind %q; there are %s", k, joinKinds(append(slices.Clone(leaseKinds), Goroutine, Socket, Process)))
				return
			}
		}
		r := &remote{cfg: c, url: at, kinds: kinds}
		Follow("Remote", r.begin)(c)
	}
}

// remoteURL reads the address of a Handler.
func remoteURL(text string) (*url.URL, error) {
	const example = "give one such as http://localhost:6060/debug/leakgate"
	at, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("leakcheck.Remote: the address cannot be read: %s", example)
	case at.Scheme != "http" && at.Scheme != "https" || at.Hostname() == "":
		return nil, fmt.Errorf("leakcheck.Remote(%q): an http or https address was expected: %s", redact.Text(text), example)
	case at.RawQuery != "" || at.Fragment != "":
		return nil, fmt.Errorf("leakcheck.Remote(%q): an address without ? and # was expected: what is asked for is added to it", redact.Text(text))
	}
	return at, nil
}

// remote looks at one server for one test.
type remote struct {
	cfg    *config
	url    *url.URL
	kinds  []Kind
	before *census.Answer
}

// wants says whether a kind that the server tells of is looked at.
func (r *remote) wants(k Kind) bool {
	if !r.cfg.wants(k) {
		return false
	}
	if len(r.kinds) == 0 {
		return k != Goroutine && k != Socket && k != Process
	}
	return slices.Contains(r.kinds, k)
}

// parts are what is asked for.
func (r *remote) parts() (parts []string) {
	if slices.ContainsFunc(leaseKinds, r.wants) {
		parts = append(parts, partLeases)
	}
	for _, p := range []struct {
		kind Kind
		part string
	}{{Goroutine, partGoroutines}, {Socket, partSockets}, {Process, partChildren}} {
		if r.wants(p.kind) {
			parts = append(parts, p.part)
		}
	}
	return parts
}

// compares says that kinds are looked at that are compared by their number.
func (r *remote) compares() bool { return r.wants(Goroutine) || r.wants(Socket) || r.wants(Process) }

func (r *remote) String() string { return redact.Text(r.url.Redacted()) }

func (r *remote) begin(f Followed) (func() []Leak, error) {
	switch {
	case f.T == nil:
		return nil, errors.New("leakcheck.Remote follows one test: give it to Verify")
	case f.Bubble:
		return nil, errors.New("leakcheck.Remote: a server cannot be waited for in a testing/synctest bubble, where time stands still: call Verify outside of it")
	case len(r.parts()) == 0:
		return nil, errors.New("leakcheck.Remote: Only and Without leave nothing to look at on the server: name the kinds there too, as in leakcheck.Remote(url, leakcheck.Goroutine)")
	}
	a, err := r.read(deadlineOf(f.T, time.Now(), remoteTimeout), url.Values{"fresh": {"1"}, "parts": {strings.Join(r.parts(), ",")}})
	if err != nil {
		return nil, err
	}
	r.before = a
	if r.wants(Socket) && a.Sockets == nil {
		f.T.Logf("leakcheck: %s: its sockets are not compared, because the server cannot list them%s", r, inBrackets(a.Unseen))
	}
	if r.wants(Process) && a.Counts.Children < 0 {
		f.T.Logf("leakcheck: %s: its child processes are not compared, because the server cannot list them%s", r, inBrackets(a.Unseen))
	}
	return func() []Leak { return r.end(f.T) }, nil
}

func inBrackets(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return " (" + redact.Text(strings.Join(texts, "; ")) + ")"
}

// end reads the server until nothing new is left, or the wait is spent.
func (r *remote) end(t TB) []Leak {
	t.Helper()
	if t.Failed() {
		t.Logf("leakcheck: %s was not read again, because the test failed by itself", r)
		return nil
	}
	start := time.Now()
	end := deadlineOf(t, start, r.cfg.wait)
	query := url.Values{"fresh": {"1"}, "parts": {strings.Join(r.parts(), ",")}}
	if r.compares() {
		query.Set("since", r.before.Moment)
	} else {
		query.Set("after", strconv.FormatUint(r.before.Leases.Last, 10))
	}
	pause := remoteFirstPause
	for {
		by := deadlineOf(t, time.Now(), remoteTimeout)
		a, err := r.read(by, query)
		if err != nil {
			failWith(t, "%v", err)
			return nil
		}
		if !a.Process.Same(r.before.Process) {
			t.Logf("leakcheck: %s was %s, which began %s, and is %s now, which began %s: it was started anew, or another process answers. "+
				"Nothing was compared, and what the test left there is not known", r, r.before.Process, r.before.Process.Since(), a.Process, a.Process.Since())
			return nil
		}
		leaks, ignored := r.leaks(a)
		left := time.Until(end)
		if len(leaks) > 0 && left > 0 {
			time.Sleep(min(pause, left))
			pause = min(2*pause, remoteMaxPause)
			continue
		}
		for _, reason := range ignored {
			t.Logf("leakcheck: ignored on %s: %s", r, reason)
		}
		return leaks
	}
}

// deadlineOf is the time until when something may last, in time for the test's own deadline.
func deadlineOf(t TB, now time.Time, wait time.Duration) time.Time {
	w := watch{t: t, cfg: &config{wait: wait}}
	return w.deadline(now)
}

var codeForm = regexp.MustCompile(`^LK[0-9]{3}$`)

// leaks gives what is new on the server, and the reasons of what was ignored.
func (r *remote) leaks(a *census.Answer) (leaks []Leak, ignored []string) {
	on := fmt.Sprintf(", on %s, %s", r, a.Process)
	add := func(l Leak) {
		if !codeForm.MatchString(l.Code) {
			l.Code = codeProbe
		}
		if reason := r.cfg.ignores(&l); reason != "" {
			ignored = append(ignored, fmt.Sprintf("%d (%s)", l.Count, reason))
			return
		}
		l.Summary += on
		leaks = append(leaks, l)
	}
	fresh := make(map[string]int) // where all leases are listed
	if a.Leases != nil {
		if a.Since != nil {
			for _, c := range a.Since.Changes {
				if c.Of == census.OfLease {
					fresh[c.Key] = c.Fresh
				}
			}
		}
		for _, g := range a.Leases.Groups {
			n := g.Count
			if a.Since != nil {
				n = fresh[g.Key]
				delete(fresh, g.Key)
			}
			if n == 0 || !r.wants(Kind(g.Kind)) {
				continue
			}
			age := g.Oldest
			if n < g.Count {
				age = g.Newest
			}
			l := Leak{
				Kind: Kind(g.Kind), Code: g.Code, Summary: g.Summary, Count: n, Site: remoteFrame(g.Site), Hint: g.Hint,
				State: joinNonEmpty(", ", "held for "+census.Age(age), g.State), // a statement is the last: what follows one is masked as its part
			}
			if g.Pool != "" {
				l.Holds = append(l.Holds, "a lease of "+g.Pool)
			}
			if g.Note != "" {
				l.Holds = append(l.Holds, g.Note)
			}
			for _, f := range g.Stack {
				l.Stack = append(l.Stack, remoteFrame(f))
			}
			l.all = fromFrames(l.Stack)
			add(l)
		}
		if n := a.Leases.LeftOut; n > 0 && a.Since == nil {
			add(Leak{Kind: HTTPConn, Code: codeProbe, Count: n, Summary: "leases of further lines, which the server left out of its answer"})
		}
	}
	if a.Since == nil {
		return leaks, ignored
	}
	for _, c := range a.Since.Changes {
		if n := fresh[c.Key]; c.Of == census.OfLease && n > 0 && slices.ContainsFunc(leaseKinds, r.wants) {
			add(Leak{Kind: HTTPConn, Code: codeProbe, Count: n, Site: remoteFrame(c.Site), Summary: many(n, "lease") + " of " + c.Name + ", which the server left out of its list"})
		}
		n := c.Now - c.Before
		if n <= 0 || c.Idle {
			continue
		}
		l := Leak{Count: n, Site: remoteFrame(c.Site), State: fmt.Sprintf("%d before the test, %d now", c.Before, c.Now)}
		switch {
		case c.Of == census.OfGoroutine && r.wants(Goroutine):
			l.Kind, l.Code, l.Summary = Goroutine, "LK102", "goroutine "+c.Name+" has not ended"
		case c.Of == census.OfSocket && r.wants(Socket):
			l.Kind, l.Code, l.Summary = Socket, "LK301", "socket "+c.Name+" is open"
		case c.Of == census.OfChild && r.wants(Process):
			l.Kind, l.Code, l.Summary = Process, "LK401", c.Name+" was not waited for"
		default:
			continue
		}
		add(l)
	}
	if n := a.Since.LeftOut; n > 0 { // it lists first what is new, and what grew
		kind := Process
		if r.wants(Goroutine) {
			kind = Goroutine
		}
		add(Leak{Kind: kind, Code: codeProbe, Count: n, Summary: many(n, "more change") + ", which the server left out of its answer"})
	}
	return leaks, ignored
}

func remoteFrame(f census.Frame) Frame {
	return Frame{Function: f.Func, File: f.File, Line: f.Line, Source: f.Source}
}

func joinNonEmpty(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// read asks the server once. The connection is made for it, and closed; nothing runs beside, and nothing is kept.
func (r *remote) read(by time.Time, query url.Values) (*census.Answer, error) {
	ctx, cancel := context.WithDeadline(context.Background(), by)
	defer cancel()
	host, port := r.url.Hostname(), r.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[r.url.Scheme]
	}
	d := net.Dialer{Deadline: by}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, r.unreachable(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(by); err != nil {
		return nil, r.unreachable(err)
	}
	if r.url.Scheme == "https" {
		s := tls.Client(conn, &tls.Config{ServerName: host, NextProtos: []string{"http/1.1"}})
		if err := s.HandshakeContext(ctx); err != nil {
			return nil, r.unreachable(err)
		}
		defer s.Close()
		conn = s
	}
	at := *r.url
	user := at.User
	at.User, at.RawQuery = nil, query.Encode()
	req, err := http.NewRequest(http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("leakcheck.Remote(%q): %v", r.String(), err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "leakgate")
	req.Close = true
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	if err := req.Write(conn); err != nil {
		return nil, r.unreachable(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, census.MaxSize+1<<20)), req)
	if err != nil {
		return nil, r.unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, r.refused(resp)
	}
	a, err := census.Read(resp.Body)
	if err != nil {
		return nil, r.unreadable(err)
	}
	if a.Leases == nil && slices.ContainsFunc(leaseKinds, r.wants) {
		return nil, fmt.Errorf("leakcheck.Remote(%q): the answer of %s has no leases, and they were asked for: %s", r.String(), a.Process, sameVersion)
	}
	if a.Since == nil && query.Has("since") {
		return nil, fmt.Errorf("leakcheck.Remote(%q): the answer of %s has no comparison, and it was asked for: %s", r.String(), a.Process, sameVersion)
	}
	return a, nil
}

const sameVersion = "use the same version of github.com/leakgate/leakgate in the test and in the service"

// unreachable says why no answer came.
func (r *remote) unreachable(err error) error {
	why := err.Error()
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "nothing listens there"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		why = "there was no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		why = "the connection was closed before the answer had ended"
	}
	return &remoteError{fmt.Sprintf("leakcheck.Remote(%q): the census could not be read: %s; expected was %s: start it, or correct the address", r.String(), redact.Text(why), remoteWhat), err}
}

// refused says what an answer with another status than 200 means.
func (r *remote) refused(resp *http.Response) error {
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	text := ""
	if line, ours := strings.CutPrefix(string(said), "leakcheck.Handler: "); ours {
		line, _, _ = strings.Cut(line, "\n")
		text = strconv.Quote(redact.Text(line))
		text = " and said " + text
	}
	do := "expected was " + remoteWhat
	switch code := resp.StatusCode; {
	case code == http.StatusForbidden && text != "":
		do = "run the test on the same machine, or let the service give leakcheck.Handler the option leakcheck.AnyClient()"
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		do = "give the address that is not guarded, or with a user, as in http://USER:PASSWORD@HOST"
	case code == http.StatusNotFound && strings.Trim(r.url.Path, "/") == "":
		do = "give the address with the path at which the service mounts leakcheck.Handler(), such as /debug/leakgate"
	case code == http.StatusNotFound:
		do = "mount it: mux.Handle(" + strconv.Quote(r.url.Path) + ", leakcheck.Handler()), or correct the address"
	case code >= 300 && code < 400:
		do = "give the address that it leads to; redirects are not followed"
	case code == http.StatusGone:
		do = "the service was asked too often during the test: look at leases alone, which need no such memory, or let one test at a time look at it"
	case code == http.StatusInternalServerError && text != "":
		do = "correct the options in the service"
	case code == http.StatusBadRequest && text != "":
		do = sameVersion
	}
	return fmt.Errorf("leakcheck.Remote(%q): the server answered %d%s: %s", r.String(), resp.StatusCode, text, do)
}

// unreadable says why an answer is none.
func (r *remote) unreadable(err error) error {
	var version *census.VersionError
	switch {
	case errors.As(err, &version):
		return fmt.Errorf("leakcheck.Remote(%q): %w: %s", r.String(), err, sameVersion)
	case errors.Is(err, census.ErrNotCensus), errors.Is(err, census.ErrTooBig):
		return fmt.Errorf("leakcheck.Remote(%q): %w; expected was %s: correct the address", r.String(), err, remoteWhat)
	case strings.HasPrefix(err.Error(), "the census"):
		return fmt.Errorf("leakcheck.Remote(%q): %w: %s", r.String(), err, sameVersion)
	}
	return r.unreachable(err)
}

// remoteError is an error whose text is for people, and whose cause can be asked for.
type remoteError struct {
	text  string
	cause error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.cause }
