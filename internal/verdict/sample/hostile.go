package sample

import (
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
)

// Hostile gives texts that break a format which does not escape them: markup, workflow commands of GitHub, quotes, line breaks,
// Markdown, separators, text from right to left, control characters, bytes that are no UTF-8, and one that is very long. All of
// them are in Input, in each field that comes from the code under test.
func Hostile() []string {
	return []string{
		`<script>alert(1)</script>`,
		"\"double\" 'single' `back` \\slash",
		"first line\nsecond line\r\nthird line",
		"\n::error file=x.go,line=1::injected",
		"100%0A%25, a=b, c:d;e",
		"]]> --> </pre></style></title> <!-- &amp; &lt;",
		"| pipe | # heading | [link](javascript:alert(1)) | ![img](x) | ```fence``` | <details> | @everyone",
		"unicode: naïve 漏れ 🚰 e\u0301",
		"right to left: \u202Eesrever\u202C \u2066isolate\u2069 שלום",
		"control: \x00 \x01 \x07 \x08 \x1b[31mred\x1b[0m \x7f \u0085 \u2028 \u2029 \ufeff",
		"no UTF-8: \xff\xfe\xc3\x28",
		"long: " + strings.Repeat("abcdefghij", 400),
	}
}

// cartProcess has each of the hostile texts in each field.
func cartProcess() *fragment.Fragment {
	f := &fragment.Fragment{Header: shopHeader("cart", 4715, 900), End: &fragment.End{At: at(9000), Code: 1}}
	f.Tests = append(f.Tests, test("TestHostile", fragment.Leaked, 1000, 8000))
	for i, text := range Hostile() {
		name := "TestHostile/" + text
		t := test(name, fragment.Leaked, 1000+100*i, 90)
		t.Pools = []fragment.Pool{{Kind: "http-conn", Name: text, Size: 4, Requests: 5, Peak: 1 + i%4, Dialed: 2, Reused: 3}}
		f.Tests = append(f.Tests, t)
		site := frame("example.com/shop/cart.(*Cart[...]).Watch", "cart/watch.go", 10+i, text)
		f.Leaks = append(f.Leaks, fragment.Leak{
			Kind: "goroutine", Code: `LK102`, Class: text, Test: name, Suspects: []string{text}, Outcome: fragment.Fatal,
			Fingerprint: "goroutine | " + text + " | example.com/shop/cart.(*Cart[...]).Watch | TestHostile",
			Summary:     text, Count: 1, Site: site, Role: text, Stack: []fragment.Frame{site, {Func: text, File: text, Line: 3, Source: text}},
			State: text, Why: text, Holds: []string{text, text}, Hint: text, Likely: i%2 == 0, Unknown: text,
			Waited: time.Second, At: at(1080 + 100*i),
		})
		f.Ignored = append(f.Ignored, fragment.Ignored{Test: name, Reason: text, Count: 1})
	}
	for i := range 10 {
		f.Samples = append(f.Samples, fragment.Sample{
			At: at(900 + 250*i), Goroutines: 5 + i, Sockets: -1, Leased: map[string]int{Hostile()[0]: 1 + i, Hostile()[8]: 1},
		})
	}
	// A probe of the user's own, with a code, a kind and a path of its own that no format knows.
	f.Leaks = append(f.Leaks, fragment.Leak{
		Kind: "gpu <buffer>", Code: "X<1>", Class: "buffer", Test: "TestHostile", Outcome: fragment.Fatal, Count: 1,
		Fingerprint: "gpu <buffer> | buffer | example.com/shop/cart.Draw | TestHostile", Summary: "a buffer was never freed",
		Site: frame("example.com/shop/cart.Draw", "cart/dr aw%2F,x:y&z.go", 7, "b := gpu.Alloc(1 << 20)"), At: at(2000),
	})
	return f
}
