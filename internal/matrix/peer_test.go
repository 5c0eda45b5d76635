package matrix

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// peer is what was there before the test: a server, and what it takes to talk to it.
type peer struct {
	url    string
	addr   string
	client *http.Client
	db     *sql.DB
	closed chan struct{} // gets a value when the server has closed a connection
}

// kept holds what a scenario leaks, so that the garbage collector does not close it.
var kept []any

func keep(v any) { kept = append(kept, v) }

// answer is a handler that gives a short page with the status.
func answer(code int) http.Handler {
	text := fmt.Sprintf("<html><body><h1>%d %s</h1>%s</body></html>\n", code, http.StatusText(code), strings.Repeat("<!-- padding -->", 30))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(text))
	})
}

// long is a handler whose reply does not fit into any buffer or window: it is stuck in it until the client goes away.
func long(w http.ResponseWriter, _ *http.Request) {
	block := make([]byte, 1<<16)
	for range 1 << 10 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// server gives a setup: an HTTP server that was there before the test.
func server(h http.Handler) func() *peer {
	return func() *peer { return &peer{url: httptest.NewServer(h).URL} }
}

// tlsServer is server over TLS, with HTTP/2 if wanted.
func tlsServer(h http.Handler, http2 bool) func() *peer {
	return func() *peer {
		srv := httptest.NewUnstartedServer(h)
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		return &peer{url: srv.URL, client: srv.Client()}
	}
}
