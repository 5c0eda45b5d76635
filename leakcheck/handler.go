//go:build !leakgate_deep

package leakcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/internal/census"
	"github.com/leakgate/leakgate/internal/redact"
	"github.com/leakgate/leakgate/internal/roundtrip"
)

const (
	maxAge     = 100 * time.Millisecond // a census that is no older is given again
	maxWaiting = 32                     // requests that wait for one at a time; the others are answered with 503
)

// Handler answers with what the process holds now: tracked leases with their lines and ages, pools, goroutines by stack,
// sockets by state and peer, open database pools, child processes. Mount it at an admin path:
//
//	mux.Handle("/debug/leakgate", leakcheck.Handler())
//
// It answers in text, or in JSON for ?format=json and for clients that accept application/json; docs/handler-json.md
// describes the document. Each answer names its moment. With ?since=MOMENT it says too what is new since, what is gone, and
// what grew. The last 64 moments are remembered. ?fresh begins a new census, where otherwise one of up to 100 ms ago
// may be given, and ?parts=leases,goroutines,sockets,databases,children,probes lists only some of it.
//
// Only clients on the same machine are answered: the peer's address must be a loopback address or a unix socket, the Host header
// must name one too, so that a page in a browser cannot get at it by a name of its own, and no header may say that a proxy passed the
// request on. A proxy on the same machine that adds no such header cannot be told from a client there: do not let one lead to it. Others get status 403. AnyClient lifts that. Names of secrets, values of queries, passwords in addresses and literals of
// statements are masked; the environment and the command line are not shown. Lines of source are shown where the process can
// read them.
//
// Between requests nothing is done. What is tracked costs as it does in tests: http.DefaultTransport (plain http), from the
// call of Handler on; other transports through httpcheck.Instrument or httpcheck.Wrap, databases through dbcheck.Open or
// dbcheck.Wrap. With more than 2000 goroutines they are listed beside the answer, which has the listing that was made last,
// and says how old it is; ?fresh waits for it. The world is stopped for two short moments for it, and not for its length.
//
// Only, Without, With and Ignore have the meaning that they have for Verify; of a probe the number is shown. Wait and Goleak do nothing here. Limits, HighWater and what
// follows a test are errors. A wrong option is logged, and answered with status 500.
func Handler(opts ...Option) http.Handler {
	cfg := newConfig(opts)
	cfg.watchesNoTest("leakcheck.Handler")
	h := &handler{taker: taker{cfg: cfg, stacks: &census.Stacks{}}, err: cfg.err(), mine: make(own)}
	if h.err != nil {
		log.Printf("leakcheck.Handler: wrong options, so that it answers with status 500: %v", h.err)
		return h
	}
	roundtrip.TrackDefault()
	return h
}

// AnyClient lets a Handler answer clients of other machines too. Whoever can reach the address sees the program's
// functions, lines of its source, and whom it talks to: put it behind what guards the admin port. Other checks do nothing with it.
func AnyClient() Option { return func(c *config) { c.remote = true } }

// watchesNoTest notes the options that judge what one test does as wrong.
func (c *config) watchesNoTest(who string) {
	for _, l := range c.limits {
		c.wrong("%s: %s judges what one test uses: give it to Verify", who, l.name)
	}
	if len(c.high) > 0 {
		c.wrong("%s: HighWater judges what one test uses: give it to Verify", who)
	}
	for _, f := range c.follow {
		c.wrong("%s: %s follows one test: give it to Verify", who, f.name)
	}
}

type handler struct {
	taker
	err     error
	moments census.Moments
	waiting atomic.Int64

	mu   sync.Mutex // one census at a time
	last *taken     // whole
	name string     // of its moment

	connMu sync.Mutex
	mine   own
}

// query is what a request asks for.
type query struct {
	json, fresh, whole bool
	parts              map[string]bool
	after              uint64
	since              string
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		refuseHTTP(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s does nothing here: use GET or HEAD", redact.Text(strconv.Quote(r.Method))))
		return
	}
	if why := h.foreign(r); why != "" {
		refuseHTTP(w, http.StatusForbidden, why+": only clients on the same machine are answered. Ask there, as with curl http://localhost:PORT"+
			"/PATH or through an ssh tunnel to it, or give leakcheck.Handler the option leakcheck.AnyClient()")
		return
	}
	if h.err != nil {
		refuseHTTP(w, http.StatusInternalServerError, "wrong options of leakcheck.Handler: "+redact.Text(h.err.Error()))
		return
	}
	q, err := parse(r)
	if err != nil {
		refuseHTTP(w, http.StatusBadRequest, err.Error())
		return
	}
	var before *census.Moment
	if q.since != "" {
		if before, err = h.moments.Get(processID(), q.since); err != nil {
			status := http.StatusBadRequest
			if gone := (*census.Expired)(nil); errors.As(err, &gone) {
				status = http.StatusGone
			}
			refuseHTTP(w, status, err.Error())
			return
		}
	}
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		head.Set("Retry-After", "1")
		refuseHTTP(w, http.StatusServiceUnavailable, fmt.Sprintf("%d requests wait for a census already: ask again in a second", maxWaiting))
		return
	}
	defer h.serves(r)()
	t, name := h.census(q)
	h.waiting.Add(-1)
	a := t.answer
	a.Moment, a.Age = name, max(time.Since(t.began), 0)
	if before != nil {
		a.Since = census.Compare(q.since, before, t.moment, t.fresh)
		a.Leases = t.withFresh(a.Since)
	}
	if q.json {
		head.Set("Content-Type", "application/json")
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false) // it is no part of a page, and the lines of source are for reading
		out.SetIndent("", " ")
		_ = out.Encode(&a) // what fails is the connection
		return
	}
	head.Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(a.Text()))
}

// census gives a census that the request can be answered with, and the name of its moment. Requests that come while one
// is taken wait, and share the next.
func (h *handler) census(q query) (*taken, string) {
	came := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.last; q.whole && t != nil {
		if q.fresh && !t.began.Before(came) || !q.fresh && time.Since(t.began) <= maxAge {
			return t, h.name
		}
	}
	h.connMu.Lock()
	mine := maps.Clone(h.mine)
	h.connMu.Unlock()
	t := h.take(q.parts, q.after, q.fresh, mine)
	name := h.moments.Put(processID(), t.moment)
	if q.whole && q.after == 0 {
		h.last, h.name = t, name
	}
	return t, name
}

// serves notes the connection that a request came on, until the function that it gives is called.
func (h *handler) serves(r *http.Request) func() {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return func() {}
	}
	from, err := netip.ParseAddrPort(local.String())
	to, err2 := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || err2 != nil {
		return func() {}
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	name := connName(from, to)
	h.connMu.Lock()
	h.mine[name] = true
	h.connMu.Unlock()
	return func() {
		h.connMu.Lock()
		delete(h.mine, name)
		h.connMu.Unlock()
	}
}

// foreign says why the request may come from another machine; "" when it does not.
func (h *handler) foreign(r *http.Request) string {
	if h.cfg.remote {
		return ""
	}
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && a.Network() == "unix" {
		return "" // no browser gets there, and no other machine
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return "the request does not come from a loopback address"
	}
	if !localHost(r.Host) {
		return "the Host header does not name this machine by localhost or a loopback address"
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return "a proxy has passed the request on (" + name + ")"
		}
	}
	return ""
}

// localHost says whether a Host header names the own machine.
func localHost(host string) bool {
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
			return false
		}
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// maxQuery is the longest query that is read, in bytes.
const maxQuery = 1 << 10

// parse reads what is asked for. What it does not know is an error, so that a typing error is not a wrong answer.
func parse(r *http.Request) (q query, err error) {
	if len(r.URL.RawQuery) > maxQuery {
		return q, fmt.Errorf("the query is longer than %d bytes", maxQuery)
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, errors.New("the query cannot be read: write it as ?format=json&since=MOMENT")
	}
	q.json = accepts(r.Header.Values("Accept"))
	for name, all := range values {
		v := all[len(all)-1]
		switch name {
		case "format":
			if v != "json" && v != "text" {
				return q, errors.New("format: give json or text")
			}
			q.json = v == "json"
		case "since":
			if v == "" {
				return q, errors.New("since: give the moment that an earlier answer names")
			}
			q.since = v
		case "fresh":
			if v != "" && v != "1" && v != "true" && v != "0" && v != "false" {
				return q, errors.New("fresh: give 1 or 0, or nothing for 1")
			}
			q.fresh = v != "0" && v != "false"
		case "after":
			if q.after, err = strconv.ParseUint(v, 10, 64); err != nil {
				return q, errors.New("after: give the number that an earlier answer has as leases.last")
			}
		case "parts":
			q.parts = make(map[string]bool)
			for _, p := range strings.Split(v, ",") {
				if !slices.Contains(allParts, p) {
					return q, errors.New("parts: give some of " + strings.Join(allParts, ","))
				}
				q.parts[p] = true
			}
		default:
			return q, errors.New("unknown parameter: there are format, since, fresh, after and parts")
		}
	}
	if q.whole = q.parts == nil && q.after == 0; q.parts == nil {
		q.parts = make(map[string]bool)
		for _, p := range allParts {
			q.parts[p] = true
		}
	}
	return q, nil
}

// accepts says whether a client asks for JSON by its Accept headers: by name, and before text.
func accepts(headers []string) bool {
	for _, h := range headers {
		for _, part := range strings.Split(h, ",") {
			kind, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/json":
				return true
			case "text/html", "text/plain", "text/*":
				return false
			}
		}
	}
	return false
}

// refuseHTTP answers with a status and a sentence.
func refuseHTTP(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "leakcheck.Handler: %s\n", strings.TrimPrefix(why, "leakcheck.Handler: "))
}
