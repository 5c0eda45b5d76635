package mockserver

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/report"
)

// verdict is how a scenario ended.
type verdict string

const (
	outPassed     verdict = "passed"
	outLeak       verdict = "leak"
	outHang       verdict = "hang"
	outPanic      verdict = "panic"
	outUnbounded  verdict = "unbounded read"
	outStorm      verdict = "retry storm"
	outFailed     verdict = "failed"
	outUnexpected verdict = "unexpected request"
	outNoRequest  verdict = "no request"
	outUnanswered verdict = "not answered by the scenario"
	outSkipped    verdict = "skipped"
)

// finding is one thing that is wrong in one scenario.
type finding struct {
	outcome verdict
	cause   string // findings with the same are one root cause
	head    string // what happened, in one line
	whole   string // everything, as it is printed the first time
	what    string // what happened, for all scenarios with this cause
	role    string // what happened at site: "taken at"
	site    callsite.Frame
	note    string // what is said instead of a line where there is none
	fix     string
}

// rows is a block of lines with a name each, as a leak's entry has them.
type rows struct{ strings.Builder }

func (b *rows) row(name, text string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			name = ""
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("    %-11s %s", name, line), " ") + "\n")
	}
}

// frames writes a site with its source line, and the frames that led there.
func (b *rows) frames(role string, site callsite.Frame, stack []callsite.Frame) {
	if site.Func != "" {
		b.row(role, where(site))
		if src := callsite.Source(site); src != "" {
			b.row("", "    "+src)
		}
	}
	const most = 5
	name := "via"
	shown := 0
	for _, f := range stack {
		if f == site || callsite.IsDependency(f) {
			continue
		}
		if shown == most {
			b.row("", "…")
			break
		}
		b.row(name, where(f))
		name = ""
		shown++
	}
}

// where is "file:line  function".
func where(f callsite.Frame) string {
	if f.File == "" {
		return short(f.Func)
	}
	return fmt.Sprintf("%s:%d  %s", callsite.Short(f.File), f.Line, short(f.Func))
}

// leakFinding words one leak.
func (r *run) leakFinding(l report.Leak, waited time.Duration, looks int) finding {
	if l.Kind == "http-conn" && r.sc.calls > 1 {
		l.Hint += ". If only this test makes a client for each call: t.Cleanup(client.CloseIdleConnections), or mockserver.Without(\"" + r.sc.name + "\")"
	}
	text := report.Text{Scope: r.name, Leaks: []report.Leak{l}, Waited: waited, Looks: looks, Ages: true}.String()
	_, entry, _ := strings.Cut(text, "\n")
	f := finding{
		outcome: outLeak, head: l.Summary, whole: entry, what: l.Summary, role: cmp.Or(l.Role, "taken at"), site: l.Site,
		note: l.Unknown, fix: l.Hint,
	}
	if l.Count > 1 {
		f.head += fmt.Sprintf(" (×%d)", l.Count)
	}
	if l.Kind == "http-response" {
		f.what = "the body of a response was never closed"
	}
	f.cause = leakCause(l)
	return f
}

// leakCause is the same for leaks of one kind that were taken at one line.
func leakCause(l report.Leak) string {
	if l.Site.Func == "" {
		return "leak " + l.Kind + " " + l.Class
	}
	return "leak " + l.Kind + " " + l.Site.String()
}

// named gives a response whose line is not known the line that asked for it, which showed when the request came: the
// transport is not tracked, or it sends requests from goroutines of its own. Responses that look alike to leakcheck may come
// from several lines: then there is an entry for each.
func (r *run) named(l report.Leak) []report.Leak {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nameUpgrade(&l)
	if l.Kind != "http-response" && l.Kind != "http-conn" || l.Site.Func != "" && !callsite.IsDependency(l.Site) {
		return []report.Leak{l}
	}
	if len(l.Pairs) != l.Count || l.Count == 0 {
		r.nameAfter(&l, lines(r.senders))
		return []report.Leak{l}
	}
	var out []report.Leak
	for _, pair := range l.Pairs {
		one := l
		one.Count, one.Pairs = 1, []string{pair}
		if who, ok := r.senderOn(pair); ok {
			r.nameAfter(&one, []sender{who})
		} else {
			r.nameAfter(&one, lines(r.senders))
		}
		same := slices.IndexFunc(out, func(o report.Leak) bool { return o.Site == one.Site && o.Summary == one.Summary })
		if same >= 0 {
			out[same].Count++
			out[same].Pairs = append(out[same].Pairs, pair)
		} else {
			out = append(out, one)
		}
	}
	return out
}

// nameAfter writes the sender into a leak, or all there are when it is not known which it was.
func (r *run) nameAfter(l *report.Leak, from []sender) {
	switch len(from) {
	case 0:
		return
	case 1:
		l.Site, l.Stack, l.Unknown = from[0].site, from[0].stack, ""
		l.Fingerprint = "" // made of the line
	default:
		var sites []string
		for _, s := range from {
			sites = append(sites, where(s.site))
		}
		l.Unknown = "the transport is not tracked, and the requests came from several lines: " + strings.Join(sites, ", ")
		return
	}
	if l.Kind == "http-conn" {
		l.Role = "asked for at"
		return
	}
	asked := from[0].req
	switch {
	case asked.Method == "" || l.Class == "tracked":
	case l.Class == "upgrade":
		l.Summary = fmt.Sprintf("connection after %s %s (101) was never closed", asked.Method, asked.Path)
	case asked.Status == 0:
		l.Summary = fmt.Sprintf("response body of %s %s was never closed", asked.Method, asked.Path)
	default:
		l.Summary = fmt.Sprintf("response body of %s %s (%d) was never closed", asked.Method, asked.Path, asked.Status)
	}
}

// nameUpgrade knows the connection of a 101, which is a socket without a goroutine, for what it is.
func (r *run) nameUpgrade(l *report.Leak) {
	if l.Kind != "socket" || r.srv == nil || !slices.Contains(l.Remotes, r.addr().String()) || !r.sc.upgrades() {
		return
	}
	l.Kind, l.Code, l.Class, l.Unknown, l.Fingerprint = "http-response", "LK001", "upgrade", "", ""
	l.Summary = "connection after a 101 was never closed"
	l.Hint = "defer resp.Body.Close(), also for a status that was not expected"
}

const deadlineFix = "give requests a context with a deadline (http.NewRequestWithContext), or http.Client a Timeout"

// hangFinding says where the call waits.
func (r *run) hangFinding() finding {
	w, here := r.hangs()
	return r.waitFinding(w, here, "the call did not return")
}

// cleanupFinding is a hang of what the call registered with t.Cleanup.
func (r *run) cleanupFinding() finding {
	f := finding{
		outcome: outHang, head: fmt.Sprintf("the t.Cleanup functions of the call did not end within %v", r.s.cfg.deadline),
		what: "the t.Cleanup functions of the call did not end", cause: "hang cleanup",
		note: "they run on the test's goroutine, see there what they wait for: go test -timeout prints it",
	}
	var b rows
	b.row("state", "the server was closed, so that what waits for it goes on")
	f.whole = "\n" + b.String()
	return f
}

func (r *run) waitFinding(w, here waiting, what string) finding {
	d := r.s.cfg.deadline
	f := finding{outcome: outHang, what: what + " within " + d.String(), site: w.site, role: "waits at", fix: deadlineFix}
	f.head = f.what
	at := w.callee
	if at == "" {
		at = w.state
	}
	if at != "" && w.site.Func != "" {
		f.head += fmt.Sprintf("; it waits in %s at %s:%d", at, callsite.Short(w.site.File), w.site.Line)
	}
	if !w.net {
		f.fix = "see what it waits for; where it needs longer, write mockserver.Deadline(10*time.Second)"
	}
	f.cause = "hang " + w.site.String()
	var b rows
	b.frames("waits at", w.site, w.stack)
	switch {
	case w.site.Func == "":
		f.note = "none of your functions is in the stack of the call's goroutine"
		b.row("no line", f.note)
	case w.callee != "":
		b.row("state", fmt.Sprintf("in %s (%s)", w.callee, w.state))
	default:
		b.row("state", w.state)
	}
	if w.started.Func != "" {
		b.row("started at", where(w.started))
	}
	if here.site != w.site && here.site.Func != "" {
		b.row("meanwhile", "the call waits for it at "+where(here.site))
	}
	r.mu.Lock()
	if r.requests > 1 {
		b.row("requests", fmt.Sprintf("%d were sent", r.requests))
	}
	r.mu.Unlock()
	b.row("fix", f.fix)
	f.whole = "\n" + b.String()
	return f
}

// panicFinding words a panic.
func panicFinding(e *ended) finding {
	text := fmt.Sprint(e.value)
	if len(text) > 500 {
		text = text[:500] + "…"
	}
	f := finding{outcome: outPanic, head: text, what: text, site: callsite.Pick(e.stack), role: "panics at"}
	if i := strings.IndexByte(f.head, '\n'); i >= 0 {
		f.head = f.head[:i]
	}
	f.what = f.head
	f.cause = "panic " + f.site.String()
	var b rows
	if f.site.Func == "" {
		f.note = "none of your functions is in the stack of the panic"
		b.row("no line", f.note)
	}
	b.frames("panics at", f.site, e.stack)
	if text != f.head {
		b.row("value", text)
	}
	f.fix = "check what the reply holds before it is used"
	f.whole = "\n" + b.String()
	return f
}

// stormFinding words too many requests.
func (r *run) stormFinding(n int, what string, over time.Duration, late bool) finding {
	f := finding{outcome: outStorm, role: "sent at", fix: "give retries a limit and a growing wait between them, and stop when the context ends"}
	if !slices.ContainsFunc(r.sc.steps, func(one Reply) bool { return one.code < 200 || one.code > 299 || one.fault() != nil }) {
		f.fix = "a loop over pages needs an end: a maximum, or to stop at a cursor that came before. " +
			"Where Success says that there is a next page, let it end: mockserver.Success(first.Then(last))"
	}
	f.what = fmt.Sprintf("more than %d %s by one call", r.s.cfg.requestLimit, what)
	f.head = fmt.Sprintf("%d %s by one call, %s", n, what, rate(n, over))
	var b rows
	r.mu.Lock()
	if len(r.senders) > 0 {
		f.site = r.senders[0].site
		b.frames("sent at", f.site, r.senders[0].stack)
	}
	frozen := r.freezing
	r.mu.Unlock()
	b.row("limit", fmt.Sprintf("%d; mockserver.RequestLimit(n) sets another", r.s.cfg.requestLimit))
	switch {
	case r.gone:
		b.row("state", fmt.Sprintf("it was still going on when %d had come; they are not answered any more, and the call is left behind", r.freezeAt))
	case frozen:
		b.row("state", fmt.Sprintf("it was still going on when %d had come, and were not answered any more", r.freezeAt))
	case late:
		b.row("state", "it was still going on when the deadline came")
	}
	b.row("fix", f.fix)
	f.cause = "storm " + f.site.String()
	f.whole = "\n" + b.String()
	return f
}

func rate(n int, over time.Duration) string {
	if over <= 0 {
		return "all at once"
	}
	return fmt.Sprintf("in %v (%.0f a second)", over.Round(time.Millisecond), float64(n)/over.Seconds())
}

// unasked says that the scenario's reply was never sent, so that the scenario proves nothing; ok is false where it was, and
// where something else that was found is the reason.
func (r *run) unasked() (f finding, ok bool) {
	if r.hits.Load() > 0 || slices.ContainsFunc(r.findings, func(f finding) bool { return f.outcome != outLeak }) {
		return finding{}, false
	}
	f.what = "the call did not get the scenario's reply, so that this proves nothing"
	r.mu.Lock()
	sent, seen := r.requests, slices.Clone(r.seen)
	r.mu.Unlock()
	var b rows
	if sent == 0 {
		if r.srv != nil && r.srv.dialled() > 0 { // the client has given up before its request was read
			return finding{}, false
		}
		f.outcome, f.cause = outNoRequest, "no request"
		f.head = "the call sent no request, so that it did not get the scenario's reply"
		f.fix = "does it use what the sweep gives it? Does it keep state between calls: a cache, a token, a sync.Once? Make a new client in each call; " +
			"where a scenario needs no request, let the call skip it"
	} else {
		f.outcome, f.cause = outUnanswered, "not answered"
		f.head = "the call sent " + count(sent, "request") + ", and did not get the scenario's reply for any"
		b.row("sent", listed(seen))
		switch {
		case r.s.cfg.target:
			b.row("swept", fmt.Sprintf("Target(%q, %q)", r.s.cfg.method, r.s.cfg.path))
			f.fix = "does the call keep state between calls, so that it needs the target no more? Make a new client in each call; " +
				"or name in Target what it does ask for"
		default:
			f.fix = "does a stub of Setup take its requests, or does the call keep state between calls, so that it needs only those? " +
				"Give Setup only what is not to be swept, and make a new client in each call"
		}
	}
	b.row("fix", f.fix)
	f.whole = "\n" + b.String()
	return f, true
}

// listed writes requests, a few of them.
func listed(seen []seenRequest) string {
	const most = 5
	var all []string
	for _, q := range seen[:min(len(seen), most)] {
		all = append(all, q.method+" "+q.path)
	}
	if len(seen) > most {
		all = append(all, "…")
	}
	return strings.Join(all, ", ")
}

// unboundedFinding words a body that was read and read.
//
// stack is where it was read, when that is known.
func (r *run) unboundedFinding(sent, slack int64, stack []callsite.Frame) finding {
	f := finding{outcome: outUnbounded, role: "reads at", fix: "limit what is read: io.LimitReader(resp.Body, max), or http.MaxBytesReader. " +
		"Where the call is meant to read without a limit, as a download is: mockserver.Without(\"fault-endless-*\")"}
	f.what = fmt.Sprintf("more than %s of a body were read, and it went on", bytesText(r.s.cfg.bodyLimit))
	f.head = f.what
	w := waiting{site: callsite.Pick(stack), stack: stack, net: true}
	if len(stack) == 0 {
		w, _ = r.hangs()
	}
	if w.site.Func == "" || !w.net {
		w.site, w.stack = callsite.Frame{}, nil
		r.mu.Lock()
		if len(r.senders) > 0 {
			w.site, w.stack, f.role = r.senders[0].site, r.senders[0].stack, "asked for at"
		}
		r.mu.Unlock()
	}
	f.site = w.site
	var b rows
	b.frames(f.role, w.site, w.stack)
	b.row("limit", fmt.Sprintf("%s; mockserver.BodyLimit(n) sets another", bytesText(r.s.cfg.bodyLimit)))
	if slack > 0 {
		b.row("state", fmt.Sprintf("the server ended the connection after %s, of which up to %s may have been under way", bytesText(sent), bytesText(slack)))
	}
	b.row("fix", f.fix)
	f.cause = "unbounded " + f.site.String()
	f.whole = "\n" + b.String()
	return f
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// stubLine is the line that shows the same in a test of its own.
func (r *run) stubLine() string {
	method, path := "", "/{path...}"
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.s.cfg.target {
		method, path = r.s.cfg.method, r.s.cfg.path
		if r.sc.changesMethod() {
			method = "" // the request after the redirect has another
		}
	} else if p := r.onlyPath(); p != "" {
		path = p
		if len(r.seen) == 1 {
			method = r.seen[0].method
		}
	}
	line := r.sc.line(method, path, r.answerer != nil)
	if len(r.s.cfg.serve) > 0 {
		line += " // with the options of Serve"
	}
	return line
}

// onlyPath is the pattern of the path that all requests had; "" when there were several, or none that a pattern can be.
func (r *run) onlyPath() string {
	if len(r.seen) == 0 || slices.ContainsFunc(r.seen, func(s seenRequest) bool { return s.path != r.seen[0].path }) {
		return ""
	}
	p := r.seen[0].path
	if strings.ContainsAny(p, "{}") || len(p) > 100 {
		return ""
	}
	if strings.HasSuffix(p, "/") {
		p += "{$}"
	}
	if _, err := parsePattern("", p); err != nil {
		return ""
	}
	return p
}

// take keeps what the leak check found, while the server still runs.
func (r *run) take(st *sweepT) {
	if st.drop {
		return
	}
	r.notes = st.findings.Notes
	for _, l := range readers(st.findings.Leaks) {
		if !r.ownDoing(l) {
			r.leaks = append(r.leaks, r.named(l)...)
		}
	}
	for _, l := range st.findings.Ended {
		r.leaks = append(r.leaks, r.ranOut(l)...)
	}
}

// close says how the scenario ended, and fails its test.
func (r *run) close(t *testing.T, st *sweepT) {
	t.Helper()
	for _, err := range r.st.errors() {
		head, rest, _ := strings.Cut(strings.TrimPrefix(err, "mockserver: "), "\n")
		f := finding{outcome: outFailed, cause: "server " + head, head: head, what: head, whole: "\n" + rest, fix: "see what Setup does with the server"}
		if what, ok := strings.CutPrefix(head, "unexpected request "); ok {
			f.outcome, f.head, f.what = outUnexpected, what, what
			f.fix = "add a stub for it: mockserver.Setup(func(srv *mockserver.Server) { srv.On(...).Reply(...) })"
		}
		r.add(f)
	}
	for _, err := range st.errs {
		r.add(finding{outcome: outFailed, cause: "failed " + err, head: err, what: err})
	}
	for _, l := range r.judge(st) {
		waited := st.findings.Waited
		if l.Moving { // it is not so any more
			waited = 0
		}
		r.add(r.leakFinding(l, waited, st.findings.Looks))
	}
	if !st.failed && !t.Skipped() {
		if f, ok := r.unasked(); ok {
			r.add(f)
		}
	}
	if ledger := st.findings.Ledger; ledger != nil && slices.ContainsFunc(r.findings, func(f finding) bool { return f.outcome != outLeak }) {
		ledger.Fail()
	}
	switch {
	case st.failed:
		r.outcome = outFailed
	case len(r.findings) > 0:
		r.outcome = r.findings[0].outcome
	case t.Skipped():
		r.outcome = outSkipped
	default:
		r.outcome = outPassed
	}
	if st.failed {
		note := "sweep: the call failed its own test. Most replies of a sweep are errors: let the call ignore them, or check only what holds for all"
		if len(r.leaks) > 0 {
			note += "\nsweep: not checked for leaks, because it failed; it still holds: " + summaries(r.leaks)
		}
		t.Logf("%s\n    reproduce   %s", note, r.stubLine())
	}
	if len(r.findings) > 0 {
		t.Errorf("%s", r.text())
	}
	for _, l := range r.notes {
		t.Logf("sweep: note: %s", l.Summary)
	}
}

// judge has what is held written down, and gives what of it fails the scenario: nothing that the baseline knows, and nothing
// where the call failed its test by itself.
func (r *run) judge(st *sweepT) []report.Leak {
	ledger := st.findings.Ledger
	if ledger == nil { // nothing was found
		return nil
	}
	ledger.Note(r.notes)
	if st.failed {
		ledger.Excuse(r.leaks)
		return nil
	}
	return ledger.Judge(r.leaks)
}

// ownDoing says whether a leak is there because leakcheck tracks http.DefaultTransport: net/http keeps a goroutine then for
// a request with a timeout, also when the response has no body that could be left open. Where bodies are tracked, or several
// scenarios run at once, it tells nothing new either, and on Go 1.25 may be another scenario's.
func (r *run) ownDoing(l report.Leak) bool {
	return l.Class == "deadline" && (r.sc.hides || r.answerer != nil || r.s.cfg.parallel > 1)
}

// ranOut gives the responses that were held for a while when the call was over, and were freed by a timeout since, and not by
// a Close: their connection is closed too. A Close of a body that was read gives the connection back.
func (r *run) ranOut(l report.Leak) (out []report.Leak) {
	if r.srv == nil {
		return nil
	}
	for _, one := range r.named(l) {
		who, ok := sender{}, len(one.Pairs) == 1
		if ok {
			r.mu.Lock()
			who, ok = r.senderOn(one.Pairs[0])
			r.mu.Unlock()
		}
		if !ok || !r.srv.endsSoon(who.req.Conn) {
			continue
		}
		one.State = "held when the call had returned; its connection was closed a moment later, by the request's timeout most likely"
		one.Why = "in production a timeout is longer, and the connection is held for as long"
		one.Holds = nil
		one.Moving = true
		out = append(out, one)
	}
	return out
}

// endsSoon says whether the client has closed a connection. The server may see that a moment later.
func (s *Server) endsSoon(conn int) bool {
	for range 20 {
		for _, c := range s.Conns() {
			if c.ID == conn && c.State == ConnClosed {
				return true
			}
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// readers takes out the responses that a goroutine which has not ended is reading: it is the goroutine that is left.
func readers(leaks []report.Leak) []report.Leak {
	for i := range leaks {
		g := &leaks[i]
		if g.Kind != "goroutine" || !slices.ContainsFunc(g.All, func(f callsite.Frame) bool { return f.Func == "net/http.(*bodyEOFSignal).Read" }) {
			continue
		}
		for j, l := range leaks {
			if l.Kind == "http-response" && l.Count == g.Count && (l.Site.Func == "" || slices.ContainsFunc(g.All, func(f callsite.Frame) bool { return f.Func == l.Site.Func })) {
				g.Holds = append(g.Holds, "the response that it reads, and its connection")
				return readers(slices.Delete(leaks, j, j+1))
			}
		}
	}
	return leaks
}

func summaries(leaks []report.Leak) string {
	var names []string
	for _, l := range leaks {
		names = append(names, l.Summary)
	}
	const most = 3
	if len(names) > most {
		return strings.Join(names[:most], "; ") + fmt.Sprintf("; and %d more", len(names)-most)
	}
	return strings.Join(names, "; ")
}

// text is what a scenario that fails prints.
func (r *run) text() string {
	var b strings.Builder
	told := false
	for i, f := range r.findings {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "sweep: %s: %s\n", f.outcome, f.head)
		first := r.s.tell(f.cause, r)
		if first == r {
			told = true
			if whole := strings.Trim(f.whole, "\n"); whole != "" {
				b.WriteString("\n" + whole + "\n")
			}
			continue
		}
		var rs rows
		if f.site.Func != "" {
			rs.row(f.role, where(f.site))
		}
		rs.row("as in", first.name+", the first with this root cause, where all of it is told")
		b.WriteString(rs.String())
	}
	var rs rows
	if told {
		b.WriteByte('\n')
		rs.row("scenario", r.sc.what)
	}
	rs.row("reproduce", r.stubLine())
	b.WriteString(rs.String())
	return strings.TrimRight(b.String(), "\n")
}

// tell gives the scenario that prints the root cause whole.
func (s *sweep) tell(cause string, r *run) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told[cause] == nil {
		s.told[cause] = r
	}
	return s.told[cause]
}

// knows says whether a scenario has printed the root cause.
func (s *sweep) knows(cause string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told[cause] != nil
}

// root is one root cause in the summary.
type root struct {
	finding
	runs []*run
}

// judge says what the sweep came to, and fails it where that shows only in the whole.
func (s *sweep) judge(took time.Duration) {
	s.t.Helper()
	ran := slices.DeleteFunc(slices.Clone(s.runs), func(r *run) bool { return r == nil || !r.over.Load() })
	if len(ran) == 0 {
		return
	}
	if len(s.unknown) > 0 {
		s.t.Errorf("sweep: %s\n\nThese are held now, and no scenario can be blamed for them: take mockserver.Parallel out to see whose they are",
			report.Text{Who: "leak", Leaks: report.Finish(s.unknown)})
	}
	switch {
	case s.reached.Load() == 0 && !slices.ContainsFunc(ran, func(r *run) bool { return r.outcome == outFailed || r.outcome == outSkipped }):
		s.t.Errorf("mockserver.%s: in none of %s %s, so that this proves nothing", s.name, count(len(ran), "scenario"), s.unused())
	case s.cfg.target && !slices.ContainsFunc(ran, func(r *run) bool { return r.hits.Load() > 0 }):
		s.t.Errorf("mockserver.%s: in none of %s did the call send the request of Target(%q, %q), so that this proves nothing; it sent %s",
			s.name, count(len(ran), "scenario"), s.cfg.method, s.cfg.path, asked(ran))
	}
	s.t.Logf("%s", s.summary(ran, took))
}

func (s *sweep) unused() string {
	if s.name == "Sweep" {
		return "did a request reach the server at baseURL"
	}
	return "did the client call respond"
}

func asked(ran []*run) string {
	var all []string
	for _, r := range ran {
		r.mu.Lock() // a call that was left behind may still send
		seen := slices.Clone(r.seen)
		r.mu.Unlock()
		for _, q := range seen {
			if s := q.method + " " + q.path; !slices.Contains(all, s) && len(all) < 5 {
				all = append(all, s)
			}
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// roots groups the findings by root cause, the one with most scenarios first.
func roots(ran []*run) []*root {
	var out []*root
	by := make(map[string]*root)
	for _, r := range ran {
		for _, f := range r.findings {
			c := by[f.cause]
			if c == nil {
				c = &root{finding: f}
				by[f.cause] = c
				out = append(out, c)
			}
			if len(c.runs) == 0 || c.runs[len(c.runs)-1] != r {
				c.runs = append(c.runs, r)
			}
		}
		if r.outcome == outFailed && len(r.findings) == 0 {
			c := by["own"]
			if c == nil {
				c = &root{finding: finding{outcome: outFailed, what: "the call failed its own test",
					fix: "most replies are errors: let the call ignore them, or check only what holds for all"}}
				by["own"] = c
				out = append(out, c)
			}
			c.runs = append(c.runs, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *root) int { return cmp.Compare(len(b.runs), len(a.runs)) })
	return out
}

// summary is the end of the log: what is wrong, and where it shows most simply.
func (s *sweep) summary(ran []*run, took time.Duration) string {
	var b strings.Builder
	bad, skips := 0, 0
	for _, r := range ran {
		switch r.outcome {
		case outPassed:
		case outSkipped:
			skips++
		default:
			bad++
		}
	}
	causes := roots(ran)
	switch {
	case bad > 0:
		fmt.Fprintf(&b, "sweep: %d of %s failed, by %s", bad, count(len(ran), "scenario"), count(len(causes), "root cause"))
	default:
		fmt.Fprintf(&b, "sweep: %s passed", count(len(ran)-skips, "scenario"))
	}
	if skips > 0 {
		fmt.Fprintf(&b, ", %d skipped", skips)
	}
	fmt.Fprintf(&b, " (%v)\n", took.Round(10*time.Millisecond))
	if skips == len(ran) {
		b.WriteString("  the call skipped every scenario, so that nothing was proved\n")
	}
	if n := len(s.scenarios) - len(ran); s.stopped != "" && n > 0 {
		fmt.Fprintf(&b, "  not run: %s, because %s\n", count(n, "more scenario"), s.stopped)
	}
	if s.cfg.http2() {
		b.WriteString("  over HTTP/2 net/http needs no Close for a body that has come whole: sweep over HTTP/1 as well, where an unclosed one shows\n")
	}
	for i, c := range causes {
		const most = 10
		if i == most {
			fmt.Fprintf(&b, "\n  … and %s more, see the table\n", count(len(causes)-most, "root cause"))
			break
		}
		in := count(len(c.runs), "scenario")
		if c.outcome == outNoRequest || c.outcome == outUnanswered {
			in = fmt.Sprintf("%d of %s", len(c.runs), count(len(ran)-skips, "scenario"))
		}
		fmt.Fprintf(&b, "\n  %d. %s in %s: %s\n", i+1, c.outcome, in, c.what)
		var rs rows
		rs.frames(c.role, c.site, nil)
		if c.site.Func == "" && c.note != "" {
			rs.row("no line", c.note)
		}
		if c.fix != "" {
			rs.row("fix", c.fix)
		}
		rs.row("simplest", c.runs[0].name)
		rs.row("", c.runs[0].stubLine())
		b.WriteString(rs.String())
	}
	b.WriteByte('\n')
	s.table(&b, ran)
	return strings.TrimRight(b.String(), "\n")
}

// line is one line of the table.
type line struct {
	names   []string
	outcome string
	held    string
	bad     bool
}

// table lists the scenarios, those that failed first. Scenarios that are alike share a line, but not with go test -v.
func (s *sweep) table(b *strings.Builder, ran []*run) {
	var lines []*line
	for _, r := range ran {
		l := &line{names: []string{r.sc.name}, outcome: r.words(), held: r.holds(), bad: r.outcome != outPassed && r.outcome != outSkipped}
		same := slices.IndexFunc(lines, func(o *line) bool { return o.outcome == l.outcome && o.held == l.held })
		if same >= 0 && !testing.Verbose() {
			lines[same].names = append(lines[same].names, l.names...)
			continue
		}
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(a, b *line) int {
		if a.bad == b.bad {
			return 0
		}
		if a.bad {
			return -1
		}
		return 1
	})
	wide, mid := len("scenario"), len("outcome")
	for _, l := range lines {
		wide, mid = max(wide, len(l.name())), max(mid, len(l.outcome))
	}
	write := func(name, outcome, held string) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s   %-*s   %s", wide, name, mid, outcome, held), " ") + "\n")
	}
	write("scenario", "outcome", "held")
	for _, l := range lines {
		write(l.name(), l.outcome, l.held)
	}
	if !testing.Verbose() && len(lines) < len(ran) {
		b.WriteString("\n  go test -v lists each scenario\n")
	}
}

func (l *line) name() string {
	if n := len(l.names); n > 1 {
		return fmt.Sprintf("%s and %d more", l.names[0], n-1)
	}
	return l.names[0]
}

// words is the outcome with what else is to be known.
func (r *run) words() string {
	var all []string
	for _, f := range r.findings {
		if !slices.Contains(all, string(f.outcome)) {
			all = append(all, string(f.outcome))
		}
	}
	if r.outcome == outFailed {
		all = append([]string{string(outFailed)}, all...)
	}
	if len(all) == 0 {
		all = []string{string(r.outcome)}
	}
	s := strings.Join(slices.Compact(all), ", ")
	if r.outcome == outPassed && r.sc.hides {
		s += " (this reply hides a leak)"
	}
	return s
}

// holds says what is held, in a few words.
func (r *run) holds() string {
	var parts []string
	for _, l := range r.leaks {
		what := l.Kind
		switch l.Kind {
		case "http-response":
			what = "response body"
		case "http-conn":
			what = "idle connections"
		}
		if l.Count > 1 {
			what += fmt.Sprintf(" ×%d", l.Count)
		}
		for _, h := range l.Holds {
			switch {
			case strings.HasPrefix(h, "socket "):
				what += ", socket"
			case strings.HasPrefix(h, "2 goroutines"):
				what += ", 2 goroutines"
			}
		}
		parts = append(parts, what)
	}
	return strings.Join(parts, "; ")
}
