package mockserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// WithJSON takes requests whose body is the same JSON value as v. The order of members, space, and how a character is
// escaped do not count. Numbers are compared by their exact value, however they are written: 1, 1.0 and 10e-1 are the
// same, 9007199254740993 and 9007199254740992 are not. Of a member that is there twice the last one counts. The
// Content-Type is not looked at.
//
// v is a Go value that encoding/json can encode. A string, a []byte and a json.RawMessage are taken as JSON text; for a
// body that is one JSON string give the text with its quotes, WithJSON(`"text"`). A v that cannot be encoded or read fails
// the test at On.
func WithJSON(v any) Matcher { return jsonBody("WithJSON", v, jsonRules{}) }

// WithJSONSubset takes requests whose body has everything that v has. In objects the members that v names must be there,
// and more may be; this holds at every depth. An array must have as many elements as in v, in the same order, and each
// must have what the element of v has. Everything else is as with WithJSON.
func WithJSONSubset(v any) Matcher {
	return jsonBody("WithJSONSubset", v, jsonRules{moreMembers: true})
}

func jsonBody(function string, v any, rules jsonRules) Matcher {
	want, err := jsonValue(v)
	if err != nil {
		return failing(fmt.Sprintf("%s(%T)", function, v), err)
	}
	text := jsonText(want)
	return Matcher{
		text: function + "(" + clip(text, cell) + ")",
		key:  function + "(" + text + ")",
		part: "JSON body",
		want: clip(text, cell),
		test: func(in *incoming) bool {
			got, err := in.readJSON()
			return err == nil && rules.same(want, got)
		},
		show: func(in *incoming) (string, string) {
			got, err := in.readJSON()
			if err != nil {
				return quote(string(in.Body)), err.Error()
			}
			return clip(jsonText(got), cell), jsonReason(rules, want, got)
		},
	}
}

// jsonReason tells the first differences.
func jsonReason(rules jsonRules, want, got any) string {
	const told, counted = 3, 100
	all := rules.differences(want, got, counted)
	text := ""
	for i, d := range all[:min(len(all), told)] {
		if i > 0 {
			text += "; "
		}
		text += d
	}
	switch n := len(all) - told; {
	case len(all) == counted:
		text += fmt.Sprintf("; and %d or more others", n)
	case n > 0:
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}

func (in *incoming) readJSON() (any, error) {
	if !in.hasJSON {
		in.hasJSON = true
		if why := in.tooLong(); why != "" {
			in.jsonErr = errors.New(why)
		} else if in.json, in.jsonErr = parseJSON(in.Body); in.jsonErr != nil {
			in.jsonErr = fmt.Errorf("the body %w", in.jsonErr)
		}
	}
	return in.json, in.jsonErr
}

// jsonValue gives what parseJSON would give for the JSON of v.
func jsonValue(v any) (any, error) {
	var text []byte
	switch v := v.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	case json.RawMessage:
		text = v
	default:
		var err error
		if text, err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("cannot be encoded: %w", err)
		}
	}
	value, err := parseJSON(text)
	if err != nil {
		return nil, fmt.Errorf("the text %w; a string is JSON text here, so a JSON string has quotes in it: `\"text\"`", err)
	}
	return value, nil
}

// parseJSON keeps numbers as they are written.
func parseJSON(text []byte) (v any, err error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("is empty")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err = dec.Decode(&v); errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("is not JSON: it ends too early")
	} else if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	if _, err = dec.Token(); err != io.EOF {
		return nil, errors.New("is not JSON: something follows the value")
	}
	return v, nil
}

// jsonText writes a value that parseJSON gave, on one line and with sorted members.
func jsonText(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
