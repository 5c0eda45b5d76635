package leakcheck_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// stock is a pool of whose workers a test says how many are out.
type stock struct {
	held []uint64
	next uint64
}

// hold lets n workers be out: those that were taken last go first.
func (s *stock) hold(n int) {
	for len(s.held) < n {
		s.next++
		s.held = append(s.held, s.next)
	}
	s.held = s.held[:n]
}

// renew gives the oldest worker back and takes another.
func (s *stock) renew() {
	s.next++
	s.held = append(s.held[1:], s.next)
}

func (s *stock) option() leakcheck.Option {
	return leakcheck.Join(leakcheck.Wait(0), leakcheck.Instead(&probe{"worker",
		func() ([]uint64, error) { return s.held, nil },
		func(uint64) (leakcheck.Leak, bool) { return leakcheck.Leak{Summary: "worker was not returned"}, true },
	}))
}

// TestRepeatShapes: what grows with every run fails the test, as early as it is clear, and nothing else does.
func TestRepeatShapes(t *testing.T) {
	for _, c := range []struct {
		shape string
		n     int
		held  func(run int) int // 0 is the warm-up
		runs  int               // that are made, the warm-up included
		fails string            // what the summary goes on with; "" when it passes
		logs  string
	}{
		{"nothing", 10, func(int) int { return 0 }, 9, "", ""},
		{"a constant offset", 10, func(int) int { return 4 }, 9, "", ""},
		{"nothing in three", 3, func(int) int { return 0 }, 4, "", ""},
		{"one in each of three", 3, func(i int) int { return i }, 4, "1 more after each of 3 runs", ""},
		{"two in each of ten: clear after seven", 10, func(i int) int { return 2 * i }, 8, "2 more after each of 7 runs", ""},
		{"and of a thousand", 1000, func(i int) int { return i }, 8, "1 more after each of 7 runs", ""},
		{"a cache that fills for five", 10, func(i int) int { return min(i, 5) }, 11, "", ""},
		{"a cache that the warm-up fills", 10, func(int) int { return 50 }, 9, "", ""},
		{"every second", 10, func(i int) int { return i / 2 }, 11, "5 more after 10 runs: 5 of them left something", ""},
		{"every third", 10, func(i int) int { return i / 3 }, 11, "3 more after 10 runs: 3 of them left something", ""},
		{"one in ten of thirty", 30, func(i int) int { return i / 10 }, 31, "3 more after 30 runs: 3 of them left something", ""},
		{"from the sixth on", 10, func(i int) int { return max(0, i-5) }, 11, "1 more after each of the last 5 of 10 runs", ""},
		{"alternating", 10, func(i int) int { return i % 2 }, 9, "", ""},
		{"filled and drained", 10, func(i int) int { return i % 5 }, 11, "", ""},
		{"two of three", 3, func(i int) int { return []int{0, 1, 1, 2}[i] }, 4, "",
			"leakcheck: Repeat: undecided after 3 runs, more of them would tell: worker was not returned: 0 before, and after each run: 1 1 2  ▄▄█"},
	} {
		t.Run(c.shape, func(t *testing.T) {
			s := &stock{}
			r := &recorder{name: "TestFake"}
			runs := 0
			leakcheck.Repeat(r, c.n, func() { s.hold(c.held(runs)); runs++ }, s.option())
			assert.LessOrEqual(t, runs, c.runs)
			if c.fails == "" {
				assert.Empty(t, r.errs)
			} else {
				require.Len(t, r.errs, 1)
				assert.Equal(t, c.runs, runs)
				assert.Contains(t, r.errs[0], "worker was not returned: "+c.fails)
				assert.Contains(t, r.errs[0], "  LK601 worker ")
				assert.Contains(t, r.errs[0], "what each run leaves is LK501")
			}
			assert.Equal(t, c.logs, strings.Join(r.logs, "\n"))
		})
	}
}

// TestRepeatWarmUp: what it leaves is not judged, and of none each run counts.
func TestRepeatWarmUp(t *testing.T) {
	for _, c := range []struct {
		opt   leakcheck.Option
		held  []int
		fails bool
	}{
		{nil, []int{9, 9, 9, 9}, false},
		{leakcheck.WarmUp(2), []int{1, 2, 2, 2, 2}, false},
		{leakcheck.WarmUp(2), []int{1, 2, 3, 4, 5}, true},
		{leakcheck.WarmUp(0), []int{1, 2, 3}, true},
		{leakcheck.WarmUp(0), []int{2, 2, 2}, false},
	} {
		s := &stock{}
		r := &recorder{name: "TestFake"}
		runs := 0
		leakcheck.Repeat(r, 3, func() { s.hold(c.held[runs]); runs++ }, s.option(), c.opt)
		assert.Equal(t, c.fails, len(r.errs) == 1, "%v: %s", c.held, r.errors())
		assert.Equal(t, len(c.held), runs)
	}
}

// TestRepeatTurnover: what takes the place of what was there before is no growth, however often it is new.
func TestRepeatTurnover(t *testing.T) {
	s := &stock{}
	s.hold(20)
	r := &recorder{name: "TestFake"}
	leakcheck.Repeat(r, 10, s.renew, s.option())
	assert.Empty(t, r.errs)

	r = &recorder{name: "TestFake"}
	leakcheck.Repeat(r, 10, func() { s.renew(); s.hold(len(s.held) + 1) }, s.option())
	require.Len(t, r.errs, 1, "and with a leak it is")
}

// forbidden is a server whose every answer has a body.
func forbidden(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, strings.Repeat("<h1>403 Forbidden</h1>", 50))
	}))
	t.Cleanup(srv.Close)
	return srv
}

func forget(url string) *http.Response { // a client that forgets to close
	resp, err := http.Get(url + "/session")
	if err != nil {
		return nil
	}
	return resp
}

// What differs from machine to machine, and from one Go version to the next.
var (
	limitOfFiles = regexp.MustCompile(`; \d+ more runs and the process has its \d+ descriptors open`)
	closureNames = regexp.MustCompile(`\.func\d[\d.]*`)
)

// TestRepeatNames: the entry stands at the line that took it, says what each run leaves, and when there is no more.
func TestRepeatNames(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	srv := forbidden(t)
	for _, c := range []struct {
		golden string
		fn     func()
	}{
		{"repeat-goroutine", func() { startOne(stop) }},
		{"repeat-body", func() {
			if resp := forget(srv.URL); assert.NotNil(t, resp) {
				t.Cleanup(func() { resp.Body.Close() }) // other tests count what the process holds
			}
		}},
		{"repeat-idle", func() { // one transport in each run, and none of them closed
			c := &http.Client{Transport: &http.Transport{}}
			resp, err := c.Get(srv.URL)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}},
	} {
		t.Run(c.golden, func(t *testing.T) {
			r := &recorder{name: "TestFake"}
			leakcheck.Repeat(r, 3, c.fn)
			assert.Empty(t, r.logs)
			if strings.Contains(r.errors(), "each holds  socket") { // which uses up descriptors
				assert.Regexp(t, limitOfFiles, r.errors())
			}
			text := limitOfFiles.ReplaceAllString(r.errors(), "")
			golden(t, c.golden, closureNames.ReplaceAllString(text, ".func*"))
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestRepeatClean: what is given back, and what is started once, is no leak.
func TestRepeatClean(t *testing.T) {
	srv := forbidden(t)
	stop := make(chan struct{})
	defer close(stop)
	var once sync.Once
	r := &recorder{name: t.Name()}
	leakcheck.Repeat(r, 10, func() {
		once.Do(func() { startOne(stop) })
		resp, err := http.Get(srv.URL)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		done := make(chan struct{})
		go func() { close(done) }()
	})
	assert.Empty(t, r.errs)
	assert.Empty(t, r.logs)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestRepeatInVerify: the check around it does not report what Repeat has, that of the warm-up included, and reports what was left once.
func TestRepeatInVerify(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	r := &recorder{name: "TestFake"}
	done := leakcheck.Verify(r)
	leakcheck.Repeat(r, 3, func() { startOne(stop) })
	require.Len(t, r.errs, 1)
	r.failed = false // so that the check judges
	done()
	assert.Len(t, r.errs, 1, r.errors())

	r = &recorder{name: "TestFake"}
	done = leakcheck.Verify(r)
	runs := 0
	leakcheck.Repeat(r, 10, func() {
		if runs++; runs <= 3 {
			startOne(stop)
		}
	})
	assert.Empty(t, r.errs)
	done()
	require.Len(t, r.errs, 1)
	assert.Contains(t, r.errs[0], "leakcheck: 3 leaks: goroutine leakcheck_test.waitOne has not ended (×3)")
}

// TestRepeatBeside: what another test does meanwhile is not counted.
func TestRepeatBeside(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	step, end := make(chan struct{}), make(chan struct{})
	clean, leaks := &recorder{name: "TestClean"}, &recorder{name: "TestLeaks"}
	var both sync.WaitGroup
	both.Go(func() {
		leakcheck.Repeat(clean, 3, func() { step <- struct{}{}; <-step })
		<-end // that the other does not run alone
	})
	both.Go(func() {
		runs := 0
		leakcheck.Repeat(leaks, 3, func() {
			<-step
			startOne(stop)
			step <- struct{}{}
			runs++
		})
		close(end)
		assert.Equal(t, 4, runs)
	})
	both.Wait()
	assert.Empty(t, clean.errs)
	require.Len(t, leaks.errs, 1)
	assert.Contains(t, leaks.errs[0], "goroutine leakcheck_test.waitOne has not ended: 1 more after each of 3 runs (×3)")
}

// TestRepeatEnds: fn that fails the test, or ends it, is not judged, and a panic goes on.
func TestRepeatEnds(t *testing.T) {
	for _, c := range []struct {
		why  string
		in   int // the run that ends it; 1 is the warm-up
		end  func(r *recorder)
		want string
	}{
		{"fails", 3, func(r *recorder) { r.Errorf("by itself") }, "leakcheck: Repeat: not judged, because run 2 of 3 failed the test"},
		{"fails in the warm-up", 1, func(r *recorder) { r.Errorf("by itself") }, "leakcheck: Repeat: not judged, because the warm-up run failed the test"},
		{"ends", 2, func(*recorder) { panic(errEnd) }, "leakcheck: Repeat: not judged, because run 1 of 3 ended the test"},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := &stock{}
			r := &recorder{name: "TestFake"}
			func() {
				defer func() {
					if p := recover(); c.why == "ends" {
						assert.Equal(t, errEnd, p)
					}
				}()
				leakcheck.Repeat(r, 3, func() {
					s.hold(len(s.held) + 1)
					if len(s.held) == c.in {
						c.end(r)
					}
				}, s.option())
			}()
			assert.Equal(t, []string{c.want}, r.logs)
			assert.NotContains(t, r.errors(), "LK601")
			assert.Len(t, s.held, c.in)
		})
	}
	t.Run("FailNow", func(t *testing.T) {
		r := &recorder{name: "TestFake"}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			leakcheck.Repeat(r, 3, func() { require.NoError(goexit{r}, errEnd) })
		}()
		<-ended
		assert.Equal(t, []string{"leakcheck: Repeat: not judged, because the warm-up run ended the test"}, r.logs)
		assert.Len(t, r.errs, 1)
	})
	t.Run("has failed", func(t *testing.T) {
		r := &recorder{name: "TestFake", failed: true}
		leakcheck.Repeat(r, 3, func() { t.Error("it is not run") })
		assert.Equal(t, []string{"leakcheck: Repeat: not run, because the test has failed before"}, r.logs)
	})
	t.Run("deadline", func(t *testing.T) {
		s := &stock{}
		r := &recorder{name: "TestFake", deadline: time.Now().Add(-time.Second)}
		leakcheck.Repeat(r, 1000, func() { s.hold(len(s.held) + 1) }, s.option())
		assert.Len(t, s.held, 2)
		assert.Equal(t, "leakcheck: Repeat: stopped after 1 of 1000 runs, because the test's deadline is near", r.logs[0])
		assert.Empty(t, r.errs)
	})
}

var errEnd = errors.New("the end")

// goexit is a T whose FailNow ends the goroutine, as that of testing.
type goexit struct{ *recorder }

func (goexit) FailNow() { runtime.Goexit() }

// TestRepeatRefuses: wrong arguments fail the test, and fn is not run.
func TestRepeatRefuses(t *testing.T) {
	fn := func() { t.Error("it is not run") }
	for want, call := range map[string]func(r *recorder){
		"leakcheck.Repeat: n is 2: fewer than 3 runs do not show growth; use 3, or 10 to tell a leak from a cache that fills": func(r *recorder) { leakcheck.Repeat(r, 2, fn) },
		"leakcheck.Repeat: fn is nil: pass the function that is to be run again and again":                                    func(r *recorder) { leakcheck.Repeat(r, 3, nil) },
		"leakcheck.WarmUp(-1): the number of runs is negative: use 0 for none":                                                func(r *recorder) { leakcheck.Repeat(r, 3, fn, leakcheck.WarmUp(-1)) },
		"leakcheck.Wait(-1ns): the wait is negative: use 0 to look once, or a time such as 2*time.Second":                     func(r *recorder) { leakcheck.Repeat(r, 3, fn, leakcheck.Wait(-1)) },
		"leakcheck.WarmUp is for Repeat alone: leave it out":                                                                  func(r *recorder) { leakcheck.Verify(r, leakcheck.WarmUp(2))() },
	} {
		r := &recorder{name: "TestFake"}
		call(r)
		assert.Equal(t, []string{want}, r.errs)
	}
	assert.EqualError(t, leakcheck.Check(leakcheck.WarmUp(1)), "leakcheck.WarmUp is for Repeat alone: leave it out")
	assert.EqualError(t, leakcheck.Take(leakcheck.WarmUp(1)).Err(), "leakcheck.WarmUp is for Repeat alone: leave it out")
}

// TestRepeatOptions are those of Verify.
func TestRepeatOptions(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	leak := func() { startOne(stop) }
	r := &recorder{name: "TestFake"}
	leakcheck.Repeat(r, 3, leak, leakcheck.Ignore("on purpose", leakcheck.Func("leakcheck_test.waitOne")))
	assert.Empty(t, r.errs)
	assert.Equal(t, []string{"leakcheck: ignored 3: on purpose"}, r.logs)

	r = &recorder{name: "TestFake"}
	leakcheck.Repeat(r, 3, leak, leakcheck.Without(leakcheck.Goroutine))
	assert.Empty(t, r.errs)
	assert.Empty(t, r.logs)

	r = &recorder{name: "TestFake"}
	leakcheck.Repeat(r, 3, func() {}, pool("redis", 4, 4), leakcheck.HighWater(0.5))
	require.Len(t, r.errs, 1, "a budget holds for all runs together")
	assert.Contains(t, r.errs[0], "the pool had 4 of its 4 connections out at once, and the budget is 50%")

	r = &recorder{name: "TestFake"}
	runs := 0
	leakcheck.Repeat(r, 3, func() { runs++ }, leakcheck.With(&probe{"worker", func() ([]uint64, error) {
		if runs == 2 {
			return nil, errEnd
		}
		return nil, nil
	}, nil}))
	assert.Equal(t, []string{`leakcheck: probe "worker" could not list what is held: the end`}, r.errs)
}

// TestRepeatTwoPools of one kind are counted apart.
func TestRepeatTwoPools(t *testing.T) {
	a, b := &stock{}, &stock{}
	r := &recorder{name: "TestFake"}
	runs := 0
	leakcheck.Repeat(r, 10, func() {
		if runs++; runs%2 == 0 {
			a.hold(min(len(a.held)+1, 4))
		} else {
			b.hold(min(len(b.held)+1, 4))
		}
	}, a.option(), b.option())
	assert.Empty(t, r.errs, "two that fill are not one that grows")
}

// TestRepeatLimit: of a pool whose size is known it is said when all of it is out, the warm-up's share included.
func TestRepeatLimit(t *testing.T) {
	srv := forbidden(t)
	tr := &http.Transport{MaxConnsPerHost: 10}
	c := &http.Client{Transport: httpcheck.Instrument(tr)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &recorder{name: "TestFake"}
	leakcheck.Repeat(r, 3, func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
		require.NoError(t, err)
		_, err = c.Do(req)
		require.NoError(t, err)
	})
	require.Len(t, r.errs, 1)
	assert.Regexp(t, `; 6 more runs and the 10 connections of .* are all out\n`, r.errs[0])
}

// TestRepeatEmptiesPool: a leak that has taken all connections of its pool is one, though it grows no more, and the run that would
// wait for a connection for ever is not begun. A cache of as many is none as long as one connection is left, nor when its
// connections lead to several hosts, of which each has a limit of its own.
func TestRepeatEmptiesPool(t *testing.T) {
	for _, c := range []struct {
		why     string
		keep    int // connections that fn keeps; 0 for all it can get
		servers int
		runs    int
		want    string
	}{
		{"each run leaves one", 0, 1, 4, `1 more after each of 4 runs \(×4\)\n.*stopped after 4 of 10 runs(?s:.*); now the 5 connections of .* are all out\n`},
		{"one connection is left", 4, 1, 10, ""},
		{"each host has its own limit", 5, 5, 10, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			var urls []string
			for range c.servers {
				urls = append(urls, forbidden(t).URL)
			}
			client := &http.Client{Transport: httpcheck.Instrument(&http.Transport{MaxConnsPerHost: 5})}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := &recorder{name: "TestFake"}
			runs := 0
			leakcheck.Repeat(r, 10, func() {
				if runs++; c.keep > 0 && runs > c.keep {
					return
				}
				require.Less(t, runs, 6, "the sixth waits for ever")
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, urls[runs%len(urls)], nil)
				require.NoError(t, err)
				_, err = client.Do(req)
				require.NoError(t, err)
			})
			if c.want == "" {
				assert.Empty(t, r.errs)
				return
			}
			require.Len(t, r.errs, 1)
			assert.Regexp(t, c.want, r.errs[0])
			assert.Equal(t, c.runs+1, runs)
		})
	}
}

// TestRepeatReported: a report and a baseline know what Repeat found as they know what Verify found.
func TestRepeatReported(t *testing.T) {
	const test, alone = "leak TestRepeat failed LK601×3", "leak TestRepeatAlone failed LK601×3"
	entry := strings.NewReplacer("| user |", "| growth of user |", "LK102", "LK601")
	for _, c := range []struct {
		why, file, main string
		args            []string
		passes          bool
		want            string
	}{
		{"fails, once", "", "", []string{"-test.run=TestRepeat$"}, false, lines("test TestRepeat leaked", test)},
		{"without Verify", "", "", []string{"-test.run=TestRepeatAlone$"}, false, lines("test TestRepeatAlone leaked", alone)},
		{"and Main has no more of it", "", "main", []string{"-test.run=TestRepeatAlone$"}, false, lines("test TestRepeatAlone leaked", alone, "end 1")},
		{"the baseline has it", stanza("TestRepeat", "3", ""), "", []string{"-test.run=TestRepeat$", "-test.count=2"}, true,
			lines("test TestRepeat passed", "test TestRepeat passed", "leak TestRepeat known LK601×3 allowed 3", "leak TestRepeat known LK601×3 allowed 3")},
		{"a panic goes on", "", "", []string{"-test.run=TestRepeatPanics"}, false, lines("test TestRepeatPanics failed")},
		{"beside parallel tests each has its own", "", "", []string{"-test.run=TestRepeatParallel", "-test.parallel=8"}, false, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			s, err := theShop()
			require.NoError(t, err)
			if c.file != "" {
				path := filepath.Join(s.dir, "leakgate.baseline")
				require.NoError(t, os.WriteFile(path, []byte(entry.Replace(c.file)), 0o644))
				defer os.Remove(path)
			}
			out, passed, f := shopRun{main: c.main, args: c.args}.one(t)
			assert.Equal(t, c.passes, passed, out)
			if c.want != "" {
				assert.Equal(t, c.want, outline(f), out)
				return
			}
			got := outline(f) // in any order
			for _, line := range []string{"test TestRepeatParallel/a passed", "test TestRepeatParallel/b leaked", "leak TestRepeatParallel/b failed LK601×3"} {
				assert.Contains(t, got, line+"\n", out)
			}
			assert.Equal(t, 1, strings.Count(got, "LK"), got)
		})
	}
}

// TestRepeatInBubble: where no time passes.
func TestRepeatInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		r := &recorder{name: t.Name()}
		leakcheck.Repeat(r, 3, func() { startOne(stop) })
		require.Len(t, r.errs, 1)
		assert.Contains(t, r.errs[0], "1 more after each of 3 runs")
		r = &recorder{name: t.Name()}
		leakcheck.Repeat(r, 10, func() { time.Sleep(time.Hour) })
		assert.Empty(t, r.errs)
		close(stop)
		synctest.Wait()
	})
}

// TestRepeatInBenchmark: it works there as well.
func TestRepeatInBenchmark(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	for _, leaks := range []bool{false, true} {
		r := &recorder{name: "BenchmarkFake"}
		testing.Benchmark(func(b *testing.B) {
			leakcheck.Repeat(benchmark{b, r}, 3, func() {
				if leaks {
					startOne(stop)
				}
			})
			b.SkipNow() // once is enough
		})
		assert.Equal(t, leaks, r.Failed())
	}
}

// benchmark is one whose failures are recorded.
type benchmark struct {
	*testing.B
	r *recorder
}

func (b benchmark) Name() string                      { return b.r.name }
func (b benchmark) Errorf(format string, args ...any) { b.r.Errorf(format, args...) }
func (b benchmark) Failed() bool                      { return b.r.Failed() }

// BenchmarkRepeat is what one Repeat of ten clean runs costs, of which nine are made: nothing is started, or a goroutine that
// ends in each run; and of a leak, most of which is the wait.
func BenchmarkRepeat(b *testing.B) {
	b.Run("idle", func(b *testing.B) {
		for b.Loop() {
			leakcheck.Repeat(b, 10, func() {})
		}
	})
	b.Run("goroutine", func(b *testing.B) {
		for b.Loop() {
			leakcheck.Repeat(b, 10, func() {
				done := make(chan struct{})
				go func() { close(done) }()
				<-done
			})
		}
	})
	b.Run("leak", func(b *testing.B) {
		stop := make(chan struct{})
		defer close(stop)
		for b.Loop() {
			leakcheck.Repeat(&recorder{name: b.Name()}, 10, func() { startOne(stop) })
		}
	})
}
