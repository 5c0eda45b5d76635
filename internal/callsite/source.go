package callsite

import (
	"bufio"
	"os"
	"path/filepath"
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

// mainModule finds the go.mod above the working directory: go test runs a test binary in its package's folder.
var mainModule = sync.OnceValues(func() (root, path string) {
	dir, err := os.Getwd()
	if err != nil {
		return "", ""
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			for line := range strings.Lines(string(data)) {
				if p, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
					return dir, strings.Trim(strings.TrimSpace(p), `"`)
				}
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
