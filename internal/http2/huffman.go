package http2

import "errors"

// huffmanByLength has the symbols of RFC 7541, appendix B, by the number of bits of their code, each text in the order of
// the codes. The code is canonical: counting up, with a zero bit put behind at each next length, gives every code.
// The end-of-string symbol is the last one, thirty ones, and not in the table.
var huffmanByLength = [maxHuffmanBits + 1]string{
	5:  "012aceiost",
	6:  " %-./3456789=A_bdfghlmnpru",
	7:  ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
	8:  "&*,;XZ",
	10: "!\"()?",
	11: "'+|",
	12: "#>",
	13: "\x00$@[]~",
	14: "^}",
	15: "<`{",
	19: "\\\xc3\xd0",
	20: "\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
	21: "\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
	22: "\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
	23: "\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef",
	24: "\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
	25: "\xc7\xcf\xea\xeb",
	26: "\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
	27: "\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
	28: "\x02\x03\x04\x05\x06\a\b\v\f\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9",
	30: "\n\r\x16",
}

const maxHuffmanBits = 30

var (
	errHuffmanEOS     = errors.New("a Huffman string has the end-of-string symbol in it")
	errHuffmanPadding = errors.New("a Huffman string is padded with something else than up to 7 ones")
)

// appendHuffman decodes src behind dst.
func appendHuffman(dst, src []byte) ([]byte, error) {
	code, first := uint32(0), uint32(0) // the bits read of this symbol, and the lowest code of their number
	length := 0
	for _, b := range src {
		for bit := 7; bit >= 0; bit-- {
			code = code<<1 | uint32(b>>bit&1)
			first <<= 1
			length++
			symbols := huffmanByLength[length]
			if i := code - first; int(i) < len(symbols) {
				dst = append(dst, symbols[i])
				code, first, length = 0, 0, 0
				continue
			}
			if length == maxHuffmanBits {
				return dst, errHuffmanEOS
			}
			first += uint32(len(symbols))
		}
	}
	if length > 7 || code != 1<<length-1 {
		return dst, errHuffmanPadding
	}
	return dst, nil
}
