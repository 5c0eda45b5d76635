package http2

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// list writes fields as lines.
func list(fields []Field) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}

func decode(d *HeaderDecoder, block []byte) (fields []Field, err error) {
	err = d.Decode(block, func(f Field) { fields = append(fields, f) })
	return fields, err
}

// TestIntegers has the examples of RFC 7541, appendix C.1.
func TestIntegers(t *testing.T) {
	for _, test := range []struct {
		reason string
		n      int
		prefix int
		bytes  string
	}{
		{"C.1.1: fits", 10, 5, "0a"},
		{"C.1.2: does not fit", 1337, 5, "1f9a0a"},
		{"C.1.3: begins a byte", 42, 8, "2a"},
		{"all ones", 31, 5, "1f00"},
		{"zero", 0, 4, "00"},
		{"two bytes more", 31 + 128, 5, "1f8001"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			assert.Equal(t, test.bytes, hex.EncodeToString(appendInt(nil, test.n, test.prefix, 0)))
			n, rest, err := readInt(append(unhex(t, test.bytes), 7), test.prefix)
			require.NoError(t, err)
			assert.Equal(t, test.n, n)
			assert.Equal(t, []byte{7}, rest)
		})
	}
	for _, n := range []int{0, 1, 14, 15, 126, 127, 128, 16383, 16384, 1 << 20, 1<<28 - 1} {
		for prefix := 4; prefix <= 7; prefix++ {
			got, rest, err := readInt(appendInt(nil, n, prefix, 0), prefix)
			require.NoError(t, err)
			assert.Equal(t, n, got)
			assert.Empty(t, rest)
		}
	}
}

// TestHeaderVectors has the examples of RFC 7541, appendix C.2 to C.6: each group is one connection, with the size of the
// table after each block.
func TestHeaderVectors(t *testing.T) {
	type block struct {
		bytes, fields string
		size, entries int
	}
	requests := []string{
		":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n",
		":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n",
		":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n",
	}
	responses := []string{
		":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n",
		":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n",
		":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\ncontent-encoding: gzip\n" +
			"set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n",
	}
	for _, test := range []struct {
		reason string
		limit  int
		blocks []block
	}{
		{"C.2.1: literal with indexing", 4096, []block{
			{"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header\n", 55, 1},
		}},
		{"C.2.2: literal without indexing", 4096, []block{{"040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n", 0, 0}}},
		{"C.2.3: literal never indexed", 4096, []block{{"1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret\n", 0, 0}}},
		{"C.2.4: indexed", 4096, []block{{"82", ":method: GET\n", 0, 0}}},
		{"C.3: requests", 4096, []block{
			{"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", requests[0], 57, 1},
			{"8286 84be 5808 6e6f 2d63 6163 6865", requests[1], 110, 2},
			{"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", requests[2], 164, 3},
		}},
		{"C.4: requests with Huffman", 4096, []block{
			{"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", requests[0], 57, 1},
			{"8286 84be 5886 a8eb 1064 9cbf", requests[1], 110, 2},
			{"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", requests[2], 164, 3},
		}},
		{"C.5: responses, with eviction", 256, []block{
			{"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
				responses[0], 222, 4},
			{"4803 3330 37c1 c0bf", responses[1], 222, 4},
			{"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
				responses[2], 215, 3},
		}},
		{"C.6: responses with Huffman", 256, []block{
			{"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
				responses[0], 222, 4},
			{"4883 640e ffc1 c0bf", responses[1], 222, 4},
			{"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
				responses[2], 215, 3},
		}},
	} {
		t.Run(test.reason, func(t *testing.T) {
			d := &HeaderDecoder{limit: test.limit, limited: true}
			for i, b := range test.blocks {
				fields, err := decode(d, unhex(t, b.bytes))
				require.NoError(t, err)
				assert.Equal(t, b.fields, list(fields), "block %d", i+1)
				assert.Equal(t, b.size, d.size)
				assert.Len(t, d.entries, b.entries)
			}
		})
	}
}

// TestHuffman decodes every symbol, written with a code that is made in another way than the decoder reads it.
func TestHuffman(t *testing.T) {
	codes := map[byte]string{}
	next := 0
	for length, symbols := range huffmanByLength {
		next <<= 1
		for _, s := range []byte(symbols) {
			bits := ""
			for i := length - 1; i >= 0; i-- {
				bits += string(rune('0' + next>>i&1))
			}
			codes[s] = bits
			next++
		}
	}
	require.Len(t, codes, 256)
	assert.Equal(t, 1<<30-1, next, "only the end-of-string symbol is left")
	// The sum was made from appendix B by another program: the table is held by something else than itself.
	sum := crc32.NewIEEE()
	for s := range 256 {
		fmt.Fprintf(sum, "%d %s\n", s, codes[byte(s)])
	}
	assert.Equal(t, "3aa2ce9a", fmt.Sprintf("%08x", sum.Sum32()))
	pack := func(bits string) []byte {
		for len(bits)%8 != 0 {
			bits += "1"
		}
		var out []byte
		for ; bits != ""; bits = bits[8:] {
			b := byte(0)
			for _, c := range bits[:8] {
				b = b<<1 | byte(c-'0')
			}
			out = append(out, b)
		}
		return out
	}
	all := ""
	for s := range 256 {
		got, err := appendHuffman(nil, pack(codes[byte(s)]+codes[byte(255-s)]))
		require.NoError(t, err)
		assert.Equal(t, []byte{byte(s), byte(255 - s)}, got)
		all += codes[byte(s)]
	}
	got, err := appendHuffman([]byte("x"), pack(all))
	require.NoError(t, err)
	assert.Equal(t, 257, len(got))

	for _, test := range []struct {
		reason string
		bytes  []byte
		err    error
	}{
		{"end of string", []byte{0xff, 0xff, 0xff, 0xff}, errHuffmanEOS},
		{"end of string behind a symbol", pack(codes['a'] + strings.Repeat("1", 30)), errHuffmanEOS},
		{"eight ones", []byte{0xff}, errHuffmanPadding},
		{"zeros", []byte{0x18}, errHuffmanPadding}, // 'a' and 000
		{"cut in a symbol", pack(codes[0x16])[:3], errHuffmanPadding},
	} {
		_, err := appendHuffman(nil, test.bytes)
		assert.Equal(t, test.err, err, test.reason)
	}
}

func TestStaticTable(t *testing.T) {
	sum := crc32.NewIEEE() // as in TestHuffman, from appendix A
	for _, f := range staticTable {
		fmt.Fprintf(sum, "%s: %s\n", f.Name, f.Value)
	}
	assert.Equal(t, "e084c671", fmt.Sprintf("%08x", sum.Sum32()))
}

func TestHeaderDecoderRefuses(t *testing.T) {
	for _, test := range []struct{ reason, bytes, err string }{
		{"index 0", "80", "index 0; the tables have 1 to 61"},
		{"an index behind the tables", "be", "index 62; the tables have 1 to 61"},
		{"a name behind the tables", "7e0161", "index 62; the tables have 1 to 61"},
		{"cut in an integer", "ff", errHpackShort.Error()},
		{"cut in an integer's second byte", "ff80", errHpackShort.Error()},
		{"an endless integer", "ff8080808080808080", errHpackInteger.Error()},
		{"no name", "40", errHpackShort.Error()},
		{"cut in a name", "400561", errHpackShort.Error()},
		{"no value", "400161", errHpackShort.Error()},
		{"cut in a value", "4001610262", errHpackShort.Error()},
		{"a huge value", "400161 7fffffff7f", errHpackShort.Error()},
		{"bad Huffman", "4081ff", errHuffmanPadding.Error()},
		{"a table that is too large", "3fe21f", "a table of 4097 bytes; at most 4096 are allowed"},
		{"a new size behind a field", "8220", errHpackResize.Error()},
	} {
		t.Run(test.reason, func(t *testing.T) {
			_, err := decode(&HeaderDecoder{}, unhex(t, test.bytes))
			assert.EqualError(t, err, test.err)
		})
	}
}

func TestHeaderTable(t *testing.T) {
	d := &HeaderDecoder{}
	fields, err := decode(d, unhex(t, "3fe11f 400161 0162 be")) // 4096 is allowed
	require.NoError(t, err)
	assert.Equal(t, "a: b\na: b\n", list(fields))
	assert.Equal(t, 34, d.size)

	_, err = decode(d, unhex(t, "20")) // a table of nothing forgets everything
	require.NoError(t, err)
	assert.Zero(t, d.size)
	assert.Empty(t, d.entries)

	fields, err = decode(d, unhex(t, "400161 0162")) // what is larger than the table empties it, and is a field all the same
	require.NoError(t, err)
	assert.Equal(t, "a: b\n", list(fields))
	assert.Empty(t, d.entries)

	_, err = decode(d, unhex(t, "20 3fe11f 400161 0162")) // down and up again
	require.NoError(t, err)
	assert.Len(t, d.entries, 1)

	// An entry that is evicted by the field that is named after it.
	d = &HeaderDecoder{limit: 40, limited: true}
	_, err = decode(d, unhex(t, "400161 0162"))
	require.NoError(t, err)
	fields, err = decode(d, unhex(t, "7e0163"))
	require.NoError(t, err)
	assert.Equal(t, "a: c\n", list(fields))
	assert.Len(t, d.entries, 1)
}

func TestAppendFields(t *testing.T) {
	want := []Field{{":status", "200"}, {"x-long", strings.Repeat("v", 70_000)}, {"x-empty", ""}, {"x-bytes", "\xff\x00"}}
	got, err := decode(&HeaderDecoder{}, AppendFields([]byte{noTable}, want))
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func FuzzHeaderDecoder(f *testing.F) {
	for _, s := range []string{
		"82868441 0f 7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865", "3fe11f4001610162be20",
		"4882640258 85aec3771a4b 6196d07abe941054d444a8200595040b8166e082a62d1bff", "ff8080808080", "4081ff",
	} {
		f.Add(unhex(f, s), unhex(f, "be"))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		if len(first)+len(second) > 1000 {
			t.Skip("a byte can stand for 4 KB")
		}
		d := &HeaderDecoder{}
		for _, block := range [][]byte{first, second} {
			fields, err := decode(d, block)
			size := 0
			for _, e := range d.entries {
				size += e.size()
			}
			if size != d.size || size > d.limit || d.limit > headerTableSize {
				t.Fatalf("table of %d bytes, counted %d, limit %d", size, d.size, d.limit)
			}
			again, e := decode(&HeaderDecoder{}, AppendFields(nil, fields))
			if e != nil || list(again) != list(fields) {
				t.Fatalf("encoded and decoded again: %v, %q, was %q", e, again, fields)
			}
			if err != nil {
				return
			}
		}
	})
}
