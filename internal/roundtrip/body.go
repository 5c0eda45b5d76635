package roundtrip

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// body passes everything on to the body that the transport gave, and watches for its end.
type body struct {
	rc   io.ReadCloser
	r    *response
	done atomic.Bool // closed
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.rc.Read(p)
	if n > 0 {
		b.r.read.Add(int64(n))
	}
	if err != nil {
		b.ended(err)
	}
	return n, err
}

// ended: net/http gives the connection up at any read error, and back to its pool at EOF. A body after 101 is the
// connection itself and ends by Close alone; so does one whose reader was only told to wait no longer.
func (b *body) ended(err error) {
	if b.r.status == http.StatusSwitchingProtocols || errors.Is(err, http.ErrBodyReadAfterClose) {
		return
	}
	if b.r.end.CompareAndSwap(nil, &err) && !b.done.Load() {
		b.r.returned.Store(true)
		b.r.Return()
	}
}

func (b *body) Close() error {
	if b.done.Swap(true) {
		return b.rc.Close()
	}
	early := b.r.end.Load() == nil && !b.r.returned.Load() && b.r.status != http.StatusSwitchingProtocols
	err := b.rc.Close()
	if early {
		b.r.tracker.pool.ClosedEarly(&b.r.Lease)
	}
	b.r.Release()
	return err
}

func (b *body) writeTo(w io.Writer) (int64, error) {
	n, err := b.rc.(io.WriterTo).WriteTo(w)
	b.r.read.Add(n)
	if err == nil {
		err := io.EOF // WriteTo reads to the end
		b.ended(err)
	}
	return n, err
}

func (b *body) write(p []byte) (int, error) { return b.rc.(io.Writer).Write(p) }

func (b *body) closeWrite() error { return b.rc.(closeWriter).CloseWrite() }

func (b *body) seek(off int64, whence int) (int64, error) { return b.rc.(io.Seeker).Seek(off, whence) }

type closeWriter interface{ CloseWrite() error }

// The optional methods that bodies have in the wild: io.Writer and CloseWrite after 101 (net/http), io.WriterTo and
// io.Seeker from mock transports. A wrapper has a method exactly when the body below has it.
type (
	withWrite      struct{ *body }
	withCloseWrite struct{ withWrite }
	withWriteTo    struct{ *body }
	withSeek       struct{ *body }
	withBoth       struct{ withWriteTo }
)

func (b withWrite) Write(p []byte) (int, error)              { return b.write(p) }
func (b withCloseWrite) CloseWrite() error                   { return b.closeWrite() }
func (b withWriteTo) WriteTo(w io.Writer) (int64, error)     { return b.writeTo(w) }
func (b withSeek) Seek(off int64, whence int) (int64, error) { return b.seek(off, whence) }
func (b withBoth) Seek(off int64, whence int) (int64, error) { return b.seek(off, whence) }

func newBody(r *response, rc io.ReadCloser) io.ReadCloser {
	b := &body{rc: rc, r: r}
	_, write := rc.(io.Writer)
	_, closeWrite := rc.(closeWriter)
	_, writeTo := rc.(io.WriterTo)
	_, seek := rc.(io.Seeker)
	switch {
	case write && closeWrite:
		return withCloseWrite{withWrite{b}}
	case write:
		return withWrite{b}
	case writeTo && seek:
		return withBoth{withWriteTo{b}}
	case writeTo:
		return withWriteTo{b}
	case seek:
		return withSeek{b}
	}
	return b
}
