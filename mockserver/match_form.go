package mockserver

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
)

// WithForm takes requests whose body is a form that has the name with this value: application/x-www-form-urlencoded, or
// multipart/form-data, where parts with a file name do not count. A name that is there more than once has several values,
// and one of them is enough. A body with another Content-Type, or with an error in it, is not a form. The query is not
// looked at.
func WithForm(name, value string) Matcher {
	return oneOf("form "+name, formValues(name), equal(value)).as("WithForm", name, value)
}

func formValues(name string) values {
	return func(in *incoming) (found []string, why string) {
		form, why := in.readForm()
		if why != "" {
			return nil, why
		}
		if found = form[name]; len(found) > 0 {
			return found, ""
		}
		return nil, absent(form, name)
	}
}

func (in *incoming) readForm() (form url.Values, why string) {
	if !in.hasForm {
		in.hasForm = true
		if in.formWhy = in.tooLong(); in.formWhy == "" {
			in.form, in.formWhy = parseForm(in.Header.Get("Content-Type"), in.Body)
		}
	}
	return in.form, in.formWhy
}

// parseForm says in why what is wrong.
func parseForm(contentType string, body []byte) (form url.Values, why string) {
	if contentType == "" {
		return nil, "the request has no Content-Type, so its body is not a form"
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, fmt.Sprintf("the Content-Type %s cannot be read: %v", quote(contentType), err)
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		form, err = url.ParseQuery(string(body))
	case "multipart/form-data":
		if params["boundary"] == "" {
			return nil, "the Content-Type has no boundary"
		}
		// The reader takes a body that ends within the headers of a part for one that is complete.
		if !bytes.Contains(body, []byte("--"+params["boundary"]+"--")) {
			return nil, "the form cannot be read: its last boundary is missing"
		}
		form, err = parseParts(multipart.NewReader(bytes.NewReader(body), params["boundary"]))
	default:
		return nil, fmt.Sprintf("the body is not a form: %s", quote(kind))
	}
	if err != nil {
		return nil, clip(fmt.Sprintf("the form cannot be read: %v", err), 2*cell)
	}
	return form, ""
}

func parseParts(parts *multipart.Reader) (url.Values, error) {
	form := url.Values{}
	for {
		p, err := parts.NextPart()
		if err == io.EOF {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		if p.FormName() == "" || p.FileName() != "" {
			continue
		}
		text, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		form.Add(p.FormName(), string(text))
	}
}
