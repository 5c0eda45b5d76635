package leakcheck

import (
	"net/http"

	"github.com/leakgate/leakgate/internal/roundtrip"
)

// coverDefaultTransport makes http.DefaultTransport track its plain-http responses. Its type and value stay what they are;
// a test may have put something else there, which is then left alone.
func coverDefaultTransport() {
	tr, ok := http.DefaultTransport.(*http.Transport)
	if !ok || tr == nil {
		return
	}
	// An error says that the program has a handler for "http" of its own: its responses are seen as those of any other
	// transport, by net/http's goroutines.
	_, _ = roundtrip.Instrument(tr, "http.DefaultTransport")
}
