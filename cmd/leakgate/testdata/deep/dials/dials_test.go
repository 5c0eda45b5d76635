package dials

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// dead is an address at which nobody listens: another socket of this process holds the port.
var dead string

func TestMain(m *testing.M) {
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go answer(names)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", names.LocalAddr().String())
	}}
	held, err := new(net.Dialer).Dial("tcp", serveOnce())
	if err != nil {
		panic(err)
	}
	dead = held.LocalAddr().String()
	start(dead, 1)
	os.Exit(m.Run())
}

// serveOnce is the address of a listener that takes what comes and keeps it.
func serveOnce() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l.Addr().String()
}

// answer is a server of names that knows the domain test, whose hosts have the address 127.0.0.1.
func answer(conn net.PacketConn) {
	buf := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		q := buf[:n]
		end := 12
		for q[end] != 0 {
			end += int(q[end]) + 1
		}
		isA, known := q[end+2] == 1, strings.HasSuffix(string(q[12:end]), "\x04test")
		r := append([]byte{}, q[:end+5]...)
		copy(r[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
		switch {
		case !known:
			r[3] |= 3 // there is none of that name
		case isA:
			r[7] = q[12] - 1 // db has one address, and two has two
			r = append(r, strings.Repeat("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01", int(r[7]))...)
		}
		conn.WriteTo(r, from)
	}
}

// TestOwn dials nothing but what it listens at itself.
func TestOwn(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if err := get(s.URL); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	start("localhost:"+port, 1)
	start("db.test:"+port, 1)
	dir, err := os.MkdirTemp("", "lk")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	u, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if c, err := net.Dial("unix", u.Addr().String()); err == nil {
		c.Close()
	}
	net.LookupHost("two.test")             // a look-up that finds something is no dial
	net.Listen("tcp", "nowhere.invalid:0") // nor is one that is for listening
}

func TestRetries(t *testing.T)   { start(dead, 3) }
func TestGoroutine(t *testing.T) { startLater(dead) }
func TestNoHost(t *testing.T)    { net.LookupHost("broker.invalid"); start("broker.invalid:amqp", 2) }
func TestRequest(t *testing.T)   { get("http://nowhere.invalid/status") }
func TestLookup(t *testing.T)    { connect("nowhere.invalid", "5432") }
func TestByName(t *testing.T)    { _, port, _ := net.SplitHostPort(dead); start("db.test:"+port, 1) }
func TestDriver(t *testing.T)    { _, port, _ := net.SplitHostPort(dead); connect("db.test", port) }
func TestUnix(t *testing.T)      { net.Dial("unix", "/nowhere/app.sock") }

func TestAddress(t *testing.T) {
	a, err := net.ResolveTCPAddr("tcp", dead)
	if err != nil {
		t.Fatal(err)
	}
	net.DialTCP("tcp", nil, a)
}

// TestParallel: which of its tests dialled what.
func TestParallel(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	for i := range 2 {
		t.Run(fmt.Sprint("test", i), func(t *testing.T) {
			t.Parallel()
			both.Done()
			both.Wait()
			if i == 1 {
				startLater(dead)
			}
		})
	}
}

var once sync.Once

// TestOnce: what is made once for all tests is none's.
func TestOnce(t *testing.T) { once.Do(func() { start(dead, 1) }) }
