package javaregexp

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCompile: what each expression takes is what java.util.regex of Java 17 takes.
func TestCompile(t *testing.T) {
	for _, c := range []struct {
		expr  string
		flags Flags
		yes   []string
		no    []string
	}{
		{expr: `a`, yes: []string{"a"}, no: []string{"", "b", "aa", "ba", "a\n"}},
		{expr: ``, yes: []string{""}, no: []string{"a"}},
		{expr: `a|ab`, yes: []string{"a", "ab"}, no: []string{"abb"}},
		{expr: `/users/\d+(\?.*)?`, yes: []string{"/users/1", "/users/12?a=b"}, no: []string{"/users/", "/users/a"}},
		{expr: `.`, yes: []string{"a", "é", "\t"}, no: []string{"\n", "\r", "\u0085", "\u2028", "\u2029"}},
		{expr: `.`, flags: Flags{DotAll: true}, yes: []string{"\n", "\u2028"}},
		{expr: `(?s).`, yes: []string{"\n"}},
		{expr: `(?-s).`, flags: Flags{DotAll: true}, yes: []string{"a"}, no: []string{"\n"}},
		{expr: `(?:(?s).).`, yes: []string{"\na"}, no: []string{"a\n"}},
		{expr: `(?s:.).`, yes: []string{"\na"}, no: []string{"a\n"}},
		{expr: `(?i)abc`, yes: []string{"ABC", "abc"}},
		{expr: `(?i:a)b`, yes: []string{"Ab"}, no: []string{"AB"}},
		{expr: `(?i)a(?-i)b`, yes: []string{"Ab"}, no: []string{"AB"}},
		{expr: `(?ui)a(?du)b`, yes: []string{"AB"}},
		{expr: `abc`, flags: Flags{CaseInsensitive: true}, yes: []string{"aBc"}},
		{expr: `a$\n^b`, flags: Flags{Multiline: true}, yes: []string{"a\nb"}},
		{expr: `^a$`, yes: []string{"a"}, no: []string{"a\n"}},
		{expr: `\Aa\z`, yes: []string{"a"}},
		{expr: `\s`, yes: []string{" ", "\t", "\n", "\x0b", "\f", "\r"}, no: []string{"\u00a0", "a"}},
		{expr: `\S`, yes: []string{"\u00a0", "a"}, no: []string{"\x0b", " "}},
		{expr: `[\s]`, yes: []string{"\x0b"}},
		{expr: `[\S]`, yes: []string{"a"}, no: []string{"\x0b"}},
		{expr: `[^\S]`, yes: []string{"\x0b"}, no: []string{"a"}},
		{expr: `[\D1]`, yes: []string{"1", "a"}, no: []string{"2"}},
		{expr: `\h\H\v\V`, yes: []string{"\u00a0a\u2028a"}, no: []string{"aaaa", "  \n "}},
		{expr: `\R`, yes: []string{"\r\n", "\n", "\u0085"}, no: []string{"\n\n"}},
		{expr: `\Q.*+\E+`, yes: []string{".*+", ".*++"}, no: []string{"aaa"}},
		{expr: `\Qa.b`, yes: []string{"a.b"}, no: []string{"axb"}},
		{expr: `[\Q]-\E]`, yes: []string{"]", "-"}, no: []string{"Q"}},
		{expr: `\/\-\_\"\{\}`, yes: []string{`/-_"{}`}},
		{expr: `a}]`, yes: []string{"a}]"}},
		{expr: `\u0041\x42\x{43}\0104\cA\e`, yes: []string{"ABCD\x01\x1b"}},
		{expr: `\uD83D\uDE00`, yes: []string{"😀"}},
		{expr: `[\u0041-\x43]`, yes: []string{"B"}, no: []string{"D", "-"}},
		{expr: `[a-c[x-z]]+`, yes: []string{"ax"}, no: []string{"d", "[", "]"}},
		{expr: `[]a]+`, yes: []string{"]a"}},
		{expr: `[^]a]`, yes: []string{"b"}, no: []string{"]", "a"}},
		{expr: `[\w-.]+`, yes: []string{"a-."}, no: []string{","}},
		{expr: `[-a]+`, yes: []string{"-a"}},
		{expr: `[a-]+`, yes: []string{"-a"}},
		{expr: `[a&b]+`, yes: []string{"&a"}},
		{expr: `[\[\]^$.{}()|*+?]+`, yes: []string{`[]^$.{}()|*+?`}, no: []string{`\`}},
		{expr: `\p{Alpha}\p{Lower}\P{Upper}`, yes: []string{"aaa"}, no: []string{"aaA", "éaa"}},
		{expr: `\p{L}\pL\p{IsL}\p{IsAlphabetic}\p{IsLatin}\p{Lu}`, yes: []string{"éééééÉ"}},
		{expr: `[\p{Punct}\p{Space}]+`, yes: []string{"!\x0b"}},
		{expr: `\P{Space}`, yes: []string{"a"}, no: []string{"\x0b"}},
		{expr: `a{2}b{1,}c{0,1}?`, yes: []string{"aab", "aabbc"}, no: []string{"ab"}},
		{expr: `(?<year>\d{4})`, yes: []string{"2026"}},
		{expr: `[0-9a-fA-F]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}`, yes: []string{"01234567-89ab-cdef-0123-456789abcdef"}},
		{expr: `^.*"name"\s*:\s*"x".*$`, flags: Flags{DotAll: true}, yes: []string{"{\n \"name\" : \"x\"\n}"}},
	} {
		re, err := Compile(c.expr, c.flags)
		if !assert.NoError(t, err, c.expr) {
			continue
		}
		for _, s := range c.yes {
			assert.True(t, re.MatchString(s), "%q takes %q (%s)", c.expr, s, re)
		}
		for _, s := range c.no {
			assert.False(t, re.MatchString(s), "%q does not take %q (%s)", c.expr, s, re)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`(?=a)`:                 "Go's regexp package has no look-ahead, at character 1",
		`a(?!b)`:                "Go's regexp package has no look-ahead, at character 2",
		`(?<=a)`:                "Go's regexp package has no look-behind, at character 1",
		`(?<!a)`:                "Go's regexp package has no look-behind, at character 1",
		`(?>a)`:                 "Go's regexp package has no atomic groups; write (?: for (?> if it changes nothing, at character 1",
		`(a)\1`:                 "Go's regexp package has no back references, at character 4",
		`(?<a>x)\k<a>`:          "Go's regexp package has no back references, at character 8",
		`a*+`:                   "Go's regexp package has no possessive quantifiers; leave the + behind * out if it changes nothing, at character 3",
		`a{2}+`:                 "Go's regexp package has no possessive quantifiers; leave the + behind {2} out if it changes nothing, at character 5",
		`[a-z&&[^b]]`:           "Go's regexp package has no intersection of character classes (&&), at character 5",
		`[a[^b]]`:               "Go's regexp package has no [^...] inside a character class, at character 7",
		`\X`:                    `Go's regexp package has no \X for what Unicode takes as one character, at character 1`,
		`\G`:                    `Go's regexp package has no \G, at character 1`,
		`(?x)a b`:               "Go's regexp package has no flag x for blanks and comments, at character 3",
		`(?U)\w`:                `Go's regexp package has no flag U for Unicode classes; write \p{L} for a letter, at character 3`,
		`/users/{id}`:           `{ begins a quantifier as {2,5}, and this is none; write \{ for the character, at character 8`,
		`a{1001}`:               "it repeats too much: Go's regexp package repeats a piece at most 1000 times, and limits the whole",
		`((a{100}){100}){100}`:  "it repeats too much: Go's regexp package repeats a piece at most 1000 times, and limits the whole",
		`*`:                     "the quantifier * has nothing to repeat, at character 1",
		`{2}`:                   "the quantifier {2} has nothing to repeat, at character 1",
		`(`:                     "a group is not closed",
		`(?i`:                   "a group is not closed, at character 4",
		`a)(b`:                  "a ) that closes no group, at character 2",
		`(?y)`:                  "(?y begins no group, at character 3",
		`[a`:                    "a [ that is not closed, at character 1",
		`[b-a]`:                 "a range of characters that runs backwards, or has no end, at character 5",
		`[a-\d]`:                "a range of characters that runs backwards, or has no end, at character 6",
		`\`:                     `a \ at the end, at character 2`,
		`\y`:                    `\y is not an escape that Go's regexp package can do, at character 1`,
		`\E`:                    `a \E without a \Q, at character 1`,
		`\p{InGreek}`:           `\p{InGreek} is a class that Go's regexp package does not have, at character 12`,
		`\p{L`:                  `\p{ is not closed, at character 3`,
		`\u12`:                  `\u is followed by four hexadecimal digits, at character 3`,
		`\uD83D`:                "half a surrogate pair, at character 7",
		`\x{110000}`:            `\x{ is followed by the number of a character and }, at character 10`,
		`\c`:                    `\c is followed by a character, at character 3`,
		`\09`:                   `\0 is followed by an octal number, at character 3`,
		strings.Repeat("[", 60): "character classes are nested too deep, at character 52",
		strings.Repeat("(", 2000) + strings.Repeat(")", 2000): "its groups are nested too deep",
		strings.Repeat("a", 16<<10+1):                         "longer than 16384 bytes",
	} {
		re, err := Compile(expr, Flags{})
		if assert.Error(t, err, "%q became %v", expr, re) {
			assert.Equal(t, want, err.Error(), expr)
		}
	}
}

// What is read as a text stands for itself, whatever it has in it.
func FuzzQuoted(f *testing.F) {
	f.Add("a.b*[c]\\")
	f.Add("é\x00\n-^")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, `\E`) || strings.HasSuffix(s, `\`) || strings.ToValidUTF8(s, "") != s || len(s) > 1000 {
			t.Skip("too long to be worth its time")
		}
		re, err := Compile(`\Q`+s+`\E`, Flags{})
		require.NoError(t, err)
		assert.True(t, re.MatchString(s), "%s", re)
		var class strings.Builder
		for _, r := range s {
			class.WriteString(literal(r))
		}
		if s != "" {
			re, err := regexp.Compile("[" + class.String() + "]")
			require.NoError(t, err)
			for _, r := range s {
				assert.True(t, re.MatchString(string(r)))
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add(`[a-c[x-z]]\p{L}(?i:\h)\Q*\E{2,3}?`, "aéxx")
	f.Add(`(?<a>\x{41}|\R)$`, "\r\n")
	f.Fuzz(func(t *testing.T, expr, in string) {
		re, err := Compile(expr, Flags{})
		if err != nil {
			assert.NotEmpty(t, err.Error())
			assert.NotContains(t, err.Error(), "unexpected", "the translation is no expression for Go: %q", expr)
			return
		}
		if loc := re.FindStringIndex(in); loc != nil {
			assert.Equal(t, []int{0, len(in)}, loc, "a match is of the whole text")
		}
	})
}
