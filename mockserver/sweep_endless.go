package mockserver

import (
	"io"
	"net/http"
)

// bodySlack is how many bytes of a body may be in buffers between server and client.
const bodySlack = 8 << 20

// sweptEndless is EndlessBody as a sweep plays it: as fast as it is read, and with an end, at which it is known that the
// client has no limit.
type sweptEndless struct {
	endlessBody
	r *run
}

// Play sends the reply until more than the limit was read.
func (f sweptEndless) Play(w *Wire) {
	w.Head()
	if w.to.method == "HEAD" {
		w.Finish()
		return
	}
	piece := make([]byte, endlessPiece)
	most := f.r.s.cfg.bodyLimit + bodySlack
	for n := int64(0); w.Err() == nil; n += int64(len(piece)) {
		if n > most {
			f.r.add(f.r.unboundedFinding(most, bodySlack, nil))
			return
		}
		f.next(piece, w.reply.body, n)
		w.chunk(piece)
		w.Flush()
	}
}

// respond is the same for a responder, where nothing is in between.
func (f sweptEndless) respond(resp *http.Response, _ *mocked) (*http.Response, error) {
	resp.ContentLength, resp.TransferEncoding = -1, []string{"chunked"}
	resp.Header.Del("Content-Length")
	resp.Body = &endlessReader{f: f, text: f.r.sc.steps[0].body}
	return resp, nil
}

// endlessReader repeats a text until more of it was read than the sweep allows.
type endlessReader struct {
	f    sweptEndless
	text []byte
	n    int64
	done bool
}

func (b *endlessReader) Read(p []byte) (int, error) {
	r := b.f.r
	switch {
	case b.done:
		return 0, io.ErrUnexpectedEOF
	case b.n > r.s.cfg.bodyLimit:
		b.done = true
		r.add(r.unboundedFinding(b.n, 0, callersFrames()))
		return 0, io.ErrUnexpectedEOF
	}
	b.f.next(p, b.text, b.n)
	b.n += int64(len(p))
	return len(p), nil
}

func (b *endlessReader) Close() error {
	b.done = true
	return nil
}
