package mockserver

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Request is a request that the server received.
type Request struct {
	Method    string
	Proto     string      // "HTTP/1.1", or another version; "" when no request could be read
	Path      string      // decoded: "/a b" for /a%20b
	Target    string      // as it was sent, with the query: "/a%20b?page=2"
	Query     url.Values  // what could be parsed of the query
	Host      string      // the Host header, which Header does not have
	Header    http.Header // with canonical names, like a handler sees them
	Body      []byte      // the first 64 KiB, or what KeepBodies says, without chunking
	Truncated bool        // Body is not all of it
	Time      time.Time   // when its head was complete
	Conn      int         // ID of the connection, see Conns
	Stream    int         // number of the stream, 0 over HTTP/1
	Stub      string      // the stub that answered: "GET /users/{id}"; "" when none matched
	Status    int         // status of the reply
	Err       error       // why it could not be read whole; the other fields have what was understood until then

	stub int // id of the stub that answered; not a pointer, which would drag the server into what a test prints
	size int // bytes of the body; -1 when there are more than the server reads
}

func newRequest(req *http.Request, conn int) Request {
	query, _ := url.ParseQuery(req.URL.RawQuery)
	return Request{
		Method: req.Method,
		Proto:  req.Proto,
		Path:   req.URL.Path,
		Target: req.RequestURI,
		Query:  query,
		Host:   req.Host,
		Header: req.Header,
		Time:   time.Now(),
		Conn:   conn,
	}
}

func (r Request) clone() Request {
	r.Query = url.Values(http.Header(r.Query).Clone())
	r.Header = r.Header.Clone()
	r.Body = slices.Clone(r.Body)
	return r
}
