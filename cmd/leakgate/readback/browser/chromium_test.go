package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// names are those that Chromium goes by.
var names = []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"}

// patience is how long a tab has for all that a test does with it.
const patience = time.Minute

// chromium is the one browser of all tests. It is started when the first of them needs it.
type chromium struct {
	once   sync.Once
	err    error
	ctx    context.Context
	cancel func()
	dir    string // its profile; no other process names it
}

var shared chromium

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		code = 1
	}
	os.Exit(code)
}

func (c *chromium) start() {
	path := ""
	for _, name := range names {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		c.err = fmt.Errorf("no Chromium for this test: none of %s is on PATH.\nInstall one (Debian and Ubuntu: apt-get install chromium).",
			strings.Join(names, ", "))
		return
	}
	if c.dir, c.err = os.MkdirTemp("", "leakgate-chromium-*"); c.err != nil {
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(c.dir), chromedp.NoSandbox, // containers run as root
		chromedp.WindowSize(1280, 1000),
	)
	allocator, freeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, freeBrowser := chromedp.NewContext(allocator)
	c.ctx, c.cancel = ctx, func() { freeBrowser(); freeAllocator() }
	if err := chromedp.Do(ctx); err != nil {
		c.err = fmt.Errorf("%s did not start: %w", path, err)
	}
}

// stop ends the browser, and makes sure that all of its processes have.
func (c *chromium) stop() error {
	if c.cancel != nil {
		if c.err == nil {
			_ = chromedp.Cancel(c.ctx) // asks it to close and waits for it
		}
		c.cancel()
	}
	if c.dir == "" {
		return nil
	}
	left := running(c.dir)
	for deadline := time.Now().Add(10 * time.Second); len(left) > 0 && time.Now().Before(deadline); left = running(c.dir) {
		time.Sleep(20 * time.Millisecond) // children notice by themselves that the browser is gone
	}
	err := os.RemoveAll(c.dir)
	if len(left) > 0 {
		return fmt.Errorf("processes of Chromium are left: %s", strings.Join(left, ", "))
	}
	return err
}

// running gives the processes whose command line names the folder. Where there is no /proc it gives none.
func running(dir string) []string {
	var out []string
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err == nil && bytes.Contains(line, []byte(dir)) {
			out = append(out, filepath.Base(filepath.Dir(path)))
		}
	}
	return out
}

// tab is a page that is open.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	asked    []string // addresses that it requested
	said     []string // on the console, and what the browser said of it
	dialogs  []string
	expected string
}

// open gives an empty tab. What a page in it did wrong fails the test when that ends.
func open(t *testing.T) *tab {
	t.Helper()
	shared.once.Do(shared.start)
	if shared.err != nil {
		if os.Getenv("LEAKGATE_REQUIRE_SERVICES") == "1" {
			require.FailNow(t, shared.err.Error()+"\nThe test fails, and is not skipped, because LEAKGATE_REQUIRE_SERVICES is 1.")
		}
		t.Skip(shared.err)
	}
	b := &tab{t: t}
	ctx, free := chromedp.NewContext(shared.ctx, chromedp.WithListener(b.hear))
	require.NoError(t, chromedp.Do(ctx)) // without a time limit, which the tab would have for good
	ctx, stop := context.WithTimeout(ctx, patience)
	b.ctx = ctx
	t.Cleanup(func() {
		stop()
		free()
		b.mu.Lock()
		defer b.mu.Unlock()
		assert.Empty(t, b.said, "the browser complained")
		assert.Empty(t, b.dialogs, "something of the data ran")
		for _, url := range b.asked {
			if !strings.HasPrefix(url, "data:") {
				assert.Equal(t, b.expected, strings.SplitN(url, "#", 2)[0], "the page loads nothing but itself")
			}
		}
	})
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, page.Enable, page.EnableParams{})
	return b
}

func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	case *runtime.EventConsoleAPICalled:
		said := "console." + string(e.Type)
		for _, arg := range e.Args {
			said += " " + string(arg.Value) + arg.Description
		}
		b.said = append(b.said, said)
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *log.EventEntryAdded:
		b.said = append(b.said, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
	case *page.EventJavascriptDialogOpening:
		b.dialogs = append(b.dialogs, e.Message)
		go func() { // a tab with a dialog does nothing else
			_, _ = chromedp.Run(b.ctx, command(page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}))
		}()
	}
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

// command is an action that gives the browser a command of its protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[R] {
	return func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, c, params) }
}

// call gives what a command comes to.
func call[P, R any](b *tab, c cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Run(b.ctx, command(c, params))
	require.NoError(b.t, err)
	return r
}

// file writes the page where a browser finds it, and gives its address.
func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "leakgate.html")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return "file://" + path
}

// load opens the address, which may end in a fragment.
func (b *tab) load(url string) {
	b.t.Helper()
	b.mu.Lock()
	b.expected, _, _ = strings.Cut(url, "#")
	b.mu.Unlock()
	b.run(chromedp.Navigate(url))
}

// eval gives what an expression of JavaScript comes to.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err)
	return v
}

// do runs JavaScript.
func (b *tab) do(statements string) {
	b.t.Helper()
	b.run(chromedp.Evaluate[chromedp.Void](statements))
}

// focus moves the focus, for keys that follow.
func (b *tab) focus(selector string) {
	b.t.Helper()
	b.do(fmt.Sprintf("document.querySelector(%q).focus()", selector))
}

// until waits for an expression to be true.
func (b *tab) until(expression string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond),
		chromedp.WithPollingTimeout(20*time.Second)))
	if errors.Is(err, chromedp.ErrPollingTimeout) {
		require.FailNow(b.t, "it never came to be: "+expression)
	}
	require.NoError(b.t, err)
}

// press presses keys one after the other, as somebody without a mouse does.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}
