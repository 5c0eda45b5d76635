package page

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/verdict"
	"github.com/leakgate/leakgate/internal/verdict/sample"
)

// node is an element of a page.
type node struct {
	name  string
	attrs map[string]string
	up    *node
	kids  []*node
	text  string // of the element itself, without that of those in it
}

func (n *node) all(match func(*node) bool) []*node {
	var out []*node
	for _, k := range n.kids {
		if match(k) {
			out = append(out, k)
		}
		out = append(out, k.all(match)...)
	}
	return out
}

func (n *node) named(names ...string) []*node {
	return n.all(func(k *node) bool { return slices.Contains(names, k.name) })
}

func (n *node) id(id string) *node {
	found := n.all(func(k *node) bool { return k.attrs["id"] == id })
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (n *node) within(name string) bool {
	for ; n != nil; n = n.up {
		if n.name == name {
			return true
		}
	}
	return false
}

// whole is the text of the element and of all in it, with each run of blanks as one.
func (n *node) whole() string {
	var b strings.Builder
	var walk func(*node)
	walk = func(n *node) {
		b.WriteString(n.text)
		for _, k := range n.kids {
			b.WriteByte(' ')
			walk(k)
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}

var (
	script = regexp.MustCompile(`(?s)(<script[^>]*>)(.*?)</script>`)
	style  = regexp.MustCompile(`(?s)(<style>)(.*?)</style>`)
)

// parse reads a page as strictly as XML is read: each element is closed, each value is quoted, and each & is an entity. What is
// in scripts and styles is not markup and left out.
func parse(t testing.TB, page []byte) *node {
	t.Helper()
	plain := style.ReplaceAll(script.ReplaceAll(page, []byte("$1</script>")), []byte("$1</style>"))
	d := xml.NewDecoder(bytes.NewReader(plain))
	root := &node{name: "#document"}
	at := root
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local, attrs: make(map[string]string), up: at}
			for _, a := range token.Attr {
				assert.NotContains(t, n.attrs, a.Name.Local, "given twice on %s", n.name)
				n.attrs[a.Name.Local] = a.Value
			}
			at.kids = append(at.kids, n)
			at = n
		case xml.EndElement:
			at = at.up
		case xml.CharData:
			at.text += string(token)
		case xml.Comment, xml.ProcInst:
			assert.Fail(t, "only the data could have brought this", "%T", token)
		}
	}
	require.Same(t, root, at)
	return root
}

func render(t testing.TB, v *verdict.Verdict, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, v, o))
	return b.Bytes()
}

const source = "https://git.test/acme/shop/blob/0123abc"

// pages are those that each rule of markup holds for.
func pages(t *testing.T) map[string][]byte {
	return map[string][]byte{
		"sample": render(t, sample.Verdict(), Options{SourceURL: source, Version: "v1.2.3"}),
		"clean":  render(t, verdict.Merge(sample.Clean()), Options{}),
		"empty":  render(t, &verdict.Verdict{}, Options{Title: sample.Hostile()[0]}),
	}
}

// TestMarkup holds each page to what a screen reader, a keyboard and a browser without mercy need.
func TestMarkup(t *testing.T) {
	for name, page := range pages(t) {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, page)
			assert.True(t, bytes.HasPrefix(page, []byte("<!doctype html>\n")))
			assert.Equal(t, "en", doc.named("html")[0].attrs["lang"])
			for _, landmark := range []string{"main", "header", "nav", "footer", "h1", "title"} {
				in := doc.all(func(n *node) bool { return n.name == landmark && !n.within("svg") })
				assert.Len(t, in, 1, landmark)
			}
			skip := doc.named("a")[0]
			assert.Equal(t, "#main", skip.attrs["href"], "the first thing that a keyboard reaches")

			ids := make(map[string]bool)
			for _, n := range doc.all(func(n *node) bool { return n.attrs["id"] != "" }) {
				assert.False(t, ids[n.attrs["id"]], "two elements have the id %s", n.attrs["id"])
				ids[n.attrs["id"]] = true
			}
			for _, n := range doc.all(func(*node) bool { return true }) {
				for _, attr := range []string{"aria-labelledby", "for"} {
					for id := range strings.FieldsSeq(n.attrs[attr]) {
						assert.True(t, ids[id], "%s of %s names %s, which is not there", attr, n.name, id)
					}
				}
				if to, ok := strings.CutPrefix(n.attrs["href"], "#"); ok {
					assert.True(t, ids[to], "a link to %s, which is not there", to)
				}
				if n.name == "section" || n.name == "figure" && n.attrs["class"] == "process" {
					assert.NotEmpty(t, n.attrs["aria-labelledby"])
				}
				if n.attrs["tabindex"] == "0" {
					assert.Equal(t, "region", n.attrs["role"], "what the keyboard stops at says what it is")
					assert.NotEmpty(t, n.attrs["aria-label"]+n.attrs["aria-labelledby"])
				}
			}
			last := 0
			for _, h := range doc.named("h1", "h2", "h3", "h4") {
				level := int(h.name[1] - '0')
				assert.LessOrEqual(t, level, last+1, "%s %q skips a level", h.name, h.whole())
				assert.NotEmpty(t, h.whole())
				last = level
			}
			for _, n := range doc.named("input", "select") {
				labelled := n.within("label") || len(doc.all(func(l *node) bool { return l.name == "label" && l.attrs["for"] == n.attrs["id"] })) == 1
				assert.True(t, labelled, "%s %s has no label", n.name, n.attrs["id"])
			}
			for _, n := range doc.named("th") {
				assert.Contains(t, []string{"row", "col"}, n.attrs["scope"])
			}
			for _, n := range doc.all(func(n *node) bool { return n.name == "svg" && !n.up.within("svg") }) {
				if n.attrs["aria-hidden"] == "true" {
					continue
				}
				assert.Equal(t, "img", n.attrs["role"])
				assert.Len(t, strings.Fields(n.attrs["aria-labelledby"]), 2)
				assert.NotEmpty(t, n.kids[0].whole())
				assert.Equal(t, "title", n.kids[0].name)
				assert.Equal(t, "desc", n.kids[1].name)
				assert.NotEmpty(t, n.kids[1].whole())
				figure := n
				for figure.name != "figure" {
					figure = figure.up
				}
				assert.NotEmpty(t, figure.named("table"), "each plot has its data beside it")
			}
		})
	}
}

// TestLoadsNothing: no element has an address that a browser would ask for, and nothing but the page's own scripts can run.
func TestLoadsNothing(t *testing.T) {
	for name, page := range pages(t) {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, page)
			for _, n := range doc.all(func(*node) bool { return true }) {
				assert.NotContains(t, []string{"img", "iframe", "object", "embed", "video", "audio", "base", "form action"}, n.name)
				for attr, value := range n.attrs {
					assert.False(t, strings.HasPrefix(attr, "on"), "%s has %s", n.name, attr)
					assert.NotContains(t, []string{"src", "srcset", "action", "data", "poster", "style", "ping", "formaction"}, attr)
					if attr == "href" {
						ok := n.name == "link" && value == "data:," ||
							n.name == "a" && (strings.HasPrefix(value, "#") || strings.HasPrefix(value, docURL) || strings.HasPrefix(value, source+"/"))
						assert.True(t, ok, "%s href=%s", n.name, value)
					}
				}
			}
			text := string(page)
			assert.NotContains(t, pageCSS, "@import")
			assert.NotRegexp(t, `url\((?:[^#])`, pageCSS)

			policy := doc.all(func(n *node) bool { return n.attrs["http-equiv"] == "Content-Security-Policy" })[0].attrs["content"]
			assert.Contains(t, policy, "default-src 'none'; script-src 'sha256-")
			assert.NotContains(t, policy, "unsafe")
			ran := 0
			for _, m := range script.FindAllStringSubmatch(text, -1) {
				if strings.Contains(m[1], "application/json") {
					continue
				}
				ran++
				assert.Equal(t, "<script>", m[1])
				assert.Contains(t, policy, hashOf(m[2]))
			}
			assert.Equal(t, 2, ran)
			assert.Equal(t, 2+strings.Count(text, `<script type="application/json" id="test-data">`), strings.Count(text, "<script"))
			for _, m := range style.FindAllStringSubmatch(text, -1) {
				assert.Contains(t, policy, hashOf(m[2]))
			}
		})
	}
}

// TestHostile: what the code under test may have put into any text is there to be read, and is nothing but text.
func TestHostile(t *testing.T) {
	page := render(t, sample.Verdict(), Options{})
	doc := parse(t, page)
	// No element and no attribute is there that a page without such texts has not.
	v := sample.Verdict()
	v.Findings = slices.DeleteFunc(v.Findings, func(f verdict.Finding) bool { return f.Package == sample.Shop+"/cart" })
	v.Tests = slices.DeleteFunc(v.Tests, func(r verdict.TestRun) bool { return r.Package == sample.Shop+"/cart" })
	v.Series = slices.DeleteFunc(v.Series, func(s verdict.Series) bool { return s.Package == sample.Shop+"/cart" })
	v.Ignored = v.Ignored[:1]
	plain := parse(t, render(t, v, Options{}))
	elements := func(doc *node) []string {
		names := make(map[string]bool)
		for _, n := range doc.all(func(*node) bool { return true }) {
			names[n.name] = true
			for attr := range n.attrs {
				names[n.name+" "+attr] = true
			}
		}
		return slices.Sorted(maps.Keys(names))
	}
	known := elements(plain)
	assert.Empty(t, slices.DeleteFunc(elements(doc), func(name string) bool {
		return slices.Contains(known, name)
	}))

	body := doc.named("main")[0].whole()
	for _, want := range []string{
		`<script>alert(1)</script>`,
		`"double" 'single' ` + "`back`" + ` \slash`,
		"first line second line third line",
		"::error file=x.go,line=1::injected",
		"100%0A%25, a=b, c:d;e",
		`]]> --> </pre></style></title> <!-- &amp; &lt;`,
		"naïve 漏れ 🚰 e\u0301",
		`right to left: \u202eesrever\u202c \u2066isolate\u2069 שלום`,
		`control: \u0000 \u0001 \u0007 \u0008 \u001b[31mred\u001b[0m \u007f \u0085 \u2028 \u2029 \ufeff`,
		"no UTF-8: \uFFFD",
	} {
		assert.Contains(t, body, want)
	}
	assert.NotContains(t, string(page), "<script>alert")
	for _, r := range []rune{'\u202e', '\u2066', '\u2028', '\u2029', '\x00', '\x1b', '\ufeff'} {
		assert.NotContains(t, string(page), string(r), "%U", r)
	}
}

// TestData: the JSON of the table cannot end its element, and says what the table says.
func TestData(t *testing.T) {
	page := string(render(t, sample.Verdict(), Options{}))
	_, rest, ok := strings.Cut(page, `<script type="application/json" id="test-data">`)
	require.True(t, ok)
	raw, _, _ := strings.Cut(rest, "</script>")
	assert.NotContains(t, raw, "<")
	assert.NotContains(t, raw, ">")
	assert.NotContains(t, raw, "&")
	var data struct {
		Packages []string
		Rows     [][]any
	}
	require.NoError(t, json.Unmarshal([]byte(raw), &data))
	assert.Len(t, data.Rows, len(sample.Verdict().Tests))
	found := slices.ContainsFunc(data.Rows, func(row []any) bool { return row[1] == "TestHostile/<script>alert(1)</script>" })
	assert.True(t, found)
	assert.Equal(t, "example.com/shop/store", data.Packages[int(data.Rows[0][0].(float64))])
}

// TestOptions: a wrong address is refused, and one that is right is where files of the module lead to.
func TestOptions(t *testing.T) {
	for _, bad := range []string{"javascript:alert(1)", "/blob/main", "git.test/shop", "file:///etc/passwd", "://", "https://"} {
		err := Write(io.Discard, &verdict.Verdict{}, Options{SourceURL: bad})
		assert.EqualError(t, err, fmt.Sprintf("page: the address of the source is %q: want one like https://github.com/acme/shop/blob/0123abc", bad))
	}
	page := html.UnescapeString(string(render(t, sample.Verdict(), Options{SourceURL: source + "/", Title: "a <shop>", Version: "v1"})))
	assert.Contains(t, page, `href="`+source+`/store/client.go#L42"`)
	assert.Contains(t, page, `href="`+source+`/services/ledger/`, "of a module that is not at the root")
	assert.Contains(t, page, `href="`+source+`/cart/dr%20aw%252F%2Cx:y&z.go#L7"`, "escaped as a path")
	assert.NotContains(t, page, source+"/soap", "of a module whose folder is not known")
	assert.NotContains(t, page, source+"/example.org", "of a dependency")
	assert.Contains(t, page, "Fails · a <shop> · Leakgate")
	assert.Contains(t, page, "Written by leakgate v1.")
	for file, want := range map[string]string{"../x.go": "", "/x.go": "", "a b.go": "https://g/a%20b.go#L1"} {
		assert.Equal(t, want, sourceLink("https://g", file, 1))
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestWriteError: what the writer says is not swallowed.
func TestWriteError(t *testing.T) {
	assert.EqualError(t, Write(fullDisk{}, &verdict.Verdict{}, Options{}), "no space left on device")
}

// TestSame: the order in which maps are walked shows nowhere.
func TestSame(t *testing.T) {
	want := render(t, sample.Verdict(), Options{})
	for range 3 {
		require.True(t, bytes.Equal(want, render(t, sample.Verdict(), Options{})))
	}
}
