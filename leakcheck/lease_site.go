package leakcheck

import (
	"fmt"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/lease"
)

// leaseSite is a lease in words, with the line that took it.
type leaseSite struct {
	info  lease.Info
	all   []callsite.Frame
	stack []callsite.Frame // the user's
	site  callsite.Frame   // the zero Frame when none of the user's is left
}

// siteOf describes a lease. What its owner does there may panic, as a driver of the user's may: ok is false then.
func siteOf(l *lease.Lease) (s leaseSite, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	s.info = l.Info()
	s.all = callsite.Expand(l.PCs())
	if s.info.Kind == string(HTTPResponse) {
		s.stack = callsite.User(s.all)
		s.site = callsite.Caller(s.all, "net/http.(*Client).")
		return s, true
	}
	s.stack = callsite.Without(callsite.User(callsite.From(s.all, "database/sql.")), s.info.Library)
	s.site = callsite.Pick(s.stack)
	return s, true
}

// thing is what was lent, without what was not done with it.
func (s leaseSite) thing() string {
	text := s.info.Summary
	for _, end := range []string{" was never ", " was neither ", " is not over", " was read to EOF", " failed while"} {
		if i := strings.Index(text, end); i > 0 {
			text = text[:i]
		}
	}
	return text
}

// isHeld says whether a lease is out; one whose owner panics is not.
func isHeld(l *lease.Lease) (held bool) {
	defer func() {
		if recover() != nil {
			held = false
		}
	}()
	return l.Now() == lease.Held
}

// where is a frame for a line of text: "client.go:41 session.(*Client).IsActive".
func where(f callsite.Frame) string {
	fn := f.Func[strings.LastIndexByte(f.Func, '/')+1:]
	if f.File == "" {
		return fn
	}
	return fmt.Sprintf("%s:%d %s", callsite.Short(f.File), f.Line, fn)
}
