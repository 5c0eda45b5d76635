package fragment

import (
	"errors"
	"fmt"
	"io"
)

// scanner finds where JSON values begin and end, without keeping more of the source than one of them. That the text of a
// value is right JSON is for encoding/json to say.
type scanner struct {
	r     io.Reader
	limit int64 // bytes that may be read
	buf   []byte
	at    int   // in buf
	base  int64 // offset of buf[0]
	err   error // why no more can be had: io.EOF, a *LimitError, or what r said

	text []byte // the value that was scanned last; it is good until the next
}

// errBroken says that something stands where the document cannot go on.
var errBroken = errors.New("no JSON")

// errLarge and errDeep say that a value was skipped.
var (
	errLarge = errors.New("too large")
	errDeep  = errors.New("too deep")
)

func newScanner(r io.Reader, limit int64) *scanner {
	return &scanner{r: r, limit: limit, buf: make([]byte, 0, 64<<10)}
}

// offset is how many bytes were consumed.
func (s *scanner) offset() int64 { return s.base + int64(s.at) }

// fill reads on. It says false when there is nothing more, and err says why.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	s.base += int64(len(s.buf))
	s.at, s.buf = 0, s.buf[:0]
	if s.base >= s.limit {
		s.err = &LimitError{What: "a report", Limit: s.limit, Offset: s.base}
		return false
	}
	for range 100 {
		n, err := s.r.Read(s.buf[:cap(s.buf)])
		if n > 0 {
			s.buf = s.buf[:n]
			if err != nil && err != io.EOF {
				s.err = err // told when these bytes are used up
			}
			return true
		}
		if err != nil {
			s.err = err
			return false
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// peek gives the next byte that is no white space, without consuming it.
func (s *scanner) peek() (byte, error) {
	for {
		for ; s.at < len(s.buf); s.at++ {
			switch c := s.buf[s.at]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c, nil
			}
		}
		if !s.fill() {
			return 0, s.err
		}
	}
}

// expect consumes one byte of those in want.
func (s *scanner) expect(want ...byte) (byte, error) {
	c, err := s.peek()
	if err != nil {
		return 0, err
	}
	for _, w := range want {
		if c == w {
			s.at++
			return c, nil
		}
	}
	return c, errBroken
}

// value consumes a value and keeps its text, when it is not larger or deeper than the limits.
func (s *scanner) value() error {
	s.text = s.text[:0]
	first, err := s.peek()
	if err != nil {
		return err
	}
	var skipped error
	keep := func(from, to int) {
		if skipped != nil {
			return
		}
		if len(s.text)+to-from > maxRecord {
			skipped = errLarge
			return
		}
		s.text = append(s.text, s.buf[from:to]...)
	}
	depth, inString, escaped := 0, false, false
	bare := first != '"' && first != '{' && first != '[' // a number, true, false or null
	if bare && !isBare(first) {
		return errBroken
	}
	for {
		from := s.at
		for ; s.at < len(s.buf); s.at++ {
			c := s.buf[s.at]
			switch {
			case bare:
				if !isBare(c) {
					keep(from, s.at)
					return skipped
				}
				continue
			case escaped:
				escaped = false
				continue
			case inString:
				switch c {
				case '\\':
					escaped = true
					continue
				case '"':
					inString = false
				default:
					continue
				}
			case c == '"':
				inString = true
				continue
			case c == '{' || c == '[':
				if depth++; depth > maxDepth && skipped == nil {
					skipped = errDeep
				}
				continue
			case c == '}' || c == ']':
				depth--
			default:
				continue
			}
			if depth == 0 {
				s.at++
				keep(from, s.at)
				return skipped
			}
		}
		keep(from, s.at)
		if !s.fill() {
			if bare && s.err == io.EOF {
				return skipped
			}
			return s.err
		}
	}
}

func isBare(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// broken names what stands where the document cannot go on.
func broken(c byte) string {
	if c > ' ' && c < 0x7f {
		return fmt.Sprintf("%q stands there", string(c))
	}
	return fmt.Sprintf("the byte 0x%02x stands there", c)
}
