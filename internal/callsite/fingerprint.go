package callsite

import (
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
)

// maxFunctions is how many functions take part in a fingerprint. More would tell more leaks apart and survive fewer
// refactorings.
const maxFunctions = 3

// Fingerprint names a leak from one run to the next, in words: kind, class, the first functions of the stack that are in the
// main module, and the top-level test; "-" for what is empty. Where none is in the main module, those of its dependencies are
// taken. The stack must have gone through User.
//
// It has no file, line, address or number, so it survives moved lines, renamed files, -trimpath, a vendored module, and
// another Go version; and nothing that depends on what the compiler inlines, so it is the same under -race and -cover.
func Fingerprint(kind, class string, user []Frame, test string) string {
	return built().fingerprint(kind, class, user, test)
}

// tree is the main module: where it is, and its path. Both may be "".
type tree struct{ root, module string }

// built is the module that the binary was built of. The go.mod says the same, where the binary runs in its package's folder.
var built = sync.OnceValue(func() tree {
	root, module := mainModule()
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path == "" || info.Main.Path == module {
		return tree{root, module}
	}
	return tree{module: info.Main.Path}
})

func (t tree) fingerprint(kind, class string, user []Frame, test string) string {
	fns := t.functions(user, t.has)
	if len(fns) == 0 { // another module's, then one that is not in the module cache first
		fns = t.functions(user, func(f Frame) bool { return !IsDependency(f) })
	}
	if len(fns) == 0 {
		fns = t.functions(user, func(Frame) bool { return true })
	}
	top, _, _ := strings.Cut(test, "/")
	parts := []string{kind, class, strings.Join(fns, " < "), top}
	for i, p := range parts {
		if parts[i] = strings.Join(strings.Fields(p), " "); parts[i] == "" {
			parts[i] = "-"
		}
	}
	return strings.Join(parts, " | ")
}

func (t tree) functions(user []Frame, take func(Frame) bool) (fns []string) {
	for _, f := range user {
		if len(fns) == maxFunctions {
			break
		}
		name := t.function(f)
		if name == "" || !take(f) || len(fns) > 0 && fns[len(fns)-1] == name { // a recursion counts once
			continue
		}
		fns = append(fns, name)
	}
	return fns
}

// Normalize takes out of a function's name what changes when code moves or is compiled otherwise: type arguments ("F[...]"
// is "F"), the numbers of closures ("F.func1.2" is "F.func*"), "_test" of an external test package, and functions that a
// closure was inlined into.
//
// The compiler names a closure after the function that it stands in: "lib.New.func1". Up to Go 1.26, where New is inlined, it
// is named after who calls New too, and has that one's package: "app.TestX.New.func7". What is inlined differs with -race,
// -cover and -gcflags, so only the last function of the name is kept. Of a method that has no pointer receiver that is the
// method's name alone, for in "app.T.M.func1" T may be a type or a function.
func Normalize(fn string) string { return tree{}.function(Frame{Func: fn}) }

// function gives the frame's function for a fingerprint; "" for a wrapper that the compiler made, of which no line is the
// user's.
func (t tree) function(f Frame) string {
	n := parseName(f.Func)
	if n.wrapper {
		return ""
	}
	if n.generated {
		if p, ok := t.filePackage(f.File); ok {
			n.pkg = p
		}
	}
	if n.pkg == "" {
		return n.fn
	}
	return strings.TrimSuffix(n.pkg, "_test") + "." + n.fn
}

type name struct {
	pkg, fn   string
	generated bool // a closure, or the body of a loop over a function
	wrapper   bool // "T.M-fm" for a method value; "F.gowrap1" and "F.deferwrap1" for arguments of go and defer
}

// parseName takes a function's name apart. It knows the names of Go 1.25 to 1.27:
//
//	F.func1       closure                              F.func1.2   closure in a closure
//	F-range1      body of a loop over a function       F.func4, F-range1.func1, F-range1.1   closure in one
//	init.0        an init function                     init.func1, glob..func1   closure of a package's variable
func parseName(fn string) (n name) {
	fn = dropTypeArgs(fn)
	slash := strings.LastIndexByte(fn, '/') + 1
	pkg, rest, ok := strings.Cut(fn[slash:], ".")
	if !ok {
		return name{fn: fn}
	}
	n.pkg = strings.ReplaceAll(fn[:slash]+pkg, "%2e", ".")
	var fns []string // function names since the last closure, or before it
	closure := false
	for _, p := range strings.Split(rest, ".") {
		n.wrapper = strings.HasSuffix(p, "-fm") || numbered(p, "gowrap") || numbered(p, "deferwrap")
		own, _, inRange := strings.Cut(p, "-range")
		n.generated = n.generated || inRange
		switch {
		case n.wrapper, p == "":
		case numbered(p, "func"), isNumber(p) && !(len(fns) == 1 && fns[0] == "init"):
			n.generated, closure = true, true
		case isNumber(p): // init.0
		default:
			if closure {
				fns, closure = nil, false
			}
			fns = append(fns, own)
		}
	}
	if n.generated && len(fns) > 0 {
		last := len(fns) - 1
		if last > 0 && strings.HasPrefix(fns[last-1], "(") {
			last--
		}
		fns = fns[last:]
	}
	if n.fn = strings.Join(fns, "."); n.fn == "glob" {
		n.fn = "init"
	}
	if closure {
		n.fn += ".func*"
	}
	return n
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

func numbered(p, prefix string) bool {
	rest, ok := strings.CutPrefix(p, prefix)
	rest, _, _ = strings.Cut(rest, "-range")
	return ok && isNumber(rest)
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

// has says whether the function is in the main module, in the same way however it was built: a module that is replaced by
// a folder is another one, as it is when it is vendored.
func (t tree) has(f Frame) bool {
	if IsDependency(f) {
		return false
	}
	if t.module == "" {
		return true
	}
	n := parseName(f.Func)
	pkg := strings.TrimSuffix(n.pkg, "_test")
	if p, ok := t.filePackage(f.File); ok {
		pkg = p
	} else if n.generated && t.root != "" {
		return false // its package may be that of who inlined it; the file is not below the module's root
	}
	return pkg == t.module || strings.HasPrefix(pkg, t.module+"/")
}

// filePackage gives the import path of the package that a file is in, where its path tells.
func (t tree) filePackage(file string) (pkg string, ok bool) {
	if file == "" {
		return "", false
	}
	dir := path.Dir(filepath.ToSlash(file))
	if !filepath.IsAbs(file) { // -trimpath, or nothing
		return withoutVersion(dir), dir != "." && dir != "/"
	}
	if i := strings.LastIndex(dir, "/pkg/mod/"); i >= 0 {
		return unescape(withoutVersion(dir[i+len("/pkg/mod/"):])), true
	}
	root := filepath.ToSlash(t.root)
	if root == "" || dir != root && !strings.HasPrefix(dir, strings.TrimSuffix(root, "/")+"/") {
		return "", false
	}
	rel := strings.Trim(dir[len(root):], "/")
	if vendored, ok := strings.CutPrefix(rel, "vendor/"); ok {
		return vendored, true
	}
	return path.Join(t.module, rel), true
}

// withoutVersion takes "@v1.2.3" out of a path.
func withoutVersion(dir string) string {
	before, after, ok := strings.Cut(dir, "@v")
	if !ok {
		return dir
	}
	_, below, _ := strings.Cut(after, "/")
	return path.Join(before, below)
}

// unescape undoes what the module cache does to capital letters: "!a" is "A".
func unescape(dir string) string {
	parts := strings.Split(dir, "!")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}
