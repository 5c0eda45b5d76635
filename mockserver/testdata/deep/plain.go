// Package mockserver stands in for the real one where the planted clients are run in a module that does not know of the harness:
// a plain server of net/http/httptest, and a subtest for each of its replies. It looks at nothing.
package mockserver

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// replies are one of each sort that a planted client trips over. The first part of a path names one.
var replies = []struct {
	name string
	send http.HandlerFunc
}{
	{"ok", page(200, "application/json", `{"name": "session"}`)},
	{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
	{"302", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/ok/session")
		page(302, "text/html", "<a href=/ok/session>Found</a>")(w, r)
	}},
	{"403", page(403, "text/html", "Forbidden")},
	{"404", page(404, "text/html", "Not Found")},
	{"405", page(405, "text/html", "Method Not Allowed")},
	{"500", page(500, "text/html", "Internal Server Error")},
	{"type", page(200, "application/json", `{"name": 1, "next": 1}`)},
	{"gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		page(200, "application/json", "this is no gzip")(w, r)
	}},
	{"101", switches},
	{"stall-no-reply", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
}

// page is longer than what anything reads at once, so that a body is not at its end before somebody reads it to there.
func page(status int, typ, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", typ)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text+strings.Repeat("\n", 256<<10))
	}
}

// switches answers 101, says a word, and leaves.
func switches(w http.ResponseWriter, _ *http.Request) {
	h, ok := w.(http.Hijacker)
	if !ok {
		w.WriteHeader(http.StatusHTTPVersionNotSupported)
		return
	}
	conn, rw, err := h.Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
	_, _ = rw.WriteString("bye")
	_ = rw.Flush()
}

func answer(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if first, paged := strings.CutPrefix(name, "paged-"); paged {
		name = first
		if r.URL.RawQuery == "" {
			page(200, "application/json", nextPage)(w, r)
			return
		}
	}
	for _, reply := range replies {
		if reply.name == name {
			reply.send(w, r)
		}
	}
}

// nextPage is what Success was given.
var nextPage string

// The servers are there before the tests begin and until the process ends, as one of TestMain would be: nothing that a client
// has left open ends because its server does.
var servers = map[string]*httptest.Server{"plain": serve(""), "tls": serve("tls"), "http2": serve("http2")}

func serve(over string) *httptest.Server {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	switch over {
	case "":
		srv.Start()
	default:
		srv.EnableHTTP2 = over == "http2"
		srv.StartTLS()
	}
	return srv
}

type options struct {
	server  string
	without []string
	paged   bool
}

// SweepOption is one of those that the planted clients use.
type SweepOption func(*options)

// Sweep calls with the URL of each reply.
func Sweep(t *testing.T, call func(t *testing.T, baseURL string), opts ...SweepOption) {
	o := options{server: "plain"}
	for _, opt := range opts {
		opt(&o)
	}
	for _, reply := range replies {
		if slices.ContainsFunc(o.without, func(name string) bool { return strings.HasPrefix(reply.name, strings.TrimSuffix(name, "*")) }) {
			continue
		}
		path := "/" + reply.name
		if o.paged {
			path = "/paged-" + reply.name
		}
		t.Run(reply.name, func(t *testing.T) {
			call(t, servers[o.server].URL+path)
			if reply.name == "ok" { // what is left by each call shows when there are several
				for range 3 {
					call(t, servers[o.server].URL+path)
				}
			}
		})
	}
}

func Without(names ...string) SweepOption { return func(o *options) { o.without = names } }
func Codes(...int) SweepOption            { return func(*options) {} }
func Serve(s Server) SweepOption          { return func(o *options) { o.server = string(s) } }
func Success(text string) SweepOption {
	nextPage = text
	return func(o *options) { o.paged = true }
}

func JSON(_ int, v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// Server names one of the servers.
type Server string

func HTTP2() Server { return "http2" }
func TLS() Server   { return "tls" }

func New(_ *testing.T, s Server) *httptest.Server { return servers[string(s)] }
