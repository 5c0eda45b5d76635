package servers_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy is a network between a pool and its server, that can be cut.
type proxy struct {
	l      net.Listener
	to     string
	wg     sync.WaitGroup
	mu     sync.Mutex
	pairs  []pair
	silent bool
	closed chan struct{}
}

type pair struct{ client, server net.Conn }

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{l: l, to: to, closed: make(chan struct{})}
	p.wg.Add(1)
	go p.serve()
	t.Cleanup(func() {
		close(p.closed)
		l.Close()
		p.cut(func(c pair) { c.client.Close(); c.server.Close() })
		p.wg.Wait()
	})
	return p
}

// dsn is that of the server, with the proxy's address in it.
func (p *proxy) dsn(server string) string {
	return strings.Replace(server, p.to, p.l.Addr().String(), 1)
}

func (p *proxy) serve() {
	defer p.wg.Done()
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", p.to)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.pairs = append(p.pairs, pair{c, s})
		p.mu.Unlock()
		p.wg.Add(2)
		go p.copy(c, s)
		go p.copy(s, c)
	}
}

// copy passes on what comes, and keeps what comes while the network is silent.
func (p *proxy) copy(to, from net.Conn) {
	defer p.wg.Done()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		silent := p.silent
		p.mu.Unlock()
		if silent {
			if err != nil {
				return
			}
			continue // lost
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if err == io.EOF {
				to.Close()
			}
			return
		}
	}
}

func (p *proxy) cut(do func(pair)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.pairs {
		do(c)
	}
	p.pairs = nil
}

// reset ends all connections with RST.
func (p *proxy) reset() {
	p.cut(func(c pair) {
		_ = c.client.(*net.TCPConn).SetLinger(0)
		c.client.Close()
		c.server.Close()
	})
}

// finish ends them with FIN.
func (p *proxy) finish() {
	p.cut(func(c pair) { c.client.Close(); c.server.Close() })
}

// hush lets nothing through any more, in silence; new connections are still taken.
func (p *proxy) hush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = true
}
