package record

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Incident runs the tests of this package that are behind the incident tag, and fails t when one of them has another verdict
// than want says ("PASS" or "FAIL", by name) or is not in want. It gives what go test printed.
func Incident(t *testing.T, want map[string]string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a test binary")
	}
	// All tests whose names are in want, and no other: without the tag they do not exist.
	var names []string
	for name := range want {
		names = append(names, name)
	}
	out, _ := exec.Command("go", "test", "-tags", "incident", "-count=1", "-v", "-run", "^("+strings.Join(names, "|")+")$", ".").CombinedOutput()
	got := make(map[string]string)
	for _, m := range verdict.FindAllStringSubmatch(string(out), -1) {
		got[m[2]] = m[1]
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s: %q, want %q", name, got[name], v)
		}
	}
	if t.Failed() {
		t.Logf("go test printed:\n%s", out)
	}
	return string(out)
}

var verdict = regexp.MustCompile(`(?m)^--- (PASS|FAIL): (\S+)`)

// varies is what differs from run to run, and need not be the same in a README.
var varies = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`), "TIME"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDR"},
	{regexp.MustCompile(`fd \d+`), "fd N"},
	{regexp.MustCompile(`\b\d+(\.\d+)? (times|waited|a second|connections on average)`), "N $2"},
	{regexp.MustCompile(`at most \d+(\.\d+)?`), "at most N"},
	{regexp.MustCompile(`\(\d+%\)`), "(N%)"},
	{regexp.MustCompile(`\d+ sockets in`), "N sockets in"},
}

// ReadmeShows fails t when README.md shows something that was not printed. It shows a run by a line "    --- FAIL: TestName",
// and below that, indented further, what the test printed: lines may be left out, and times, ports and descriptors are others.
// It gives how many lines it has compared.
func ReadmeShows(t *testing.T, printed string) (compared int) {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown, in := "", false
	var rest []string
	for line := range strings.Lines(string(readme)) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "    --- FAIL: "); ok {
			shown, in = name, true
			rest = linesOf(printed, name)
			if rest == nil {
				t.Errorf("README.md shows that %s fails, and it did not", name)
			}
			continue
		}
		if line != "" && !strings.HasPrefix(line, "        ") {
			in = false
		}
		if !in || strings.TrimSpace(line) == "" {
			continue
		}
		compared++
		want := normal(line)
		for len(rest) > 0 && normal(rest[0]) != want {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			t.Errorf("README.md shows a line of %s that was not printed, or not there:\n%s\nprinted:\n%s", shown, line, printed)
			return compared
		}
	}
	return compared
}

// ReadmeQuotes fails t when README.md quotes a report, which begins with "leakcheck: ", that is none of these: lines may be
// left out, and times, ports and descriptors are others. It gives how many lines it has compared.
func ReadmeQuotes(t *testing.T, reports ...string) (compared int) {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var quotes [][]string
	in := false
	for line := range strings.Lines(string(readme)) {
		text, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		switch {
		case indented && strings.HasPrefix(text, "leakcheck: "):
			in = true
			quotes = append(quotes, []string{text})
		case in && indented && strings.HasPrefix(text, "  "):
			quotes[len(quotes)-1] = append(quotes[len(quotes)-1], text)
		case strings.TrimSpace(text) != "":
			in = false
		}
	}
	for _, quote := range quotes {
		compared += len(quote)
		found := false
		for _, report := range reports {
			found = found || holds(report, quote)
		}
		if !found {
			t.Errorf("README.md quotes what was not reported:\n%s\nreported:\n%s", strings.Join(quote, "\n"), strings.Join(reports, "\n"))
		}
	}
	return compared
}

// holds says whether a report has all of the lines, in their order.
func holds(report string, lines []string) bool {
	for line := range strings.Lines(report) {
		if len(lines) > 0 && normal(line) == normal(lines[0]) {
			lines = lines[1:]
		}
	}
	return len(lines) == 0
}

func normal(line string) string {
	line = strings.TrimSpace(line)
	for _, v := range varies {
		line = v.re.ReplaceAllString(line, v.by)
	}
	return line
}

// position is what the testing package puts before the first line of a message.
var position = regexp.MustCompile(`^\s*\w+\.go:\d+: `)

// linesOf gives the lines that a test which failed has printed; nil when it did not fail.
func linesOf(printed, test string) []string {
	_, rest, ok := strings.Cut(printed, "=== RUN   "+test+"\n")
	if !ok {
		return nil
	}
	own, _, ok := strings.Cut(rest, "--- FAIL: "+test+" (")
	if !ok || strings.Contains(own, "=== RUN ") {
		return nil
	}
	var out []string
	for line := range strings.Lines(own) {
		out = append(out, position.ReplaceAllString(line, ""))
	}
	return out
}
