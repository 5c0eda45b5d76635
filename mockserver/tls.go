package mockserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// handshakeWait is the longest time that a TLS handshake takes, from its first byte on.
const handshakeWait = 5 * time.Second

// TLS makes the server speak TLS, 1.2 or later, with a certificate for 127.0.0.1, ::1 and localhost. URL begins with
// https:// then. Client trusts the server; for a client of your own, see TLSClientConfig.
//
// What goes wrong in a handshake does not fail the test: it is in Requests and Conns, with its Err. So are a request
// without TLS, which is answered as net/http's server does ("Client sent an HTTP request to an HTTPS server."), and a
// handshake that is not done 5 s after its first byte. A connection on which nothing comes is left alone.
func TLS() Option {
	return func(c *config) { c.tls = true }
}

// MutualTLS is TLS with a certificate asked of the client too, signed by the same authority. Client presents one, and so
// does every client with a TLSClientConfig. A client without one gets a TLS alert, "certificate required", with TLS 1.3
// when it reads the reply to its first request.
func MutualTLS() Option {
	return func(c *config) { c.tls, c.mutualTLS = true, true }
}

// Certificate returns the certificate of the authority that signed the server's, which a client has to trust. It is made
// in memory and is the same for all servers of the process. It is nil when the server does not speak TLS.
//
// For a program that wants a file, encode it:
//
//	pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
func (s *Server) Certificate() *x509.Certificate {
	if !s.cfg.tls {
		return nil
	}
	return certificates().authority
}

// TLSClientConfig returns what a client needs to talk to the server: it trusts Certificate, and with MutualTLS it presents
// a certificate of its own. Each call makes a new one, which may be changed. It is nil when the server does not speak TLS.
//
//	&http.Transport{TLSClientConfig: srv.TLSClientConfig(), ForceAttemptHTTP2: true}
//
// ForceAttemptHTTP2 because net/http speaks HTTP/1.1 alone where it is given a TLS configuration.
func (s *Server) TLSClientConfig() *tls.Config {
	if !s.cfg.tls {
		return nil
	}
	all := certificates()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(all.authority)
	if s.cfg.mutualTLS {
		c.Certificates = []tls.Certificate{all.client}
	}
	return c
}

// serverTLS is the server's own side.
func (c *config) serverTLS() *tls.Config {
	all := certificates()
	out := &tls.Config{Certificates: []tls.Certificate{all.server}, NextProtos: []string{"http/1.1"}}
	if c.http2 {
		out.NextProtos = []string{"h2", "http/1.1"}
	}
	if c.mutualTLS {
		out.ClientAuth = tls.RequireAndVerifyClientCert
		out.ClientCAs = x509.NewCertPool()
		out.ClientCAs.AddCert(all.authority)
	}
	return out
}

// secured is a TLS connection whose ends are those of TCP too.
type secured struct {
	*tls.Conn
	tcp *peeked
}

func secure(nc *net.TCPConn, c *tls.Config) *secured {
	tcp := &peeked{TCPConn: nc}
	return &secured{Conn: tls.Server(tcp, c), tcp: tcp}
}

// CloseWrite sends close_notify, and the FIN behind it that crypto/tls leaves out.
func (s *secured) CloseWrite() error {
	s.Conn.CloseWrite()
	return s.tcp.CloseWrite()
}

// peeked is a TCP connection whose first byte has been waited for.
type peeked struct {
	*net.TCPConn
	first []byte // of what was read and not given out
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.first) > 0 && len(b) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.TCPConn.Read(b)
}

// awaitHello waits for the first byte of a connection, without limit.
func (c *conn) awaitHello(s *secured) bool {
	first := make([]byte, 1)
	n, _ := s.tcp.TCPConn.Read(first)
	s.tcp.first = first[:n]
	return n > 0
}

// handshake makes TLS of a connection and gives the protocol that was agreed on. Where that fails, it is recorded, and ok
// is false when the connection has ended.
func (c *conn) handshake(s *secured) (proto string, ok bool) {
	if !c.awaitHello(s) {
		return "", false
	}
	s.tcp.SetDeadline(time.Now().Add(c.srv.cfg.handshakeWait))
	err := s.Handshake()
	s.tcp.SetDeadline(time.Time{})
	if err == nil {
		return s.ConnectionState().NegotiatedProtocol, true
	}
	if c.srv.isClosed() {
		return "", false
	}

	rec := Request{Conn: c.info.ID, Time: time.Now()}
	var strange tls.RecordHeaderError
	switch {
	case errors.As(err, &strange) && strange.Conn != nil && looksLikeHTTP(strange.RecordHeader):
		rec.Err = errors.New("the client sent an HTTP request without TLS to an https:// URL")
		rec.Status = 400
	case errors.Is(err, os.ErrDeadlineExceeded):
		rec.Err = fmt.Errorf("TLS handshake: it was not done after %v", c.srv.cfg.handshakeWait)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		rec.Err = errors.New("TLS handshake: the client ended the connection in the middle of it")
	default:
		rec.Err = fmt.Errorf("TLS handshake: %w", err)
	}
	c.setErr(rec.Err)
	c.begin(rec)
	if rec.Status == 400 {
		n, _ := io.WriteString(s.tcp, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		c.addWritten(n)
	}
	c.setState(ConnClosing)
	c.lingerOn(s.tcp, s.tcp)
	return "", false
}

// looksLikeHTTP says whether the first bytes of a connection are those of a request.
func looksLikeHTTP(first [5]byte) bool {
	switch string(first[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "PATCH", "OPTIO", "DELET", "CONNE", "TRACE", "PRI *":
		return true
	}
	return false
}
