// Package jsontree reads a JSON text into a tree that keeps what encoding/json drops: the order of fields, fields that are
// given twice, the text of numbers, and where in the file each value begins.
package jsontree

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String names a kind as a message has it: "a number".
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "true or false"
	case Number:
		return "a number"
	case String:
		return "a text"
	case Array:
		return "a list"
	}
	return "an object"
}

// Value is one JSON value.
type Value struct {
	Kind   Kind
	Bool   bool
	Text   string   // a string, decoded; a number as it was written
	Items  []*Value // of an array
	Fields []Field  // of an object, in the order of the text
	Offset int      // of its first byte
}

// Field is a name and a value of an object.
type Field struct {
	Name   string
	Value  *Value
	Offset int // of the name
}

// Get returns the value of a field, the last one where there are several, or nil.
func (v *Value) Get(name string) *Value {
	for i := len(v.Fields) - 1; i >= 0; i-- {
		if v.Fields[i].Name == name {
			return v.Fields[i].Value
		}
	}
	return nil
}

// Append writes the value without blanks. Numbers are written as they were read.
func (v *Value) Append(b []byte) []byte {
	switch v.Kind {
	case Null:
		return append(b, "null"...)
	case Bool:
		if v.Bool {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case Number:
		return append(b, v.Text...)
	case String:
		return appendString(b, v.Text)
	case Array:
		b = append(b, '[')
		for i, item := range v.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.Append(b)
		}
		return append(b, ']')
	}
	b = append(b, '{')
	for i, f := range v.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, f.Name)
		b = append(b, ':')
		b = f.Value.Append(b)
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.Encode(s) // a string can always be encoded
	return append(b, strings.TrimSuffix(buf.String(), "\n")...)
}
