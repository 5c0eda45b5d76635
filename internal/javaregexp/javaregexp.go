// Package javaregexp compiles a regular expression that was written for java.util.regex with Go's regexp package.
//
// The two differ in small things, which are translated (\h, \R, \u and four digits, \s with a vertical tab, nested character classes),
// and in a few that Go cannot do, because it matches in linear time: look-around, back references, possessive quantifiers
// and atomic groups. Those are errors that say so.
//
// Three differences are left. Under (?i) Go folds all of Unicode and Java ASCII alone; \b knows the words of ASCII alone;
// and $ or \Z in front of the last line break of a text does not match, so `a$\n` takes nothing.
package javaregexp

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
)

// Flags are Java's flags that an expression may be compiled with.
type Flags struct {
	DotAll          bool // . is a line break too
	CaseInsensitive bool
	Multiline       bool // ^ and $ at every line
}

// maxLength is the longest expression. What is translated can grow, and Go's own limits are on what it compiles to.
const maxLength = 16 << 10

// Compile translates an expression. What it returns matches a whole text, as Java's Matcher.matches does. The error says
// what Go cannot do, and where in the expression it stands.
func Compile(expr string, flags Flags) (*regexp.Regexp, error) {
	if len(expr) > maxLength {
		return nil, fmt.Errorf("longer than %d bytes", maxLength)
	}
	t := &translator{in: []rune(expr), dotAll: flags.DotAll}
	if err := t.all(); err != nil {
		return nil, err
	}
	options := "s"
	if flags.CaseInsensitive {
		options += "i"
	}
	if flags.Multiline {
		options += "m"
	}
	re, err := regexp.Compile(`\A(?` + options + `:` + t.out.String() + `)\z`)
	if err != nil {
		return nil, explain(err)
	}
	return re, nil
}

// explain puts an error of Go's compiler, which quotes a translated piece, into other words.
func explain(err error) error {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case syntax.ErrInvalidRepeatSize, syntax.ErrLarge:
		return errors.New("it repeats too much: Go's regexp package repeats a piece at most 1000 times, and limits the whole")
	case syntax.ErrNestingDepth:
		return errors.New("its groups are nested too deep")
	case syntax.ErrMissingParen:
		return errors.New("a group is not closed")
	case syntax.ErrMissingRepeatArgument:
		return fmt.Errorf("the quantifier %s has nothing to repeat", e.Expr)
	}
	return fmt.Errorf("%s: %s", e.Code, e.Expr)
}

type translator struct {
	in     []rune
	pos    int
	out    strings.Builder
	dotAll bool
	outer  []bool // dotAll of the groups around
	piece  bool   // something stands in front that a quantifier can repeat
}

func (t *translator) fail(format string, args ...any) error {
	return fmt.Errorf("%s, at character %d", fmt.Sprintf(format, args...), t.pos+1)
}

// unsupported says that Go cannot do something that Java can.
func (t *translator) unsupported(what, instead string) error {
	s := "Go's regexp package has no " + what
	if instead != "" {
		s += "; " + instead
	}
	return t.fail("%s", s)
}

func (t *translator) at(i int) rune {
	if t.pos+i < len(t.in) {
		return t.in[t.pos+i]
	}
	return -1
}

func (t *translator) has(s string) bool {
	for i, r := range []rune(s) {
		if t.at(i) != r {
			return false
		}
	}
	return true
}

func (t *translator) all() error {
	for t.pos < len(t.in) {
		if err := t.next(); err != nil {
			return err
		}
	}
	return nil
}

// next translates one piece.
func (t *translator) next() error {
	c := t.at(0)
	switch c {
	case '\\':
		return t.escape()
	case '[':
		set, err := t.class(0)
		if err != nil {
			return err
		}
		t.out.WriteString(set.String())
		t.piece = true
		return nil
	case '(':
		return t.group()
	case ')':
		n := len(t.outer)
		if n == 0 {
			return t.fail("a ) that closes no group")
		}
		t.dotAll, t.outer = t.outer[n-1], t.outer[:n-1]
		t.piece = true
	case '|', '^', '$':
		t.piece = c == '$' || c == '^'
	case '*', '+', '?', '{':
		return t.quantifier()
	case '.':
		if !t.dotAll {
			t.out.WriteString(`[^\n\r\x{85}\x{2028}\x{2029}]`)
		} else {
			t.out.WriteByte('.')
		}
		t.pos++
		t.piece = true
		return nil
	case '}', ']':
		t.out.WriteByte('\\')
		t.piece = true
	default:
		t.piece = true
	}
	t.out.WriteRune(c)
	t.pos++
	return nil
}

func (t *translator) quantifier() error {
	start := t.pos
	if t.at(0) == '{' {
		end := start + 1
		for end < len(t.in) && (t.in[end] == ',' || '0' <= t.in[end] && t.in[end] <= '9') {
			end++
		}
		body := string(t.in[start+1 : end])
		if end == len(t.in) || t.in[end] != '}' || body == "" || body[0] == ',' || strings.Count(body, ",") > 1 {
			return t.fail(`{ begins a quantifier as {2,5}, and this is none; write \{ for the character`)
		}
		if !t.piece {
			return t.fail("the quantifier {%s} has nothing to repeat", body)
		}
		t.pos = end + 1
	} else {
		if !t.piece {
			return t.fail("the quantifier %c has nothing to repeat", t.at(0))
		}
		t.pos++
	}
	t.out.WriteString(string(t.in[start:t.pos]))
	switch t.at(0) {
	case '?':
		t.out.WriteByte('?')
		t.pos++
	case '+':
		return t.unsupported("possessive quantifiers", fmt.Sprintf("leave the + behind %s out if it changes nothing", string(t.in[start:t.pos])))
	}
	t.piece = false // x** is an error in Java too
	return nil
}

func (t *translator) group() error {
	switch {
	case t.has("(?=") || t.has("(?!"):
		return t.unsupported("look-ahead", "")
	case t.has("(?<=") || t.has("(?<!"):
		return t.unsupported("look-behind", "")
	case t.has("(?>"):
		return t.unsupported("atomic groups", "write (?: for (?> if it changes nothing")
	}
	t.piece = false
	if !t.has("(?") {
		t.outer = append(t.outer, t.dotAll)
		t.out.WriteByte('(')
		t.pos++
		return nil
	}
	if t.has("(?<") {
		t.outer = append(t.outer, t.dotAll)
		t.out.WriteString("(?P<")
		t.pos += len("(?<")
		for t.pos < len(t.in) && t.at(0) != '>' {
			t.out.WriteRune(t.at(0))
			t.pos++
		}
		t.out.WriteByte('>')
		t.pos++
		return nil
	}
	outside := t.dotAll
	t.pos += len("(?")
	on, flags := true, ""
	for ; t.pos < len(t.in); t.pos++ {
		switch c := t.at(0); c {
		case '-':
			on = false
			flags += "-"
		case 's':
			t.dotAll = on
		case 'i', 'm':
			flags += string(c)
		case 'd', 'u': // other line breaks for . and $, and Unicode under (?i), which Go has anyway
		case 'x':
			return t.unsupported("flag x for blanks and comments", "")
		case 'U':
			return t.unsupported(`flag U for Unicode classes`, `write \p{L} for a letter`)
		case ':', ')':
			flags = strings.TrimSuffix(flags, "-")
			t.pos++
			if c == ':' {
				t.outer = append(t.outer, outside)
				t.out.WriteString("(?" + flags + ":")
			} else if flags != "" {
				t.out.WriteString("(?" + flags + ")")
			}
			return nil
		default:
			return t.fail("(?%c begins no group", c)
		}
	}
	return t.fail("a group is not closed")
}

// escape translates a backslash outside a class.
func (t *translator) escape() error {
	t.piece = true
	c := t.at(1)
	switch {
	case c == 'Q':
		t.pos += 2
		for t.pos < len(t.in) && !t.has(`\E`) {
			t.out.WriteString(literal(t.at(0)))
			t.pos++
		}
		t.pos = min(t.pos+2, len(t.in))
		return nil
	case c == 'E':
		return t.fail(`a \E without a \Q`)
	case '1' <= c && c <= '9', c == 'k':
		return t.unsupported("back references", "")
	case c == 'b' && t.at(2) == '{', c == 'X', c == 'N':
		return t.unsupported(fmt.Sprintf(`\%c for what Unicode takes as one character`, c), "")
	case c == 'G':
		return t.unsupported(`\G`, "")
	case c == 'b' || c == 'B' || c == 'A' || c == 'z':
		t.out.WriteString(`\` + string(c))
		t.pos += 2
		return nil
	case c == 'Z':
		t.out.WriteString(`\z`)
		t.pos += 2
		return nil
	case c == 'R':
		t.out.WriteString(`(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])`)
		t.pos += 2
		return nil
	}
	set, err := t.escaped()
	if err != nil {
		return err
	}
	t.out.WriteString(set.String())
	return nil
}

// set is what a class or an escape stands for, as the inside of a Go class.
type set struct {
	inside string
	not    bool
}

func (s set) String() string {
	switch {
	case s.not:
		return "[^" + s.inside + "]"
	case s.inside == "":
		return `[^\x{0}-\x{10FFFF}]`
	}
	return "[" + s.inside + "]"
}

func one(r rune) set { return set{inside: literal(r)} }

// literal writes a character so that it stands for itself inside and outside a class.
func literal(r rune) string {
	if r < unicode.MaxASCII && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
		return `\` + string(r)
	}
	if r < ' ' || r > unicode.MaxASCII && !unicode.IsPrint(r) {
		return fmt.Sprintf(`\x{%X}`, r)
	}
	return string(r)
}

const (
	spaces     = " \\t\\n\\x0B\\f\\r"
	horizontal = " \\t\\x{A0}\\x{1680}\\x{180E}\\x{2000}-\\x{200A}\\x{202F}\\x{205F}\\x{3000}"
	vertical   = "\\n\\x0B\\f\\r\\x{85}\\x{2028}\\x{2029}"
)

// escaped reads an escape that stands for one character of a set, inside or outside a class.
func (t *translator) escaped() (set, error) {
	c := t.at(1)
	t.pos += 2
	switch c {
	case -1:
		t.pos = len(t.in)
		return set{}, t.fail(`a \ at the end`)
	case 'd', 'w':
		return set{inside: `\` + string(c)}, nil
	case 'D', 'W':
		return set{inside: `\` + string(unicode.ToLower(c)), not: true}, nil
	case 's', 'S':
		return set{inside: spaces, not: c == 'S'}, nil
	case 'h', 'H':
		return set{inside: horizontal, not: c == 'H'}, nil
	case 'v', 'V':
		return set{inside: vertical, not: c == 'V'}, nil
	case 't':
		return one('\t'), nil
	case 'n':
		return one('\n'), nil
	case 'r':
		return one('\r'), nil
	case 'f':
		return one('\f'), nil
	case 'a':
		return one('\a'), nil
	case 'e':
		return one(0x1b), nil
	case 'c':
		if t.pos == len(t.in) {
			return set{}, t.fail(`\c is followed by a character`)
		}
		t.pos++
		return one(t.in[t.pos-1] ^ 64), nil
	case '0':
		n, digits := rune(0), 0
		for digits < 3 && '0' <= t.at(0) && t.at(0) <= '7' && n*8+t.at(0)-'0' <= 0o377 {
			n = n*8 + t.at(0) - '0'
			digits++
			t.pos++
		}
		if digits == 0 {
			return set{}, t.fail(`\0 is followed by an octal number`)
		}
		return one(n), nil
	case 'x':
		if t.at(0) == '{' {
			n, digits := rune(0), 0
			for t.pos++; hex(t.at(0)) >= 0 && n <= unicode.MaxRune; t.pos++ {
				n = n*16 + hex(t.at(0))
				digits++
			}
			if digits == 0 || t.at(0) != '}' || n > unicode.MaxRune {
				return set{}, t.fail(`\x{ is followed by the number of a character and }`)
			}
			t.pos++
			return one(n), nil
		}
		n, ok := t.digits(2)
		if !ok {
			return set{}, t.fail(`\x is followed by two hexadecimal digits`)
		}
		return one(n), nil
	case 'u':
		n, ok := t.digits(4)
		if !ok {
			return set{}, t.fail(`\u is followed by four hexadecimal digits`)
		}
		if 0xD800 <= n && n < 0xDC00 && t.has(`\u`) {
			t.pos += 2
			low, ok := t.digits(4)
			if !ok || low < 0xDC00 || low > 0xDFFF {
				return set{}, t.fail(`half a surrogate pair`)
			}
			return one((n-0xD800)<<10 | (low - 0xDC00) + 0x10000), nil
		}
		if 0xD800 <= n && n <= 0xDFFF {
			return set{}, t.fail(`half a surrogate pair`)
		}
		return one(n), nil
	case 'p', 'P':
		return t.property(c == 'P')
	}
	if c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		t.pos -= 2
		return set{}, t.fail(`\%c is not an escape that Go's regexp package can do`, c)
	}
	return one(c), nil
}

func hex(r rune) rune {
	switch {
	case '0' <= r && r <= '9':
		return r - '0'
	case 'a' <= r && r <= 'f':
		return r - 'a' + 10
	case 'A' <= r && r <= 'F':
		return r - 'A' + 10
	}
	return -1
}

func (t *translator) digits(n int) (rune, bool) {
	r := rune(0)
	for i := range n {
		d := hex(t.at(i))
		if d < 0 {
			return 0, false
		}
		r = r*16 + d
	}
	t.pos += n
	return r, true
}

// posix are Java's ASCII properties that Go has under the same name in small letters.
var posix = map[string]bool{
	"Lower": true, "Upper": true, "ASCII": true, "Alpha": true, "Digit": true, "Alnum": true, "Punct": true, "Graph": true,
	"Print": true, "Blank": true, "Cntrl": true, "XDigit": true,
}

// property reads what follows \p or \P.
func (t *translator) property(not bool) (set, error) {
	name := ""
	switch {
	case t.at(0) == '{':
		end := t.pos + 1
		for end < len(t.in) && t.in[end] != '}' {
			end++
		}
		if end == len(t.in) {
			return set{}, t.fail(`\p{ is not closed`)
		}
		name = string(t.in[t.pos+1 : end])
		t.pos = end + 1
	case t.pos < len(t.in):
		name = string(t.at(0))
		t.pos++
	}
	whole := name
	switch {
	case posix[name]:
		return set{inside: "[:" + strings.ToLower(name) + ":]", not: not}, nil
	case name == "Space":
		return set{inside: spaces, not: not}, nil
	case name == "IsAlphabetic":
		return set{inside: `\p{L}\p{Nl}`, not: not}, nil
	case name == "IsDigit":
		return set{inside: `\p{Nd}`, not: not}, nil
	case name == "IsLetter":
		name = "L"
	case name == "IsUppercase", name == "javaUpperCase":
		name = "Lu"
	case name == "IsLowercase", name == "javaLowerCase":
		name = "Ll"
	case strings.HasPrefix(name, "Is"):
		name = name[len("Is"):]
	default:
		for _, prefix := range []string{"script=", "sc=", "general_category=", "gc="} {
			name = strings.TrimPrefix(name, prefix)
		}
	}
	if unicode.Categories[name] == nil && unicode.Scripts[name] == nil {
		return set{}, t.fail(`\p{%s} is a class that Go's regexp package does not have`, whole)
	}
	return set{inside: `\p{` + name + `}`, not: not}, nil
}

// maxNesting is how deep classes may stand in one another.
const maxNesting = 50

// class reads from [ to its ].
func (t *translator) class(depth int) (set, error) {
	if depth > maxNesting {
		return set{}, t.fail("character classes are nested too deep")
	}
	var s set
	var b strings.Builder
	start := t.pos
	t.pos++
	if t.at(0) == '^' {
		s.not = true
		t.pos++
	}
	for first := true; ; first = false {
		switch {
		case t.pos >= len(t.in):
			t.pos = start
			return set{}, t.fail("a [ that is not closed")
		case t.at(0) == ']' && !first:
			t.pos++
			s.inside = b.String()
			return s, nil
		case t.has("&&"):
			return set{}, t.unsupported("intersection of character classes (&&)", "")
		case t.at(0) == '[':
			inner, err := t.class(depth + 1)
			if err != nil {
				return set{}, err
			}
			if inner.not {
				return set{}, t.unsupported("[^...] inside a character class", "")
			}
			b.WriteString(inner.inside)
			continue
		case t.has(`\Q`):
			for t.pos += 2; t.pos < len(t.in) && !t.has(`\E`); t.pos++ {
				b.WriteString(literal(t.at(0)))
			}
			t.pos = min(t.pos+2, len(t.in))
			continue
		}
		low, lowSet, single, err := t.member()
		if err != nil {
			return set{}, err
		}
		if !single {
			b.WriteString(lowSet)
			continue
		}
		if t.at(0) != '-' || t.at(1) == ']' || t.at(1) == '[' || t.at(1) == -1 || t.at(1) == '&' && t.at(2) == '&' {
			b.WriteString(literal(low))
			continue
		}
		t.pos++
		high, _, single, err := t.member()
		if err != nil {
			return set{}, err
		}
		if !single || high < low {
			return set{}, t.fail("a range of characters that runs backwards, or has no end")
		}
		b.WriteString(literal(low) + "-" + literal(high))
	}
}

// member reads one character of a class, or an escape that stands for several.
func (t *translator) member() (r rune, several string, single bool, err error) {
	c := t.at(0)
	if c != '\\' {
		t.pos++
		return c, "", true, nil
	}
	s, err := t.escaped()
	if err != nil {
		return 0, "", false, err
	}
	if s.not {
		return 0, complement(s.inside), false, nil
	}
	if r, ok := s.single(); ok {
		return r, "", true, nil
	}
	return 0, s.inside, false, nil
}

// single gives the character of a set that was made of one.
func (s set) single() (rune, bool) {
	re, err := syntax.Parse("["+s.inside+"]", syntax.Perl)
	if err != nil || re.Op != syntax.OpLiteral || len(re.Rune) != 1 {
		return 0, false
	}
	return re.Rune[0], true
}

// complement writes what a class holds that is not in a set.
func complement(inside string) string {
	re, err := syntax.Parse("[^"+inside+"]", syntax.Perl)
	if err != nil || re.Op != syntax.OpCharClass {
		return ""
	}
	var b strings.Builder
	for i := 0; i+1 < len(re.Rune); i += 2 {
		fmt.Fprintf(&b, `\x{%X}-\x{%X}`, re.Rune[i], re.Rune[i+1])
	}
	return b.String()
}
