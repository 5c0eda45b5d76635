// Package httpmock finds an unclosed body in tests that use httpmock, where no connection exists that could leak.
//
// httpmock puts a RoundTripper in the place of the network. A body that is not closed holds nothing there, so that no
// look at sockets or goroutines can show it. A tracked body can: let the mock go through httpcheck.Wrap.
//
//	mock := httpmock.NewMockTransport()
//	client := &http.Client{Transport: httpcheck.Wrap(mock)}
//	t.Cleanup(leakcheck.Verify(t))
//
// or hand the test's client to httpcheck.Verify, which wraps its transport and puts it back:
//
//	t.Cleanup(httpcheck.Verify(t, client))
//
// With the global transport, that of httpmock.Activate, it is httpcheck.Wrap(httpmock.DefaultTransport). Activate sets
// http.DefaultTransport for the whole process, so such tests cannot run in parallel; a transport of the test's own can.
//
// Register what the real upstream sends: mockserver's pages are responders too.
//
//	mock.RegisterResponder("GET", "https://sessions.test/session/42", mockserver.ALB(403).Responder())
//
// An empty httpmock response (NewStringResponder(403, "")) has a body too, and that one must be closed as well.
package httpmock
