package roundtrip

import "net/http"

// original is http.DefaultTransport as the program started with it.
var original = http.DefaultTransport

// CoverDefault makes http.DefaultTransport track its plain-http responses. Its type and value stay what they are; what a
// test has put there instead is left alone, because it cannot be undone and the test may register a handler itself.
func CoverDefault() {
	tr, ok := http.DefaultTransport.(*http.Transport)
	if !ok || tr == nil || http.DefaultTransport != original {
		return
	}
	// An error says that the program has a handler for "http" of its own: its responses are seen as those of any other
	// transport, by net/http's goroutines.
	_, _ = Instrument(tr, "http.DefaultTransport")
}

// TrackDefault is CoverDefault for one who looks at any time: the responses are tracked also while nobody watches.
func TrackDefault() {
	tr, ok := http.DefaultTransport.(*http.Transport)
	if !ok || tr == nil || http.DefaultTransport != original {
		return
	}
	if k, err := Instrument(tr, "http.DefaultTransport"); err == nil {
		k.Always()
	}
}
