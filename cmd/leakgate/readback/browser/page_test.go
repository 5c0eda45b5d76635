package browser

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/page"
	"github.com/leakgate/leakgate/internal/verdict"
	"github.com/leakgate/leakgate/internal/verdict/sample"
)

func render(t *testing.T, v *verdict.Verdict) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, page.Write(&b, v, page.Options{SourceURL: "https://git.test/acme/shop/blob/0123abc"}))
	return b.Bytes()
}

// visible counts the findings that the filter lets through.
const visible = `Array.from(document.querySelectorAll("article.finding")).filter(f => !f.hidden).length`

// TestRenders: the page comes up without a complaint of the browser, and asks for nothing else. (open looks at both.)
func TestRenders(t *testing.T) {
	for name, v := range map[string]*verdict.Verdict{
		"sample": sample.Verdict(), "clean": verdict.Merge(sample.Clean()), "empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			b.load(file(t, render(t, v)))
			assert.Equal(t, len(v.Findings), eval[int](b, visible))
			want := 2
			if len(v.Tests) > 0 {
				want = 3
			}
			assert.Equal(t, want, eval[int](b, `document.scripts.length`))
			assert.True(t, eval[bool](b, `document.documentElement.classList.contains("js")`))
		})
	}
}

// TestServed: from a server too the page is one request, without one for an icon.
func TestServed(t *testing.T) {
	content := render(t, sample.Verdict())
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(content)
	}))
	defer srv.Close()
	b := open(t)
	b.load(srv.URL + "/")
	b.until(`document.readyState === "complete"`)
	assert.EqualValues(t, 1, asked.Load())
}

// TestHostile: texts that try to break out are there to be read, and nothing of them runs. (open looks for dialogs.)
func TestHostile(t *testing.T) {
	b := open(t)
	b.load(file(t, render(t, sample.Verdict())))
	assert.Equal(t, 3, eval[int](b, `document.scripts.length`))
	for _, text := range []string{`<script>alert(1)</script>`, `]]> --> </pre></style></title> <!-- &amp; &lt;`, `[link](javascript:alert(1))`} {
		assert.True(t, eval[bool](b, fmt.Sprintf(`Array.from(document.querySelectorAll(".finding h3")).some(h => h.textContent.includes(%q))`, text)), text)
	}
	// In the rows that the script makes, too.
	b.focus("#tq")
	b.press("TestHostile/<script>")
	b.until(`document.querySelector("#tests-shown").textContent.startsWith("1 of ")`)
	assert.Equal(t, "TestHostile/<script>alert(1)</script>", eval[string](b, `document.querySelector("#test-table .test").textContent`))
	assert.Equal(t, 3, eval[int](b, `document.scripts.length`))
	assert.Empty(t, eval[[]string](b, `Array.from(document.querySelectorAll("a")).map(a => a.protocol).filter(p => !["https:", "file:"].includes(p))`))
}

// tabTo presses Tab until the element has the focus, and makes sure that on the way the focus can always be seen.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 60 {
		b.press(kb.Tab)
		at := eval[struct {
			There bool
			What  string
			Ring  bool
		}](b, fmt.Sprintf(`(() => {
			const e = document.activeElement;
			const ring = x => x && getComputedStyle(x).outlineStyle !== "none" && parseFloat(getComputedStyle(x).outlineWidth) >= 1.5;
			return {There: e.matches(%q), What: e.outerHTML.slice(0, 120), Ring: ring(e) || ring(e.nextElementSibling)};
		})()`, selector))
		assert.True(b.t, at.Ring, "the focus cannot be seen on %s", at.What)
		if at.There {
			return
		}
	}
	require.FailNow(b.t, "the keyboard does not reach "+selector)
}

// TestFilter is done without a mouse.
func TestFilter(t *testing.T) {
	v := sample.Verdict()
	b := open(t)
	url := file(t, render(t, v))
	b.load(url)
	count := func(match func(*verdict.Finding) bool) int {
		n := 0
		for i := range v.Findings {
			if match(&v.Findings[i]) {
				n++
			}
		}
		return n
	}
	all := len(v.Findings)
	shown := func(n int) {
		t.Helper()
		said := fmt.Sprintf("%d of %d leaks", n, all)
		if n == all {
			said = fmt.Sprintf("%d leaks", all)
		}
		b.until(fmt.Sprintf(`document.querySelector("#shown").textContent === %q`, said))
		assert.Equal(t, n, eval[int](b, visible))
	}
	shown(all)
	assert.Equal(t, "polite", eval[string](b, `document.querySelector("#shown").getAttribute("aria-live")`))

	b.press(kb.Tab)
	assert.Equal(t, "#main", eval[string](b, `document.activeElement.getAttribute("href")`), "the first stop skips the navigation")
	b.press(kb.Enter)
	b.until(`document.activeElement.id === "main"`)

	b.tabTo("#q")
	b.press("awselb/2.0")
	elb := count(func(f *verdict.Finding) bool { return strings.Contains(f.Leak.Summary, "awselb/2.0") })
	require.Positive(t, elb)
	shown(elb)
	assert.Equal(t, "#q=awselb%2F2.0", eval[string](b, `location.hash`))

	b.tabTo("#kind")
	b.press("http-r") // a list jumps to what is typed
	assert.Equal(t, "http-response", eval[string](b, `document.querySelector("#kind").value`))
	shown(elb)

	b.tabTo("input[value=known]")
	b.press(" ")
	b.until(`document.querySelector("#shown").textContent === "None of ` + fmt.Sprint(all) + ` leaks"`)
	b.tabTo("#clear")
	b.press(kb.Enter)
	shown(all)
	assert.Equal(t, "q", eval[string](b, `document.activeElement.id`))

	b.tabTo("input[value=known]")
	b.press(" ")
	known := count(func(f *verdict.Finding) bool { return f.Standing == verdict.Known })
	require.Positive(t, known)
	shown(known)
	assert.Equal(t, "#standing=known", eval[string](b, `location.hash`))

	// Its details open with a key.
	b.tabTo("article.finding:not([hidden]) summary")
	assert.False(t, eval[bool](b, `document.activeElement.parentElement.open`))
	b.press(kb.Enter)
	b.until(`document.activeElement.parentElement.open`)

	// The address has it all: who gets it sees the same.
	again := open(t)
	again.load(url + "#standing=known,over&q=closed&pkg=" + sample.Shop + "/store")
	again.until(`document.querySelector("#shown").textContent.includes(" of ")`)
	assert.Equal(t, count(func(f *verdict.Finding) bool {
		return (f.Standing == verdict.Known || f.Standing == verdict.Over) && f.Package == sample.Shop+"/store" &&
			strings.Contains(strings.ToLower(f.Leak.Summary+f.Leak.State+f.Leak.Hint+f.Leak.Why), "closed")
	}), eval[int](again, visible))
	assert.Equal(t, []string{"over", "known"}, eval[[]string](again, `Array.from(document.querySelectorAll("input[name=standing]:checked")).map(i => i.value)`))

	// A link to a leak shows it, also when the filter hides it.
	last := "f-" + v.Findings[all-1].ID
	again.do(`location.hash = "#` + last + `"`)
	again.until(`document.activeElement.closest("article")?.id === "` + last + `" && document.activeElement.parentElement.open`)
	assert.Equal(t, all, eval[int](again, visible))
}

var (
	rowPattern  = regexp.MustCompile(`(?s)<tr(?: class="leaked")?>(<th scope="row"><span class="test">.*?)</tr>`)
	cellPattern = regexp.MustCompile(`(?s)<t[hd][^>]*>(.*?)</t[hd]>`)
	tagPattern  = regexp.MustCompile(`<[^>]*>`)
)

// TestSort: the script's rows are those of the page without it, and each column sorts both ways.
func TestSort(t *testing.T) {
	content := render(t, sample.Verdict())
	var plain [][]string
	for _, row := range rowPattern.FindAllSubmatch(content, -1) {
		var cells []string
		for _, cell := range cellPattern.FindAllSubmatch(row[1], -1) {
			cells = append(cells, html.UnescapeString(tagPattern.ReplaceAllString(string(cell[1]), "")))
		}
		plain = append(plain, cells)
	}
	require.Len(t, plain, 50)

	b := open(t)
	b.load(file(t, content))
	const rows = `Array.from(document.querySelectorAll("#test-table tbody tr")).map(r => Array.from(r.cells).map(c => c.textContent))`
	assert.Equal(t, plain, eval[[][]string](b, rows))

	heads := eval[[]string](b, `Array.from(document.querySelectorAll("#test-table thead th")).map(h => h.dataset.key)`)
	require.Len(t, heads, 12)
	for i, key := range heads {
		b.focus(`th[data-key="` + key + `"] button`)
		for _, way := range []string{"first", "second"} {
			b.press(kb.Enter)
			sorted := eval[[]string](b, `Array.from(document.querySelectorAll("th[aria-sort]")).map(h => h.dataset.key + " " + h.getAttribute("aria-sort"))`)
			direction := "descending"
			if (i < 2) == (way == "first") {
				direction = "ascending"
			}
			assert.Equal(t, []string{key + " " + direction}, sorted)
			assert.Equal(t, key, eval[string](b, `document.activeElement.parentElement.dataset.key`), "the focus stays")
		}
	}
	b.focus(`th[data-key=leases] button`)
	b.press(kb.Enter)
	const leases = `Array.from(document.querySelectorAll("#test-table tbody tr")).map(r => Number(r.cells[7].textContent.replaceAll(",", "")))`
	down := eval[[]int](b, leases)
	assert.True(t, slices.IsSortedFunc(down, func(a, b int) int { return b - a }), "%v", down)
	assert.Greater(t, down[0], down[len(down)-1])
	assert.Equal(t, "#sort=leases-down", eval[string](b, `location.hash`))
	b.press(kb.Enter)
	up := eval[[]int](b, leases)
	assert.True(t, slices.IsSorted(up), "%v", up)
	assert.Less(t, up[0], down[0])

	b.focus("#tests-more")
	b.press(kb.Enter)
	assert.Equal(t, len(sample.Verdict().Tests), eval[int](b, `document.querySelectorAll("#test-table tbody tr").length`))
	assert.Equal(t, 50, eval[int](b, `document.activeElement.parentElement.sectionRowIndex`), "the focus goes on where the new rows begin")
}

// contrasts gives each text that is hard to read: what it is, and its contrast with what lies under it. WCAG 2.2 asks for 4.5.
const contrasts = `(() => {
	const rgb = s => (s.match(/[\d.]+/g) || []).map(Number);
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
	const under = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
	const bad = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (!Array.from(e.childNodes).some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() || e.closest("script, .unseen")) continue;
		const svg = e.closest("svg");
		if (svg && (e.tagName !== "text")) continue;
		const style = getComputedStyle(e), a = light(rgb(svg ? style.fill : style.color).slice(0, 3)), b = light(under(svg ? svg.parentElement : e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) bad.add(e.tagName + "." + (e.getAttribute("class") || "") + " " + ratio.toFixed(2));
	}
	return Array.from(bad);
})()`

// TestColours: light and dark follow the system until somebody chooses, and every text can be read in both.
func TestColours(t *testing.T) {
	b := open(t)
	url := file(t, render(t, sample.Verdict()))
	prefers := func(scheme string) {
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	}
	const ground = `getComputedStyle(document.body).backgroundColor`
	const light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 28)"
	prefers("light")
	b.load(url)
	b.do(`document.querySelectorAll("details").forEach((d, i) => { if (i % 4 === 0) d.open = true; })`)
	assert.Equal(t, light, eval[string](b, ground))
	assert.Empty(t, eval[[]string](b, contrasts), "light")
	prefers("dark")
	assert.Equal(t, dark, eval[string](b, ground))
	assert.Empty(t, eval[[]string](b, contrasts), "dark")

	b.focus("input[value=auto]")
	b.press(kb.ArrowRight)
	assert.Equal(t, light, eval[string](b, ground), "chosen by a key")
	b.run(chromedp.Reload())
	assert.Equal(t, light, eval[string](b, ground), "and kept")
	assert.Equal(t, "light", eval[string](b, `document.querySelector("input[name=theme]:checked").value`))
	b.focus("input[value=light]")
	b.press(kb.ArrowRight)
	prefers("light")
	assert.Equal(t, dark, eval[string](b, ground))
	b.press(kb.ArrowRight)
	assert.Equal(t, light, eval[string](b, ground), "back to the system's")
	b.do(`localStorage.clear()`)
}

// TestCloseWait: the line of the sockets in CLOSE_WAIT has a colour that no other line of its plot has, stands out from the ground
// in light and in dark, and is the first thing that a screen reader says of the plot.
func TestCloseWait(t *testing.T) {
	b := open(t)
	b.load(file(t, render(t, sample.Verdict())))
	for _, scheme := range []string{"light", "dark"} {
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		got := eval[struct {
			Plots     int
			Alike     []string
			Contrasts []float64
			Said      []string
		}](b, `(() => {
			const rgb = s => (s.match(/[\d.]+/g) || []).map(Number);
			const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
			const ground = light(rgb(getComputedStyle(document.body).backgroundColor).slice(0, 3));
			const out = {Plots: 0, Alike: [], Contrasts: [], Said: []};
			for (const line of document.querySelectorAll(".line.waits")) {
				const plot = line.closest("svg.plot"), stroke = getComputedStyle(line).stroke, a = light(rgb(stroke).slice(0, 3));
				out.Plots++;
				for (const other of plot.querySelectorAll(".line:not(.waits)")) if (getComputedStyle(other).stroke === stroke) out.Alike.push(stroke);
				out.Contrasts.push((Math.max(a, ground) + .05) / (Math.min(a, ground) + .05));
				out.Said.push(plot.getAttribute("aria-labelledby").split(" ").map(id => document.getElementById(id).textContent).join(": "));
			}
			return out;
		})()`)
		assert.Equal(t, 2, got.Plots, scheme)
		assert.Empty(t, got.Alike, scheme)
		for i, c := range got.Contrasts {
			assert.GreaterOrEqual(t, c, 3.0, "%s: WCAG 2.2 asks for 3 of what is drawn", scheme)
			assert.Contains(t, got.Said[i], "Sockets by state over the run: CLOSE_WAIT: at most ")
		}
	}
}

// TestNames: a screen reader has a name for all that can be used, and for each picture.
func TestNames(t *testing.T) {
	for name, v := range map[string]*verdict.Verdict{"sample": sample.Verdict(), "clean": verdict.Merge(sample.Clean())} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			b.load(file(t, render(t, v)))
			tree := call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
			roles := make(map[string]int)
			for _, n := range tree {
				if n.Ignored || n.Role == nil {
					continue
				}
				role := strings.Trim(string(n.Role.Value), `"`)
				roles[role]++
				switch role {
				case "button", "link", "searchbox", "textbox", "combobox", "checkbox", "radio", "image", "img", "DisclosureTriangle", "region",
					"search", "navigation", "heading", "columnheader", "rowheader", "figure", "group", "option", "RootWebArea":
					said := ""
					if n.Name != nil {
						said = strings.Trim(string(n.Name.Value), `" `)
					}
					if role == "group" || role == "figure" {
						continue // a details is a group: its summary has the name
					}
					assert.NotEmpty(t, said, "a %s without a name (node %s)", role, n.BackendDOMNodeID)
				}
			}
			for _, role := range []string{"main", "navigation", "banner", "contentinfo", "heading", "radio", "image", "columnheader"} {
				assert.Positive(t, roles[role], "%s in %v", role, roles)
			}
			if len(v.Findings) > 0 {
				for _, role := range []string{"searchbox", "combobox", "checkbox", "status", "search"} {
					assert.Positive(t, roles[role], "%s in %v", role, roles)
				}
			}
		})
	}
}

// TestNarrow: on a telephone nothing is wider than the screen but what scrolls by itself.
func TestNarrow(t *testing.T) {
	b := open(t)
	b.load(file(t, render(t, sample.Verdict())))
	b.do(`document.querySelectorAll("details").forEach(d => { d.open = true; })`)
	for _, width := range []int64{320, 360, 1920} {
		b.run(chromedp.EmulateViewport(width, 800))
		assert.LessOrEqual(t, eval[int64](b, `document.documentElement.scrollWidth`), width)
		assert.Empty(t, eval[[]string](b, `Array.from(document.querySelectorAll("main *, header *")).filter(e =>
			e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("svg, .scroll, nav")).map(e => e.outerHTML.slice(0, 100))`), "at %d", width)
	}
}

// TestWithoutScript: every finding can be read, and what would not work is not offered.
func TestWithoutScript(t *testing.T) {
	b := open(t)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	v := sample.Verdict()
	b.load(file(t, render(t, v)))
	assert.Equal(t, len(v.Findings), eval[int](b, `Array.from(document.querySelectorAll("article.finding")).filter(f => f.checkVisibility()).length`))
	assert.Equal(t, 50, eval[int](b, `document.querySelectorAll("#test-table tbody tr").length`))
	assert.Empty(t, eval[[]string](b, `Array.from(document.querySelectorAll("input, select, button, output")).filter(e => e.checkVisibility()).map(e => e.outerHTML)`))
	assert.True(t, eval[bool](b, `document.querySelector("p.unscripted").checkVisibility()`))
	b.focus("article:last-of-type summary")
	b.press(kb.Enter)
	b.until(`document.querySelector("article:last-of-type details").open`)
}

// TestMotion: nothing moves for who asked for that.
func TestMotion(t *testing.T) {
	b := open(t)
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
	b.load(file(t, render(t, sample.Verdict())))
	assert.Empty(t, eval[[]string](b, `Array.from(document.querySelectorAll("*")).flatMap(e => [null, "::after", "::before"].map(p => getComputedStyle(e, p)))
		.filter(s => parseFloat(s.transitionDuration) > 0 || s.animationName !== "none").map(s => s.transitionProperty)`))
}

// TestPrint: on paper all that the filter lets through is there with its details, and what can only be clicked is not.
func TestPrint(t *testing.T) {
	b := open(t)
	b.load(file(t, render(t, sample.Verdict())) + "#standing=known")
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	closed := eval[[]float64](b, `Array.from(document.querySelectorAll("article.finding:not([hidden]) dl")).map(d => d.getBoundingClientRect().height)`)
	require.NotEmpty(t, closed)
	assert.Greater(t, slices.Min(closed), 20.0, "%v", closed)
	assert.False(t, eval[bool](b, `document.querySelector(".bar nav").checkVisibility() || document.querySelector("#filter").checkVisibility()`))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	pdf := call(b, cdppage.PrintToPDF, cdppage.PrintToPDFParams{}).Data
	assert.True(t, bytes.HasPrefix(pdf, []byte("%PDF-")))
}

// TestLarge: with ten thousand tests and a thousand leaks the filter and the table answer. How fast is told, not judged.
func TestLarge(t *testing.T) {
	v := verdict.Merge(sample.Large())
	content := render(t, v)
	b := open(t)
	b.load(file(t, content))
	b.until(`document.querySelector("#shown").textContent === "1,000 leaks"`)
	assert.Equal(t, 100, eval[int](b, visible), "the others are a button away")
	assert.Equal(t, 50, eval[int](b, `document.querySelectorAll("#test-table tbody tr").length`))

	// answer gives how long the page takes from an input to the layout after it, in milliseconds, without the wait for the
	// next key.
	answer := func(id, text, output, said string) float64 {
		b.do(fmt.Sprintf(`window.took = -1; {
			const e = document.getElementById(%q), out = document.getElementById(%q), before = out.textContent;
			new MutationObserver((_, o) => { o.disconnect(); document.body.offsetHeight; window.took = performance.now() - window.began; }).observe(out, {childList: true});
			const set = window.setTimeout;
			window.setTimeout = (f, wait) => set(() => { window.setTimeout = set; window.began = performance.now(); f(); }, wait);
			e.value = %q; e.dispatchEvent(new Event("input"));
		}`, id, output, text))
		b.until(fmt.Sprintf(`window.took >= 0 && document.getElementById(%q).textContent === %q`, output, said))
		return eval[float64](b, `window.took`)
	}
	t.Logf("%d bytes; in the browser's own time: loaded after %.0f ms, first filter %.0f ms, next %.0f ms, tests filtered in %.0f ms", len(content),
		eval[float64](b, `performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd`),
		answer("q", "part071", "shown", "5 of 1,000 leaks"), answer("q", "", "shown", "1,000 leaks"),
		answer("tq", "part071 TestCase21", "tests-shown", "1 of 10,000 tests"))

	b.focus("#all")
	b.press(kb.Enter)
	b.until(visible + ` === 1000`)
	assert.Equal(t, 100, eval[int](b, `Array.from(document.querySelectorAll("article.finding")).indexOf(document.activeElement.closest("article"))`))
}
