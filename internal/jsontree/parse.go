package jsontree

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep lists and objects may be nested, so that no text can exhaust the stack. It is what Jackson allows.
const maxDepth = 1000

// Error says where a text is not JSON.
type Error struct {
	Line, Column int // from 1; the column counts characters
	What         string
}

// Error says the line, the column and what is wrong there.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.What)
}

// Parse reads a JSON text as RFC 8259 has it. The error is an *Error.
func Parse(text []byte) (*Value, error) { return parse(text, false) }

// ParseRelaxed also reads what WireMock's own reader accepts in a file: comments, strings in single quotes, and a byte
// order mark in front. The error is an *Error.
func ParseRelaxed(text []byte) (*Value, error) {
	return parse(text, true)
}

func parse(text []byte, relaxed bool) (v *Value, err error) {
	p := &parser{text: text, relaxed: relaxed}
	if relaxed && bytes.HasPrefix(text, []byte("\ufeff")) {
		p.pos = len("\ufeff")
	}
	if !utf8.Valid(text) {
		for p.pos < len(text) {
			r, n := utf8.DecodeRune(text[p.pos:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			p.pos += n
		}
		return nil, p.fail("the text is not UTF-8")
	}
	if err := p.blanks(); err != nil {
		return nil, err
	}
	if p.pos == len(text) {
		return nil, p.fail("there is no JSON value")
	}
	if v, err = p.value(0); err != nil {
		return nil, err
	}
	if err := p.blanks(); err != nil {
		return nil, err
	}
	if p.pos < len(text) {
		return nil, p.fail("%s after the end of the JSON value", p.here())
	}
	return v, nil
}

type parser struct {
	text    []byte
	pos     int
	relaxed bool
}

func (p *parser) fail(format string, args ...any) error {
	line, column := Position(p.text, p.pos)
	return &Error{Line: line, Column: column, What: fmt.Sprintf(format, args...)}
}

// Position gives line and column of an offset, both from 1.
func Position(text []byte, offset int) (line, column int) {
	text = text[:min(offset, len(text))]
	line = 1 + bytes.Count(text, []byte("\n"))
	return line, 1 + utf8.RuneCount(text[bytes.LastIndexByte(text, '\n')+1:])
}

// here names what stands at the place of an error.
func (p *parser) here() string {
	if p.pos >= len(p.text) {
		return "the end of the text"
	}
	r, _ := utf8.DecodeRune(p.text[p.pos:])
	return strconv.QuoteRune(r)
}

func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) blanks() error {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.pos++
		case c == '/' && p.relaxed:
			rest := p.text[p.pos:]
			switch {
			case bytes.HasPrefix(rest, []byte("//")):
				if n := bytes.IndexByte(rest, '\n'); n >= 0 {
					p.pos += n
				} else {
					p.pos = len(p.text)
				}
			case bytes.HasPrefix(rest, []byte("/*")):
				n := bytes.Index(rest[2:], []byte("*/"))
				if n < 0 {
					return p.fail("a comment that does not end")
				}
				p.pos += n + 4
			default:
				return nil
			}
		default:
			return nil
		}
	}
	return nil
}

func (p *parser) value(depth int) (*Value, error) {
	if depth > maxDepth {
		return nil, p.fail("more than %d lists and objects in one another", maxDepth)
	}
	v := &Value{Offset: p.pos}
	switch c := p.peek(); {
	case c == '{':
		return v, p.object(v, depth)
	case c == '[':
		return v, p.array(v, depth)
	case c == '"' || c == '\'' && p.relaxed:
		v.Kind = String
		var err error
		v.Text, err = p.str()
		return v, err
	case c == '-' || '0' <= c && c <= '9':
		v.Kind = Number
		return v, p.number(v)
	}
	word := p.text[p.pos:]
	word = word[:len(word)-len(bytes.TrimLeftFunc(word, func(r rune) bool {
		return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}))]
	switch string(word) {
	case "null":
	case "true", "false":
		v.Kind, v.Bool = Bool, word[0] == 't'
	case "":
		return nil, p.fail("%s where a value is expected", p.here())
	default:
		return nil, p.fail("%s where a value is expected; a text stands in double quotes", shorten(word))
	}
	p.pos += len(word)
	return v, nil
}

func (p *parser) array(v *Value, depth int) error {
	v.Kind = Array
	p.pos++
	for {
		if err := p.blanks(); err != nil {
			return err
		}
		if p.peek() == ']' {
			if len(v.Items) > 0 {
				return p.fail("a comma in front of ]")
			}
			break
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		v.Items = append(v.Items, item)
		if err := p.blanks(); err != nil {
			return err
		}
		if p.peek() != ',' {
			break
		}
		p.pos++
	}
	if p.peek() != ']' {
		return p.fail("%s where a comma or ] is expected", p.here())
	}
	p.pos++
	return nil
}

func (p *parser) object(v *Value, depth int) error {
	v.Kind = Object
	p.pos++
	for {
		if err := p.blanks(); err != nil {
			return err
		}
		if p.peek() == '}' {
			if len(v.Fields) > 0 {
				return p.fail("a comma in front of }")
			}
			break
		}
		f := Field{Offset: p.pos}
		if c := p.peek(); c != '"' && !(c == '\'' && p.relaxed) {
			return p.fail("%s where a field name in double quotes is expected", p.here())
		}
		var err error
		if f.Name, err = p.str(); err != nil {
			return err
		}
		if err := p.blanks(); err != nil {
			return err
		}
		if p.peek() != ':' {
			return p.fail("%s where a colon is expected", p.here())
		}
		p.pos++
		if err := p.blanks(); err != nil {
			return err
		}
		if f.Value, err = p.value(depth + 1); err != nil {
			return err
		}
		v.Fields = append(v.Fields, f)
		if err := p.blanks(); err != nil {
			return err
		}
		if p.peek() != ',' {
			break
		}
		p.pos++
	}
	if p.peek() != '}' {
		return p.fail("%s where a comma or } is expected", p.here())
	}
	p.pos++
	return nil
}

func (p *parser) number(v *Value) error {
	start := p.pos
	digits := func() bool {
		from := p.pos
		for '0' <= p.peek() && p.peek() <= '9' {
			p.pos++
		}
		return p.pos > from
	}
	if p.peek() == '-' {
		p.pos++
	}
	first := p.pos
	if !digits() {
		return p.fail("%s where a digit is expected", p.here())
	}
	if p.text[first] == '0' && p.pos > first+1 {
		p.pos = first
		return p.fail("a number that begins with 0")
	}
	if p.peek() == '.' {
		p.pos++
		if !digits() {
			return p.fail("%s where a digit is expected", p.here())
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !digits() {
			return p.fail("%s where a digit is expected", p.here())
		}
	}
	v.Text = string(p.text[start:p.pos])
	return nil
}

func (p *parser) str() (string, error) {
	quote := p.text[p.pos]
	start := p.pos
	p.pos++
	var b strings.Builder
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == quote:
			p.pos++
			return b.String(), nil
		case c < ' ':
			return "", p.fail("%s inside a text; write it as an escape", p.here())
		case c != '\\':
			b.WriteByte(c)
			p.pos++
			continue
		}
		p.pos++
		esc := p.peek()
		if i := strings.IndexByte(`"\/bfnrt`, esc); i >= 0 && esc != 0 {
			b.WriteByte("\"\\/\b\f\n\r\t"[i])
			p.pos++
			continue
		}
		switch {
		case esc == '\'' && p.relaxed:
			b.WriteByte(esc)
			p.pos++
		case esc == 'u':
			p.pos++
			r, ok := p.hex()
			if !ok {
				return "", p.fail(`\u is followed by four hexadecimal digits`)
			}
			if utf16.IsSurrogate(r) {
				mark := p.pos
				low := rune(-1)
				if bytes.HasPrefix(p.text[p.pos:], []byte(`\u`)) {
					p.pos += 2
					low, _ = p.hex()
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					p.pos = mark // half a pair stands for nothing, and what follows for itself
				}
			}
			b.WriteRune(r)
		default:
			p.pos--
			return "", p.fail("a backslash that begins no escape; write two for one")
		}
	}
	p.pos = start
	return "", p.fail("a text that does not end")
}

func (p *parser) hex() (rune, bool) {
	if p.pos+4 > len(p.text) {
		return -1, false
	}
	n, err := strconv.ParseUint(string(p.text[p.pos:p.pos+4]), 16, 32)
	if err != nil {
		return -1, false
	}
	p.pos += 4
	return rune(n), true
}

func shorten(word []byte) string {
	if len(word) > 20 {
		return string(word[:20]) + "..."
	}
	return string(word)
}
