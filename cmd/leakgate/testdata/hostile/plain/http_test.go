package plain

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

type nothing struct{}

func (nothing) RoundTrip(*http.Request) (*http.Response, error) { return nil, nil }

// A RoundTripper that breaks its promise gets the error that net/http has for that.
func TestNoResponseAndNoError(t *testing.T) {
	tr := &http.Transport{}
	tr.RegisterProtocol("odd", nothing{})
	_, err := (&http.Client{Transport: tr}).Get("odd://host/")
	if err == nil || !strings.Contains(err.Error(), "returned a nil *Response with a nil error") {
		t.Fatal(err)
	}
}

// A connection made of a file may have no remote address, when the other end is gone.
func TestConnectionWithoutAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		// An answer before the question, and the end.
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}()
	tr := &http.Transport{Dial: func(network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		f, err := c.(*net.TCPConn).File()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return net.FileConn(f)
	}}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get("http://" + l.Addr().String())
	if err == nil { // or the connection was gone too early
		resp.Body.Close()
	}
}

type wrapped struct{ http.RoundTripper }

func (w wrapped) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body.Close()
		err = errors.New("not today")
	}
	return nil, err
}

// What is copied, wrapped or closed twice is as it was.
func TestBodies(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("body"))
	}))
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	again := *resp
	if resp.Body != again.Body {
		t.Fatal("a copy has another body")
	}
	if _, ok := resp.Body.(interface{ Write([]byte) (int, error) }); ok {
		t.Fatal("it can be written to")
	}
	again.Body.Close()
	resp.Body.Close()
	if _, err := (&http.Client{Transport: wrapped{http.DefaultTransport}}).Get(s.URL); err == nil {
		t.Fatal("no error")
	}
}
