package singletons

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

// TestMain starts nothing: all of it is started by the first test that needs it.
func TestMain(m *testing.M) { os.Exit(m.Run()) }

func addr(t *testing.T) string {
	a, err := Server()
	if err != nil {
		t.Fatal(err)
	}
	return a.String()
}

func asks(t *testing.T, p *Pool) {
	if answer, err := p.Ask("hello"); answer != "hello\n" || err != nil {
		t.Fatal(answer, err)
	}
}

// each runs the same twice: the first one acquires, and neither has leaked.
func each(t *testing.T, use func(t *testing.T)) {
	t.Run("first", use)
	t.Run("second", use)
}

func TestPool(t *testing.T) {
	each(t, func(t *testing.T) {
		clientPool.Addr = addr(t)
		asks(t, clientPool)
	})
}

func TestOnceValue(t *testing.T) {
	each(t, func(t *testing.T) {
		Addr = addr(t)
		asks(t, once())
	})
}

func TestOnceValues(t *testing.T) {
	each(t, func(t *testing.T) {
		Addr = addr(t)
		b, err := twice()
		if err != nil {
			t.Fatal(err)
		}
		if b.Ask("hello") != "hello\n" {
			t.Fatal("another answer")
		}
	})
}

func TestOnceFunc(t *testing.T) { each(t, func(*testing.T) { start() }) }

func TestOnceLoops(t *testing.T) {
	each(t, func(*testing.T) {
		tick()
		tickValue()
		_, _ = tickBoth()
	})
}

func TestLog(t *testing.T) {
	each(t, func(t *testing.T) {
		if err := Log.Print(t.Name()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLazy(t *testing.T) { each(t, func(t *testing.T) { asks(t, Lazy(addr(t))) }) }

func TestAtomic(t *testing.T) { each(t, func(*testing.T) { GetQueue() }) }

func TestDB(t *testing.T) { each(t, func(*testing.T) { DB() }) }

func TestWorker(t *testing.T) {
	each(t, func(*testing.T) {
		done := make(chan bool)
		Work(func() { close(done) })
		<-done
	})
}

func TestParallel(t *testing.T) {
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			asks(t, Lazy(addr(t)))
		})
	}
}

// TestClient: the connections that it keeps idle are its own.
func TestClient(t *testing.T) {
	each(t, func(t *testing.T) {
		s := httptest.NewServer(http.NotFoundHandler())
		defer s.Close()
		resp, err := Client.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	})
}
