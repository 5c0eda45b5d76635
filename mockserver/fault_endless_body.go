package mockserver

import (
	"fmt"
	"net/http"
	"time"
)

// EndlessBody sends the reply chunked, its body over and over again, until the client goes or the server closes: what a
// client without a limit reads until its memory is full. So that a test's own process survives it, it sends 64 KiB each
// 5 ms at most, and after 64 MiB only 1 KiB each 100 ms. With Framing(UntilClose), and to an HTTP/1.0 client, it is not
// chunked. A reply without a body repeats a line of text.
//
// Over HTTP/2 it stops where the client's window does, until the client reads on.
const EndlessBody = endlessBody("EndlessBody")

const (
	endlessPiece = 64 << 10
	endlessFast  = 64 << 20 // bytes until it becomes slow
	endlessWait  = 5 * time.Millisecond
	endlessSlow  = 100 * time.Millisecond
)

type endlessBody string

func (f endlessBody) String() string { return string(f) }

func (f endlessBody) check(r Reply) string {
	if r.code == 204 || r.code == 304 {
		return fmt.Sprintf("a %d has no body", r.code)
	}
	return ""
}

func (f endlessBody) mend(r Reply) Reply {
	x := *r.extra
	x.hasLength, x.noLength, x.gzip = false, false, nil
	r.extra = &x
	if r.framing != UntilClose {
		r.framing = Chunked
	}
	return r
}

// next fills p with what follows the first n bytes.
func (f endlessBody) next(p, body []byte, n int64) {
	if len(body) == 0 {
		body = []byte("endless body of a reply without one\n")
	}
	for at := int(n % int64(len(body))); len(p) > 0; at = 0 {
		p = p[copy(p, body[at:]):]
	}
}

func (f endlessBody) Play(w *Wire) {
	w.Head()
	if w.to.method == "HEAD" {
		w.Finish()
		return
	}
	piece := make([]byte, endlessPiece)
	for n := int64(0); w.Err() == nil; n += int64(len(piece)) {
		wait := endlessWait
		if n >= endlessFast {
			piece, wait = piece[:1<<10], endlessSlow
		}
		f.next(piece, w.reply.body, n)
		w.chunk(piece)
		w.Wait(wait)
	}
}

func (f endlessBody) playStream(w *streamWire) {
	if w.to.method == "HEAD" {
		w.send()
		return
	}
	w.head()
	piece := make([]byte, endlessPiece)
	for n := int64(0); !w.over; n += int64(len(piece)) {
		wait := endlessWait
		if n >= endlessFast {
			piece, wait = piece[:1<<10], endlessSlow
		}
		f.next(piece, w.reply.body, n)
		w.data(piece, false)
		w.wait(wait)
	}
}

func (f endlessBody) respond(resp *http.Response, m *mocked) (*http.Response, error) {
	return m.endless(resp, f), nil
}
