package jsontree

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"a": [1, -2.50e+3, true, false, null, "x"], "a": {}}`, `{"a":[1,-2.50e+3,true,false,null,"x"],"a":{}}`},
		{" \t\r\n[ ] \n", `[]`},
		{`"\"\\\/\b\f\n\r\té<>&\u00e9\ud83d\ude00\ud83dx\ud83d\u0041"`, "\"\\\"\\\\/\\b\\f\\n\\r\\té<>&é😀\ufffdx\ufffdA\""},
		{`0`, `0`},
		{`-0.0`, `-0.0`},
		{`123456789012345678901234567890.10`, `123456789012345678901234567890.10`},
	} {
		v, err := Parse([]byte(c.in))
		require.NoError(t, err, c.in)
		assert.Equal(t, c.want, string(v.Append(nil)))
	}
}

func TestParseRelaxed(t *testing.T) {
	in := "\ufeff// one\n{ /* two\n */ 'a\\'\"': \"it's\" // three\n, \"b\": '\"' } // four"
	v, err := ParseRelaxed([]byte(in))
	require.NoError(t, err)
	assert.Equal(t, `{"a'\"":"it's","b":"\""}`, string(v.Append(nil)))
	assert.Equal(t, "it's", v.Get(`a'"`).Text)
	line, column := Position([]byte(in), v.Fields[1].Offset)
	assert.Equal(t, []int{4, 3}, []int{line, column})
	_, err = Parse([]byte(in))
	assert.Error(t, err)
}

func TestParseErrors(t *testing.T) {
	deep := strings.Repeat("[", 1002)
	for in, want := range map[string]string{
		"":                       "line 1, column 1: there is no JSON value",
		"\n ":                    "line 2, column 2: there is no JSON value",
		"{":                      "line 1, column 2: the end of the text where a field name in double quotes is expected",
		"{\n  \"é\": 1,\n}":      "line 3, column 1: a comma in front of }",
		"{\n  \"é\" 1}":          "line 2, column 7: '1' where a colon is expected",
		`{"a": 1 "b": 2}`:        "line 1, column 9: '\"' where a comma or } is expected",
		`{a: 1}`:                 "line 1, column 2: 'a' where a field name in double quotes is expected",
		`{'a': 1}`:               "line 1, column 2: '\\'' where a field name in double quotes is expected",
		`[1, 2`:                  "line 1, column 6: the end of the text where a comma or ] is expected",
		`[1,]`:                   "line 1, column 4: a comma in front of ]",
		`[,]`:                    "line 1, column 2: ',' where a value is expected",
		`{"a": GET}`:             "line 1, column 7: GET where a value is expected; a text stands in double quotes",
		`{"a": }`:                "line 1, column 7: '}' where a value is expected",
		`{"a"`:                   "line 1, column 5: the end of the text where a colon is expected",
		`[01]`:                   "line 1, column 2: a number that begins with 0",
		`[-]`:                    "line 1, column 3: ']' where a digit is expected",
		`[1.]`:                   "line 1, column 4: ']' where a digit is expected",
		`[1e]`:                   "line 1, column 4: ']' where a digit is expected",
		`["a`:                    "line 1, column 2: a text that does not end",
		"[\"a\nb\"]":             `line 1, column 4: '\n' inside a text; write it as an escape`,
		`["\d"]`:                 "line 1, column 3: a backslash that begins no escape; write two for one",
		`["\u12"]`:               `line 1, column 5: \u is followed by four hexadecimal digits`,
		`{} x`:                   "line 1, column 4: 'x' after the end of the JSON value",
		"[\"\xff\"]":             "line 1, column 3: the text is not UTF-8",
		`[truetruetruetruetrue]`: "line 1, column 2: truetruetruetruetrue where a value is expected; a text stands in double quotes",
		deep:                     "line 1, column 1002: more than 1000 lists and objects in one another",
	} {
		_, err := Parse([]byte(in))
		if assert.Error(t, err, in) {
			assert.Equal(t, want, err.Error(), in)
		}
	}
	_, err := ParseRelaxed([]byte("[ /* x"))
	assert.EqualError(t, err, "line 1, column 3: a comment that does not end")
}

func TestDecimal(t *testing.T) {
	order := []string{"-1e999999999999999999999", "-10", "-9.5", "-0.01", "0", "1e-999999999999999999999", "0.0099", "1e-2", "0.5", "1", "9", "10", "10.5", "1e2", "123456789012345678901234567890", "1e999999999"}
	for i, a := range order {
		for j, b := range order {
			x, ok := ParseDecimal(a)
			require.True(t, ok, a)
			y, _ := ParseDecimal(b)
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			assert.Equal(t, want, x.Compare(y), "%s and %s", a, b)
		}
	}
	for _, same := range [][2]string{{"1", "1.0"}, {"100", "1e2"}, {"-0", "0.00"}, {"0.10", "1e-1"}, {"+5", "005."}, {".5", "0.5"}} {
		x, ok := ParseDecimal(same[0])
		require.True(t, ok)
		y, ok := ParseDecimal(same[1])
		require.True(t, ok)
		assert.Equal(t, x, y, same)
	}
	for _, bad := range []string{"", "-", ".", "e1", "1e", "1e-", "1e+-1", "1.2.3", "0x1", "1 ", "NaN"} {
		_, ok := ParseDecimal(bad)
		assert.False(t, ok, bad)
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[true,null]}`, `{"b":[true,null],"a":1.0}`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":1}`, `{"b":1}`, false},
		{`{"a":1,"a":2}`, `{"a":2}`, true},
		{`[1,2]`, `[2,1]`, false},
		{`[1]`, `[1,1]`, false},
		{`"1"`, `1`, false},
		{`"a"`, `"b"`, false},
		{`true`, `false`, false},
		{`null`, `null`, true},
	} {
		a, err := Parse([]byte(c.a))
		require.NoError(t, err)
		b, err := Parse([]byte(c.b))
		require.NoError(t, err)
		assert.Equal(t, c.want, Equal(a, b), "%s and %s", c.a, c.b)
		assert.Equal(t, c.want, Equal(b, a), "%s and %s", c.b, c.a)
	}
}

// What encoding/json reads is read, and the other way round, and means the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a": [1, -2.50e+3, true, null, "\u00e9\n"], "a": {}}`))
	f.Add([]byte(`[01]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) >= 1000 || bytes.Contains(text, []byte(`\u`)) {
			return // other limits, and other halves of pairs
		}
		if !json.Valid(text) || !bytes.Equal(bytes.ToValidUTF8(text, nil), text) {
			assert.Error(t, err)
			return
		}
		require.NoError(t, err)
		out := v.Append(nil)
		var want, got any
		for _, c := range []struct {
			text []byte
			to   *any
		}{{text, &want}, {out, &got}} {
			dec := json.NewDecoder(bytes.NewReader(c.text))
			dec.UseNumber()
			require.NoError(t, dec.Decode(c.to))
		}
		assert.Equal(t, want, got)
		again, err := Parse(out)
		require.NoError(t, err)
		assert.True(t, Equal(v, again))
		_, err = ParseRelaxed(text)
		assert.NoError(t, err)
	})
}

func FuzzDecimal(f *testing.F) {
	f.Add("1.50e2", "150")
	f.Add("-0.001", "1e-3")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, ok := ParseDecimal(a)
		y, ok2 := ParseDecimal(b)
		if !ok || !ok2 || len(a) > 30 || len(b) > 30 || strings.ContainsAny(a+b, "eE") {
			return
		}
		p, ok := new(big.Rat).SetString(a)
		require.True(t, ok, a)
		q, ok := new(big.Rat).SetString(b)
		require.True(t, ok, b)
		assert.Equal(t, p.Cmp(q), x.Compare(y))
	})
}
