package app

import (
	"database/sql"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/lib"
	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// MOVED

func serve(t *testing.T) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(strings.Repeat("x", 1<<20)))
	}))
	t.Cleanup(func() {
		srv.Config.SetKeepAlivesEnabled(false)
		srv.Listener.Close()
	})
	return srv.URL
}

// leaks runs what leaks under Verify.
func leaks(t *testing.T, f func(url string)) {
	url := serve(t)
	t.Cleanup(leakcheck.Verify(t, leakcheck.Wait(50e6)))
	f(url)
}

func TestMethod(t *testing.T) { leaks(t, func(url string) { (&Client{}).Get(url) }) }

func TestMethodAgain(t *testing.T) { leaks(t, func(url string) { (&Client{}).Get(url) }) }

func TestTwoMethods(t *testing.T) {
	leaks(t, func(url string) {
		(&Client{}).Get(url)
		(&Client{}).Post(url)
		(&Client{}).Get(url)
	})
}

func TestTwoKinds(t *testing.T) {
	leaks(t, func(url string) {
		http.Get(url)
		go func() { select {} }()
	})
}

func TestValueMethod(t *testing.T) { leaks(t, func(url string) { Value{url}.Get() }) }

func TestMethodValue(t *testing.T) {
	leaks(t, func(url string) {
		f := (&Client{}).Get
		lib.Twice(f, url)
		g := Value{url}.Get
		g()
		(*Client).Get(&Client{}, url)
	})
}

func TestInterface(t *testing.T) {
	leaks(t, func(url string) {
		var getter interface{ Get() } = struct{ Value }{Value{url}}
		getter.Get()
	})
}

func TestClosures(t *testing.T) {
	// ABOVE
	leaks(t, func(url string) {
		fetcher(url)()
	})
}

func TestClosureOfMethod(t *testing.T)      { leaks(t, func(url string) { (&Client{}).fetcher(url)() }) }
func TestClosureOfValueMethod(t *testing.T) { leaks(t, func(url string) { Value{url}.fetcher()() }) }
func TestNested(t *testing.T)               { leaks(t, nested) }
func TestVariable(t *testing.T)             { leaks(t, func(url string) { fromVariable(url) }) }
func TestInit(t *testing.T)                 { leaks(t, func(url string) { fromInit(url) }) }
func TestRecursive(t *testing.T)            { leaks(t, func(url string) { recursive(url, 3) }) }
func TestDeferred(t *testing.T)             { leaks(t, deferred) }
func TestLoop(t *testing.T)                 { leaks(t, func(url string) { (&Client{}).each(url) }) }
func TestLoopClosure(t *testing.T)          { leaks(t, func(url string) { (&Client{}).eachByClosure(url) }) }
func TestLibrary(t *testing.T)              { leaks(t, func(url string) { lib.Fetcher(url)() }) }

func TestGeneric(t *testing.T) {
	leaks(t, func(url string) {
		decode[int /* TYPE */](url)
		(&Box[int /* TYPE */]{}).Get(url)
	})
}

func TestSubtests(t *testing.T) {
	t.Run("row 1", func(t *testing.T) { leaks(t, (&Client{}).Get) })
	t.Run("row 2", func(t *testing.T) {
		// ABOVE
		leaks(t, func(url string) { func() { http.Get(url) }() })
	})
}

func TestHandler(t *testing.T) {
	backend := serve(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(&Client{}).Get(backend)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(leakcheck.Verify(t, leakcheck.Wait(50e6)))
	if resp, err := srv.Client().Get(srv.URL); err == nil {
		resp.Body.Close()
	}
	srv.Client().CloseIdleConnections()
}

func TestHandlerOfAChild(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.Wait(50e6)))
	stop, reached := make(chan int), make(chan int)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start(stop)
		close(reached)
	}))
	if resp, err := srv.Client().Get(srv.URL); err == nil {
		resp.Body.Close()
	}
	<-reached
	srv.Close()
}

func TestGoroutine(t *testing.T) { leaks(t, func(string) { start(make(chan int)) }) }

func TestGoroutineOfMethod(t *testing.T) {
	leaks(t, func(string) {
		w := &worker{stop: make(chan int)}
		w.start()
		w.startWithArguments()
		w.startValue()
		w.startMethodValue()
		w.startInLoop()
	})
}

func TestGoroutineOfClosure(t *testing.T) { leaks(t, func(string) { starter(make(chan int))() }) }

func TestGoroutineOfGeneric(t *testing.T) {
	leaks(t, func(string) {
		var v int /* TYPE */
		startPump(make(chan int), v)
	})
}

func TestGoroutineOfLibrary(t *testing.T) { leaks(t, func(string) { lib.Start(make(chan int)) }) }

func TestListener(t *testing.T) { leaks(t, func(string) { listen() }) }

func TestConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	kept = append(kept, l)
	t.Cleanup(leakcheck.Verify(t, leakcheck.Wait(50e6)))
	dial(l.Addr().String())
}

func TestProcess(t *testing.T) { leaks(t, func(string) { child() }) }

// TestRows is the last: a connection that nobody closes may be a pool's while one is open.
func TestRows(t *testing.T) {
	sql.Register("fake", fake{})
	db, err := dbcheck.Open("fake", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dbcheck.Verify(t, db))
	list(db)
}
