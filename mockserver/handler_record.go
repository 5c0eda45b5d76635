package mockserver

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// recorder is the http.ResponseWriter of a Handler whose reply is changed before it is sent.
type recorder struct {
	header http.Header
	sent   http.Header // as it was at WriteHeader
	code   int
	early  []hint
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(code int) {
	if w.code != 0 {
		return
	}
	if code < 100 || code > 999 {
		panic("mockserver: invalid WriteHeader code " + strconv.Itoa(code))
	}
	if code < 200 && code != 101 {
		h := hint{code: code}
		eachSorted(w.header, func(name, value string) { h.fields = append(h.fields, field{name: name, value: value}) })
		w.early = append(w.early, h)
		return
	}
	w.code, w.sent = code, w.header.Clone()
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.code == 0 {
		w.WriteHeader(200)
	}
	if w.code == 204 || w.code == 304 {
		return 0, http.ErrBodyNotAllowed
	}
	return w.body.Write(p)
}

// Flush does nothing: all is sent in the end.
func (w *recorder) Flush() {}

// record runs the handler of a reply to its end and gives what it wrote as a reply without a handler, with the modifiers
// of this one.
func (r Reply) record(req *http.Request) (Reply, *panicked) {
	w := &recorder{header: http.Header{}}
	if failed := serveRecovered(r.extra.handler, w, req); failed != nil {
		x := extra{fault: EmptyResponse} // what net/http's server does
		r.extra = &x
		r.fields, r.framing = nil, 0
		return r, failed
	}
	if w.code == 0 {
		w.WriteHeader(200)
	}
	x := *r.extra
	own := r.fields
	r.code = w.code
	if r.reason == http.StatusText(200) {
		r.reason = statusText(w.code)
	}
	contentType := ""
	if _, ok := w.sent["Content-Type"]; !ok && w.body.Len() > 0 && w.sent.Get("Content-Encoding") == "" {
		contentType = http.DetectContentType(w.body.Bytes())
	}
	r.fields = usual("", contentType)
	eachSorted(w.sent, func(name, value string) {
		switch name {
		case "Connection":
			if strings.EqualFold(value, "close") && !x.keep {
				r.close = true
			}
		case "Content-Length", "Transfer-Encoding", "Trailer":
		default:
			r.fields = r.headerAt(name, value)
		}
	})
	for _, f := range own {
		r.fields = r.headerAt(f.name, f.value)
	}
	for _, f := range handlerTrailers(w.sent, w.header) {
		x.trailers = append(x.trailers[:len(x.trailers):len(x.trailers)], f)
	}
	x.early = append(x.early[:len(x.early):len(x.early)], w.early...)
	r.extra = &x
	return r.withBody(w.body.Bytes()), nil
}

// headerAt gives the fields with a header line more, in the place where Header puts it.
func (r Reply) headerAt(name, value string) []field {
	r.extra = nil
	return r.Header(name, value).fields
}
