package plain

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var inBubble sync.Once

// In a bubble the clock is another one, and what is made there may not be used elsewhere.
func TestBubble(t *testing.T) {
	for _, name := range []string{"one", "two"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				done := make(chan bool)
				go func() {
					time.Sleep(time.Hour)
					close(done)
				}()
				<-done
				if d := time.Since(start); d != time.Hour {
					t.Error(d)
				}
				inBubble.Do(func() {})
				f, err := os.Open(os.DevNull)
				if err != nil {
					t.Fatal(err)
				}
				f.Close()
				now := time.Now()
				t.Cleanup(func() {
					if d := time.Since(now); d != 0 {
						t.Errorf("%v went by", d)
					}
				})
			})
		})
	}
}

// net/http over a pipe in a bubble, as its documentation does.
func TestBubbleHTTP(t *testing.T) {
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			defer server.Close()
			tr := &http.Transport{
				DialContext:           func(context.Context, string, string) (net.Conn, error) { return client, nil },
				ExpectContinueTimeout: 5 * time.Second,
			}
			defer tr.CloseIdleConnections()
			go func() {
				_, _ = io.ReadAtLeast(server, make([]byte, 4096), 16)
				time.Sleep(time.Second)
				_, _ = io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}()
			resp, err := (&http.Client{Transport: tr, Timeout: time.Minute}).Get("http://test.example/")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		})
	}
}

func TestAfterBubbles(t *testing.T) {
	t.Parallel()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
