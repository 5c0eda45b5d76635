package matrix

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
)

// How the parent tells a child what to do, and what the user tells the parent.
const (
	envScenario = "LEAKGATE_MATRIX_SCENARIO" // NAME/leak or NAME/clean
	envMain     = "LEAKGATE_MATRIX_MAIN"     // set: under leakcheck.Main and without Verify
	envPeer     = "LEAKGATE_MATRIX_PEER"     // URL of an HTTP server in the parent
	envRuns     = "LEAKGATE_MATRIX_RUNS"
	envFilter   = "LEAKGATE_MATRIX"
)

// scenario is one leak and its clean twin.
type scenario struct {
	name  string
	setup func() *peer                // makes what was there before the test; it stays until the process ends
	leak  func(t *testing.T, p *peer) // nil for a scenario that has only a clean side
	clean func(t *testing.T, p *peer) // nil for one that has only a leaking side
	want  want
	linux bool // needs what is seen on Linux alone
}

// want is what the report must say of the leak.
type want struct {
	code, kind string
	count      int      // 0 stands for 1
	mark       string   // the site is the line that ends in "// LEAK mark"; "" when no line can be known
	has        []string // texts of the entry
	hasNot     []string
	passes     bool   // the finding is told in the log, and the test passes
	test       string // the test that fails, when it is not the whole scenario
	nobody     bool   // under Main no test can be named
	onlyVerify bool   // has no place under Main
}

// table lists all scenarios.
func table() (all []scenario) {
	for _, family := range [][]scenario{
		httpScenarios, httpServerScenarios, goroutineScenarios, socketScenarios, processScenarios, sqlScenarios, cleanScenarios,
	} {
		all = append(all, family...)
	}
	return all
}

func TestMain(m *testing.M) {
	if os.Getenv(envMain) == "" {
		os.Exit(m.Run())
	}
	loadChild()
	os.Exit(leakcheck.Main(m))
}

// child is what a child process is to run.
var child struct {
	run func(*testing.T, *peer)
	at  *peer
}

func loadChild() {
	name, side, _ := strings.Cut(os.Getenv(envScenario), "/")
	for _, s := range table() {
		if s.name != name {
			continue
		}
		child.at = &peer{}
		if s.setup != nil {
			child.at = s.setup()
		}
		if child.run = s.clean; side == "leak" {
			child.run = s.leak
		}
		return
	}
	panic("no scenario " + name)
}

// TestScenario is the one test of a child process.
func TestScenario(t *testing.T) {
	if os.Getenv(envScenario) == "" || os.Getenv(envMain) != "" {
		t.Skip("runs in a child process of TestMatrix")
	}
	loadChild()
	t.Cleanup(leakcheck.Verify(t))
	child.run(t, child.at)
}

// Three tests of a child process under leakcheck.Main, of which the second one leaks.
func TestChildFirst(t *testing.T) { besides(t) }

func TestChildLeaks(t *testing.T) {
	if os.Getenv(envMain) == "" {
		t.Skip("runs in a child process of TestMatrixUnderMain")
	}
	child.run(t, child.at)
}

func TestChildLast(t *testing.T) { besides(t) }

// besides starts and ends something of its own.
func besides(t *testing.T) {
	if os.Getenv(envMain) == "" {
		t.Skip("runs in a child process of TestMatrixUnderMain")
	}
	done := make(chan struct{})
	go close(done)
	<-done
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// TestTable holds the table to what the package's documentation says of it.
func TestTable(t *testing.T) {
	leaks, known, used := 0, marks(t, "LEAK"), make(map[string]bool)
	names := make(map[string]bool)
	for _, s := range table() {
		assert.False(t, names[s.name], "two scenarios are called %s", s.name)
		names[s.name] = true
		assert.NotNil(t, s.clean, "%s has no clean twin", s.name)
		if s.leak == nil {
			continue
		}
		leaks++
		used[s.want.mark] = true
	}
	assert.GreaterOrEqual(t, leaks, 30, "scenarios that leak")
	for mark, at := range known {
		assert.True(t, used[mark], "%s: no scenario wants this line", at)
	}
}

func TestMatrix(t *testing.T) {
	p := newParent(t)
	for _, s := range table() {
		if !p.chosen(s) {
			continue
		}
		if s.leak != nil {
			p.run(t, s.name+"/leak", false, func(t *testing.T, r result) { checkLeak(t, p, s, r, "TestScenario") })
		}
		if s.clean != nil {
			p.run(t, s.name+"/clean", false, checkClean)
		}
	}
}

func TestMatrixUnderMain(t *testing.T) {
	p := newParent(t)
	for _, s := range table() {
		if !p.chosen(s) || s.want.onlyVerify || s.want.passes {
			continue
		}
		if s.leak != nil {
			p.run(t, s.name+"/leak", true, func(t *testing.T, r result) { checkLeak(t, p, s, r, "") })
		}
		if s.clean != nil {
			p.run(t, s.name+"/clean", true, checkClean)
		}
	}
}

// parent runs children.
type parent struct {
	runs   int
	filter *regexp.Regexp
	url    string
	marks  map[string]string // mark -> file:line
	binary string
	dir    string   // where its processes run; "" for here
	env    []string // of its processes
}

func newParent(t *testing.T) *parent {
	if os.Getenv(envScenario) != "" {
		t.Skip("this is a child process")
	}
	if testing.Short() {
		t.Skip("starts a process for each scenario")
	}
	p := &parent{runs: 1, marks: marks(t, "LEAK"), binary: os.Args[0]}
	if v := os.Getenv(envRuns); v != "" {
		n, err := strconv.Atoi(v)
		require.NoError(t, err, "%s must be a number", envRuns)
		p.runs = n
	}
	var err error
	p.filter, err = regexp.Compile(os.Getenv(envFilter))
	require.NoError(t, err, "%s must be a regular expression", envFilter)

	srv := httptest.NewServer(answer(http.StatusForbidden))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

func (p *parent) chosen(s scenario) bool {
	return p.filter.MatchString(s.name) && (!s.linux || runtime.GOOS == "linux")
}

// marks finds the lines of this package that end in "// LEAK name", or another word.
func marks(t *testing.T, word string) map[string]string {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	out := make(map[string]string)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		lines := bufio.NewScanner(bytes.NewReader(data))
		for n := 1; lines.Scan(); n++ {
			_, mark, ok := strings.Cut(lines.Text(), "// "+word+" ")
			if !ok || strings.ContainsAny(mark, `"/ `) {
				continue
			}
			require.NotContains(t, out, mark, "the mark is used twice")
			out[mark] = fmt.Sprintf("%s:%d", name, n)
		}
	}
	return out
}

// slots bounds how many children run at once.
var slots = make(chan struct{}, 2)

func (p *parent) run(t *testing.T, name string, underMain bool, check func(*testing.T, result)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		for i := range p.runs {
			r := p.start(name, underMain)
			t.Run(fmt.Sprintf("run %d", i+1), func(t *testing.T) {
				check(t, r)
				if t.Failed() {
					t.Logf("the child's output:\n%s", r.text)
				}
			})
		}
	})
}

// result is what became of a child.
type result struct {
	exit    int
	text    string
	entries []entry
	verdict []string // the number in each verdict
}

// entry is one entry of a report.
type entry struct {
	code, kind, by string
	count          int
	text           string // with the verdict that stands above it
}

var (
	verdictLine = regexp.MustCompile(`leak(?:check|gate): (\d+) (?:leaks?|findings?): `)
	entryLine   = regexp.MustCompile(`^\s+(LK\d{3}) (\S+)(?: ×(\d+))?(?: by (.+))?$`)
	siteLine    = regexp.MustCompile(`^\s+(taken at|opened at|started at|started by|now in|waited for at) +(\S+:\d+)  `)
)

func (p *parent) start(name string, underMain bool) result {
	slots <- struct{}{}
	defer func() { <-slots }()
	// The child's own timeout comes first and prints every goroutine.
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.binary, "-test.run=^TestScenario$", "-test.v", "-test.count=1", "-test.parallel=8", "-test.timeout=60s")
	cmd.Env = append(append(os.Environ(), envScenario+"="+name, envPeer+"="+p.url), p.env...)
	// The race detector would sleep a second at the end of each.
	cmd.Env = append(cmd.Env, "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	if underMain {
		cmd.Args[1] = "-test.run=^TestChild"
		cmd.Env = append(cmd.Env, envMain+"=1")
	}
	cmd.Dir = p.dir
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	r := result{exit: cmd.ProcessState.ExitCode(), text: out.String()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.text += "\nthe child could not be run: " + err.Error()
	}
	r.parse()
	return r
}

// lockedBuffer takes the output of a child, which may come from two goroutines of os/exec.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (r *result) parse() {
	for _, m := range verdictLine.FindAllStringSubmatch(r.text, -1) {
		r.verdict = append(r.verdict, m[1])
	}
	var in *entry
	verdict := ""
	for line := range strings.Lines(r.text) {
		line = strings.TrimRight(line, "\n")
		if verdictLine.MatchString(line) {
			verdict = line + "\n"
		}
		if m := entryLine.FindStringSubmatch(line); m != nil {
			e := entry{code: m[1], kind: m[2], by: m[4], count: 1, text: verdict}
			if m[3] != "" {
				e.count, _ = strconv.Atoi(m[3])
			}
			r.entries = append(r.entries, e)
			in = &r.entries[len(r.entries)-1]
			continue
		}
		if in == nil {
			continue
		}
		if strings.TrimSpace(line) == "" {
			in = nil
			continue
		}
		in.text += line + "\n"
	}
}

// site is the line that the entry blames.
func (e entry) site() string {
	for line := range strings.Lines(e.text) {
		if m := siteLine.FindStringSubmatch(line); m != nil {
			return m[2]
		}
	}
	return ""
}

// checkLeak compares a report with what the scenario wants. test is the test that fails; "" under Main, where none does.
func checkLeak(t *testing.T, p *parent, s scenario, r result, test string) {
	w := s.want
	count := max(w.count, 1)
	if w.passes {
		assert.Equal(t, 0, r.exit, "exit status")
	} else {
		assert.Equal(t, 1, r.exit, "exit status")
	}
	assert.Equal(t, []string{strconv.Itoa(count)}, r.verdict, "the number in the one verdict")
	if !assert.Len(t, r.entries, 1, "entries") {
		return
	}
	e := r.entries[0]
	assert.Equal(t, w.code+" "+w.kind, e.code+" "+e.kind, "code and kind")
	assert.Equal(t, count, e.count, "count")
	switch {
	case test == "" && w.nobody:
		assert.Empty(t, e.by, "no test can be named")
	case test == "":
		assert.Equal(t, "TestChildLeaks", e.by, "the test that is named")
		assert.NotContains(t, r.text, "--- FAIL")
	case w.passes:
		assert.Contains(t, r.text, "--- PASS: "+test+" ")
	default:
		if w.test != "" {
			test = w.test
		}
		assert.Empty(t, e.by, "the report is the test's own")
		assert.Contains(t, r.text, "--- FAIL: "+test+" ")
	}
	if w.mark != "" {
		require.Contains(t, p.marks, w.mark, "no line has the mark")
		assert.Equal(t, p.marks[w.mark], e.site(), "the line that is blamed")
		assert.NotContains(t, e.text, "no line ")
	} else {
		assert.Empty(t, e.site(), "no line can be known")
		assert.Contains(t, e.text, "no line ", "why there is no line")
	}
	for _, text := range w.has {
		assert.Contains(t, e.text, text)
	}
	for _, text := range w.hasNot {
		assert.NotContains(t, e.text, text)
	}
	assert.NotContains(t, r.text, "not checked, because", "a second verdict on what was reported")
	assert.NotContains(t, r.text, "the check itself failed")
	assert.NotContains(t, r.text, "panic:")
}

func checkClean(t *testing.T, r result) {
	assert.Equal(t, 0, r.exit, "exit status")
	assert.NotContains(t, r.text, "leakcheck:")
	assert.NotContains(t, r.text, "LK")
	assert.Contains(t, r.text, "--- PASS: Test")
	assert.NotContains(t, r.text, "--- SKIP")
}
