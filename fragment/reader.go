package fragment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// Read reads one fragment.
//
// It takes what it can: of a document that is cut, broken or too large it gives what stands before that together with a
// *CutError or *LimitError; a record that is not of this version's form is left out, with a *RecordError; members and kinds
// of records that it does not know are left out silently. Of a member that is there twice the last counts. Several errors
// are joined.
//
// The fragment is nil when nothing of it can be used: with a *ForeignError, when the source is something else, and with a
// *VersionError.
//
// At most 128 MiB are read, and 4 MiB for one record. A count that no process can have is read as the most that is taken,
// 2³⁰, and one below -1 as -1.
func Read(r io.Reader) (*Fragment, error) {
	left := int64(maxAll)
	return read(r, maxFile, &left)
}

// read reads at most limit bytes, and takes what the fragment needs of memory from left.
func read(r io.Reader, limit int64, left *int64) (*Fragment, error) {
	d := decoder{scanner: newScanner(r, limit), left: left}
	d.document()
	err := errors.Join(d.errs...)
	if !d.marked || d.unknown {
		return nil, err
	}
	return &d.out, err
}

// decoder reads one document.
type decoder struct {
	*scanner
	out     Fragment
	left    *int64 // bytes of memory that may still be taken
	records int    // elements of "records" that were met
	marked  bool   // "leakgate":"fragment" was met
	version bool   // and a version that is known
	unknown bool   // or one that is not
	errs    []error
	more    int // errors that are only counted
}

// markWithin is how far the member "leakgate" may be, in bytes. Only a file that somebody has written anew, with its members
// sorted, does not have it first.
const markWithin = 64 << 10

func (d *decoder) fail(err error) {
	if len(d.errs) < maxErrors {
		d.errs = append(d.errs, err)
	} else {
		d.more++
	}
}

func (d *decoder) document() {
	stop := d.members()
	if d.more > 0 {
		d.errs = append(d.errs, fmt.Errorf("%d more records are left out for such reasons", d.more))
	}
	var foreign *ForeignError
	switch {
	case stop == nil && !d.marked:
		stop = &ForeignError{Why: `it has no member "leakgate"`}
	case stop == nil && !d.version && !d.unknown:
		d.unknown = true
		stop = &VersionError{Version: "unknown (it does not say which)"}
	case stop == nil && d.out.Package == "" && !d.unknown:
		stop = &RecordError{Member: "package", Want: "the import path of the package that was tested", Got: missing}
	}
	if errors.As(stop, &foreign) {
		d.errs = nil // what its members are like is nobody's business
	}
	if stop != nil {
		d.errs = append(d.errs, stop)
	}
}

// missing is what a RecordError says of a member that must be there.
const missing = "missing"

// members reads the document's members. Its error says why there are no more to be had.
func (d *decoder) members() error {
	if err := d.begin(); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := d.peek()
		switch {
		case err != nil:
			return d.cut(err, 0)
		case c == '}':
			d.at++
			return d.rest()
		case first:
		case c == ',':
			d.at++
		default:
			return d.cut(errBroken, c)
		}
		if c, err := d.peek(); err != nil || c != '"' {
			return d.cut(either(err), c)
		}
		if err := d.value(); err != nil {
			return d.cut(err, 0)
		}
		var name string
		if err := json.Unmarshal(d.text, &name); err != nil {
			return d.cut(errBroken, '"')
		}
		if c, err := d.expect(':'); err != nil {
			return d.cut(err, c)
		}
		if name == "records" {
			err = d.list()
		} else {
			err = d.member(name)
		}
		if err != nil {
			return err
		}
		if d.unknown {
			return nil
		}
		if !d.marked && d.offset() > markWithin {
			return &ForeignError{Why: fmt.Sprintf("there is no member \"leakgate\" in its first %d bytes", markWithin)}
		}
	}
}

// begin consumes the document's first brace.
func (d *decoder) begin() error {
	c, err := d.peek()
	if c == 0xef { // a byte order mark, as some editors write it
		for _, want := range []byte("\ufeff") {
			if _, err := d.expect(want); err != nil {
				return &ForeignError{Why: "it begins with " + broken(0xef)}
			}
		}
		c, err = d.peek()
	}
	switch {
	case err == io.EOF:
		return &ForeignError{Why: "it is empty"}
	case err != nil:
		return err
	case c != '{':
		return &ForeignError{Why: "it is no JSON object: " + broken(c) + " at its beginning"}
	}
	d.at++
	return nil
}

// rest sees to it that nothing comes behind the document.
func (d *decoder) rest() error {
	switch c, err := d.peek(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return d.cut(err, 0)
	default:
		return d.cut(errBroken, c)
	}
}

func either(err error) error {
	if err != nil {
		return err
	}
	return errBroken
}

// cut gives the error for a document that cannot be read on.
func (d *decoder) cut(err error, c byte) error {
	var limit *LimitError
	switch {
	case err == io.EOF && !d.marked:
		return &ForeignError{Why: fmt.Sprintf("it ends at byte %d, before it says what it is", d.offset())}
	case err == io.EOF:
		return &CutError{Offset: d.offset(), Records: d.records, What: "the file ends there"}
	case errors.As(err, &limit):
		return limit
	case (err == errBroken || err == errDeep || err == errLarge) && !d.marked:
		return &ForeignError{Why: fmt.Sprintf("it is no JSON at byte %d", d.offset())}
	case err == errBroken || err == errDeep || err == errLarge:
		return &CutError{Offset: d.offset(), Records: d.records, What: broken(c)}
	}
	return fmt.Errorf("it can be read up to byte %d only, which is %d records: %w", d.offset(), d.records, err)
}

// headerFields are the fields of Header by the name of their member.
var headerFields = func() map[string]int {
	fields := make(map[string]int)
	for i := range reflect.TypeFor[Header]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Header]().Field(i).Tag.Get("json"), ",")
		fields[name] = i
	}
	return fields
}()

// member reads the value of a member of the header.
func (d *decoder) member(name string) error {
	if _, err := d.peek(); err != nil {
		return d.cut(err, 0)
	}
	offset := d.offset()
	switch err := d.value(); {
	case err == errLarge, err == errDeep:
		d.fail(&RecordError{Offset: offset, Member: clip(name), Want: bounds, Got: "more"})
		return nil
	case err != nil:
		return d.cut(err, d.current())
	}
	switch field, known := headerFields[name]; {
	case name == "leakgate":
		if string(d.text) != `"fragment"` {
			return &ForeignError{Why: fmt.Sprintf("its member \"leakgate\" is %s, and a report's is \"fragment\"", clip(string(d.text)))}
		}
		d.marked = true
	case name == "version":
		var v int
		if err := json.Unmarshal(d.text, &v); err != nil || v != Version {
			d.unknown = true
			d.errs = append(d.errs, &VersionError{Version: clip(string(d.text))})
			return nil
		}
		d.version = true
	case known:
		into := reflect.ValueOf(&d.out.Header).Elem().Field(field)
		fresh := reflect.New(into.Type())
		if err := json.Unmarshal(d.text, fresh.Interface()); err != nil {
			d.fail(wrong(err, d.text, RecordError{Offset: offset, Member: name}))
			return nil
		}
		into.Set(fresh.Elem())
	}
	return nil
}

// bounds says what every value must keep to.
var bounds = fmt.Sprintf("of at most %s, and of at most %d lists and objects within each other", size(maxRecord), maxDepth)

// current is the byte that stands where the scanner is; 0 for none.
func (d *decoder) current() byte {
	c, _ := d.peek()
	return c
}

// list reads the value of "records".
func (d *decoder) list() error {
	switch c, err := d.peek(); {
	case err != nil:
		return d.cut(err, 0)
	case c != '[':
		offset := d.offset()
		if err := d.value(); err != nil && err != errLarge && err != errDeep {
			return d.cut(err, d.current())
		}
		d.fail(&RecordError{Offset: offset, Member: "records", Want: "a list", Got: kind(d.text)})
		return nil
	}
	d.at++
	for first := true; ; first = false {
		c, err := d.peek()
		switch {
		case err != nil:
			return d.cut(err, 0)
		case c == ']':
			d.at++
			return nil
		case first:
		case c == ',':
			// The comma is written together with the record behind it.
			offset := d.offset()
			d.at++
			if _, err := d.peek(); err == io.EOF {
				return &CutError{Offset: offset, Records: d.records, What: "the file ends there"}
			}
		default:
			return d.cut(errBroken, c)
		}
		if err := d.record(); err != nil {
			return err
		}
	}
}

func (d *decoder) record() error {
	if _, err := d.peek(); err != nil {
		return d.cut(err, 0)
	}
	where := RecordError{Record: d.records + 1, Offset: d.offset()}
	switch err := d.value(); {
	case err == errLarge, err == errDeep:
		d.records++
		where.Want, where.Got = bounds, "more"
		d.fail(&where)
		return nil
	case err == io.EOF:
		return &CutError{Offset: where.Offset, Records: d.records, What: "the file ends within the record that begins there"}
	case err != nil:
		return d.cut(err, d.current())
	}
	d.records++
	if d.text[0] != '{' {
		where.Want, where.Got = "an object", kind(d.text)
		d.fail(&where)
		return nil
	}
	var r record
	if err := json.Unmarshal(d.text, &r); err != nil {
		d.fail(wrong(err, d.text, where))
		return nil
	}
	if *d.left -= r.weight() + int64(len(d.text)); *d.left < 0 {
		return &LimitError{What: "all reports together", Limit: maxAll, Offset: where.Offset}
	}
	r.bound()
	d.out.take(r)
	return nil
}

func (f *Fragment) take(r record) {
	if r.Test != nil {
		f.Tests = append(f.Tests, *r.Test)
	}
	if r.Leak != nil {
		f.Leaks = append(f.Leaks, *r.Leak)
	}
	if r.Ignored != nil {
		f.Ignored = append(f.Ignored, *r.Ignored)
	}
	f.Samples = append(f.Samples, r.Samples...)
	if r.End != nil {
		f.End = r.End
	}
}

// weight is about how many bytes of memory the record needs beyond its texts: an empty object is 2 bytes of JSON and a
// hundred of a struct.
func (r *record) weight() int64 {
	const ofString = int64(unsafe.Sizeof(""))
	n := int64(128) // for what it costs to read it
	if t := r.Test; t != nil {
		n += int64(unsafe.Sizeof(*t)) + int64(len(t.Pools))*int64(unsafe.Sizeof(Pool{}))
	}
	if l := r.Leak; l != nil {
		n += int64(unsafe.Sizeof(*l)) + int64(len(l.Stack))*int64(unsafe.Sizeof(Frame{})) + int64(len(l.Holds)+len(l.Suspects))*ofString
	}
	if i := r.Ignored; i != nil {
		n += int64(unsafe.Sizeof(*i))
	}
	for _, s := range r.Samples {
		n += int64(unsafe.Sizeof(s))
		for _, by := range []map[string]int{s.Leased, s.States} {
			if by != nil {
				n += 64 + int64(len(by))*4*ofString
			}
		}
	}
	if e := r.End; e != nil {
		n += int64(unsafe.Sizeof(*e)) + int64(len(e.Unused))*ofString
	}
	return n
}

// wrong says what is wrong with a value that encoding/json did not take.
func wrong(err error, text []byte, where RecordError) error {
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped):
		if where.Member == "" {
			where.Member = member(mistyped.Field)
		} else if mistyped.Field != "" {
			where.Member += "." + member(mistyped.Field)
		}
		where.Want, where.Got = form(mistyped.Type), article(mistyped.Value)
	case json.Valid(text):
		where.Want, where.Got = `of times like "2026-11-21T09:30:00Z"`, "not" // they read their own text
	default:
		where.Want, where.Got = "JSON", "not"
	}
	return &where
}

// member is encoding/json's path of a member without the places in lists, which Go 1.27 has and Go 1.26 has not.
func member(path string) string {
	var names []string
	for _, name := range strings.Split(path, ".") {
		if strings.Trim(name, "0123456789") != "" {
			names = append(names, name)
		}
	}
	return clip(strings.Join(names, "."))
}

// form says in words what a type is in JSON.
func form(t reflect.Type) string {
	if t == nil {
		return "something else"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return "a time"
		}
	}
	return "an object"
}

// article turns encoding/json's word for a value into one of a sentence.
func article(value string) string {
	switch word, rest, _ := strings.Cut(value, " "); word {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	case "number":
		if rest == "" {
			return "a number"
		}
		return "the number " + clip(rest)
	default:
		return "a " + clip(value)
	}
}

// kind says what a JSON text is.
func kind(text []byte) string {
	if len(text) == 0 {
		return "something else"
	}
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	}
	return clip(string(text))
}

// clip keeps what a file says of itself short in a message.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
