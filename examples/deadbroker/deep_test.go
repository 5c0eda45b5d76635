//go:build deep

package deadbroker

import (
	"context"
	"net"
	"testing"
	"time"
)

// These tests know nothing of the harness: leakgate test -tags deep finds what they leak.

// dialer is how the service dials.
var dialer = new(net.Dialer).DialContext

// listen listens where a broker would.
func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// hangsUp is the address of something that takes each connection, and ends it.
func hangsUp(t *testing.T) string {
	l := listen(t)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-over })
	return l.Addr().String()
}

func TestGone(t *testing.T) {
	l := listen(t)
	l.Close()
	if _, err := Start(dialer, l.Addr().String()); err == nil {
		t.Error("it started")
	}
}

func TestHangsUp(t *testing.T) {
	if _, err := Start(dialer, hangsUp(t)); err == nil {
		t.Error("it started")
	}
}

func TestHangsUpFixed(t *testing.T) {
	if _, err := FixedStart(context.Background(), dialer, hangsUp(t), time.Minute); err == nil {
		t.Error("it started")
	}
}
