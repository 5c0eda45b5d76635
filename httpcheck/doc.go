// Package httpcheck tracks HTTP responses from the moment a transport returns them to the moment they hold nothing any
// more, and fails tests that do not close a body or that use their connections badly.
//
//	func TestLogin(t *testing.T) {
//		client := &http.Client{}
//		t.Cleanup(httpcheck.Verify(t, client))
//		...
//	}
//
// leakcheck.Verify alone sees what http.DefaultTransport does over plain http, with the line that sent the request, and for
// every other transport that a connection is held. This package adds the line for https, HTTP/2, transports of one's own
// and mocks; counts what a transport does; and judges the counts.
//
// # Three ways in
//
//	Verify(t, client)   for one test and one client: wraps the client's transport, and puts it back
//	Wrap(rt)            for any http.RoundTripper, where the client is made; tracks everything that goes through
//	Instrument(tr)      for an *http.Transport that must keep its type; plain http only, and lasts as long as tr
//
// What Wrap and Instrument track is seen by every leakcheck.Verify, with no further option.
//
// # When a response is leased
//
// A lease begins when RoundTrip returns a response with a body that must be closed. It ends
//
//   - when the body is closed;
//   - at EOF as net/http sees it: a json.Decoder need not have seen it when the length is known or the body is gzip, and
//     one that stops before the last chunk holds the connection for ever;
//   - at a read error of the connection (not at one of the decompression: the connection is still out then);
//   - when the request's context ends, http.Client.Timeout included;
//   - when the connection is closed on this side by other means, such as Request.Cancel.
//
// After 101 Switching Protocols the body is the connection itself, and only Close ends the lease.
//
// Responses to HEAD, with status 204 or 304, with Content-Length: 0 or with http.NoBody are no lease: net/http has the
// connection back before the caller has the response. An empty chunked body is one. So is a mock's body whose response
// leaves ContentLength unset: a real server would have sent something.
//
// # What is reported
//
// Two findings, which are both errors of the test under Verify:
//
//	LK001   a body that was never closed and holds its connection, or did until the request's context ended
//	LK002   a body that holds nothing today, by luck: it was read to EOF and never closed, or its connection broke; an early
//	        return or a longer body would make it an LK001
//
// leakcheck.Verify by itself fails a test for LK001 and logs LK002. A report looks like this:
//
//	leakcheck: 1 leak: response body of GET /session?token=… (403, awselb/2.0) was never closed
//
//	  LK001 http-response
//	    taken at    login.go:14  shop.login
//	                    resp, err := client.Get(url + "/session?token=" + token)
//	    via         login_test.go:22  shop.TestLogin
//	    state       0 of 118 bytes read
//	    also holds  socket tcp4 127.0.0.1:40312->127.0.0.1:8080 ESTABLISHED (fd 9)
//	                2 goroutines of net/http (readLoop, which waits for the body's end, and writeLoop)
//	    fix         defer resp.Body.Close()
//	    see         https://github.com/leakgate/leakgate/blob/main/docs/codes.md#lk001
//
// Values of query parameters, user names and passwords are left out of it. A test that failed by itself gets one log line.
//
// # Budgets
//
// MaxLeased, MinReuse and NoEarlyClose are options. Given to Verify they judge its client; given to leakcheck.Verify they
// judge each tracked transport that the test used, by itself. What is used under a check that begins inside another one, of the
// same test or of a subtest, counts for both. Budgets of a test that failed are not judged.
//
// # What stays the same
//
// Bodies have io.Writer, CloseWrite, io.WriterTo and io.Seeker exactly when those below have them; other methods of a body
// and its type are not visible. Errors, trailers, http.NoBody, the caller's context values and httptrace hooks are as they
// would be, and Response.Request is the caller's request. The transport below gets a copy of the request, as it does from an
// http.Client with a Timeout. Redirects are responses of their own: http.Client closes them, unread if they are long, which
// counts as an early close.
//
// With a transport that tracks itself (Instrument) two things differ, because net/http does not tell a registered handler
// which request it was given: Response.Request of a request with a body is a copy of the caller's, and the deprecated
// Transport.CancelRequest does not find requests. Neither is so for what goes through the *Transport returned.
//
// # What is not promised
//
// A RoundTripper between a tracked transport and its client may keep, replace or read bodies by itself: then the body that
// its caller gets is what is tracked. A connection of a type of one's own that does not show its *net.TCPConn (by a NetConn
// method, as tls.Conn does) cannot be seen to be closed. Counters of one moment are not consistent with each other while
// requests run; when none does, they are exact.
package httpcheck
