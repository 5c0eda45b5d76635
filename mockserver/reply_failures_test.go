package mockserver

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReplyFailures compares every message about a reply that a test can be failed with. Read testdata/reply_failures.txt
// as a user would.
func TestReplyFailures(t *testing.T) {
	ok := Text(200, "body")
	reply := func(replies ...Reply) func(*fakeT) {
		return func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x").Reply(replies...)
			got := ""
			for range flatten(replies) { // the reply that cannot be sent need not be the first
				got = raw(t, srv, get("/x"))
				if strings.Contains(got, " 501 ") {
					break
				}
			}
			assert.Contains(t, got, "HTTP/1.1 501 Not Implemented\r\n")
			assert.Contains(t, got, ft.failures()[0]+"\n", "the client is told the same")
		}
	}
	requests := func(n int, r Reply) func(*fakeT) {
		return func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x/{id}").Reply(r)
			for range n {
				raw(t, srv, get("/x/7"))
			}
		}
	}
	var out strings.Builder
	for _, c := range []struct {
		name, why string // why the case is worth its place
		run       func(*fakeT)
	}{
		{"no URL to redirect to", "", reply(Redirect(302, ""))},
		{"redirect with a line break", "it would be a header of its own", reply(Redirect(302, "/a\r\nb: c"))},
		{"redirect with another status", "", reply(Redirect(200, "/a"))},
		{"bad content type", "", reply(Body(200, "a\nb", nil))},
		{"stream without chunks", "", reply(Stream("a/b", time.Second))},
		{"stream without a wait", "it would fill the client's memory", reply(Stream("a/b", 0, "x"))},
		{"stream with an empty chunk", "an empty chunk is the last one", reply(Stream("a/b", time.Second, "x", ""))},
		{"stream with a length", "", reply(Stream("a/b", time.Second, "x").Framing(ContentLength))},
		{"stream with Length", "", reply(Stream("a/b", time.Second, "x").Length(7))},
		{"stream compressed", "", reply(Stream("a/b", time.Second, "x").Gzip())},
		{"no handler", "", reply(Handler(nil))},
		{"no template", "the line of the template is told", reply(Template(200, "a/b", "{{.Path}"))},
		{"template with an unknown function", "", reply(Template(200, "a/b", "a\n{{foo .Path}}"))},
		{"no distribution", "", reply(ok.DelayBy(nil))},
		{"uniform the wrong way round", "", reply(ok.DelayBy(Uniform(2*time.Second, time.Second)))},
		{"lognormal without a median", "", reply(ok.DelayBy(Lognormal(0, 1)))},
		{"lognormal with a wild sigma", "", reply(ok.DelayBy(Lognormal(time.Second, -1)))},
		{"trickle of nothing", "", reply(ok.Trickle(0, time.Second))},
		{"trickle without a wait", "", reply(ok.Trickle(1, 0))},
		{"no times", "", reply(ok.Times(0))},
		{"nothing then", "", reply(ok.Then())},
		{"modifier after Then", "it is not clear which reply it is for", reply(ok.Then(Status(200)).Delay(time.Second))},
		{"header after Then", "", reply(ok.Then(Status(200)).Header("a", "b"))},
		{"bad reply in a sequence", "not only the first is looked at", reply(ok.Then(Status(204), ALB(404)))},
		{"trailer with a length", "", reply(ok.Trailer("a", "b").Framing(ContentLength))},
		{"trailer that is a length", "", reply(ok.Trailer("content-length", "1"))},
		{"trailer with a bad name", "", reply(ok.Trailer("a b", "1"))},
		{"trailer by hand", "", reply(ok.Header("trailer", "a"))},
		{"101 early", "it ends HTTP on the connection", reply(ok.Early(101))},
		{"200 early", "", reply(ok.Early(200))},
		{"early without a value", "", reply(ok.Early(103, "Link"))},
		{"header with a control character", "net/http's client refuses the response", reply(ok.Header("a", "\x18"))},
		{"early with a bad value", "", reply(ok.Early(103, "Link", "a\nb"))},
		{"length below 0", "", reply(ok.Length(-1))},
		{"length and chunks", "", reply(ok.Length(1).Framing(Chunked))},
		{"no length and a framing", "", reply(ok.NoLength().Framing(Chunked))},
		{"kept alive until close", "", reply(ok.Framing(UntilClose).KeepAlive(true))},
		{"reason with a line break", "", reply(ok.Reason("a\r\nb: c"))},
		{"no fault", "", reply(Fault(nil))},
		{"no fault of a page", "", reply(ALB(403).Fault(nil))},
		{"truncated behind the end", "nothing would break", reply(ALB(403).Fault(TruncateAfter(118)))},
		{"truncated behind the last chunk", "", reply(ALB(403).Framing(Chunked).Fault(TruncateAfter(119)))},
		{"reset in an empty body", "", reply(Status(200).Fault(ResetAfter(0)))},
		{"stalled below 0", "", reply(ALB(403).Fault(StallAfter(-1)))},
		{"truncated in the compressed body", "who takes gzip gets fewer bytes", reply(Text(200, strings.Repeat("x", 1000)).Gzip().Fault(TruncateAfter(500)))},
		{"length that is right", "", reply(ALB(403).Fault(WrongLength(118)))},
		{"length below 0 as a fault", "", reply(ALB(403).Fault(WrongLength(-1)))},
		{"wrong length of chunks", "", reply(ALB(403).Framing(Chunked).Fault(WrongLength(1)))},
		{"flood of none", "", reply(Fault(Flood1xx(0)))},
		{"endless 204", "", reply(Status(204).Fault(EndlessBody))},

		{"used up", "the message counts them; it comes once for each path", requests(5, Status(503).Times(2).Then(JSON(200, 1).Times(1)))},
		{"used up after one", "", requests(2, Status(503).Times(1))},
		{"GoAway over HTTP/1", "", requests(1, Fault(GoAway))},
		{"RefuseStream over HTTP/1", "it is said once", requests(3, Status(403).Fault(RefuseStream))},
		{"template that fails", "a missing key is an error", requests(1, Template(200, "a/b", "{{.Vars.name}}"))},
		{"template that parses no JSON", "", requests(1, Template(200, "a/b", "{{(parse .Body).name}}"))},
		{"handler that panics", "the stack is cut here", requests(1, Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			panic("boom")
		})))},
		{"handler that panics while it is recorded", "", requests(1, Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic("boom") })).Header("a", "b"))},
		{"handler that sets an impossible status", "as net/http does", requests(1, Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(0) })))},
	} {
		ft := &fakeT{}
		c.run(ft)
		ft.end()
		fmt.Fprintf(&out, "== %s", c.name)
		if c.why != "" {
			fmt.Fprintf(&out, " (%s)", c.why)
		}
		out.WriteString("\n")
		require.NotEmpty(t, ft.failures(), c.name)
		for _, e := range ft.failures() {
			e, _, _ = strings.Cut(e, "\ngoroutine ")
			if strings.Contains(c.name, "compressed body") { // how well it compresses depends on the version of Go
				e = regexp.MustCompile(`(has|at most) \d+`).ReplaceAllString(e, "$1 N")
			}
			out.WriteString(e + "\n")
		}
		for _, l := range ft.logged() {
			out.WriteString("log: " + l + "\n")
		}
		out.WriteString("\n")
	}

	got := regexp.MustCompile(`failures_test\.go:\d+`).ReplaceAllString(out.String(), "failures_test.go:1")
	file := filepath.Join("testdata", "reply_failures.txt")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	wantLines, gotLines := strings.Split(strings.ReplaceAll(string(want), "\r\n", "\n"), "\n"), strings.Split(got, "\n")
	for i := range min(len(wantLines), len(gotLines)) {
		require.Equal(t, wantLines[i], gotLines[i], "%s:%d: run with -update, and read the difference", file, i+1)
	}
	require.Equal(t, len(wantLines), len(gotLines), "lines of %s: run with -update, and read the difference", file)
}
