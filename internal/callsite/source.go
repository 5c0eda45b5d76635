package callsite

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// maxSource bounds a source line in a report.
const maxSource = 160

// Source gives the text of the frame's line without its indentation, or "" when the file cannot be read. Under
// -trimpath the compiler records module paths; they are looked for below the module that the process runs in.
func Source(f Frame) string {
	if f.File == "" || f.Line <= 0 {
		return ""
	}
	line := readLine(locate(f.File), f.Line)
	if len(line) > maxSource {
		line = line[:maxSource] + "…"
	}
	return line
}

func readLine(path string, n int) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	s.Buffer(nil, 1<<20)
	for i := 1; s.Scan(); i++ {
		if i == n {
			return strings.TrimSpace(s.Text())
		}
	}
	return ""
}

// locate gives the path on disk of a file as the compiler recorded it.
func locate(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	root, path := mainModule()
	if rest, ok := strings.CutPrefix(file, path+"/"); ok && path != "" {
		return filepath.Join(root, filepath.FromSlash(rest))
	}
	return file
}

// StartDir is the working directory that the process began in, which a test may have left since; "" when it is not known.
var StartDir, _ = os.Getwd()

// MainModule gives the folder of the go.mod at or above StartDir, and the path of its module; "" when there is none. go test
// runs a test binary in its package's folder.
func MainModule() (root, path string) { return mainModule() }

var mainModule = sync.OnceValues(func() (root, path string) {
	dir := StartDir
	if dir == "" {
		return "", ""
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			if path := ModuleLine(string(data)); path != "" {
				return dir, path
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ""
		}
		dir = parent
	}
})

// Short gives the file's path as a reader in the working directory would type it: relative when the file is below, as
// it is when not.
func Short(file string) string {
	wd, err := os.Getwd()
	if err != nil {
		return file
	}
	rel, err := filepath.Rel(wd, locate(file))
	if err != nil || strings.HasPrefix(rel, "..") || !filepath.IsAbs(locate(file)) {
		return file
	}
	return filepath.ToSlash(rel)
}

// ModuleLine gives the path of a go.mod's module directive: "module x", "module \"x\"", "module `x`" or a block with one
// line; "" when there is none.
func ModuleLine(text string) string {
	inBlock := false
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line, _, _ = strings.Cut(line, "//")
		line = strings.TrimSpace(line)
		rest := line
		if !inBlock {
			var ok bool
			if rest, ok = strings.CutPrefix(line, "module"); !ok || rest == "" || !strings.ContainsAny(rest[:1], " \t(\"`") {
				continue
			}
			rest = strings.TrimSpace(rest)
			if rest == "(" {
				inBlock = true
				continue
			}
		}
		switch rest {
		case "":
			continue
		case ")":
			inBlock = false
			continue
		}
		if name, err := strconv.Unquote(rest); err == nil {
			return name
		}
		return rest
	}
	return ""
}
