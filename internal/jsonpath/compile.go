package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/leakgate/leakgate/internal/javaregexp"
	"github.com/leakgate/leakgate/internal/jsontree"
)

const (
	maxText    = 8 << 10 // bytes of a path
	maxNesting = 50      // parentheses, filters and negations in one another
	maxIndex   = 1<<31 - 1
)

// Compile reads a path. One that begins with neither $ nor @ is taken as if $. stood in front. The error says what is
// wrong, at which character, and what can be written instead.
func Compile(text string) (*Path, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("longer than %d bytes", maxText)
	}
	c := &compiler{text: strings.TrimSpace(text)}
	switch {
	case c.text == "":
		return nil, fmt.Errorf("the path is empty; $ is the whole document")
	case c.text[0] != '$' && c.text[0] != '@':
		c.text = "$." + c.text
		c.shift = -2
	}
	p, err := c.path(false)
	if err != nil {
		return nil, err
	}
	if c.pos < len(c.text) {
		return nil, c.fail("%s where . or [ is expected", c.here())
	}
	return p, nil
}

type compiler struct {
	text  string
	pos   int
	shift int // of positions in messages
	depth int
}

func (c *compiler) fail(format string, args ...any) error {
	at := utf8.RuneCountInString(c.text[:c.pos]) + 1 + c.shift
	return fmt.Errorf("%s, at character %d", fmt.Sprintf(format, args...), max(at, 1))
}

func (c *compiler) here() string {
	if c.pos >= len(c.text) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(c.text[c.pos:])
	return strconv.QuoteRune(r)
}

func (c *compiler) peek() byte {
	if c.pos < len(c.text) {
		return c.text[c.pos]
	}
	return 0
}

func (c *compiler) blanks() {
	for c.pos < len(c.text) && strings.IndexByte(" \t\n\r", c.text[c.pos]) >= 0 {
		c.pos++
	}
}

func (c *compiler) take(s string) bool {
	if strings.HasPrefix(c.text[c.pos:], s) {
		c.pos += len(s)
		return true
	}
	return false
}

// path reads a path, to the end or, inside a filter, to the first character that belongs to none.
func (c *compiler) path(inFilter bool) (*Path, error) {
	start := c.pos
	p := &Path{relative: c.peek() == '@'}
	c.pos++
	for {
		switch {
		case c.take(".."):
			p.steps = append(p.steps, step{kind: descend})
			if c.peek() == '.' {
				return nil, c.fail("three dots; two stand for every level")
			}
			if c.peek() != '[' {
				if err := c.dotted(p, inFilter); err != nil {
					return nil, err
				}
				break
			}
			fallthrough
		case c.peek() == '[':
			st, err := c.bracket()
			if err != nil {
				return nil, err
			}
			p.steps = append(p.steps, st)
		case c.take("."):
			if c.peek() == '[' {
				continue // $.['a'] and $.[0] are read as if the dot were not there
			}
			if err := c.dotted(p, inFilter); err != nil {
				return nil, err
			}
		default:
			if len(p.steps) == 0 && !inFilter && c.pos < len(c.text) {
				return nil, c.fail("%s where . or [ is expected", c.here())
			}
			p.text = c.text[start:c.pos]
			p.definite = true
			for i, st := range p.steps {
				p.definite = p.definite && st.definite(i == len(p.steps)-1)
			}
			return p, nil
		}
	}
}

// dotted reads what follows a dot: a name, * or a function.
func (c *compiler) dotted(p *Path, inFilter bool) error {
	if c.take("*") {
		p.steps = append(p.steps, step{kind: wildcard})
		return nil
	}
	start := c.pos
	for c.pos < len(c.text) && strings.IndexByte(".[( \t\r\n)=!<>&|~,*]?'\"", c.text[c.pos]) < 0 {
		c.pos++
	}
	n := c.text[start:c.pos]
	if n == "" {
		if c.pos == len(c.text) {
			return c.fail("the path ends with a dot")
		}
		return c.fail("%s where a name is expected", c.here())
	}
	if c.peek() == '(' {
		if n != "length" && n != "size" || !c.take("()") {
			c.pos = start
			return c.unknownFunction(n)
		}
		for _, st := range p.steps {
			if st.kind == descend {
				return c.fail("%s() behind .. is not supported", n)
			}
		}
		if ch := c.peek(); ch == '.' || ch == '[' {
			return c.fail("nothing can follow %s()", n)
		}
		p.steps = append(p.steps, step{kind: length})
		return nil
	}
	if c.pos < len(c.text) && !inFilter {
		switch ch := c.peek(); ch {
		case '.', '[':
		case ' ', '\t', '\r', '\n', '=', '!', '<', '>', '~':
			if rest := strings.TrimLeft(c.text[c.pos:], " \t\r\n"); rest != "" && strings.IndexByte("=!<>~", rest[0]) >= 0 {
				return c.fail("a comparison outside a filter; write %s", filterFor(c.text[:start-1], n, rest))
			}
			return c.fail("a blank in a path; write ['...'] around a name that has one")
		default:
			return c.fail("%s in a name; write ['...'] around a name that has it", c.here())
		}
	}
	p.steps = append(p.steps, step{kind: name, names: []string{n}})
	return nil
}

func (c *compiler) unknownFunction(n string) error {
	switch n {
	case "length", "size":
		return c.fail("%s takes no argument here; write %s()", n, n)
	case "min", "max", "avg", "sum", "stddev", "concat", "keys", "append", "first", "last", "index":
		return c.fail("the function %s is not supported; length() and size() are", n)
	}
	return c.fail("there is no function %s; there are length() and size()", n)
}

// filterFor guesses what was meant by $.a == 'x'.
func filterFor(front, n, rest string) string {
	return front + "[?(@." + n + " " + strings.TrimSpace(rest) + ")]"
}

// bracket reads from [ to ].
func (c *compiler) bracket() (step, error) {
	open := c.pos
	c.pos++
	c.blanks()
	st := step{}
	switch ch := c.peek(); {
	case ch == '\'' || ch == '"':
		st.kind = name
		for {
			s, err := c.quoted()
			if err != nil {
				return st, err
			}
			st.names = append(st.names, s)
			if c.blanks(); !c.take(",") {
				break
			}
			if c.blanks(); c.peek() != '\'' && c.peek() != '"' {
				return st, c.fail("%s where a name in quotes is expected", c.here())
			}
		}
	case ch == '*':
		st.kind = wildcard
		c.pos++
	case ch == '?':
		st.kind = filter
		c.pos++
		c.blanks()
		if c.peek() != '(' {
			return st, c.fail("%s where ( is expected; a filter is written [?(@.name == 'x')]", c.here())
		}
		c.pos++
		var err error
		if st.cond, err = c.or(); err != nil {
			return st, err
		}
		if c.blanks(); !c.take(")") {
			return st, c.fail("%s where &&, || or ) is expected", c.here())
		}
	case ch == '(':
		return st, c.fail("[(...)] is not supported; [-1] is the last item")
	case ch == ':' || ch == '-' || '0' <= ch && ch <= '9':
		if err := c.numbers(&st); err != nil {
			return st, err
		}
	case ch == 0:
		c.pos = open
		return st, c.fail("a [ that is not closed")
	default:
		return st, c.fail("%s behind [; write ['name'], [0], [*] or [?(...)]", c.here())
	}
	if c.blanks(); !c.take("]") {
		return st, c.fail("%s where ] is expected", c.here())
	}
	return st, nil
}

// numbers reads 0 or 0,2 or 1:3.
func (c *compiler) numbers(st *step) error {
	st.kind = index
	first := c.peek() != ':'
	if first {
		n, err := c.integer()
		if err != nil {
			return err
		}
		st.indexes = []int{n}
		c.blanks()
	}
	if c.take(":") {
		st.kind = slice
		if first {
			st.from, st.indexes = &st.indexes[0], nil
		}
		c.blanks()
		if ch := c.peek(); ch == '-' || '0' <= ch && ch <= '9' {
			n, err := c.integer()
			if err != nil {
				return err
			}
			st.to = &n
			c.blanks()
		}
		if c.peek() == ':' {
			return c.fail("a slice with a step is not supported")
		}
		if st.from == nil && st.to == nil {
			return c.fail("a slice has a number in front of or behind the colon; [*] is all items")
		}
		return nil
	}
	for c.take(",") {
		c.blanks()
		n, err := c.integer()
		if err != nil {
			return err
		}
		st.indexes = append(st.indexes, n)
		c.blanks()
	}
	return nil
}

func (c *compiler) integer() (int, error) {
	start := c.pos
	if c.peek() == '-' {
		c.pos++
	}
	for '0' <= c.peek() && c.peek() <= '9' {
		c.pos++
	}
	n, err := strconv.Atoi(c.text[start:c.pos])
	if err != nil || n > maxIndex || n < -maxIndex {
		c.pos = start
		return 0, c.fail("%s where a number is expected", c.here())
	}
	return n, nil
}

// quoted reads a text in single or double quotes.
func (c *compiler) quoted() (string, error) {
	open := c.pos
	quote := c.text[c.pos]
	c.pos++
	var b strings.Builder
	for c.pos < len(c.text) {
		ch := c.text[c.pos]
		switch {
		case ch == quote:
			c.pos++
			return b.String(), nil
		case ch != '\\' || c.pos+1 == len(c.text):
			b.WriteByte(ch)
			c.pos++
			continue
		}
		esc := c.text[c.pos+1]
		c.pos += 2
		switch i := strings.IndexByte("nrtbf", esc); {
		case i >= 0:
			b.WriteByte("\n\r\t\b\f"[i])
		case esc == 'u':
			if c.pos+4 > len(c.text) {
				return "", c.fail(`\u is followed by four hexadecimal digits`)
			}
			n, err := strconv.ParseUint(c.text[c.pos:c.pos+4], 16, 16)
			if err != nil {
				return "", c.fail(`\u is followed by four hexadecimal digits`)
			}
			b.WriteRune(rune(n))
			c.pos += 4
		default:
			b.WriteByte(esc)
		}
	}
	c.pos = open
	return "", c.fail("a text that does not end")
}

func (c *compiler) or() (expr, error) {
	var all or
	for {
		e, err := c.and()
		if err != nil {
			return nil, err
		}
		all = append(all, e)
		if c.blanks(); !c.take("||") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (c *compiler) and() (expr, error) {
	var all and
	for {
		e, err := c.term()
		if err != nil {
			return nil, err
		}
		all = append(all, e)
		if c.blanks(); !c.take("&&") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (c *compiler) term() (expr, error) {
	if c.depth++; c.depth > maxNesting {
		return nil, c.fail("the filter is nested too deep")
	}
	defer func() { c.depth-- }()
	c.blanks()
	if c.take("!") {
		c.blanks()
		path := c.peek() == '@' || c.peek() == '$'
		e, err := c.term()
		if err != nil {
			return nil, err
		}
		if _, ok := e.(comparison); ok && path {
			return nil, c.fail("! in front of a comparison; write !(@.a == 'x')")
		}
		return not{e}, nil
	}
	if c.take("(") {
		e, err := c.or()
		if err != nil {
			return nil, err
		}
		if c.blanks(); !c.take(")") {
			return nil, c.fail("%s where &&, || or ) is expected", c.here())
		}
		return e, nil
	}
	return c.comparison()
}

// words are the operators that are written in letters.
var words = map[string]bool{
	"in": true, "nin": true, "subsetof": true, "anyof": true, "noneof": true, "all": true, "contains": true, "size": true, "empty": true,
}

func (c *compiler) comparison() (expr, error) {
	left, err := c.operand()
	if err != nil {
		return nil, err
	}
	c.blanks()
	op, start := "", c.pos
	for strings.IndexByte("=!<>~", c.peek()) >= 0 && c.peek() != 0 {
		c.pos++
	}
	if op = c.text[start:c.pos]; op == "" {
		for ch := c.peek() | 0x20; 'a' <= ch && ch <= 'z'; ch = c.peek() | 0x20 {
			c.pos++
		}
		op = strings.ToLower(c.text[start:c.pos])
	}
	switch {
	case op == "":
		if left.path == nil {
			return nil, c.fail("%s where an operator is expected", c.here())
		}
		return exists{left.path}, nil
	case op == "==", op == "!=", op == "===", op == "!==", op == "<", op == "<=", op == ">", op == ">=", op == "=~", words[op]:
	case op == "=", op == "<>", op == "=!":
		c.pos = start
		return nil, c.fail("%s is no operator; write %s", op, map[string]string{"=": "==", "<>": "!=", "=!": "!="}[op])
	case op == "and", op == "or":
		c.pos = start
		return nil, c.fail("%s is no operator; write %s", op, map[string]string{"and": "&&", "or": "||"}[op])
	case op == "type", op == "matches":
		c.pos = start
		return nil, c.fail("the operator %s is not supported", op)
	default:
		c.pos = start
		return nil, c.fail("%s is no operator; there are == != < <= > >= =~ in nin subsetof anyof noneof all contains size empty", op)
	}
	right, err := c.operand()
	if err != nil {
		return nil, err
	}
	if (op == "=~") != (left.re != nil || right.re != nil) || left.re != nil && right.re != nil {
		return nil, c.fail("=~ stands between a value and one regular expression, as @.name =~ /a.*/")
	}
	return comparison{left: left, right: right, op: op}, nil
}

func (c *compiler) operand() (operand, error) {
	c.blanks()
	switch ch := c.peek(); {
	case ch == '@' || ch == '$':
		p, err := c.path(true)
		return operand{path: p}, err
	case ch == '\'' || ch == '"':
		s, err := c.quoted()
		return operand{value: &jsontree.Value{Kind: jsontree.String, Text: s}}, err
	case ch == '/':
		return c.regexp()
	case ch == '[' || ch == '{':
		return c.json()
	case ch == '-' || '0' <= ch && ch <= '9':
		start := c.pos
		for c.pos < len(c.text) && strings.IndexByte("+-.eE0123456789", c.text[c.pos]) >= 0 {
			c.pos++
		}
		text := c.text[start:c.pos]
		if _, ok := jsontree.ParseDecimal(text); !ok {
			c.pos = start
			return operand{}, c.fail("%s is no number", text)
		}
		return operand{value: &jsontree.Value{Kind: jsontree.Number, Text: text}}, nil
	case ch == '?':
		return operand{}, c.fail("a ? in place of a value is not supported")
	}
	start := c.pos
	for c.pos < len(c.text) && strings.IndexByte(" \t\r\n()[]=!<>&|~,", c.text[c.pos]) < 0 {
		c.pos++
	}
	switch word := c.text[start:c.pos]; word {
	case "true", "false":
		return operand{value: &jsontree.Value{Kind: jsontree.Bool, Bool: word == "true"}}, nil
	case "null":
		return operand{value: &jsontree.Value{Kind: jsontree.Null}}, nil
	case "":
		return operand{}, c.fail("%s where a value is expected", c.here())
	default:
		c.pos = start
		return operand{}, c.fail("%s is no value; write '%s' for a text, or @.%s for a field", word, word, word)
	}
}

// regexp reads /.../ and its flags.
func (c *compiler) regexp() (operand, error) {
	open := c.pos
	c.pos++
	for c.peek() != '/' {
		if c.peek() == '\\' {
			c.pos++
		}
		if c.pos >= len(c.text) {
			c.pos = open
			return operand{}, c.fail("a regular expression that does not end; write /.../")
		}
		c.pos++
	}
	expr := c.text[open+1 : c.pos]
	c.pos++
	var flags javaregexp.Flags
	for {
		switch ch := c.peek(); {
		case ch == 'i':
			flags.CaseInsensitive = true
		case ch == 's':
			flags.DotAll = true
		case ch == 'm':
			flags.Multiline = true
		case ch == 'u' || ch == 'd': // what Go does anyway
		case 'a' <= ch|0x20 && ch|0x20 <= 'z':
			return operand{}, c.fail("the flag %c of a regular expression is not supported", ch)
		default:
			re, err := javaregexp.Compile(expr, flags)
			if err != nil {
				c.pos = open
				return operand{}, c.fail("/%s/: %v", expr, err)
			}
			return operand{re: re}, nil
		}
		c.pos++
	}
}

// json reads a list or an object as it stands in a filter: JSON, in which texts may have single quotes.
func (c *compiler) json() (operand, error) {
	open := c.pos
	depth := 0
	for c.pos < len(c.text) {
		switch ch := c.text[c.pos]; ch {
		case '\'', '"':
			if _, err := c.quoted(); err != nil {
				return operand{}, err
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		c.pos++
		if depth == 0 {
			v, err := jsontree.ParseRelaxed([]byte(c.text[open:c.pos]))
			if err != nil {
				c.pos = open
				return operand{}, c.fail("a value that is not JSON (%v)", err)
			}
			return operand{value: v}, nil
		}
	}
	c.pos = open
	return operand{}, c.fail("a %c that is not closed", c.text[open])
}

func itoa(n int) string { return strconv.Itoa(n) }
