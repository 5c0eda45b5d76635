package roundtrip

import (
	"io"
	"net/http"
)

// body passes everything on to the body that the transport gave, and watches for its end.
type body struct {
	rc io.ReadCloser
	r  *response
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.rc.Read(p)
	if n > 0 {
		b.r.read.Add(int64(n))
	}
	switch {
	case err == nil:
	case err == io.EOF:
		b.eof()
	default:
		b.r.readError(err)
	}
	return n, err
}

func (b *body) Close() error {
	if b.r.closing.Swap(true) {
		return b.rc.Close()
	}
	defer b.r.isClosed(b.r.early())
	return b.rc.Close()
}

// eof: a body after 101 is the connection itself and ends by Close alone.
func (b *body) eof() {
	if b.r.status != http.StatusSwitchingProtocols && !b.r.closing.Load() {
		b.r.ended(sawEOF)
	}
}

// tracked finds the wrapper in a body of ours, whatever optional methods it has.
func (b *body) tracked() *body { return b }

type closeWriter interface{ CloseWrite() error }

// The optional methods that bodies have in the wild: io.Writer and CloseWrite after 101 (net/http), io.WriterTo and
// io.Seeker from mock transports. A wrapper has each of them exactly when the body below has it.
type (
	canWrite      struct{ to io.Writer }
	canCloseWrite struct{ to closeWriter }
	canWriteTo    struct{ b *body }
	canSeek       struct{ to io.Seeker }
)

func (c canWrite) Write(p []byte) (int, error)              { return c.to.Write(p) }
func (c canCloseWrite) CloseWrite() error                   { return c.to.CloseWrite() }
func (c canSeek) Seek(off int64, whence int) (int64, error) { return c.to.Seek(off, whence) }

func (c canWriteTo) WriteTo(w io.Writer) (int64, error) { return c.b.writeTo(w) }

type bodyWriterTo struct{ *body }

func (b bodyWriterTo) WriteTo(w io.Writer) (int64, error) { return b.writeTo(w) }

func (b *body) writeTo(w io.Writer) (int64, error) {
	n, err := b.rc.(io.WriterTo).WriteTo(w)
	b.r.read.Add(n)
	if err == nil { // it reads to the end; an error may be the writer's
		b.eof()
	}
	return n, err
}

func newBody(r *response, rc io.ReadCloser) io.ReadCloser {
	// A mock that gives the same response again gives the body of the last time, ours: do not wrap it once more.
	if t, ok := rc.(interface{ tracked() *body }); ok && t.tracked().r.tracker == r.tracker && t.tracked().r.closed.Load() {
		rc = t.tracked().rc
	}
	b := &body{rc: rc, r: r}
	const write, closeWrite, writeTo, seek = 1, 2, 4, 8
	var has int
	w, ok := rc.(io.Writer)
	if ok {
		has |= write
	}
	cw, ok := rc.(closeWriter)
	if ok {
		has |= closeWrite
	}
	if _, ok := rc.(io.WriterTo); ok {
		has |= writeTo
	}
	s, ok := rc.(io.Seeker)
	if ok {
		has |= seek
	}
	cW, cC, cT, cS := canWrite{w}, canCloseWrite{cw}, canWriteTo{b}, canSeek{s}
	switch has {
	case write:
		return struct {
			*body
			canWrite
		}{b, cW}
	case closeWrite:
		return struct {
			*body
			canCloseWrite
		}{b, cC}
	case write | closeWrite:
		return struct {
			*body
			canWrite
			canCloseWrite
		}{b, cW, cC}
	case writeTo: // many mocks; this one costs no allocation of its own
		return bodyWriterTo{b}
	case write | writeTo:
		return struct {
			*body
			canWrite
			canWriteTo
		}{b, cW, cT}
	case closeWrite | writeTo:
		return struct {
			*body
			canCloseWrite
			canWriteTo
		}{b, cC, cT}
	case write | closeWrite | writeTo:
		return struct {
			*body
			canWrite
			canCloseWrite
			canWriteTo
		}{b, cW, cC, cT}
	case seek:
		return struct {
			*body
			canSeek
		}{b, cS}
	case write | seek:
		return struct {
			*body
			canWrite
			canSeek
		}{b, cW, cS}
	case closeWrite | seek:
		return struct {
			*body
			canCloseWrite
			canSeek
		}{b, cC, cS}
	case write | closeWrite | seek:
		return struct {
			*body
			canWrite
			canCloseWrite
			canSeek
		}{b, cW, cC, cS}
	case writeTo | seek:
		return struct {
			*body
			canWriteTo
			canSeek
		}{b, cT, cS}
	case write | writeTo | seek:
		return struct {
			*body
			canWrite
			canWriteTo
			canSeek
		}{b, cW, cT, cS}
	case closeWrite | writeTo | seek:
		return struct {
			*body
			canCloseWrite
			canWriteTo
			canSeek
		}{b, cC, cT, cS}
	case write | closeWrite | writeTo | seek:
		return struct {
			*body
			canWrite
			canCloseWrite
			canWriteTo
			canSeek
		}{b, cW, cC, cT, cS}
	}
	return b
}
