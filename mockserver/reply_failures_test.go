package mockserver

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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
	cases := []failure{
		{"no URL to redirect to", "a client would follow it to itself", reply(Redirect(302, ""))},
		{"redirect with a line break", "it would be a header of its own", reply(Redirect(302, "/a\r\nb: c"))},
		{"redirect with another status", "no client would follow it", reply(Redirect(200, "/a"))},
		{"bad content type", "it would be a header of its own", reply(Body(200, "a\nb", nil))},
		{"stream without chunks", "it would be an empty body, for which there is Status", reply(Stream("a/b", time.Second))},
		{"stream without a wait", "it would fill the client's memory", reply(Stream("a/b", 0, "x"))},
		{"stream with an empty chunk", "an empty chunk is the last one", reply(Stream("a/b", time.Second, "x", ""))},
		{"stream with a length", "nobody knows it before the stream has ended", reply(Stream("a/b", time.Second, "x").Framing(ContentLength))},
		{"stream with Length", "nobody knows it before the stream has ended", reply(Stream("a/b", time.Second, "x").Length(7))},
		{"stream compressed", "a compressor holds chunks back", reply(Stream("a/b", time.Second, "x").Gzip())},
		{"no handler", "a variable that was never set", reply(Handler(nil))},
		{"no template", "the line of the template is told", reply(Template(200, "a/b", "{{.Path}"))},
		{"template with an unknown function", "the line and the name are told, as text/template does", reply(Template(200, "a/b", "a\n{{foo .Path}}"))},
		{"no distribution", "a variable that was never set", reply(ok.DelayBy(nil))},
		{"uniform the wrong way round", "the two are mixed up easily", reply(ok.DelayBy(Uniform(2*time.Second, time.Second)))},
		{"lognormal without a median", "every delay would be 0", reply(ok.DelayBy(Lognormal(0, 1)))},
		{"lognormal with a wild sigma", "a delay could be of any length", reply(ok.DelayBy(Lognormal(time.Second, -1)))},
		{"trickle of nothing", "it would never send a byte", reply(ok.Trickle(0, time.Second))},
		{"trickle without a wait", "it would be no trickle", reply(ok.Trickle(1, 0))},
		{"no times", "0 reads as never", reply(ok.Times(0))},
		{"nothing then", "the last reply would be missing", reply(ok.Then())},
		{"modifier after Then", "it is not clear which reply it is for", reply(ok.Then(Status(200)).Delay(time.Second))},
		{"header after Then", "it could be meant for either reply", reply(ok.Then(Status(200)).Header("a", "b"))},
		{"bad reply in a sequence", "not only the first is looked at", reply(ok.Then(Status(204), ALB(404)))},
		{"trailer with a length", "only chunks have trailers", reply(ok.Trailer("a", "b").Framing(ContentLength))},
		{"trailer that is a length", "RFC 9110 forbids it", reply(ok.Trailer("content-length", "1"))},
		{"trailer with a bad name", "no client could read it", reply(ok.Trailer("a b", "1"))},
		{"trailer by hand", "the header Trailer promises what does not come", reply(ok.Header("trailer", "a"))},
		{"101 early", "it ends HTTP on the connection", reply(ok.Early(101))},
		{"200 early", "it would be the reply itself", reply(ok.Early(200))},
		{"early without a value", "names and values come in pairs", reply(ok.Early(103, "Link"))},
		{"header with a control character", "net/http's client refuses the response", reply(ok.Header("a", "\x18"))},
		{"early with a bad value", "it would be a header of its own", reply(ok.Early(103, "Link", "a\nb"))},
		{"length below 0", "no client could read it", reply(ok.Length(-1))},
		{"length and chunks", "RFC 9112 forbids both at once", reply(ok.Length(1).Framing(Chunked))},
		{"no length and a framing", "the framing says how the body ends already", reply(ok.NoLength().Framing(Chunked))},
		{"kept alive until close", "the end of the connection is the end of the body", reply(ok.Framing(UntilClose).KeepAlive(true))},
		{"reason with a line break", "it would be a header of its own", reply(ok.Reason("a\r\nb: c"))},
		{"no fault", "a variable that was never set", reply(Fault(nil))},
		{"no fault of a page", "a variable that was never set", reply(ALB(403).Fault(nil))},
		{"truncated behind the end", "nothing would break", reply(ALB(403).Fault(TruncateAfter(118)))},
		{"truncated behind the last chunk", "nothing would be missing", reply(ALB(403).Framing(Chunked).Fault(TruncateAfter(119)))},
		{"reset in an empty body", "no client reads a body that is empty", reply(Status(200).Fault(ResetAfter(0)))},
		{"stalled below 0", "there is no byte before the first", reply(ALB(403).Fault(StallAfter(-1)))},
		{"truncated in the compressed body", "who takes gzip gets fewer bytes", reply(Text(200, strings.Repeat("x", 1000)).Gzip().Fault(TruncateAfter(500)))},
		{"length that is right", "it would be no fault", reply(ALB(403).Fault(WrongLength(118)))},
		{"length below 0 as a fault", "the client would refuse the head, which is GarbageStatus", reply(ALB(403).Fault(WrongLength(-1)))},
		{"wrong length of chunks", "chunks have no length", reply(ALB(403).Framing(Chunked).Fault(WrongLength(1)))},
		{"flood of none", "it would be no fault", reply(Fault(Flood1xx(0)))},
		{"endless 204", "a 204 has no body", reply(Status(204).Fault(EndlessBody))},

		{"used up", "the message counts them; it comes once for each path", requests(5, Status(503).Times(2).Then(JSON(200, 1).Times(1)))},
		{"used up after one", "the second request has no reply", requests(2, Status(503).Times(1))},
		{"GoAway over HTTP/1", "HTTP/1 has no frames", requests(1, Fault(GoAway))},
		{"RefuseStream over HTTP/1", "it is said once", requests(3, Status(403).Fault(RefuseStream))},
		{"template that fails", "a missing key is an error", requests(1, Template(200, "a/b", "{{.Vars.name}}"))},
		{"template that parses no JSON", "the request is at fault, and the error says where", requests(1, Template(200, "a/b", "{{(parse .Body).name}}"))},
		{"handler that panics", "the stack is cut here", requests(1, Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			panic("boom")
		})))},
		{"handler that panics while it is recorded", "nothing has been sent yet", requests(1, Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic("boom") })).Header("a", "b"))},
		{"handler that sets an impossible status", "as net/http does", requests(1, Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(0) })))},
	}
	golden(t, filepath.Join("testdata", "reply_failures.txt"), failures(t, cases, func(name, text string) string {
		text, _, _ = strings.Cut(text, "\ngoroutine ")
		if strings.Contains(name, "compressed body") { // how well it compresses depends on the version of Go
			text = regexp.MustCompile(`(has|at most) \d+`).ReplaceAllString(text, "$1 N")
		}
		return text
	}))
}
