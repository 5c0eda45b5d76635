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
// does in production. It fails the test when a request comes that no stub expects, and when a stub is never called. It
// closes itself when the test ends.
//
// Sweep does the same for every page and fault there is, and finds the error path that has no test:
//
//	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
//		session.New(baseURL).IsActive(t.Context(), "42")
//	})
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
// cancelled later; both end the leak with the time. HTTP/2 hides an unclosed small body, because a stream whose end has
// arrived holds nothing, so the server offers it only when the option HTTP2 says so.
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
// The more specific pattern wins, in whatever order they were added, and GET also answers HEAD. Unlike ServeMux the server
// never redirects: /a does not find the stub /a/, and /a//b is not cleaned to /a/b. A pattern has no host and no query.
//
// Several replies are sent one after the other, and the last one stays:
//
//	srv.On("GET", "/job/{id}").Reply(
//		mockserver.Status(503).Times(2),
//		mockserver.JSON(200, map[string]string{"state": "done"}),
//	)
//
// A stub may have matchers beside its method and pattern. It answers the requests that meet all of them:
//
//	srv.On("GET", "/users", mockserver.WithQuery("page", "2")).Reply(second)
//	srv.On("POST", "/orders", mockserver.WithJSONSubset(map[string]any{"user": "bob"})).Reply(mockserver.ALB(403))
//
//	query    WithQuery  WithQueryMatching  WithoutQuery
//	header   WithHeader WithHeaderMatching WithoutHeader  WithCookie
//	body     WithJSON   WithJSONSubset     WithForm       WithBody  WithBodyContaining  WithBodyMatching
//	others   WithPathMatching   Where(what, func(Request) bool)   InState(scenario, state)
//
// Where several stubs match, the one with the lowest Priority answers (the default is 5), of these the one with the more
// specific pattern, of these the one with more matchers, and of these the one that was added last. Two stubs of one priority
// that have the same matchers, or none, and match the same requests, or cross, contradict each other. That fails the test when
// the next request comes or the server closes: Priority is called after On, so it cannot be known before.
//
// A request that no stub matches is answered with 501 and fails the test. The message shows it beside the nearest stub; the
// same text is the body of the reply:
//
//	mockserver: unexpected request POST /orders: no stub matches, answered 501
//		nearest: POST /orders (orders_test.go:14)
//			             expected           got
//			method       POST               POST                       ok
//			path         /orders            /orders                    ok
//			query dry    "yes"              (none)                     is absent
//			JSON body    {"user":"alice"}   {"items":[],"user":"bob"}   $.user: "bob", not "alice"
//		stubs (1):
//			POST /orders WithQuery("dry", "yes") WithJSONSubset({"user":"alice"})   orders_test.go:14
//		to expect it: srv.On("POST", "/orders").Reply(...)
//
// Values of Authorization, Proxy-Authorization and Cookie are not shown, only how long they are.
//
// # Scenarios
//
// A scenario is a state that stubs share. It begins as "Started". InState asks for a state; Sets changes it when the stub
// answers; State and SetState are for the test. The state is tested and set in the step that chooses the stub.
//
//	srv.On("POST", "/login").Sets("session", "open").Reply(mockserver.Status(204))
//	srv.On("GET", "/orders", mockserver.InState("session", "open")).Reply(orders)
//	srv.On("GET", "/orders").Reply(mockserver.ALB(403))
//
// # What was called
//
// A stub that is never called fails the test when the server closes, with its file and line, and with the stub that took its
// requests, if one did:
//
//	mockserver: 1 stub was not called as expected:
//		GET /users/{id} (users_test.go:12): never called; 1 request that it matches went to GET /users/me (users_test.go:13)
//		one that need not be called is marked .Optional(); New(t, mockserver.AllowUnused()) is for all of a server
//
// Optional is for one stub, AllowUnused for all. Expect(n) wants exactly n requests; one more fails the test at once. A test that
// has failed already gets one line in its log instead, one that was skipped gets nothing. A server that subtests share has
// unused stubs when -run chooses one subtest: give each its own server, or mark those stubs Optional.
//
// Calls(stub) are the requests that a stub answered. Wait(stub, n, timeout) waits until there are n of them, without polling,
// and fails the test, with the requests that came instead, when they do not come.
//
// # Stub files
//
// Load reads the JSON stub mappings of WireMock, so that stubs which a team has already move over as they are:
//
//	srv.Load("testdata/wiremock") // has mappings/ and __files/ in it
//
// The files mean what they mean to WireMock, and what the server cannot do fails the test with one message that names
// every file and field:
//
//	mockserver: Load("testdata/wiremock"): 2 problems, 7 of 9 stubs loaded:
//		mappings/login.json: request.urll: a request has no such field; did you mean url?
//		mappings/users.json: response.proxyBaseUrl: not supported: the server answers itself and passes no request on; write the reply as body or bodyFileName
//
// Templates, proxies, XML, JSON schemas, dates, multipart patterns and extensions are not supported. Stubs of Load need
// not be called. Of two that match, the lower priority answers, and then the later one; a stub of On goes before both.
// Replies are sent chunked, as WireMock does, so an error without a body holds its connection when it is not closed.
//
// # Replies
//
// A Reply is a value. Its modifiers return a changed copy, so one reply can be shared by stubs, tests and goroutines:
//
//	forbidden := mockserver.ALB(403)
//	slow := forbidden.Delay(time.Second).Header("Retry-After", "1")
//
//	replies    Status  Text  JSON  Body  Redirect  Template  Handler  Stream  Fault, and the pages below
//	changes    Header  Reason  Framing  Gzip  Trailer  Early  Length  NoLength  KeepAlive
//	in time    Delay  DelayBy(Uniform, Lognormal)  Trickle
//	in turn    Times  Then
//	broken     Fault
//
// Status line, order and case of the headers, and every byte of a page are sent as the real proxy sends them. Server,
// Date, Content-Type, Content-Length and Connection come in the reply's own order; what Header adds comes after them.
// Responder makes the same reply answer under httpmock, where there is no connection.
//
// Realistic is for a suite that has handlers already. w.WriteHeader(403) sends Content-Length: 0, which hides a leak;
// Realistic adds the page that a proxy in front of the handler would add:
//
//	srv := httptest.NewServer(mockserver.Realistic(handler))
//
// # Pages
//
// The pages that real servers send are functions, one for each server: ALB, CloudFront, Nginx, HAProxy, Envoy, Cloudflare
// and 26 others. Each takes a status. Framing, headers and every byte of the body are those of the real one, as far as
// they are known: HAProxy and Envoy write header names in small letters, old HAProxy answers in HTTP/1.0 without a length,
// S3 is chunked, F5 sends its error with a 200. The comment of each function says what is confirmed and what is not.
//
// Page finds the same by name, and the variants of a page too, whatever the case:
//
//	mockserver.Page("alb", 403)           // ALB(403)
//	mockserver.Page("haproxy-1.0", 503)   // the form that ends with the connection
//	mockserver.Page("envoy-uh", 503)      // no healthy upstream
//
// A name or status that there is no page for fails the test when the reply is given to a stub, and the message names the
// nearest one. Pages lists them all, with how well each is known and whether it hides a leak: Caddy, a Classic ELB, Envoy
// without a route and httputil.ReverseProxy send Content-Length: 0, as the real ones do, and no test can see a body that is
// not closed behind them. The whole table is docs/pages.md in the repository.
//
// A page is the same every time it is made: ids in it look real and do not change. Only Date, and Expires where Akamai
// sends it, are the time of the reply. Where the real value varies, Retry-After and the like are as short as they can be,
// so that a client which waits does not hold up a test.
//
// # Faults
//
// A fault breaks a reply on the wire. Fault(f) breaks a 200 with a JSON body, and the method of a reply any other:
//
//	srv.On("GET", "/users").Reply(mockserver.Fault(mockserver.ConnectionReset))
//	srv.On("GET", "/users").Reply(mockserver.ALB(502).Fault(mockserver.TruncateAfter(50)))
//
//	fault              what goes wrong                                     what net/http's client gets
//	EmptyResponse      the connection ends in place of a reply             io.EOF from Do
//	ConnectionReset    the connection is reset in place of a reply         ECONNRESET from Do
//	RandomThenClose    bytes that are no HTTP                              malformed HTTP response
//	GarbageStatus      a status line without a number                      malformed HTTP status code
//	HugeHeader         a header of 11 MiB                                  exceeded 10485760 bytes
//	Flood1xx(n)        n times 103 before the reply                        the reply, or an error at 10 MiB
//	SwitchingProtocols a 101 that nobody asked for                         a 101, whose body only Close gives back
//	MalformedChunk     a 200, and a chunk that is none                     unexpected EOF from Read
//	TruncateAfter(n)   the end of the connection after n bytes of body     unexpected EOF from Read
//	ResetAfter(n)      a reset after n bytes of body                       ECONNRESET from Read
//	StallAfter(n)      nothing more after n bytes of body                  Read waits
//	WrongLength(n)     a Content-Length that is not the body's             unexpected EOF, or a body cut off
//	HalfClose          the end of the connection behind a whole reply      the reply; the next one dials
//	EndlessBody        a body that never ends                              Read never ends
//	ResetStream        HTTP/2: RST_STREAM in place of a reply              stream error from Do
//	GoAway             HTTP/2: GOAWAY in place of a reply                  a request that is sent again
//	RefuseStream       HTTP/2: REFUSED_STREAM                              a request that is sent again
//
// EmptyResponse, ConnectionReset, MalformedChunk and RandomThenClose are WireMock's four, with the same meaning. A fault of
// your own is a type with two methods, see WireFault.
//
// # TLS and HTTP/2
//
//	srv := mockserver.New(t, mockserver.TLS())       // srv.URL is https://127.0.0.1:port
//	srv := mockserver.New(t, mockserver.MutualTLS()) // and the client needs a certificate
//	srv := mockserver.New(t, mockserver.HTTP2())     // TLS, with HTTP/2 for clients that speak it
//
// srv.Client() trusts the server and has a certificate where one is asked for. A client of your own takes
// srv.TLSClientConfig(), a program that wants a file srv.Certificate(). The certificates are made in memory.
//
// What goes wrong in a handshake, plain HTTP on the TLS port too, is in Requests and Conns with its Err and does not fail the
// test. A stub that was not called because of that fails it as ever.
//
// HTTP/2 hides the usual leak: when a reply has been sent to its end, its stream is over, and a body that nobody closes holds
// nothing that anybody could see. So the server speaks HTTP/1.1 unless it is told otherwise, and a test that looks for unclosed
// bodies should leave it so. What shows over HTTP/2 is a reply that has not ended (Stream, StallAfter, NoLength) and a body
// larger than what the client takes unread, 4 MiB with net/http:
//
//	on the wire                                  not closed                closed
//	reply and END_STREAM                         nothing                   nothing
//	END_STREAM never comes (StallAfter)          a stream, for ever        RST_STREAM CANCEL
//	a body of more than 4 MiB, unread            a stream, and its window  RST_STREAM CANCEL
//	RST_STREAM, before or in the body            nothing                   nothing
//	the connection ends in the body              nothing                   nothing
//
// Each held stream is one of the 250 that a connection has, and keeps the connection open after CloseIdleConnections: Conns has
// it as ConnActive with Streams > 0. Unread bodies also use up the connection's window (1 GiB with net/http, 256 bodies of
// 4 MiB), and then every other reply on it hangs behind its headers.
//
// The faults over HTTP/2:
//
//	ConnectionReset                 TCP RST, with every stream of the connection
//	EmptyResponse, TruncateAfter,   FIN, with every stream of the connection
//	HalfClose
//	MalformedChunk, RandomThenClose bytes that are no frame, then FIN
//	ResetStream, ResetAfter         RST_STREAM INTERNAL_ERROR, this stream alone
//	RefuseStream                    RST_STREAM REFUSED_STREAM, twice for the same request, then the reply itself
//	GoAway                          GOAWAY, 10 times for the same request, then the reply itself
//	StallAfter                      END_STREAM never comes
//	WrongLength                     END_STREAM at another place than content-length says
//	GarbageStatus, Flood1xx, HugeHeader, EndlessBody   as over HTTP/1.1, in frames
//
// GoAway and RefuseStream are limited because clients send the request again by themselves: net/http's dials more than a
// thousand connections in a second after GOAWAY, and waits for a minute in all after REFUSED_STREAM.
//
// # Sweep
//
// Most leaks sit on error paths that no test takes. Sweep runs a call against every page, every fault and some replies that
// are awkward in other ways, each in a subtest with a server of its own and under leakcheck. A scenario in which the call
// leaks, hangs or panics fails, and says where, and which stub shows the same in a test of its own. The documentation of
// Sweep has its options. SweepResponder does it for a client on httpmock.
//
// # Brokers and databases that are dead
//
// Not everything that a service dials speaks HTTP. These stand for a peer in each way in which it can be gone:
//
//	Refuse(t)         an address at which nothing listens: the dial is refused
//	DropSYN(t)        the dial hangs, as behind a firewall (Linux, macOS, NetBSD, OpenBSD; elsewhere the test is skipped)
//	BlackHole(t)      the dial succeeds, and nothing ever comes
//	HangUp(t)         the dial succeeds, and the first read is io.EOF
//	HangUpReset(t)    the connection is reset
//	Script(t, ...)    a peer that expects and sends what the steps say
//
//	broker := mockserver.Script(t,
//		mockserver.Expect("AMQP\x00\x00\x09\x01"),
//		mockserver.Send("AMQP\x00\x00\x09\x01"),
//		mockserver.Stall(),
//	)
//	err := start(broker.URL("amqp"))
//
// Each connection plays the script from its beginning; Then gives later connections another one. A client that breaks the
// script fails the test, once for each connection, with both sides in hex and as text:
//
//	mockserver: Script (start_test.go:14), connection 1, step 1 of 3, Expect("AMQP\x00\x00\t\x01"):
//		byte 4 is 0x03, not 0x00
//		             expected 8 bytes                      got 8 bytes
//		  >      0   41 4d 51 50 00 00 09 01  AMQP....     41 4d 51 50 03 01 00 00  AMQP....
//
// Dials counts the connections exactly, WaitDials waits for them, and Conns says what each client sent. A connection that
// the code under test leaves open is reported by leakcheck as its leak; what the peer has itself is not. Make the peer
// before leakcheck.Verify when the test is about a call that hangs: what is made after it is closed before the check looks.
//
// # The server's own view
//
// Requests lists what was received, and Conns the connections, closed ones too, as the server sees them. Held says what a
// client still holds:
//
//	for _, leak := range srv.Held(client) {
//		t.Error(leak.Summary)
//	}
//
//	conn 3: GET /session/42 403 ALB(403) 118 B, sent 212 ms ago, the client still holds it
//
// It closes the client's idle connections, and what stays open is held by a response that was not closed. Suspects needs no
// access to the client, and guesses: a client that dials while an older connection could be used again probably holds that
// one.
//
// Do not count connections that were opened: from Go 1.27 on, a body that was closed unread is drained and its connection
// used again, and before it was not.
//
// When the server ends a connection, it sends its FIN and keeps its own half open until the client closes the other
// (ConnClosing). A client that holds the body of such a reply is in CLOSE_WAIT then, and the server still sees it.
//
// # What the server does with a request
//
// The request is read whole before the reply begins, its body too: the first 64 KiB, or what KeepBodies says, are kept for
// Requests and for matchers that look at the body, the rest is read and dropped, up to 64 MiB. A body matcher takes no body
// that is longer than what is kept, and says so. Bodies are compared as they were sent: gzip is not undone. A longer body is answered without reading on, and the connection is closed. Expect:
// 100-continue gets its 100. A request that is not HTTP gets a 400, one with more than 1 MiB of headers a 431, one that is
// not HTTP/1 a 505, one with an unknown transfer coding a 501 or an unknown Expect a 417, and one whose body stops coming
// for 5 s a 408; each of them closes the connection and is recorded with its Err. Each kind of them fails the test once,
// unless AllowUnmatched is given; a request that broke off or stopped, a TLS handshake on a server without TLS, and
// whatever comes over HTTP/2 do not. An HTTP/1.0 client gets UntilClose in place of both chunked framings.
//
// # What is not promised
//
// The text of failure messages, the order of headers of Text and JSON, and the wording of the replies to bad requests may
// change. Pages change when the real ones do.
package mockserver
