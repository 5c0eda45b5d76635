package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

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

// judge compares a test with what had to come of it. at is the position that the report has to name, and atToo that of what has to be
// beside it.
func judge(s scenario, t *testResult, at, atToo string) outcome {
	text := strings.Join(t.output, "\n")
	reported := codes(text)
	o := outcome{found: "nothing"}
	if len(reported) > 0 {
		o.found = strings.Join(reported, ", ")
	}
	want := s.want.code
	if s.too.code != "" {
		want += ", " + s.too.code
	}
	switch {
	case want != "" && t.verdict != "fail":
		o.because = s.test + " passed: the fault was missed"
	case want != "" && strings.Join(reported, ", ") != want:
		o.because = s.test + " failed, but not with one " + want
	case want != "" && !mentions(text, at):
		o.because = s.test + " failed with " + want + ", but did not name " + at
	case s.too.code != "" && !mentions(text, atToo):
		o.because = s.test + " failed with " + want + ", but did not name " + atToo
	case want != "":
		o.ok, o.found = true, s.want.code+" at "+at
		if s.too.code != "" {
			o.found += ", " + s.too.code
		}
	case t.verdict != "pass":
		o.because = s.test + " did not pass: there is nothing to report in it"
	case len(reported) > 0:
		o.because = s.test + " passed, but reported " + o.found
	case !strings.Contains(text, s.prints):
		o.because = s.test + " passed, but did not print " + strconv.Quote(s.prints)
	default:
		o.ok = true
	}
	return o
}

// roles are what a report says of the line that it names.
const roles = `taken at|opened at|dialled at|hangs at|started at|for example at|at`

// mentions says whether a report names the position.
func mentions(text, at string) bool {
	return regexp.MustCompile(`(?m)(^ *(` + roles + `) +|the sql.DB opened at )` + regexp.QuoteMeta(at) + `\b`).MatchString(text)
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
	for i, in := range d.incidents() {
		d.incident(i, in, run, files)
	}
	code := d.summary(run, files)
	if code == exitOK {
		d.next()
	}
	return code
}

// incident writes what came of one.
func (d demo) incident(i int, in incident, run *testRun, files map[string]string) {
	if i > 0 {
		d.blank()
	}
	d.title(fmt.Sprintf("%d. %s", i+1, in.title), in.folder)
	for _, part := range in.parts {
		d.blank()
		d.caption(part.text, part.file)
		d.lines(excerpt(files[in.folder+"/"+part.file], part.statement, part.lines))
	}
	if in.below != nil {
		d.blank()
		in.below(d)
	}
	d.blank()
	shown := run.test(in.report)
	d.caption(fmt.Sprintf("%s: %s. What go test printed:", in.report, strings.ToUpper(shown.verdict)), "")
	if len(shown.output) == 0 {
		fmt.Fprintf(d.out, "   nothing\n")
	}
	d.report(shown.output)

	if len(in.beside) > 0 {
		d.blank()
		d.caption("Beside it:", "")
	}
	longest := 0
	for _, b := range in.beside {
		longest = max(longest, len(b.test))
	}
	for _, b := range in.beside {
		fmt.Fprintf(d.out, "   %s  %-*s  %s\n", d.verdict(run.test(b.test)), longest, b.test, b.text)
		for _, s := range in.tests {
			if s.test == b.test && s.prints != "" {
				d.printed(run.test(s.test).output)
			}
		}
	}
	d.blank()
	d.say(in.say)
}

// position is what the testing package puts before a line of a log.
var position = regexp.MustCompile(`^ *\w+\.go:\d+: `)

// printed shows what a test has logged.
func (d demo) printed(lines []string) {
	for _, line := range lines {
		for _, part := range wrap("         "+strings.TrimSpace(position.ReplaceAllString(line, "")), 9) {
			fmt.Fprintln(d.out, part)
		}
	}
}

func (d demo) summary(run *testRun, files map[string]string) int {
	d.blank()
	const columns = "   %-11s  %-23s  %-20s  %s  %s\n"
	fmt.Fprint(d.out, d.paint(bold, fmt.Sprintf(columns, "incident", "code", "test", fmt.Sprintf("%-7s", "go test"), "reported")))
	var wrong []string
	planted, caught, unseen := 0, 0, 0
	for _, in := range d.incidents() {
		for _, s := range in.tests {
			position := func(p place) string {
				return fmt.Sprintf("%s:%d", p.file, lineOf(files[in.folder+"/"+p.file], p.statement))
			}
			if s.linux && run.test(s.test).verdict == "skip" {
				fmt.Fprintf(d.out, columns, in.folder, s.code, s.against, fmt.Sprintf("%-7s", "SKIP"), "for Linux alone")
				continue
			}
			o := judge(s, run.test(s.test), position(s.want), position(s.too))
			if s.want.code != "" {
				planted++
				if o.ok {
					caught++
				}
			}
			if s.unseen {
				unseen++
				if o.ok {
					o.found = "nothing: none is left behind"
				}
			}
			if !o.ok {
				wrong = append(wrong, o.because)
			}
			if s.prints != "" {
				continue
			}
			// The verdict is padded before it is painted.
			verdict := strings.ToUpper(run.test(s.test).verdict)
			fmt.Fprintf(d.out, columns, in.folder, s.code, s.against, d.paint(colourOf(verdict), fmt.Sprintf("%-7s", verdict)), o.found)
		}
	}
	d.blank()
	if len(wrong) == 0 && unseen > 0 {
		fmt.Fprintf(d.out, "%s\n", d.paint(green, fmt.Sprintf("leakgate demo: ok: %d faults, of which %d leave something behind: %d caught, no false alarm",
			planted+unseen, planted, caught)))
		return exitOK
	}
	if len(wrong) == 0 {
		fmt.Fprintf(d.out, "%s\n", d.paint(green, fmt.Sprintf("leakgate demo: ok: %d faults planted, %d caught, no false alarm", planted, caught)))
		return exitOK
	}
	fmt.Fprintf(d.out, "%s\n", d.paint(red, fmt.Sprintf("leakgate demo: NOT ok: %d faults planted, %d caught", planted, caught)))
	more := ""
	if d.deep {
		more = " -deep"
	}
	for _, w := range wrong {
		fmt.Fprintf(d.out, "   %s\n", w)
	}
	fmt.Fprintf(d.out, "   please report it, with the output of: leakgate demo -v%s\n", more)
	return exitLeaks
}

func (d demo) next() {
	if d.deep {
		fmt.Fprintf(d.out, "\n%s\n", d.paint(bold, "Now yours, in the folder of any module: leakgate test ./..."))
		return
	}
	fmt.Fprintf(d.out, "\n%s\n", d.paint(bold, "Now yours: go get "+modulePath+"@latest, and paste two lines into a test:"))
	d.blank()
	fmt.Fprintf(d.out, "   import %q\n", modulePath+"/leakcheck")
	fmt.Fprintf(d.out, "   t.Cleanup(leakcheck.Verify(t)) // the first line of the test\n")
	d.blank()
	d.say("Where it calls a service, let the mock answer as the real one does: mockserver.New(t), mockserver.ALB(403). Where it " +
		"has a database, open that with dbcheck.Open(driver, dsn).")
}

// title begins an incident, with its folder at the right.
func (d demo) title(text, folder string) {
	fmt.Fprintf(d.out, "%s%s\n", d.paint(bold, text), d.right(len(text), folder))
}

// caption begins a part, with a file name at the right.
func (d demo) caption(text, file string) {
	fmt.Fprintf(d.out, "   %s%s\n", text, d.right(3+len(text), file))
}

// right gives a text that ends at the right, behind one of the length.
func (d demo) right(used int, text string) string {
	if text == "" {
		return ""
	}
	return strings.Repeat(" ", max(2, width-used-len(text))) + text
}

func (d demo) blank() { fmt.Fprintln(d.out) }

// numbered is a line of a file.
type numbered struct {
	n      int
	text   string
	marked bool
}

func (d demo) lines(lines []numbered) {
	for _, l := range lines {
		text := strings.TrimRight(fmt.Sprintf("   %3d  %s", l.n, strings.ReplaceAll(l.text, "\t", "    ")), " ")
		if l.marked {
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
			if i == 0 && positionRow.MatchString(part) {
				part = d.paint(yellow, part)
			}
			fmt.Fprintln(d.out, part)
		}
	}
}

var positionRow = regexp.MustCompile(`^ *(` + roles + `) `)

func (d demo) say(text string) {
	for _, part := range wrap("   "+text, 3) {
		fmt.Fprintln(d.out, part)
	}
}

// excerpt gives count lines of a text, from the first one that has the statement on.
func excerpt(text, statement string, count int) (lines []numbered) {
	for i, line := range strings.Split(text, "\n") {
		if len(lines) < count && (len(lines) > 0 || strings.Contains(line, statement)) {
			lines = append(lines, numbered{i + 1, line, strings.Contains(line, statement)})
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
