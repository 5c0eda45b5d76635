package mockserver

import (
	"fmt"
	"strings"
	"time"
)

// Stream is a 200 with a body that does not end: the first chunk with the headers, each further one after a wait of every,
// and after the last chunk the first again. It ends when the client goes or the server closes. It is sent chunked; with
// Framing(UntilClose) the chunks stand as they are.
//
//	mockserver.Stream("text/event-stream", 50*time.Millisecond, "data: 1\n\n", "data: 2\n\n")
//
// Without chunks, with an empty chunk, and with a wait that is not above 0 it is a reply that cannot be sent. For a body
// that comes slowly and ends, see Trickle.
func Stream(contentType string, every time.Duration, chunks ...string) Reply {
	r := Body(200, contentType, []byte(strings.Join(chunks, "")))
	if r.err != nil {
		return r
	}
	r.name = fmt.Sprintf("Stream(%q)", contentType)
	if every <= 0 {
		return r.fail("the wait between two chunks is %v; it must be above 0", every)
	}
	if len(chunks) == 0 {
		return r.fail("there is no chunk to send")
	}
	x := extra{every: every, endless: true}
	for _, c := range chunks {
		if c == "" {
			return r.fail("a chunk is empty, which would end the body")
		}
		x.chunks = append(x.chunks, len(c))
	}
	r.extra = &x
	return r
}
