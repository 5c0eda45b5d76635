// Package http2 is the server side of one HTTP/2 connection (RFC 9113), with HPACK (RFC 7541).
//
// It exists because mockserver has to do what a correct server does not: send GOAWAY in the middle of a reply, reset a
// stream, never end one. The server in net/http gives no access to frames, and golang.org/x/net/http2, which does, cannot be
// required here: a test helper that requires it moves the version that its users ship.
//
// A Conn reads in the goroutine that calls Serve, and calls Handle in a goroutine of its own for each request. There is no
// other goroutine. A frame is written by whoever has it. Where another goroutine is writing at that moment, Serve leaves its
// frames to that one and reads on, so that a client which sends a body before it reads the reply is not stuck.
//
// Not there, because no test server needs it: push, priorities (read and ignored), extended CONNECT, and compression of
// what is sent. What a stream's reply says is the caller's: names must be in lower case, and nothing is checked.
package http2
