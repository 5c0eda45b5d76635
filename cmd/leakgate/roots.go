package main

import (
	"os"
	"path/filepath"
	"strings"
)

// module is a Go module's root.
type module struct {
	path string // "example.com/shop"
	dir  string
}

// moduleAt reads the go.mod of a folder.
func moduleAt(dir string) (module, bool) {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return module{}, false
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "//")
		if word, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && word == "module" {
			return module{strings.Trim(strings.TrimSpace(name), "\"`"), dir}, true
		}
	}
	return module{}, false
}

// moduleAbove finds the module that a folder is in.
func moduleAbove(dir string) (module, bool) {
	for {
		if m, ok := moduleAt(dir); ok {
			return m, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return module{}, false
		}
		dir = up
	}
}

// workspaces are the variables by which CI systems name the folder of the checkout: GitHub, GitLab, Jenkins.
var workspaces = []string{"GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"}

// repository finds the root of the repository that a folder is in; "" when it is not known. A worktree and a submodule have
// .git as a file.
func (c console) repository(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	for _, name := range workspaces {
		root := c.env(name)
		if root == "" || !filepath.IsAbs(root) {
			continue
		}
		if _, in := below(root, dir); in {
			return filepath.Clean(root)
		}
	}
	return ""
}

// below gives a folder's path from the root, with slashes, when it is the root or in it.
func below(root, dir string) (path string, in bool) {
	rel, err := filepath.Rel(root, dir)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// shown is a path as a user would write it: from the working folder when that is shorter.
func (c console) shown(path string) string {
	here, err := c.path(".")
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
