package dbcheck

import (
	"net/url"
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

// shown are the forms that a password has in the text of an error whose data source name is not known: drivers quote what
// they cannot parse.
var shown = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`(://[^:/@\s]*:)\S*@`), "${1}…@"},
	{regexp.MustCompile(`([^\s:/@"'` + "`" + `]+:)\S*(@\w*\()`), "${1}…${2}"},
	{regexp.MustCompile(`(?i)((?:password|passwd|pwd|_pass)\s*=\s*)('(?:[^'\\]|\\.)*'?|(?:[^\s;&"'` + "`" + `\\]|\\.)+)`), "${1}…"},
}

// hidePasswords takes what looks like a password out of a text.
func hidePasswords(text string) string {
	for _, s := range shown {
		text = s.re.ReplaceAllString(text, s.by)
	}
	return text
}

// hiddenError is an error whose text has no password in it.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.err }

// because gives the error of a function of this package, without passwords in its text.
func because(caller string, err error) error {
	return &hiddenError{"dbcheck." + caller + ": " + hidePasswords(err.Error()), err}
}

// hideDSN takes the data source name and its password out of a text.
func hideDSN(text, dsn string) string {
	if dsn == "" {
		return text
	}
	text = strings.ReplaceAll(text, dsn, "(data source name)")
	for _, re := range passwords {
		if m := re.FindStringSubmatch(dsn); m != nil {
			secret := strings.Trim(m[1], "'")
			if secret == "" { // password='', which is in any text
				continue
			}
			text = strings.ReplaceAll(text, secret, "…")
			if plain, err := url.PathUnescape(secret); err == nil { // as a driver has it that took the URL to pieces
				text = strings.ReplaceAll(text, plain, "…")
			}
		}
	}
	return hidePasswords(text)
}
