package mockserver

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
)

// SweepOption changes what Sweep and SweepResponder do. A nil SweepOption is ignored. An option that is wrong fails the
// test, and nothing is run.
type SweepOption func(*sweepConfig)

const (
	defaultDeadline     = 2 * time.Second
	defaultBodyLimit    = 16 << 20 // bytes
	defaultRequestLimit = 50
	mostParallel        = 256
)

type sweepConfig struct {
	only, without []string
	codes         []int
	repeat        int
	deadline      time.Duration
	parallel      int
	bodyLimit     int64
	requestLimit  int
	setup         []func(*Server)
	method, path  string // of the target
	target        bool
	success       Reply
	successExpr   string
	serve         []Option
	check         []leakcheck.Option
	errs          []error
}

func defaultSweep() sweepConfig {
	return sweepConfig{
		repeat: 1, deadline: defaultDeadline, parallel: 1, bodyLimit: defaultBodyLimit, requestLimit: defaultRequestLimit,
		success: JSON(200, map[string]any{}), successExpr: "mockserver.JSON(200, map[string]any{})",
	}
}

func (c *sweepConfig) wrong(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// Only runs the scenarios whose name matches one of the patterns, as path.Match has them: Only("alb-*", "fault-*"). Given
// more than once, the patterns add up. A pattern that matches no scenario is an error.
func Only(patterns ...string) SweepOption {
	return func(c *sweepConfig) { c.patterns(&c.only, "Only", patterns) }
}

// Without leaves the scenarios out whose name matches one of the patterns. It wins over Only. A pattern that matches no
// scenario is an error.
func Without(patterns ...string) SweepOption {
	return func(c *sweepConfig) { c.patterns(&c.without, "Without", patterns) }
}

func (c *sweepConfig) patterns(to *[]string, name string, patterns []string) {
	if len(patterns) == 0 {
		c.wrong("%s(): no pattern; leave the option out, or write %s(\"alb-*\")", name, name)
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			c.wrong("%s(%q): not a pattern: %v; write a name, or a part of it and a star: \"alb-*\"", name, p, err)
			continue
		}
		*to = append(*to, p)
	}
}

// Codes runs only the scenarios whose first reply has one of the status codes. Faults that send no status are left out. A
// code that no scenario has is an error.
func Codes(codes ...int) SweepOption {
	return func(c *sweepConfig) {
		if len(codes) == 0 {
			c.wrong("Codes(): no status code; leave the option out, or write Codes(403, 502)")
		}
		c.codes = append(c.codes, codes...)
	}
}

// Repeat makes the call n times in each scenario, one after the other, before it is looked what is left. It shows what
// grows from call to call: a transport that is made for each. The replies begin anew each time.
func Repeat(n int) SweepOption {
	return func(c *sweepConfig) {
		if n < 1 {
			c.wrong("Repeat(%d): the call is made at least once; leave the option out, or write Repeat(3)", n)
			return
		}
		c.repeat = n
	}
}

// Deadline is how long one call may take, 2 s when it is not given. One that has not returned then is reported as a hang; but
// as long as it computes, sends or reads, it may take five times as long, so that a busy machine is no hang.
func Deadline(d time.Duration) SweepOption {
	return func(c *sweepConfig) {
		if d <= 0 {
			c.wrong("Deadline(%v): a call needs some time; write a time that a call may take, as Deadline(5*time.Second)", d)
			return
		}
		c.deadline = d
	}
}

// Parallel runs n scenarios at once, at most 256. It is for calls that may run beside themselves: that set no environment
// variable, no http.DefaultClient and no variable of a package. Goroutines, responses and connections are attributed to their
// scenario; a listener, a child process, or a goroutine that was started under other pprof labels may not be, and is
// reported for the sweep as a whole then. On Go 1.25, of goroutines with equal stacks only the number is sure,
// and a connection that the call dialled by itself may be taken for one of another scenario's client. The t of a call is not marked as parallel. Without Parallel, one runs at a time.
func Parallel(n int) SweepOption {
	return func(c *sweepConfig) {
		if n < 1 || n > mostParallel {
			c.wrong("Parallel(%d): write how many scenarios run at once, from 1 to %d: Parallel(8)", n, mostParallel)
			return
		}
		c.parallel = n
	}
}

// BodyLimit is how many bytes of a body that never ends a call may read, 16 MiB when it is not given. What is in the
// buffers between server and client is allowed for, 8 MiB, so that a client which stops at the limit is never reported.
func BodyLimit(bytes int64) SweepOption {
	return func(c *sweepConfig) {
		if bytes < 1 {
			c.wrong("BodyLimit(%d): write how many bytes a call may read, as BodyLimit(16<<20)", bytes)
			return
		}
		c.bodyLimit = bytes
	}
}

// RequestLimit is how many requests, or connections where that is more, one call may make, 50 when it is not given.
func RequestLimit(n int) SweepOption {
	return func(c *sweepConfig) {
		if n < 1 {
			c.wrong("RequestLimit(%d): write how many requests a call may send, as RequestLimit(50)", n)
			return
		}
		c.requestLimit = n
	}
}

// Setup is called with the server of each scenario before the call, to add stubs for other endpoints than the one that is
// swept. Where several scenarios run at once, so may it.
func Setup(setup func(srv *Server)) SweepOption {
	return func(c *sweepConfig) {
		if setup == nil {
			c.wrong("Setup(nil): write a function that adds stubs, as Setup(func(srv *mockserver.Server) { srv.On(\"GET\", \"/token\").Reply(mockserver.Text(200, \"t\")) })")
			return
		}
		c.setup = append(c.setup, setup)
	}
}

// Target is the endpoint that is swept, as Server.On has it. Requests for others need a stub, given with Setup. Without
// Target every request gets the scenario's reply that has no more specific stub. After a redirect, which turns a POST into a
// GET, requests for the target's path are answered whatever their method is. A target that is never called in any
// scenario fails the test.
func Target(method, pattern string) SweepOption {
	return func(c *sweepConfig) {
		if _, err := parsePattern(method, pattern); err != nil {
			c.wrong("Target: %v", strings.TrimPrefix(err.Error(), "mockserver: "))
			return
		}
		c.method, c.path, c.target = method, pattern, true
	}
}

// Success is what a good reply looks like, an empty JSON object when it is not given. Scenarios in which a fault comes
// first and a good reply after it, or the other way round, use it: give one that the client goes on from, for example a
// first page that has a next one. Such a page must end, or a client that asks for all pages never does:
// Success(first.Then(last)). Scenarios that change a good reply, such as framing-200-chunked, are left out for a Success with
// a Then.
func Success(reply Reply) SweepOption {
	return func(c *sweepConfig) {
		if err := reply.problem(); err != nil {
			c.wrong("Success: %v", err)
			return
		}
		c.success, c.successExpr = reply, "success"
	}
}

// Serve makes the servers with these options: Serve(mockserver.HTTP2()), for example. With TLS the call needs a client that
// trusts them; with HTTP2 the faults of HTTP/2 are run too, and those of HTTP/1 alone are not. All servers of a process have certificates of one authority, so that the TLSClientConfig of any will do:
//
//	client := mockserver.New(t, mockserver.HTTP2()).Client()
//	mockserver.Sweep(t, func(t *testing.T, baseURL string) { ... }, mockserver.Serve(mockserver.HTTP2()))
func Serve(opts ...Option) SweepOption {
	return func(c *sweepConfig) { c.serve = append(c.serve, opts...) }
}

// http2 says whether the servers offer HTTP/2.
func (c *sweepConfig) http2() bool {
	var made config
	for _, o := range c.serve {
		if o != nil {
			o(&made)
		}
	}
	return made.http2
}

// Check passes options on to leakcheck: what to look at, what to ignore and how long to wait, in each scenario.
func Check(opts ...leakcheck.Option) SweepOption {
	return func(c *sweepConfig) { c.check = append(c.check, opts...) }
}

// choose gives the scenarios that the options ask for.
func (c *sweepConfig) choose(all []*sweepScenario) ([]*sweepScenario, error) {
	matches := func(patterns []string, name string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			ok, _ := path.Match(p, name)
			return ok
		})
	}
	for option, patterns := range map[string][]string{"Only": c.only, "Without": c.without} {
		for _, p := range patterns {
			if !slices.ContainsFunc(all, func(sc *sweepScenario) bool { return matches([]string{p}, sc.name) }) {
				return nil, fmt.Errorf("%s(%q): no scenario has such a name; did you mean %q? There are %s", option, p, nearestName(all, p), groupsOf(all))
			}
		}
	}
	for _, code := range c.codes {
		if !slices.ContainsFunc(all, func(sc *sweepScenario) bool { return sc.code() == code }) {
			return nil, fmt.Errorf("Codes(%d): no scenario begins with this status; there are %s", code, codesOf(all))
		}
	}
	var out []*sweepScenario
	for _, sc := range all {
		if len(c.only) > 0 && !matches(c.only, sc.name) || matches(c.without, sc.name) {
			continue
		}
		if len(c.codes) > 0 && !slices.Contains(c.codes, sc.code()) {
			continue
		}
		out = append(out, sc)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("Only, Without and Codes together leave no scenario to run; there are %s", groupsOf(all))
	}
	return out, nil
}

func nearestName(all []*sweepScenario, pattern string) string {
	best := all[0].name
	bare := strings.Trim(pattern, "*")
	for _, sc := range all {
		if bare != "" && strings.Contains(sc.name, bare) {
			return sc.name
		}
		if distance(sc.name, pattern) < distance(best, pattern) {
			best = sc.name
		}
	}
	return best
}

// groupsOf lists the beginnings of names, each with a star: there are too many names to print.
func groupsOf(all []*sweepScenario) string {
	var groups []string
	for _, sc := range all {
		group, _, more := strings.Cut(sc.name, "-")
		if more {
			group += "-*"
		}
		if !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return strings.Join(groups, ", ")
}

func codesOf(all []*sweepScenario) string {
	var codes []int
	for _, sc := range all {
		if c := sc.code(); c != 0 && !slices.Contains(codes, c) {
			codes = append(codes, c)
		}
	}
	slices.Sort(codes)
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(codes), " ", ", "), "[]")
}

// checkOptions says what leakcheck has against its options.
func checkOptions(t *testing.T, opts []leakcheck.Option) string {
	st := &sweepT{T: t, beside: true}
	leakcheck.Verify(st, opts...)()
	st.mu.Lock()
	defer st.mu.Unlock()
	return strings.Join(st.errs, "; ")
}
