// Package mockserver is an HTTP server for tests that shows the leaks a mock usually hides.
//
//	func TestSession(t *testing.T) {
//		srv := mockserver.New(t)
//		srv.On("GET", "/session").Reply(mockserver.ALB(403))
//
//		err := login(srv.URL)
//		...
//	}
//
// It listens on a real loopback socket and speaks HTTP/1.1, so an unclosed response body holds a real connection, as it
// does in production. It fails the test when a request comes that no stub expects. It closes itself when the test ends.
//
// # Which replies show a leaked body
//
// A client that forgets resp.Body.Close() does not always leak. What decides is how the body is framed, not how long it is:
//
//	framing         on the wire                                    body neither      JSON decoded,
//	                                                               read nor closed   not closed
//	ContentLength   Content-Length: n, n > 0                       held              given back
//	Chunked         the terminator right behind the chunk          held              given back
//	ChunkedLate     the terminator 15 ms after the last chunk      held              held
//	UntilClose      no length; the server's FIN ends the body      held              held
//	Empty           Content-Length: 0                              given back        -
//
// "Given back" means that net/http has put the connection into its pool again by itself: the leak cannot show, and the
// test passes whatever the code does. HEAD requests and the statuses 204 and 304 have no body and behave like Empty. An
// empty body that is sent chunked is held like any other.
//
// That is why an error status without a body of its own gets one here: Status(403) sends the 118 bytes that an AWS load
// balancer sends with a 403. Only Empty, which must be asked for, sends no body with an error.
//
// Two things hide a leak whatever the server sends: an http.Client with a short Timeout, and a request context that is
// cancelled later; both end the leak with the time. HTTP/2 hides an unclosed small body, so the server does not offer it.
//
// # Stubs
//
// On takes a method and a path pattern as net/http.ServeMux has them:
//
//	srv.On("GET", "/users/{id}")         // one segment, not empty
//	srv.On("PUT", "/files/{path...}")    // the rest of the path, which may be empty
//	srv.On("GET", "/static/")            // everything below /static/, and /static/ itself
//	srv.On("GET", "/{$}")                // exactly /
//	srv.On("", "/healthz")               // any method
//
// The more specific pattern wins, in whatever order they were added, and GET also answers HEAD. Two stubs of which
// neither is more specific, and two that are the same, fail the test. Unlike ServeMux the server never redirects: /a does
// not find the stub /a/, and /a//b is not cleaned to /a/b. A pattern has no host and no query.
//
// Several replies are sent one after the other, and the last one stays:
//
//	srv.On("GET", "/job/{id}").Reply(
//		mockserver.Status(503),
//		mockserver.JSON(200, map[string]string{"state": "done"}),
//	)
//
// A request that no stub matches is answered with 501 and fails the test. The message names the nearest stub and says why
// it did not match; the same text is the body of the reply:
//
//	mockserver: unexpected request POST /sessions: no stub matches, answered 501
//		nearest: POST /session (login_test.go:14): the path differs: "sessions", not "session"
//		stubs (2):
//			POST /session     login_test.go:14
//			GET /users/{id}   login_test.go:15
//		to expect it: srv.On("POST", "/sessions").Reply(...)
//
// The same method and path fails the test once, with the number of the others logged when the server closes.
// AllowUnmatched answers and records such requests and lets the test pass.
//
// # Replies
//
// A Reply is a value. Its modifiers return a changed copy, so one reply can be shared by stubs, tests and goroutines:
//
//	forbidden := mockserver.ALB(403)
//	slow := forbidden.Delay(time.Second).Header("Retry-After", "1")
//
// Status line, order and case of the headers, and every byte of a page are sent as the real proxy sends them. Server,
// Date, Content-Type, Content-Length and Connection come in the reply's own order; what Header adds comes after them.
// Responder makes the same reply answer under httpmock, where there is no connection.
//
// # The server's own view
//
// Requests lists what was received. Conns lists the connections, closed ones too, as the server sees them. A Go client
// that closed all its bodies holds no connection after CloseIdleConnections, so what is then still open, and stays open,
// is held by a body:
//
//	client.CloseIdleConnections()
//	// some milliseconds later, because the client closes in the background:
//	for _, c := range srv.Conns() {
//		if c.State == mockserver.ConnIdle { ... } // c.LastRequest is the request whose body is not closed
//	}
//
// Do not count connections that were opened: from Go 1.27 on, a body that was closed unread is drained and its connection
// used again, and before it was not.
//
// When the server ends a connection, it sends its FIN and keeps its own half open until the client closes the other
// (ConnClosing). A client that holds the body of such a reply is in CLOSE_WAIT then, and the server still sees it.
//
// # What the server does with a request
//
// The request is read whole before the reply begins, its body too: the first 64 KiB are kept for Requests, the rest is
// read and dropped, up to 64 MiB. A longer body is answered without reading on, and the connection is closed. Expect:
// 100-continue gets its 100. A request that is not HTTP gets a 400, one with more than 1 MiB of headers a 431, one that is
// not HTTP/1 a 505, and one whose body stops coming for 5 s a 408; each of them closes the connection and is recorded
// with its Err, and does not fail the test. An HTTP/1.0 client gets UntilClose in place of both chunked framings.
//
// # What is not promised
//
// The text of failure messages, the order of headers of Text and JSON, and the wording of the replies to bad requests may
// change. Pages change when the real ones do.
package mockserver
