package sweep

import (
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

func TestMain(m *testing.M) {
	switch os.Getenv("SWEEP_MAIN") {
	case "main":
		os.Exit(leakcheck.Main(m))
	default:
		os.Exit(m.Run())
	}
}

// few are scenarios enough to see what becomes of a call.
var few = mockserver.Only("ok", "alb-403-html", "nginx-404-html")

// in says whether the scenario is the one that misbehaves.
func in(t *testing.T, scenario string) bool { return strings.HasSuffix(t.Name(), "/"+scenario) }

// send is a request of a client without a fault.
func send(t *testing.T, baseURL string) int { return sendBy(shared, baseURL) }

func sendBy(c *http.Client, baseURL string) int {
	resp, err := c.Get(baseURL + "/session")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	drain(resp.Body)
	return resp.StatusCode
}

func leak(baseURL string) {
	resp, err := patient.Get(baseURL + "/session") // LINE leak
	_, _ = resp, err
}

func TestCallFails(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		if code := send(t, baseURL); code != 200 {
			t.Fatalf("the status is %d", code)
		}
	}, few)
}

func TestCallFailsAndLeaks(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		leak(baseURL)
		if !in(t, "ok") {
			t.Error("not ok")
		}
	}, few)
}

func TestCallSkips(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		if send(t, baseURL) == 404 {
			t.Skip("not for a 404")
		}
	}, few)
}

func TestCallExits(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		if send(t, baseURL) == 404 {
			runtime.Goexit()
		}
	}, few)
}

func TestCallPanics(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		if send(t, baseURL) == 403 {
			panic("first line\nsecond line") // LINE panic
		}
	}, few)
}

func TestCallCleansUp(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		c := &http.Client{Transport: &http.Transport{}}
		resp, err := c.Get(baseURL)
		if err == nil {
			t.Cleanup(func() { resp.Body.Close() })
		}
		done := make(chan struct{})
		go func() { <-done }()
		t.Cleanup(func() { close(done) })
		t.Cleanup(c.CloseIdleConnections)
	}, few)
}

func TestCallRunsSubtests(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		t.Run("inner", func(t *testing.T) {
			send(t, baseURL)
			if in(t, "alb-403-html/inner") {
				leak(baseURL)
			}
		})
	}, few)
}

func TestCallIsParallel(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		t.Parallel()
		send(t, baseURL)
	}, few)
}

func TestCallNeverReturns(t *testing.T) {
	var over atomic.Bool
	told := make(chan struct{})
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		send(t, baseURL)
		if in(t, "alb-403-html") {
			defer close(told)
			for !over.Load() {
				time.Sleep(time.Second) // LINE sleeps
			}
			t.Error("too late for anybody to hear")
		}
	}, few, mockserver.Deadline(300*time.Millisecond))
	over.Store(true)
	<-told
}

func TestCallAlwaysHangs(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		send(t, baseURL)
		select {} // LINE always
	}, mockserver.Deadline(10*time.Millisecond), mockserver.Only("alb-*", "nginx-*"))
}

func TestCallWaitsForItsOwn(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		var wg sync.WaitGroup
		wg.Add(1)
		go func() { // LINE own
			defer wg.Done()
			resp, err := patient.Get(baseURL) // LINE own-get
			if err == nil {
				resp.Body.Close()
			}
		}()
		wg.Wait() // LINE own-wait
	}, mockserver.Only("ok", "stall-no-reply"), mockserver.Deadline(300*time.Millisecond))
}

func TestCleanupHangs(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if resp, err := patient.Get(baseURL); err == nil {
				resp.Body.Close()
			}
		}()
		t.Cleanup(func() { <-done })
	}, mockserver.Only("ok", "stall-no-reply"), mockserver.Deadline(300*time.Millisecond))
}

func TestNoRequest(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {}, few)
}

func TestTarget(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		resp, err := shared.Get(baseURL + "/token")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 201 {
			t.Fatalf("token: %d", resp.StatusCode)
		}
		leak(baseURL)
	}, few, mockserver.Target("GET", "/session"), mockserver.Setup(func(srv *mockserver.Server) {
		srv.On("GET", "/token").Reply(mockserver.Text(201, "token"))
		srv.On("GET", "/never-asked-for").Reply(mockserver.Status(200))
	}))
}

func TestTargetNotCalled(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { send(t, baseURL) },
		few, mockserver.Target("POST", "/login"), mockserver.Setup(func(srv *mockserver.Server) {
			srv.On("GET", "/session").Reply(mockserver.Status(200))
		}))
}

func TestUnexpectedRequest(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		send(t, baseURL)
		if resp, err := shared.Get(baseURL + "/token"); err == nil {
			resp.Body.Close()
		}
	}, few, mockserver.Target("GET", "/session"))
}

func TestStubTwice(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { send(t, baseURL) },
		few, mockserver.Target("GET", "/session"), mockserver.Setup(func(srv *mockserver.Server) {
			srv.On("GET", "/session").Reply(mockserver.Status(200))
		}))
}

func TestRepeat(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { leak(baseURL) },
		mockserver.Only("alb-403-html", "seq-503-ok"), mockserver.Repeat(3))
}

// ---- Several at once: what is one scenario's must not be another's.

var spread = mockserver.Only("ok", "alb-*", "nginx-*")

func TestParallelBody(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		send(t, baseURL)
		if in(t, "nginx-404-html") || in(t, "alb-502-html") {
			leak(baseURL)
		}
	}, spread, mockserver.Parallel(8))
}

func TestParallelGoroutine(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		send(t, baseURL)
		if in(t, "nginx-404-html") {
			go func() { select {} }() // LINE blocked
		}
	}, spread, mockserver.Parallel(8))
}

func TestParallelDial(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		send(t, baseURL)
		if in(t, "nginx-404-html") {
			nc, err := net.Dial("tcp", strings.TrimPrefix(baseURL, "http://"))
			if err != nil {
				t.Error(err)
			}
			kept = append(kept, nc)
		}
	}, spread, mockserver.Parallel(8))
}

var (
	kept    []net.Conn
	listens []net.Listener
)

func TestParallelListener(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		send(t, baseURL)
		if in(t, "nginx-404-html") {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
			}
			listens = append(listens, l)
		}
	}, spread, mockserver.Parallel(8))
}

func TestParallelFixed(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		sendBy(careful(t), baseURL)
		done := make(chan struct{})
		go func() { time.Sleep(3 * time.Millisecond); close(done) }()
		<-done
	}, mockserver.Parallel(16))
}

// ---- Beside other tests.

func TestBeside(t *testing.T) {
	for _, name := range []string{"a", "b", "c"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
			defer c.CloseIdleConnections()
			mockserver.Sweep(t, func(t *testing.T, baseURL string) {
				resp, err := c.Get(baseURL)
				if err == nil && !(name == "b" && in(t, "alb-403-html")) {
					drain(resp.Body)
					resp.Body.Close()
				}
			}, spread)
		})
	}
}

func TestVerified(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { leak(baseURL) }, few)
}

func TestVerifiedFixed(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { sendBy(careful(t), baseURL) })
}

// ---- A goroutine that was there before sends the requests.

func TestWorker(t *testing.T)      { work(t, false) }
func TestWorkerFixed(t *testing.T) { work(t, true) }

func work(t *testing.T, closes bool) {
	type job struct {
		url  string
		done chan struct{}
	}
	jobs := make(chan job)
	t.Cleanup(func() { close(jobs) })
	c := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(c.CloseIdleConnections)
	go func() {
		for j := range jobs {
			if resp, err := c.Get(j.url); err == nil && closes { // LINE worker
				drain(resp.Body)
				resp.Body.Close()
			}
			close(j.done)
		}
	}()
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		j := job{baseURL, make(chan struct{})}
		jobs <- j
		<-j.done
	}, mockserver.Only("ok", "alb-403-html", "fault-reset*"))
}

// ---- Options.

func TestOptionsWrong(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {},
		nil,
		mockserver.Only(), mockserver.Without(), mockserver.Only("alb-["), mockserver.Codes(), mockserver.Repeat(0),
		mockserver.Deadline(0), mockserver.Parallel(0), mockserver.Parallel(1000), mockserver.BodyLimit(0), mockserver.RequestLimit(0),
		mockserver.Setup(nil), mockserver.Target("GET", "no slash"), mockserver.Success(mockserver.ALB(404)), mockserver.Success(mockserver.Reply{}),
	)
}

func TestOptionNoName(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {}, mockserver.Only("alb-403"))
}

func TestOptionNoCode(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {}, mockserver.Codes(418))
}

func TestOptionNothing(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {}, mockserver.Only("ok"), mockserver.Without("ok*"))
}

func TestOptionLeakcheck(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {}, mockserver.Check(leakcheck.Wait(-1)))
}

func TestOptionNilCall(t *testing.T) {
	mockserver.Sweep(t, nil)
	mockserver.SweepResponder(t, nil)
	mockserver.SweepResponder(t, func(*testing.T, func(*http.Request) (*http.Response, error)) {}, mockserver.Setup(func(*mockserver.Server) {}))
}

func TestOptionIgnores(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { leak(baseURL) }, few,
		mockserver.Check(leakcheck.Ignore("on purpose", leakcheck.KindIs(leakcheck.HTTPResponse))))
}

func TestOptionCodes(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { leak(baseURL) }, mockserver.Codes(403), mockserver.Without("*-old-*", "cloud*"))
}

// ---- A scenario whose reply is never sent proves nothing.

// The session is kept from the first call on.
func TestKeepsState(t *testing.T) {
	var once sync.Once
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { once.Do(func() { send(t, baseURL) }) }, few)
}

func TestKeepsStateTarget(t *testing.T) {
	var once sync.Once
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		once.Do(func() { send(t, baseURL) })
		if resp, err := shared.Get(baseURL + "/token"); err == nil {
			resp.Body.Close()
		}
	}, few, mockserver.Target("GET", "/session"), mockserver.Setup(func(srv *mockserver.Server) {
		srv.On("GET", "/token").Reply(mockserver.Text(201, "token"))
	}))
}

func TestSetupTakesAll(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { send(t, baseURL) }, few, mockserver.Setup(func(srv *mockserver.Server) {
		srv.On("GET", "/session").Reply(mockserver.Text(200, "taken"))
	}))
}

func TestKeepsStateSkips(t *testing.T) {
	var once sync.Once
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		sent := false
		once.Do(func() { send(t, baseURL); sent = true })
		if !sent {
			t.Skip("the session is known")
		}
	}, few)
}

func TestSkipsAll(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { t.Skip("not today") }, few)
	t.Error("so that the log is shown")
}

// ---- The limit of requests is that of one call.

// Forty requests are within it, also where the call is made four times.
func TestLimitEachCall(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		for range 40 {
			sendBy(shared, baseURL)
		}
	}, mockserver.Only("ok*", "alb-403-html"), mockserver.Repeat(2))
}

func TestLimitOnce(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		for range 5 {
			send(t, baseURL)
		}
	}, mockserver.Only("ok-four-calls"), mockserver.RequestLimit(4))
}

// net/http follows a 302 after a POST with a GET.
func TestTargetRedirected(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		resp, err := careful(t).Post(baseURL+"/login", "text/plain", strings.NewReader("me"))
		if err == nil {
			drain(resp.Body)
			resp.Body.Close()
		}
	}, mockserver.Only("ok", "redirect-*"), mockserver.Repeat(2), mockserver.Target("POST", "/login"))
}

func TestTargetRedirectedLeak(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		resp, err := patient.Post(baseURL+"/login", "text/plain", strings.NewReader("me"))
		if err == nil && !in(t, "redirect-302-then-403") {
			resp.Body.Close()
		}
	}, mockserver.Only("redirect-302-then-403"), mockserver.Target("POST", "/login"))
}
