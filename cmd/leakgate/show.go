package main

import (
	"fmt"
	"regexp"
	"strings"
)

// leakLine is the statement that the report has to name.
const leakLine = "http.DefaultClient.Do(req)"

// pageReply is what mockserver.ALB(403) sends, but for Date and Connection. A test compares it with the real one.
const pageReply = `HTTP/1.1 403 Forbidden
Server: awselb/2.0
Content-Type: text/html
Content-Length: 118

<html>
<head><title>403 Forbidden</title></head>
<body>
<center><h1>403 Forbidden</h1></center>
</body>
</html>
`

// outcome is what came of one scenario.
type outcome struct {
	ok      bool
	found   string // what the harness reported
	because string // what is wrong; "" when ok
}

// judge compares a test with what had to come of it.
func judge(s scenario, t *testResult, line int) outcome {
	text := strings.Join(t.output, "\n")
	at := fmt.Sprintf("client.go:%d", line)
	reported := codes(text)
	o := outcome{found: "nothing"}
	if len(reported) > 0 {
		o.found = strings.Join(reported, ", ")
	}
	switch {
	case s.leaks && t.verdict != "fail":
		o.because = s.test + " passed: the leak was missed"
	case s.leaks && (len(reported) != 1 || reported[0] != "LK001"):
		o.because = s.test + " failed, but not with one LK001"
	case s.leaks && !regexp.MustCompile(`taken at +`+regexp.QuoteMeta(at)+`\b`).MatchString(text):
		o.because = s.test + " failed with LK001, but did not name " + at
	case s.leaks:
		o.ok, o.found = true, "LK001 at "+at
	case t.verdict != "pass":
		o.because = s.test + " did not pass: there is nothing to report in it"
	case len(reported) > 0:
		o.because = s.test + " passed, but reported " + o.found
	default:
		o.ok = true
	}
	return o
}

var entryLine = regexp.MustCompile(`^ *(LK\d{3}) [a-z]`)

// codes gives the code of each entry of a report.
func codes(text string) (out []string) {
	for line := range strings.Lines(text) {
		if m := entryLine.FindStringSubmatch(line); m != nil {
			out = append(out, m[1])
		}
	}
	return out
}

// show writes the result and gives the exit status.
func (d demo) show(run *testRun, files map[string]string) int {
	d.title("1", "The client. It needs the status code alone, and forgets the body.", "client.go")
	d.lines(excerpt(files["client.go"], leakLine, 10))
	d.title("2", "The mock. It answers what a load balancer answers: a 403 with a page.", "incident_test.go")
	d.lines(excerpt(files["incident_test.go"], "mockserver.New(t)", 2))
	d.blank()
	d.page()

	leaky := run.test(leakyTest)
	d.title("3", leakyTest+": "+strings.ToUpper(leaky.verdict)+". What go test printed:", "")
	if len(leaky.output) == 0 {
		fmt.Fprintf(d.out, "   nothing\n")
	}
	d.report(leaky.output)

	d.title("4", "Beside it:", "")
	fmt.Fprintf(d.out, "   %s  %-22s  the client with  defer resp.Body.Close()  against the page\n", d.verdict(run.test(fixedTest)), fixedTest)
	fmt.Fprintf(d.out, "   %s  %-22s  the client that leaks against a 403 with  Content-Length: 0\n", d.verdict(run.test(emptyTest)), emptyTest)
	d.blank()
	d.say("A mock without a body hides the bug: with Content-Length: 0 net/http puts the connection back into its pool before " +
		"the client sees the response, so that there is nothing left to leak.")

	code := d.summary(run, lineOf(files["client.go"], leakLine))
	if code == exitOK {
		d.next()
	}
	return code
}

func (d demo) summary(run *testRun, line int) int {
	d.blank()
	fmt.Fprintln(d.out, d.paint(bold, fmt.Sprintf("   %-16s %-24s %-8s %s", "client", "mock", "go test", "reported")))
	var wrong []string
	planted, caught := 0, 0
	for _, s := range scenarios {
		o := judge(s, run.test(s.test), line)
		if s.leaks {
			planted++
		}
		if s.leaks && o.ok {
			caught++
		}
		if !o.ok {
			wrong = append(wrong, o.because)
		}
		// The verdict is padded before it is painted.
		verdict := strings.ToUpper(run.test(s.test).verdict)
		fmt.Fprintf(d.out, "   %-16s %-24s %s %s\n", s.client, s.mock, d.paint(colourOf(verdict), fmt.Sprintf("%-8s", verdict)), o.found)
	}
	d.blank()
	if len(wrong) == 0 {
		fmt.Fprintf(d.out, "%s\n", d.paint(green, fmt.Sprintf("leakgate demo: ok: %d leak planted, %d caught, no false alarm", planted, caught)))
		return exitOK
	}
	fmt.Fprintf(d.out, "%s\n", d.paint(red, fmt.Sprintf("leakgate demo: NOT ok: %d leak planted, %d caught", planted, caught)))
	for _, w := range wrong {
		fmt.Fprintf(d.out, "   %s\n", w)
	}
	fmt.Fprintf(d.out, "   please report it, with the output of: leakgate demo -v\n")
	return exitLeaks
}

func (d demo) next() {
	fmt.Fprintf(d.out, "\n%s\n", d.paint(bold, "Now yours: go get "+modulePath+"@latest, and paste two lines into a test:"))
	d.blank()
	fmt.Fprintf(d.out, "   import %q\n", modulePath+"/leakcheck")
	fmt.Fprintf(d.out, "   t.Cleanup(leakcheck.Verify(t)) // the first line of the test\n")
	d.blank()
	d.say("Where it calls a service, let the mock answer as the real one does: mockserver.New(t), mockserver.ALB(403).")
}

// title begins a part, with a file name at the right.
func (d demo) title(number, text, file string) {
	if number != "1" {
		d.blank()
	}
	pad := ""
	if file != "" {
		pad = strings.Repeat(" ", max(2, width-3-len(text)-len(file)))
	}
	fmt.Fprintf(d.out, "%s  %s%s%s\n", d.paint(bold, number), d.paint(bold, text), pad, file)
}

func (d demo) blank() { fmt.Fprintln(d.out) }

// numbered is a line of a file.
type numbered struct {
	n    int
	text string
}

func (d demo) lines(lines []numbered) {
	for _, l := range lines {
		text := strings.TrimRight(fmt.Sprintf("   %3d  %s", l.n, strings.ReplaceAll(l.text, "\t", "    ")), " ")
		if strings.Contains(l.text, leakLine) {
			text = d.paint(yellow, text)
		}
		fmt.Fprintln(d.out, text)
	}
}

// page shows the reply in short: its framing and its body decide.
func (d demo) page() {
	head, body, _ := strings.Cut(pageReply, "\n\n")
	fields := strings.Split(head, "\n")
	fmt.Fprintf(d.out, "   it sends  %s\n", strings.Join(fields[:2], " | "))
	fmt.Fprintf(d.out, "             %s\n", strings.Join(fields[2:], " | "))
	for part := range strings.SplitSeq(strings.TrimSpace(body), "\n<body>") {
		if !strings.HasPrefix(part, "<html>") {
			part = "<body>" + part
		}
		fmt.Fprintf(d.out, "             %s\n", strings.ReplaceAll(part, "\n", ""))
	}
}

func (d demo) verdict(t *testResult) string {
	v := strings.ToUpper(t.verdict)
	return d.paint(colourOf(v), v)
}

func colourOf(verdict string) string {
	if verdict == "PASS" {
		return green
	}
	return red
}

// valueColumn is where the values of a report's rows begin, after the indentation that testing adds.
const valueColumn = 8 + 16

// report shows what a test printed, as it printed it, with long lines broken.
func (d demo) report(lines []string) {
	for _, line := range lines {
		line = strings.TrimRight(line, " ")
		hang := valueColumn
		if indent := len(line) - len(strings.TrimLeft(line, " ")); indent < 10 {
			hang = 8
		}
		for i, part := range wrap(line, hang) {
			if i == 0 && strings.HasPrefix(strings.TrimSpace(part), "taken at ") {
				part = d.paint(yellow, part)
			}
			fmt.Fprintln(d.out, part)
		}
	}
}

func (d demo) say(text string) {
	for _, part := range wrap("   "+text, 3) {
		fmt.Fprintln(d.out, part)
	}
}

// excerpt gives count lines of a text, from the first one that has the statement on.
func excerpt(text, statement string, count int) (lines []numbered) {
	for i, line := range strings.Split(text, "\n") {
		if len(lines) < count && (len(lines) > 0 || strings.Contains(line, statement)) {
			lines = append(lines, numbered{i + 1, line})
		}
	}
	return lines
}

// lineOf gives the number of the first line that has the statement; 0 when none has.
func lineOf(text, statement string) int {
	for _, l := range excerpt(text, statement, 1) {
		return l.n
	}
	return 0
}
