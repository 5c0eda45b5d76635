package mockserver

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func withHandshakeWait(d time.Duration) Option {
	return func(c *config) { c.handshakeWait = d }
}

// dialServer opens a connection without TLS.
func dialServer(t *testing.T, srv *Server) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "https://"))
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	return nc.(*net.TCPConn)
}

// dialTLS opens a TLS connection, and gives the TCP connection below it too.
func dialTLS(t *testing.T, srv *Server, protos ...string) (*tls.Conn, *net.TCPConn) {
	t.Helper()
	cfg := srv.TLSClientConfig()
	cfg.ServerName = "localhost"
	cfg.NextProtos = protos
	tcp := dialServer(t, srv)
	nc := tls.Client(tcp, cfg)
	require.NoError(t, nc.Handshake())
	t.Cleanup(func() { nc.Close() })
	return nc, tcp
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		opts  []Option
		proto string
	}{
		{"TLS", []Option{TLS()}, "HTTP/1.1"},
		{"MutualTLS", []Option{MutualTLS()}, "HTTP/1.1"},
		{"HTTP2", []Option{HTTP2()}, "HTTP/2.0"},
		{"HTTP2 with a client certificate", []Option{HTTP2(), MutualTLS()}, "HTTP/2.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft, test.opts...)
			t.Cleanup(srv.Close)
			srv.On("POST", "/a b").Reply(Text(200, "ok"))
			assert.True(t, strings.HasPrefix(srv.URL, "https://127.0.0.1:"), srv.URL)
			for range 3 {
				assert.Equal(t, "200 ok", read(srv.Client(), "POST", srv.URL+"/a%20b?x=1", "body"))
			}
			got := srv.Requests()
			require.Len(t, got, 3)
			for _, r := range got {
				assert.Equal(t, test.proto, r.Proto)
				assert.Equal(t, "/a b", r.Path)
				assert.Equal(t, "/a%20b?x=1", r.Target)
				assert.Equal(t, "1", r.Query.Get("x"))
				assert.Equal(t, strings.TrimPrefix(srv.URL, "https://"), r.Host)
				assert.Equal(t, "body", string(r.Body))
				assert.Equal(t, "POST /a b", r.Stub)
				assert.Equal(t, 200, r.Status)
				assert.NoError(t, r.Err)
			}
			conns := srv.Conns()
			require.Len(t, conns, 1)
			assert.Equal(t, test.proto, conns[0].Proto)
			assert.Equal(t, ConnIdle, conns[0].State)
			assert.Equal(t, 3, conns[0].Requests)
			assert.Equal(t, "POST /a b", conns[0].LastRequest)
			assert.Equal(t, "Text(200)", conns[0].LastReply)
			assert.NotZero(t, conns[0].Written)
			assert.False(t, conns[0].LastSent.IsZero())
			assert.NoError(t, conns[0].Err)

			// A client of the user's own, by name instead of address.
			tr := &http.Transport{TLSClientConfig: srv.TLSClientConfig(), ForceAttemptHTTP2: true}
			defer tr.CloseIdleConnections()
			assert.Equal(t, "200 ok", read(&http.Client{Transport: tr}, "POST", strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)+"/a%20b", ""))
			ft.end()
			assert.Empty(t, ft.failures())
			assert.Zero(t, running(srv))
		})
	}
}

func TestWithoutTLS(t *testing.T) {
	t.Parallel()
	srv := New(t)
	assert.Nil(t, srv.Certificate())
	assert.Nil(t, srv.TLSClientConfig())
	assert.True(t, strings.HasPrefix(srv.URL, "http://127.0.0.1:"))
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	srv := New(t, MutualTLS())
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	all := certificates()
	for _, name := range []string{"127.0.0.1", "::1", "localhost"} {
		_, err := all.server.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		assert.NoError(t, err, name)
	}
	_, err := all.server.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "example.com"})
	assert.Error(t, err)
	_, err = all.client.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	assert.NoError(t, err)
	_, err = all.client.Leaf.Verify(x509.VerifyOptions{Roots: roots})
	assert.Error(t, err, "it is not one of a server")
	_, err = all.server.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	assert.Error(t, err, "nor that one of a client")

	first, second := srv.TLSClientConfig(), srv.TLSClientConfig()
	assert.NotSame(t, first, second)
	assert.NotSame(t, first.RootCAs, second.RootCAs, "a user may add to it")
}

// TestHandshakeFails has what goes wrong before a request can be read. None of it fails the test, and none leaves a
// goroutine or a hanging client.
func TestHandshakeFails(t *testing.T) {
	t.Parallel()
	withClient := func(change func(*tls.Config)) func(t *testing.T, srv *Server) string {
		return func(t *testing.T, srv *Server) string {
			cfg := srv.TLSClientConfig()
			change(cfg)
			tr := &http.Transport{TLSClientConfig: cfg}
			defer tr.CloseIdleConnections()
			return read(&http.Client{Transport: tr}, "GET", srv.URL+"/", "")
		}
	}
	send := func(text string) func(t *testing.T, srv *Server) string {
		return func(t *testing.T, srv *Server) string {
			nc := dialServer(t, srv)
			_, err := io.WriteString(nc, text)
			require.NoError(t, err)
			b, err := io.ReadAll(nc)
			require.NoError(t, err)
			return string(b)
		}
	}
	const plain = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
	for _, test := range []struct {
		name   string
		opts   []Option
		do     func(t *testing.T, srv *Server) string
		client string // what the client sees, a part of it
		err    string
		status int
	}{
		{"client that does not trust the server", []Option{TLS()}, withClient(func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }),
			"tls: failed to verify certificate: x509: certificate signed by unknown authority", "TLS handshake: remote error: tls: bad certificate", 0},
		{"client that wants another name", []Option{TLS()}, withClient(func(c *tls.Config) { c.ServerName = "example.com" }),
			"x509: certificate is valid for localhost, not example.com", "TLS handshake: remote error: tls: bad certificate", 0},
		{"client without a certificate", []Option{MutualTLS()}, withClient(func(c *tls.Config) { c.Certificates = nil }),
			"remote error: tls: certificate required", "TLS handshake: tls: client didn't provide a certificate", 0},
		{"client without a certificate, TLS 1.2", []Option{MutualTLS()}, withClient(func(c *tls.Config) { c.Certificates = nil; c.MaxVersion = tls.VersionTLS12 }),
			"remote error: tls: ", "TLS handshake: tls: client didn't provide a certificate", 0},
		{"client with the certificate of a server", []Option{MutualTLS()}, withClient(func(c *tls.Config) { c.Certificates[0] = certificates().server }),
			"remote error: tls: ", "TLS handshake: tls: failed to verify certificate: x509: certificate specifies an incompatible key usage", 0},
		{"client of TLS 1.1", []Option{TLS()}, withClient(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
			"tls: ", "TLS handshake: tls: client offered only unsupported versions: [302 301]", 0},
		{"client of HTTP/2 alone", []Option{TLS()}, func(t *testing.T, srv *Server) string {
			cfg := srv.TLSClientConfig()
			cfg.NextProtos = []string{"h2"}
			_, err := tls.Dial("tcp", strings.TrimPrefix(srv.URL, "https://"), cfg)
			return fmt.Sprint(err)
		}, "tls: no application protocol", `TLS handshake: tls: client requested unsupported application protocols ([`, 0},
		{"HTTP without TLS", []Option{TLS()}, send(get("/")), plain, "the client sent an HTTP request without TLS to an https:// URL", 400},
		{"HTTP without TLS, with a body", []Option{HTTP2()}, send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000)), plain,
			"the client sent an HTTP request without TLS to an https:// URL", 400},
		{"HTTP/2 without TLS", []Option{HTTP2()}, send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), plain, "the client sent an HTTP request without TLS to an https:// URL", 400},
		{"garbage", []Option{TLS()}, send("\x00\x01\x02\x03\x04\x05\x06"), "", "TLS handshake: tls: first record does not look like a TLS handshake", 0},
		{"a handshake that stops", []Option{TLS(), withHandshakeWait(20 * time.Millisecond)}, send("\x16\x03\x01\x02\x00\x01"), "",
			"TLS handshake: it was not done after 20ms", 0},
		{"a client that goes away in the middle", []Option{TLS()}, func(t *testing.T, srv *Server) string {
			nc := dialServer(t, srv)
			_, err := io.WriteString(nc, "\x16\x03\x01\x02\x00\x01")
			require.NoError(t, err)
			require.NoError(t, nc.CloseWrite())
			b, err := io.ReadAll(nc)
			require.NoError(t, err)
			return string(b)
		}, "", "TLS handshake: the client ended the connection in the middle of it", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft, test.opts...)
			t.Cleanup(srv.Close)
			srv.On("GET", "/").Reply(Status(200)).Optional()
			got := test.do(t, srv)
			if test.client == plain {
				assert.Equal(t, plain, got)
			} else {
				assert.Contains(t, got, test.client)
			}
			eventually(t, func() bool { return len(srv.Requests()) == 1 })
			r := srv.Requests()[0]
			assert.ErrorContains(t, r.Err, test.err)
			assert.Equal(t, test.status, r.Status)
			assert.Empty(t, r.Method)
			assert.Empty(t, r.Proto)
			assert.Equal(t, 1, r.Conn)
			eventually(t, func() bool { s := srv.Conns()[0].State; return s == ConnClosing || s == ConnClosed })
			c := srv.Conns()[0]
			assert.Equal(t, r.Err, c.Err)
			assert.Empty(t, c.Proto)
			ft.end()
			assert.Empty(t, ft.failures())
			assert.Empty(t, ft.logged())
			assert.Zero(t, running(srv))
		})
	}
}

// TestSilentTLS: a connection on which nothing comes is no failed handshake, however long it takes.
func TestSilentTLS(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, TLS(), withHandshakeWait(time.Millisecond))
	t.Cleanup(srv.Close)
	nc := dialServer(t, srv)
	eventually(t, func() bool { return len(srv.Conns()) == 1 })
	time.Sleep(20 * time.Millisecond)
	assert.Equal(t, ConnNew, srv.Conns()[0].State)
	assert.Empty(t, srv.Requests())
	nc.Close()
	eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed })
	assert.NoError(t, srv.Conns()[0].Err)
	assert.Empty(t, srv.Requests())

	// Nor is one that is there when the server closes.
	dialServer(t, srv)
	half := dialServer(t, srv)
	fmt.Fprint(half, "\x16\x03\x01")
	eventually(t, func() bool { return len(srv.Conns()) == 3 })
	ft.end()
	assert.Zero(t, running(srv))
	assert.Empty(t, ft.logged())
}

// TestTLSEnds: the ends of a connection are those of HTTP/1.1 without TLS, on both layers.
func TestTLSEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		reply Reply
		read  error // what TLS gives at the end; nil for close_notify
		tcp   error // what TCP gives then; nil for FIN
		state ConnState
	}{
		{"UntilClose", Text(200, "hello").Framing(UntilClose), nil, nil, ConnClosing},
		{"TruncateAfter", Text(200, "hello").Fault(TruncateAfter(2)), nil, nil, ConnClosing},
		{"HalfClose", Text(200, "hello").Fault(HalfClose), nil, nil, ConnClosing},
		{"EmptyResponse", Fault(EmptyResponse), nil, nil, ConnClosing},
		{"ConnectionReset", Fault(ConnectionReset), syscall.ECONNRESET, syscall.ECONNRESET, ConnClosed},
		{"ResetAfter", Text(200, "hello").Fault(ResetAfter(2)), syscall.ECONNRESET, syscall.ECONNRESET, ConnClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft, TLS())
			t.Cleanup(srv.Close)
			srv.On("GET", "/").Reply(test.reply)
			// With TLS 1.2 the types of records can be seen.
			cfg := srv.TLSClientConfig()
			cfg.ServerName, cfg.MaxVersion = "localhost", tls.VersionTLS12
			tcp := &recordTypes{TCPConn: dialServer(t, srv)}
			nc := tls.Client(tcp, cfg)
			fmt.Fprint(nc, get("/"))
			_, err := io.ReadAll(nc)
			if test.read == nil {
				assert.NoError(t, err)
				types := tcp.types()
				assert.Equal(t, byte(21), types[len(types)-1], "close_notify is an alert, and the last record: %v", types)
			} else {
				assert.True(t, errors.Is(err, test.read) || isWindowsReset(err), "%v", err)
			}
			if test.tcp == nil {
				_, err = tcp.Read(make([]byte, 1))
				assert.Equal(t, io.EOF, err, "the FIN behind it")
			}
			eventually(t, func() bool { return srv.Conns()[0].State == test.state })
			nc.Close()
			eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed })
			ft.end()
			assert.Empty(t, ft.failures())
		})
	}
}

// recordTypes is a connection that keeps what was read.
type recordTypes struct {
	*net.TCPConn
	read []byte
}

func (c *recordTypes) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.read = append(c.read, p[:n]...)
	return n, err
}

// types gives the types of the TLS records.
func (c *recordTypes) types() (types []byte) {
	for b := c.read; len(b) >= 5; b = b[min(len(b), 5+int(b[3])<<8+int(b[4])):] {
		types = append(types, b[0])
	}
	return types
}

// isWindowsReset: syscall.ECONNRESET has another value on Windows than what a socket gives.
func isWindowsReset(err error) bool {
	return err != nil && strings.Contains(err.Error(), "forcibly closed")
}

// TestTLSIdleTimeout: a client that holds an unclosed body is still seen.
func TestTLSIdleTimeout(t *testing.T) {
	t.Parallel()
	for _, proto := range []string{"http/1.1", "h2"} {
		t.Run(proto, func(t *testing.T) {
			opts := []Option{HTTP2(), IdleTimeout(10 * time.Millisecond)}
			srv := New(t, opts...)
			srv.On("GET", "/").Reply(Text(200, "ok"))
			cfg := srv.TLSClientConfig()
			cfg.NextProtos = []string{proto}
			tr := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: proto == "h2"}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr}
			resp, err := client.Get(srv.URL)
			require.NoError(t, err)
			defer resp.Body.Close()
			if proto == "h2" {
				// The stream has ended, so the client closes the connection when it is told to go.
				eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed })
			} else {
				eventually(t, func() bool { return srv.Conns()[0].State == ConnClosing })
			}
			b, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, "ok", string(b))
			assert.Equal(t, "200 ok", read(client, "GET", srv.URL, ""), "on another connection")
			assert.Len(t, srv.Conns(), 2)
		})
	}
}

// TestTLSClose: Close does not wait for a client that does not read. So it says nothing to an idle one either.
func TestTLSClose(t *testing.T) {
	t.Parallel()
	srv := New(t, TLS())
	srv.On("GET", "/").Reply(Text(200, "ok"))
	cfg := srv.TLSClientConfig()
	cfg.ServerName, cfg.MaxVersion = "localhost", tls.VersionTLS12
	tcp := &recordTypes{TCPConn: dialServer(t, srv)}
	idle := tls.Client(tcp, cfg)
	fmt.Fprint(idle, get("/"))
	_, err := io.ReadFull(idle, make([]byte, 10))
	require.NoError(t, err)
	srv.Close()
	io.Copy(io.Discard, idle)
	assert.NotContains(t, tcp.types(), byte(21), "close_notify")

	for _, opt := range []Option{TLS(), HTTP2()} {
		ft := &fakeT{}
		srv := New(ft, opt)
		t.Cleanup(srv.Close)
		srv.On("GET", "/").Reply(Text(200, strings.Repeat("x", 32<<20)))
		nc, _ := dialTLS(t, srv)
		fmt.Fprint(nc, get("/"))
		_, err := bufio.NewReader(nc).ReadString('\n')
		require.NoError(t, err)
		ft.end()
		assert.Zero(t, running(srv))
		assert.Empty(t, ft.logged())
		assert.Equal(t, ConnClosed, srv.Conns()[0].State)
	}
}

// writePEM writes the authority's certificate, and the client's with its key, for other programs.
func writePEM(t *testing.T, authority, client string, srv *Server) {
	t.Helper()
	write := func(file string, blocks ...*pem.Block) {
		var b []byte
		for _, one := range blocks {
			b = append(b, pem.EncodeToMemory(one)...)
		}
		require.NoError(t, os.WriteFile(file, b, 0o600))
	}
	write(authority, &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	cert := srv.TLSClientConfig().Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	write(client, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, &pem.Block{Type: "PRIVATE KEY", Bytes: key})
}
