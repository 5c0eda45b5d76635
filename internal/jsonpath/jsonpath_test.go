package jsonpath

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/jsontree"
)

const shop = `{
	"shop": {
		"tools": [
			{"kind": "saw",   "name": "Fox",   "price": 8.95,  "tags": ["a", "b"]},
			{"kind": "drill", "name": "Ox",    "price": 12.99, "code": "0-1", "tags": []},
			{"kind": "drill", "name": "Lynx",  "price": 22.5,  "code": "0-2", "on": true, "note": null},
			{"kind": "drill", "name": "ox/a'b","price": 10}
		],
		"van": {"colour": "red", "price": 19950}
	},
	"limit": 10,
	"empty": [],
	"none": {},
	"a b": {"c.d": 1},
	"odd": {"1": "one", "@type": "t", "$ref": "r", "x-y": "z", "n": null, "s": "10", "t": "1e1", "é": 2}
}`

func find(t *testing.T, doc, path string) (string, error) {
	t.Helper()
	v, err := jsontree.Parse([]byte(doc))
	require.NoError(t, err)
	p, err := Compile(path)
	require.NoError(t, err, path)
	found, err := p.Find(v)
	if err != nil {
		return "", err
	}
	if p.Definite() {
		require.Len(t, found, 1, path)
		return string(found[0].Append(nil)), nil
	}
	b := []byte("[")
	for i, f := range found {
		if i > 0 {
			b = append(b, ',')
		}
		b = f.Append(b)
	}
	return string(append(b, ']')), nil
}

const nowhere = "nowhere" // a definite path that leads to nothing

func TestFind(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{`$.limit`, `10`},
		{`limit`, `10`},
		{` $.limit `, `10`},
		{`@.limit`, `10`},
		{`$['limit']`, `10`},
		{`$["limit"]`, `10`},
		{`$[ 'limit' ]`, `10`},
		{`$.['limit']`, `10`},
		{`$.shop.van.colour`, `"red"`},
		{`$['shop'].van['colour']`, `"red"`},
		{`$['a b']['c.d']`, `1`},
		{`$.odd.@type`, `"t"`},
		{`$.odd.$ref`, `"r"`},
		{`$.odd.x-y`, `"z"`},
		{`$.odd.1`, `"one"`},
		{`$.odd.é`, `2`},
		{`$.odd['\u00e9']`, `2`},
		{`$.odd.n`, `null`},
		{`$.missing`, nowhere},
		{`$.missing.more`, nowhere},
		{`$.limit.more`, nowhere},
		{`$.shop.tools.name`, nowhere},
		{`$.missing[*]`, nowhere},
		{`$.empty`, `[]`},
		{`$.none`, `{}`},

		{`$.shop.tools[0].name`, `"Fox"`},
		{`$.shop.tools[-1].price`, `10`},
		{`$.shop.tools[4]`, nowhere},
		{`$.shop.tools[-5]`, nowhere},
		{`$.shop[0]`, nowhere},
		{`$.shop.tools[0,2].name`, `["Fox","Lynx"]`},
		{`$.shop.tools[ 0 , 9 ].name`, `["Fox"]`},
		{`$.shop.tools[1:3].name`, `["Ox","Lynx"]`},
		{`$.shop.tools[:2].name`, `["Fox","Ox"]`},
		{`$.shop.tools[2:].name`, `["Lynx","ox/a'b"]`},
		{`$.shop.tools[-2:].name`, `["Lynx","ox/a'b"]`},
		{`$.shop.tools[:-3].name`, `["Fox"]`},
		{`$.shop.tools[-9:].name`, `["Fox","Ox","Lynx","ox/a'b"]`},
		{`$.shop.tools[3:1].name`, `[]`},
		{`$.shop.tools[-3:-1].name`, `["Ox","Lynx"]`},
		{`$.shop.tools[-2000000000:2000000000].name`, `["Fox","Ox","Lynx","ox/a'b","Fox","Ox","Lynx","ox/a'b"]`}, // Jayway's too
		{`$.shop.tools[*].name`, `["Fox","Ox","Lynx","ox/a'b"]`},
		{`$.shop.tools.*.name`, `["Fox","Ox","Lynx","ox/a'b"]`},
		{`$.shop.tools[*].code`, `["0-1","0-2"]`},
		{`$.shop.van[*]`, `["red",19950]`},
		{`$.limit[*]`, `[]`},
		{`$.shop.van['colour','price']`, `{"colour":"red","price":19950}`},
		{`$.shop.van['colour', "missing"]`, `{"colour":"red"}`},
		{`$.shop['van','tools'].colour`, `["red"]`},

		{`$..price`, `[8.95,12.99,22.5,10,19950]`},
		{`$..van.price`, `[19950]`},
		{`$..tools[0].name`, `["Fox"]`},
		{`$..[0].name`, `["Fox"]`},
		{`$..['name']`, `["Fox","Ox","Lynx","ox/a'b"]`},
		{`$.shop.van..*`, `["red",19950]`},
		{`$..nothing`, `[]`},
		{`$..tools[?(@.price > 20)].name`, `["Lynx"]`},
		{`$..[?(@.colour)].price`, `[19950]`},

		{`$.shop.tools.length()`, `4`},
		{`$.shop.tools.size()`, `4`},
		{`$.shop.van.length()`, `2`},
		{`$.empty.length()`, `0`},
		{`$.limit.length()`, `null`},
		{`$.shop.tools[*].tags.length()`, `[2,0]`},

		{`$.shop.tools[?(@.code)].name`, `["Ox","Lynx"]`},
		{`$.shop.tools[?(!@.code)].name`, `["Fox","ox/a'b"]`},
		{`$.shop.tools[?(@.note)].name`, `["Lynx"]`}, // null is there
		{`$.shop.tools[?(@.note == null)].name`, `["Lynx"]`},
		{`$.shop.tools[?(@.note != null)].name`, `["Fox","Ox","ox/a'b"]`},
		{`$.shop.tools[?(@.on == true)].name`, `["Lynx"]`},
		{`$.shop.tools[?(@.kind == 'saw')].name`, `["Fox"]`},
		{`$.shop.tools[?(@.kind=='saw')].name`, `["Fox"]`},
		{`$.shop.tools[?('saw' == @.kind)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.kind == "saw")].name`, `["Fox"]`},
		{`$.shop.tools[?(@['kind'] != 'saw')].name`, `["Ox","Lynx","ox/a'b"]`},
		{`$.shop.tools[?(@.name == 'ox/a\'b')].price`, `[10]`},
		{`$.shop.tools[?(@.price == 10)].name`, `["ox/a'b"]`},
		{`$.shop.tools[?(@.price == 10.0)].name`, `["ox/a'b"]`},
		{`$.shop.tools[?(@.price == '10')].name`, `["ox/a'b"]`},
		{`$.shop.tools[?(@.price === '10')].name`, `[]`},
		{`$.shop.tools[?(@.price !== '10')].name`, `["Fox","Ox","Lynx","ox/a'b"]`},
		{`$.shop.tools[?(@.price < 10)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.price <= 10)].name`, `["Fox","ox/a'b"]`},
		{`$.shop.tools[?(@.price > 1.3e1)].name`, `["Lynx"]`},
		{`$.shop.tools[?(@.price >= -1)].name`, `["Fox","Ox","Lynx","ox/a'b"]`},
		{`$.shop.tools[?(@.price < $.limit)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.name > 'M')].name`, `["Ox","ox/a'b"]`},
		{`$.shop.tools[?(@.name > 1)].name`, `[]`},
		{`$.shop.tools[?(@.code > '0')].name`, `["Ox","Lynx"]`},
		{`$.shop.tools[?(@.kind == 'drill' && @.price < 20)].name`, `["Ox","ox/a'b"]`},
		{`$.shop.tools[?(@.kind=='saw'||@.on)].name`, `["Fox","Lynx"]`},
		{`$.shop.tools[?(@.code&&@.on)].name`, `["Lynx"]`},
		{`$.shop.tools[?(@.kind == 'drill' && (@.on || @.price == 10))].name`, `["Lynx","ox/a'b"]`},
		{`$.shop.tools[?(@.kind == 'saw' || @.kind == 'drill' && @.on)].name`, `["Fox","Lynx"]`},
		{`$.shop.tools[?(!(@.kind == 'drill'))].name`, `["Fox"]`},
		{`$.shop.tools[?(!(@.kind == 'drill' && @.on))].name`, `["Fox","Ox","ox/a'b"]`},
		{`$.shop.tools[?(@.name =~ /.*ox/)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.name =~ /.*ox/i)].name`, `["Fox","Ox"]`},
		{`$.shop.tools[?(@.name =~ /ox\/a'b/)].name`, `["ox/a'b"]`},
		{`$.shop.tools[?(@.name =~ /ox/)].name`, `[]`}, // all of it
		{`$.shop.tools[?(@.price =~ /\d+/)].name`, `["ox/a'b"]`},
		{`$.shop.tools[?(@.tags =~ /b/)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.missing =~ /.+/)].name`, `[]`},
		{`$.shop.tools[?(@.kind in ['saw', 'plane'])].name`, `["Fox"]`},
		{`$.shop.tools[?(@.kind IN ["saw"])].name`, `["Fox"]`},
		{`$.shop.tools[?(@.kind nin ['saw'])].name`, `["Ox","Lynx","ox/a'b"]`},
		{`$.shop.tools[?('b' in @.tags)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags contains 'b')].name`, `["Fox"]`},
		{`$.shop.tools[?(@.name contains 'yn')].name`, `["Lynx"]`},
		{`$.shop.tools[?(@.tags size 2)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.name size 4)].name`, `["Lynx"]`},
		{`$.shop.tools[?(@.tags empty true)].name`, `["Ox"]`},
		{`$.shop.tools[?(@.tags empty false)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags subsetof ['a','b','c'])].name`, `["Fox","Ox"]`},
		{`$.shop.tools[?(@.tags anyof ['b','z'])].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags noneof ['b','z'])].name`, `["Ox"]`},
		{`$.shop.tools[?(@.tags all ['b'])].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags == ['a','b'])].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags[0] == 'a')].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags.length() > 1)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags.length() == 0)].name`, `["Ox"]`},
		{`$.shop.tools[?(@.tags[?(@ == 'b')] empty false)].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags[*] contains 'a')].name`, `["Fox"]`},
		{`$.shop.tools[?(@.tags[*])].name`, `["Fox","Ox"]`}, // Jayway asks for tags alone
		{`$.shop.tools[0].tags[?(@ == 'b')]`, `["b"]`},
		{`$.shop.van[?(@.price > 1000)]`, `[{"colour":"red","price":19950}]`}, // the object itself
		{`$[?(@.limit == 10)].limit`, `[10]`},
		{`$[?($.limit == 10)].limit`, `[10]`},
		{`$.odd[?(@.s == 10)].s`, `["10"]`},
		{`$.odd[?(@.t == 10)].s`, `[]`}, // with the text on the left texts are compared, and else numbers
		{`$.odd[?(10 == @.s)].s`, `["10"]`},
		{`$.odd[?(10 == @.t)].s`, `["10"]`},
		{`$.odd[?(@.none == @.none)]`, `[]`},
		{`$.odd[?({"a": 1} == $.none)]`, `[]`},
		{`$.odd[?({} == $.none)].s`, `["10"]`},
		{`$.odd[?(@.n === null && @.s === '10')].s`, `["10"]`},
	} {
		got, err := find(t, shop, c.path)
		if errors.Is(err, ErrNotFound) {
			got, err = nowhere, nil
		}
		assert.NoError(t, err, c.path)
		assert.Equal(t, c.want, got, c.path)
	}
}

// A path alone asks for every field in it, behind a wildcard too.
func TestExists(t *testing.T) {
	const doc = `{"l": [{"n": 1, "a": [{"b": 1}]}, {"n": 2, "a": [{"c": 1}]}, {"n": 3}, {"n": 4, "a": []}]}`
	for path, want := range map[string]string{
		`$.l[?(@.a)].n`:            `[1,2,4]`,
		`$.l[?(@.a[*].b)].n`:       `[1,4]`,
		`$.l[?(@.a[0])].n`:         `[1,2]`,
		`$.l[?(!@.a[0].c)].n`:      `[1,3,4]`,
		`$.l[?(@['n','a'])].n`:     `[1,2,4]`,
		`$.l[?(@.a[?(@.b)])].n`:    `[1,2,4]`,
		`$.l[?(@.a[0].b == 1)].n`:  `[1]`,
		`$.l[?(@.a[*].b == [])].n`: `[2,4]`,
	} {
		got, err := find(t, doc, path)
		assert.NoError(t, err, path)
		assert.Equal(t, want, got, path)
	}
}

func TestFindErrors(t *testing.T) {
	_, err := find(t, shop, `$.limit[?(@.x)]`)
	assert.Equal(t, ErrNoList, err)
	_, err = find(t, "["+strings.Repeat("[1,1,1,1,1,1,1,1,1,1],", 1000)+"1]", `$..*..*..*`)
	assert.NoError(t, err)
	_, err = find(t, "["+strings.Repeat("1,", 3000)+"1]", `$[?($..x size 0)]`)
	assert.Equal(t, ErrTooMuch, err)
	_, err = find(t, strings.Repeat("[", 500)+strings.Repeat("]", 500), `$..*..*..*`)
	assert.Equal(t, ErrTooMuch, err)
	_, err = find(t, strings.Repeat(`{"a":`, 900)+"1"+strings.Repeat("}", 900), `$..*..*..*..*`)
	assert.Equal(t, ErrTooMuch, err)
	_, err = find(t, "["+strings.Repeat(`{"a":[1]},`, 200_000)+"1]", `$..a[*]`)
	assert.NoError(t, err, "a large document may be looked at as a whole")
}

func TestCompileErrors(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{``, "the path is empty; $ is the whole document"},
		{`$x`, "'x' where . or [ is expected, at character 2"},
		{`$.`, "the path ends with a dot, at character 3"},
		{`$.a.`, "the path ends with a dot, at character 5"},
		{`$..`, "the path ends with a dot, at character 4"},
		{`$...a`, "three dots; two stand for every level, at character 4"},
		{`$.a b`, "a blank in a path; write ['...'] around a name that has one, at character 4"},
		{`$.a == 'x'`, "a comparison outside a filter; write $[?(@.a == 'x')], at character 4"},
		{`$.a.b=='x'`, "a comparison outside a filter; write $.a[?(@.b =='x')], at character 6"},
		{`a =~ /x/`, "a comparison outside a filter; write $[?(@.a =~ /x/)], at character 2"},
		{`$.a'b`, `'\'' in a name; write ['...'] around a name that has it, at character 4`},
		{`$.a,b`, "',' in a name; write ['...'] around a name that has it, at character 4"},
		{`$.a]`, "']' in a name; write ['...'] around a name that has it, at character 4"},
		{`$[`, "a [ that is not closed, at character 2"},
		{`$[0`, "the end where ] is expected, at character 4"},
		{`$[a]`, "'a' behind [; write ['name'], [0], [*] or [?(...)], at character 3"},
		{`$['a`, "a text that does not end, at character 3"},
		{`$['a' 'b']`, `'\'' where ] is expected, at character 7`},
		{`$['a',0]`, "'0' where a name in quotes is expected, at character 7"},
		{`$['\u12']`, `\u is followed by four hexadecimal digits, at character 6`},
		{`$[1:5:2]`, "a slice with a step is not supported, at character 6"},
		{`$[:]`, "a slice has a number in front of or behind the colon; [*] is all items, at character 4"},
		{`$[99999999999]`, "'9' where a number is expected, at character 3"},
		{`$[-]`, "'-' where a number is expected, at character 3"},
		{`$[(@.length-1)]`, "[(...)] is not supported; [-1] is the last item, at character 3"},
		{`$[?@.a]`, "'@' where ( is expected; a filter is written [?(@.name == 'x')], at character 4"},
		{`$[?]`, "']' where ( is expected; a filter is written [?(@.name == 'x')], at character 4"},
		{`$[?(@.a`, "the end where &&, || or ) is expected, at character 8"},
		{`$[?(@.a)`, "the end where ] is expected, at character 9"},
		{`$[?(@.a == )]`, "')' where a value is expected, at character 12"},
		{`$[?(@.a = 1)]`, "= is no operator; write ==, at character 9"},
		{`$[?(@.a <> 1)]`, "<> is no operator; write !=, at character 9"},
		{`$[?(@.a and @.b)]`, "and is no operator; write &&, at character 9"},
		{`$[?(@.a like 'x')]`, "like is no operator; there are == != < <= > >= =~ in nin subsetof anyof noneof all contains size empty, at character 9"},
		{`$[?(@.a type 'x')]`, "the operator type is not supported, at character 9"},
		{`$[?(@.a == x)]`, "x is no value; write 'x' for a text, or @.x for a field, at character 12"},
		{`$[?(@.a == 1.2.3)]`, "1.2.3 is no number, at character 12"},
		{`$[?(@.a == [1)]`, "a value that is not JSON (line 1, column 3: ')' where a comma or ] is expected), at character 12"},
		{`$[?(@.a == [1)`, "a [ that is not closed, at character 12"},
		{`$[?(@.a in [1,])]`, "a value that is not JSON (line 1, column 4: a comma in front of ]), at character 12"},
		{`$[?(@.a == ?)]`, "a ? in place of a value is not supported, at character 12"},
		{`$[?(true)]`, "')' where an operator is expected, at character 9"},
		{`$[?(!@.a == 1)]`, "! in front of a comparison; write !(@.a == 'x'), at character 14"},
		{`$[?(@.a =~ 'x')]`, "=~ stands between a value and one regular expression, as @.name =~ /a.*/, at character 15"},
		{`$[?(@.a == /x/)]`, "=~ stands between a value and one regular expression, as @.name =~ /a.*/, at character 15"},
		{`$[?(@.a =~ /x)]`, "a regular expression that does not end; write /.../, at character 12"},
		{`$[?(@.a =~ /(?=x)/)]`, "/(?=x)/: Go's regexp package has no look-ahead, at character 1, at character 12"},
		{`$[?(@.a =~ /x/x)]`, "the flag x of a regular expression is not supported, at character 15"},
		{`$.a.sum()`, "the function sum is not supported; length() and size() are, at character 5"},
		{`$.a.lenght()`, "there is no function lenght; there are length() and size(), at character 5"},
		{`$.length($.a)`, "length takes no argument here; write length(), at character 3"},
		{`$..a.length()`, "length() behind .. is not supported, at character 14"},
		{`$.a.length().b`, "nothing can follow length(), at character 13"},
		{`$[?(` + strings.Repeat("(", 60), "the filter is nested too deep, at character 55"},
		{strings.Repeat("a", 9000), "longer than 8192 bytes"},
	} {
		p, err := Compile(c.path)
		if assert.Error(t, err, "%q became %v", c.path, p) {
			assert.Equal(t, c.want, err.Error(), c.path)
		}
	}
}

func FuzzJSONPath(f *testing.F) {
	for _, p := range []string{
		`$.shop.tools[?(@.price < 10 && !(@.kind =~ /s.*w/i) || @.tags size 2)].name`, `$..['a','b'][0,-1][1:2]..*.length()`,
		`$[?(@.a in ['x', {"y": 1}] && @['b'] == null)]`, `a.b`, `$[?(!@..x[*])]`,
	} {
		f.Add(p, shop)
	}
	f.Fuzz(func(t *testing.T, path, doc string) {
		p, err := Compile(path)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		again, err := Compile(p.String())
		if assert.NoError(t, err, "the text of a path is a path: %q", p) {
			assert.Equal(t, p.Definite(), again.Definite())
		}
		v, err := jsontree.Parse([]byte(doc))
		if err != nil {
			return
		}
		found, err := p.Find(v)
		switch {
		case err != nil:
			assert.Empty(t, found)
		case p.Definite():
			assert.Len(t, found, 1)
		}
	})
}
