package http2

import (
	"errors"
	"fmt"
)

// Field is one header field.
type Field struct {
	Name, Value string
}

// size is what the field counts for, in the table and in a list.
func (f Field) size() int { return len(f.Name) + len(f.Value) + 32 }

// staticTable is RFC 7541, appendix A. Index 1 is its first.
var staticTable = [...]Field{
	{":authority", ""}, {":method", "GET"}, {":method", "POST"}, {":path", "/"}, {":path", "/index.html"},
	{":scheme", "http"}, {":scheme", "https"}, {":status", "200"}, {":status", "204"}, {":status", "206"},
	{":status", "304"}, {":status", "400"}, {":status", "404"}, {":status", "500"}, {"accept-charset", ""},
	{"accept-encoding", "gzip, deflate"}, {"accept-language", ""}, {"accept-ranges", ""}, {"accept", ""},
	{"access-control-allow-origin", ""}, {"age", ""}, {"allow", ""}, {"authorization", ""}, {"cache-control", ""},
	{"content-disposition", ""}, {"content-encoding", ""}, {"content-language", ""}, {"content-length", ""},
	{"content-location", ""}, {"content-range", ""}, {"content-type", ""}, {"cookie", ""}, {"date", ""}, {"etag", ""},
	{"expect", ""}, {"expires", ""}, {"from", ""}, {"host", ""}, {"if-match", ""}, {"if-modified-since", ""},
	{"if-none-match", ""}, {"if-range", ""}, {"if-unmodified-since", ""}, {"last-modified", ""}, {"link", ""},
	{"location", ""}, {"max-forwards", ""}, {"proxy-authenticate", ""}, {"proxy-authorization", ""}, {"range", ""},
	{"referer", ""}, {"refresh", ""}, {"retry-after", ""}, {"server", ""}, {"set-cookie", ""},
	{"strict-transport-security", ""}, {"transfer-encoding", ""}, {"user-agent", ""}, {"vary", ""}, {"via", ""},
	{"www-authenticate", ""},
}

const headerTableSize = 4096 // bytes that the client's encoder may use; the default, and not changed by our SETTINGS

// HeaderDecoder decodes the header blocks of one connection. Its zero value is ready.
type HeaderDecoder struct {
	entries []Field // the dynamic table, newest last
	size    int
	limit   int // what the encoder has said it uses
	limited bool
	scratch []byte
}

var (
	errHpackShort   = errors.New("the header block ends in the middle of a field")
	errHpackInteger = errors.New("an integer in the header block has more than four bytes behind its first")
	errHpackResize  = errors.New("a change of the table's size behind a field")
)

// Decode decodes one whole header block and calls emit for each field. After an error the decoder cannot be used on.
func (d *HeaderDecoder) Decode(block []byte, emit func(Field)) error {
	if !d.limited {
		d.limit, d.limited = headerTableSize, true
	}
	for first := true; len(block) > 0; {
		b := block[0]
		var f Field
		var n int
		var err error
		switch {
		case b&0x80 != 0: // 1xxxxxxx: a field of the tables
			if n, block, err = readInt(block, 7); err == nil {
				f, err = d.at(n)
			}
		case b&0xc0 == 0x40: // 01xxxxxx: a literal that goes into the table
			if f, block, err = d.literal(block, 6); err == nil {
				d.add(f)
			}
		case b&0xe0 == 0x20: // 001xxxxx: a new size for the table
			if n, block, err = readInt(block, 5); err != nil {
				return err
			}
			switch {
			case !first:
				return errHpackResize
			case n > headerTableSize:
				return fmt.Errorf("a table of %d bytes; at most %d are allowed", n, headerTableSize)
			}
			d.limit = n
			d.evict()
			continue
		default: // 0000xxxx and 0001xxxx: a literal that does not
			f, block, err = d.literal(block, 4)
		}
		if err != nil {
			return err
		}
		first = false
		emit(f)
	}
	return nil
}

// at gives the entry with that index, the static table first.
func (d *HeaderDecoder) at(i int) (Field, error) {
	switch {
	case i >= 1 && i <= len(staticTable):
		return staticTable[i-1], nil
	case i > len(staticTable) && i <= len(staticTable)+len(d.entries):
		return d.entries[len(d.entries)-(i-len(staticTable))], nil
	}
	return Field{}, fmt.Errorf("index %d; the tables have 1 to %d", i, len(staticTable)+len(d.entries))
}

func (d *HeaderDecoder) add(f Field) {
	d.entries = append(d.entries, f)
	d.size += f.size()
	d.evict()
}

func (d *HeaderDecoder) evict() {
	n := 0
	for d.size > d.limit {
		d.size -= d.entries[n].size()
		n++
	}
	if n > 0 {
		kept := copy(d.entries, d.entries[n:])
		clear(d.entries[kept:])
		d.entries = d.entries[:kept]
	}
}

func (d *HeaderDecoder) literal(block []byte, prefix int) (f Field, rest []byte, err error) {
	index, rest, err := readInt(block, prefix)
	if err != nil {
		return f, nil, err
	}
	if index > 0 {
		if f, err = d.at(index); err != nil {
			return f, nil, err
		}
	} else if f.Name, rest, err = d.text(rest); err != nil {
		return f, nil, err
	}
	f.Value, rest, err = d.text(rest)
	return f, rest, err
}

func (d *HeaderDecoder) text(block []byte) (s string, rest []byte, err error) {
	if len(block) == 0 {
		return "", nil, errHpackShort
	}
	huffman := block[0]&0x80 != 0
	n, rest, err := readInt(block, 7)
	if err != nil {
		return "", nil, err
	}
	if n > len(rest) {
		return "", nil, errHpackShort
	}
	if !huffman {
		return string(rest[:n]), rest[n:], nil
	}
	d.scratch, err = appendHuffman(d.scratch[:0], rest[:n])
	return string(d.scratch), rest[n:], err
}

// readInt reads an integer whose first byte has that many bits for it. The block is not empty.
func readInt(block []byte, prefix int) (n int, rest []byte, err error) {
	most := 1<<prefix - 1
	n, rest = int(block[0])&most, block[1:]
	if n < most {
		return n, rest, nil
	}
	for shift := 0; shift <= 21; shift += 7 { // four bytes: less than 2^28 + 2^7
		if len(rest) == 0 {
			return 0, nil, errHpackShort
		}
		b := rest[0]
		rest = rest[1:]
		n += int(b&0x7f) << shift
		if b&0x80 == 0 {
			return n, rest, nil
		}
	}
	return 0, nil, errHpackInteger
}

func appendInt(dst []byte, n, prefix int, high byte) []byte {
	most := 1<<prefix - 1
	if n < most {
		return append(dst, high|byte(n))
	}
	dst = append(dst, high|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

// AppendFields encodes a header block. Every field is a literal that goes into no table, so blocks do not depend on each
// other. The first block of a connection begins with noTable.
func AppendFields(dst []byte, fields []Field) []byte {
	for _, f := range fields {
		dst = append(dst, 0)
		dst = appendInt(dst, len(f.Name), 7, 0)
		dst = append(dst, f.Name...)
		dst = appendInt(dst, len(f.Value), 7, 0)
		dst = append(dst, f.Value...)
	}
	return dst
}

// noTable says that the encoder uses no table. Said once, it answers every SETTINGS_HEADER_TABLE_SIZE that the client may
// send: a decoder expects an answer only when it makes the table smaller than it is.
const noTable = 0x20
