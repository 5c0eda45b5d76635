package deep

import (
	"strconv"
	"strings"
)

// oldest is the oldest minor version of Go 1 whose standard library the hooks were written for.
const oldest = 25

// TooOld says whether a version of Go, as go env GOVERSION gives it, is older than those that deep mode works with.
// Development versions are taken for the newest.
func TooOld(version string) bool {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return false
	}
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	minor, err := strconv.Atoi(rest[:end])
	return err == nil && minor < oldest
}

// OverlayFlag gives the value of the last -overlay flag among arguments, and the arguments without any; "" when there is none.
// What follows -args is the test binary's.
func OverlayFlag(args []string) (file string, rest []string) {
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(args[i], "-"), "-"), "=")
		switch {
		case args[i] == "-args" || args[i] == "--args":
			return file, append(rest, args[i:]...)
		case !strings.HasPrefix(args[i], "-") || name != "overlay":
			rest = append(rest, args[i])
		case has:
			file = value
		case i+1 < len(args):
			i++
			file = args[i]
		}
	}
	return file, rest
}

// Words takes the value of GOFLAGS apart: flags with spaces between them, a flag with spaces in it in quotes of either kind. What
// has no end of its quotes is the last word.
func Words(text string) (words []string) {
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		if text == "" {
			return words
		}
		if q := text[0]; q == '"' || q == '\'' {
			word, rest, _ := strings.Cut(text[1:], string(q))
			words, text = append(words, word), rest
			continue
		}
		end := strings.IndexAny(text, " \t\r\n")
		if end < 0 {
			end = len(text)
		}
		words, text = append(words, text[:end]), text[end:]
	}
}
