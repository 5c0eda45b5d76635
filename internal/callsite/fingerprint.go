package callsite

import "strings"

// maxFunctions is how many functions take part in a fingerprint. More would tell more leaks apart and survive fewer
// refactorings.
const maxFunctions = 3

// Fingerprint names a leak from one run to the next, in words: kind, class, the innermost functions of the user and
// the top-level test. It has no file, line, address or number, so it survives moved lines, renamed files, -trimpath and
// another Go version.
func Fingerprint(kind, class string, user []Frame, test string) string {
	var fns []string
	for _, f := range user {
		if IsDependency(f) {
			continue
		}
		if len(fns) == maxFunctions {
			break
		}
		fns = append(fns, Normalize(f.Func))
	}
	top, _, _ := strings.Cut(test, "/")
	return strings.Join([]string{kind, class, strings.Join(fns, " < "), top}, " | ")
}

// Normalize takes out of a function's name what changes when code moves: the numbers of closures ("F.func1.2" is
// "F.func*") and type arguments ("F[...]" is "F").
func Normalize(fn string) string {
	fn = dropTypeArgs(fn)
	slash := strings.LastIndexByte(fn, '/') + 1
	parts := strings.Split(fn[slash:], ".")
	out := parts[:0:0]
	for i, p := range parts {
		switch {
		case i > 0 && isClosure(p):
			if n := len(out); n == 0 || out[n-1] != "func*" {
				out = append(out, "func*")
			}
		case i > 0 && isNumber(p): // "F.func1.2": a closure in a closure
		default:
			out = append(out, p)
		}
	}
	return fn[:slash] + strings.Join(out, ".")
}

func dropTypeArgs(fn string) string {
	var b strings.Builder
	depth := 0
	for _, r := range fn {
		switch {
		case r == '[':
			depth++
		case r == ']' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isClosure: the compiler names closures func1, gowrap1, deferwrap1, and adds -range1 to bodies of range functions.
func isClosure(p string) bool {
	for _, prefix := range []string{"func", "gowrap", "deferwrap"} {
		rest, ok := strings.CutPrefix(p, prefix)
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, "-range")
		if isNumber(rest) {
			return true
		}
	}
	return false
}

func isNumber(p string) bool {
	if p == "" {
		return false
	}
	for _, r := range p {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
