package deep

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/goroutine"
)

// edited is what became of one file.
type edited struct {
	text  []byte // nil when nothing was put in
	found []int  // indices of the points that were
	other []int  // indices of those whose function is there with another signature
}

// change is one replacement in a file's text.
type change struct {
	at, cut int
	text    string
}

// edit puts those of the points into a file that it has. Lines keep their numbers: what is put in is put on a line that is
// there, or after the last one. hook is the import path of the hooks.
func edit(name string, src []byte, all []point, hook string) (out edited, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return out, err
	}
	offset := func(p token.Pos) int { return fset.Position(p).Offset }
	var changes []change
	var tail strings.Builder
	imports := make(map[string]bool)
	for i, p := range all {
		decl := find(file, p.name)
		if decl == nil {
			continue
		}
		switch d := decl.(type) {
		case *ast.TypeSpec:
			if p.field != "" {
				st, ok := d.Type.(*ast.StructType)
				if !ok {
					out.other = append(out.other, i)
					continue
				}
				changes = append(changes, change{at: offset(st.Fields.Opening) + 1, text: " " + p.field + ";"})
			}
		case *ast.FuncDecl:
			if d.Body == nil || typesOf(fset, d) != p.types || strings.Contains(p.name, ".") && receiver(d) == "" {
				out.other = append(out.other, i)
				continue
			}
			names, ok := parameters(d)
			if !ok {
				out.other = append(out.other, i)
				continue
			}
			if p.enter != "" {
				changes = append(changes, change{at: offset(d.Body.Lbrace) + 1, text: " " + fill(p.enter, d, names) + ";"})
			}
			if p.wrap != "" {
				changes = append(changes, change{at: offset(d.Name.Pos()), cut: len(d.Name.Name), text: goroutine.HookedName(d.Name.Name)})
				head := src[offset(d.Pos()):offset(d.Body.Lbrace)]
				if d.Doc != nil {
					head = src[offset(d.Type.Func):offset(d.Body.Lbrace)]
				}
				fmt.Fprintf(&tail, "\n%s{\n\t%s\n}\n", head, fill(p.wrap, d, names))
			}
		}
		tail.WriteString(p.tail)
		out.found = append(out.found, i)
		if p.enter+p.wrap+p.field != "" || strings.Contains(p.tail, "leakgatehook.") {
			imports[hook] = true
		}
		for _, imp := range p.imports {
			imports[imp] = true
		}
	}
	if len(out.found) == 0 {
		return out, nil
	}
	var head strings.Builder
	for _, imp := range slices.Sorted(maps.Keys(imports)) {
		alias := "leakgate" + path.Base(imp)
		switch imp {
		case hook:
			alias = "leakgatehook"
		case agentImport:
			alias = "_"
		}
		fmt.Fprintf(&head, "; import %s %q", alias, imp)
	}
	changes = append(changes, change{at: offset(file.Name.End()), text: head.String()})
	out.text = apply(src, changes)
	if tail.Len() > 0 {
		out.text = append(out.text, tail.String()...)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), name, out.text, parser.SkipObjectResolution); err != nil {
		return edited{}, fmt.Errorf("what the hooks made of it cannot be parsed: %w", err)
	}
	return out, nil
}

// apply makes the changes, which must not overlap.
func apply(src []byte, changes []change) []byte {
	slices.SortStableFunc(changes, func(a, b change) int { return a.at - b.at })
	var out bytes.Buffer
	done := 0
	for _, c := range changes {
		out.Write(src[done:c.at])
		out.WriteString(c.text)
		done = c.at + c.cut
	}
	out.Write(src[done:])
	return out.Bytes()
}

// find gives the declaration of a function, a method ("(*T).M") or a type; nil when there is none.
func find(file *ast.File, name string) any {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			own := d.Name.Name
			if r := receiver(d); r != "" {
				own = r + "." + own
			}
			if own == name {
				return d
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if t, ok := s.(*ast.TypeSpec); ok && t.Name.Name == name {
					return t
				}
			}
		}
	}
	return nil
}

// receiver is a method's receiver as names have it: "(*T)" or "T"; "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) != 1 {
		return ""
	}
	switch t := d.Recv.List[0].Type.(type) {
	case *ast.StarExpr:
		if id, ok := t.X.(*ast.Ident); ok {
			return "(*" + id.Name + ")"
		}
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// typesOf prints the types of a function's parameters and results without their names: "(string, bool) error".
func typesOf(fset *token.FileSet, d *ast.FuncDecl) string {
	list := func(fields *ast.FieldList) (out []string) {
		if fields == nil {
			return nil
		}
		for _, f := range fields.List {
			var b bytes.Buffer
			_ = printer.Fprint(&b, fset, f.Type)
			for range max(1, len(f.Names)) {
				out = append(out, b.String())
			}
		}
		return out
	}
	text := "(" + strings.Join(list(d.Type.Params), ", ") + ")"
	switch results := list(d.Type.Results); len(results) {
	case 0:
		return text
	case 1:
		return text + " " + results[0]
	default:
		return text + " (" + strings.Join(results, ", ") + ")"
	}
}

// parameters gives the names of the receiver and the parameters: "recv", "p0", ... It is not ok when one has none.
func parameters(d *ast.FuncDecl) (names map[string]string, ok bool) {
	names = make(map[string]string)
	n := 0
	for _, f := range d.Type.Params.List {
		if len(f.Names) == 0 {
			return nil, false
		}
		for _, id := range f.Names {
			if id.Name == "_" {
				return nil, false
			}
			names[fmt.Sprintf("p%d", n)] = id.Name
			n++
		}
	}
	names["orig"] = goroutine.HookedName(d.Name.Name)
	if d.Recv != nil {
		if len(d.Recv.List[0].Names) != 1 || d.Recv.List[0].Names[0].Name == "_" {
			return nil, false
		}
		names["recv"] = d.Recv.List[0].Names[0].Name
		names["orig"] = names["recv"] + "." + goroutine.HookedName(d.Name.Name)
	}
	return names, true
}

// fill puts names into the code of a hook.
func fill(code string, _ *ast.FuncDecl, names map[string]string) string {
	for k, v := range names {
		code = strings.ReplaceAll(code, "@"+k+"@", v)
	}
	return code
}
