package dbcheck

import (
	"regexp"
	"strings"
)

// openError is an error of Open whose text has no password in it.
type openError struct {
	text string
	err  error
}

func (e *openError) Error() string { return "dbcheck.Open: " + e.text }
func (e *openError) Unwrap() error { return e.err }

// passwords finds the password in the usual forms of a data source name: user:password@host, and password=.
var passwords = []*regexp.Regexp{
	regexp.MustCompile(`^[^:/@]*:(.+)@`),
	regexp.MustCompile(`://[^:/@]*:(.+)@`),
	regexp.MustCompile(`(?i)(?:password|pwd)\s*=\s*('[^']*'|[^\s;&]+)`),
}

// hideDSN takes the data source name and its password out of a text.
func hideDSN(text, dsn string) string {
	if dsn == "" {
		return text
	}
	text = strings.ReplaceAll(text, dsn, "(data source name)")
	for _, re := range passwords {
		if m := re.FindStringSubmatch(dsn); m != nil {
			text = strings.ReplaceAll(text, strings.Trim(m[1], "'"), "…")
		}
	}
	return text
}
