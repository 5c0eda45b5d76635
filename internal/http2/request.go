package http2

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var errLength = errors.New("content-length promises a body, and none came")

// checkRequest says what makes a request malformed (RFC 9113, section 8.1.1), and gives its content-length, -1 without one.
func checkRequest(fields []Field) (length int64, err error) {
	pseudo := map[string]string{}
	length = -1
	regular := false
	for _, f := range fields {
		if strings.HasPrefix(f.Name, ":") {
			switch _, twice := pseudo[f.Name]; {
			case regular:
				return 0, fmt.Errorf("%s comes behind a header that is none of the pseudo-headers", f.Name)
			case twice:
				return 0, fmt.Errorf("%s comes twice", f.Name)
			}
			switch f.Name {
			case ":method", ":scheme", ":authority", ":path":
			default:
				return 0, fmt.Errorf("%q is no pseudo-header of a request", f.Name)
			}
			if err := checkValue(f); err != nil {
				return 0, err
			}
			pseudo[f.Name] = f.Value
			continue
		}
		regular = true
		if err := checkField(f); err != nil {
			return 0, err
		}
		if f.Name == "content-length" {
			n, err := strconv.ParseUint(f.Value, 10, 63)
			if err != nil || length >= 0 && int64(n) != length {
				return 0, fmt.Errorf("content-length is %q", f.Value)
			}
			length = int64(n)
		}
	}
	method := pseudo[":method"]
	if method == "" {
		return 0, errors.New("no :method")
	}
	path, hasPath := pseudo[":path"]
	_, hasScheme := pseudo[":scheme"]
	if method == "CONNECT" {
		if hasPath || hasScheme || pseudo[":authority"] == "" {
			return 0, errors.New("CONNECT has :authority, and neither :scheme nor :path")
		}
		return length, nil
	}
	switch {
	case !isToken(method):
		return 0, fmt.Errorf("%q is no method", method)
	case pseudo[":scheme"] == "":
		return 0, errors.New("no :scheme")
	case !strings.HasPrefix(path, "/") && !(method == "OPTIONS" && path == "*"):
		return 0, fmt.Errorf(":path is %q", path)
	}
	return length, nil
}

func checkTrailer(fields []Field) error {
	for _, f := range fields {
		if strings.HasPrefix(f.Name, ":") {
			return fmt.Errorf("the pseudo-header %s in the trailers", f.Name)
		}
		if err := checkField(f); err != nil {
			return err
		}
	}
	return nil
}

func checkField(f Field) error {
	switch {
	case !isToken(f.Name):
		return fmt.Errorf("%q is not a name for a header", f.Name)
	case strings.ToLower(f.Name) != f.Name:
		return fmt.Errorf("the header %s is not in lower case", f.Name)
	}
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return fmt.Errorf("the header %s, which HTTP/2 does not have", f.Name)
	case "te":
		if f.Value != "trailers" {
			return fmt.Errorf("the header te is %q; HTTP/2 has nothing but trailers", f.Value)
		}
	}
	return checkValue(f)
}

func checkValue(f Field) error {
	if strings.ContainsAny(f.Value, "\r\n\x00") || strings.Trim(f.Value, " \t") != f.Value {
		return fmt.Errorf("the value of %s is %q", f.Name, f.Value)
	}
	return nil
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
