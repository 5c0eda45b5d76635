package leakcheck_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sources gives the text of all Go files of the module that match.
func sources(t *testing.T, match func(name string) bool) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || !match(d.Name()) {
			return err
		}
		data, err := os.ReadFile(path)
		b.Write(data)
		return err
	})
	require.NoError(t, err)
	return b.String()
}

// TestCodesAreExplained: each code that the program can print has its section, and each section its code.
func TestCodesAreExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "codes.md"))
	require.NoError(t, err)
	explained := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^## (LK\d+)$`).FindAllStringSubmatch(string(page), -1) {
		explained[m[1]] = true
	}
	code := sources(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") })
	printed := make(map[string]bool)
	for _, m := range regexp.MustCompile(`"(LK\d+)"`).FindAllStringSubmatch(code, -1) {
		printed[m[1]] = true
	}
	assert.Equal(t, printed, explained)
	for c := range explained {
		assert.Contains(t, string(page), "| ["+c+"](#"+strings.ToLower(c)+") |")
	}
}

// TestReadmeCodeCompiles: every line of Go in the README stands in a file that is compiled, in the same order.
func TestReadmeCodeCompiles(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)
	compiled := unindent(sources(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") }))
	for _, b := range blocks {
		for _, part := range strings.Split(unindent(b[1]), "\n\n") {
			assert.Contains(t, compiled, strings.TrimSpace(part))
		}
	}
}

// TestSymptoms: the table of symptoms names tools, codes and pages that are there, and every budget and limit has its row.
func TestSymptoms(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "symptoms.md"))
	require.NoError(t, err)
	codes, err := os.ReadFile(filepath.Join("..", "docs", "codes.md"))
	require.NoError(t, err)
	code := sources(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") })
	tools := regexp.MustCompile(`(?:leakcheck|dbcheck|httpcheck|mockserver)\.([A-Z][A-Za-z]*)`).FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, tools)
	seen := make(map[string]bool)
	for _, m := range tools {
		if seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		assert.Regexp(t, `(?m)^(func|type|const)? *(\([^)]*\) )?`+m[1]+`\b`, code, m[0])
	}
	for _, c := range regexp.MustCompile(`LK\d+`).FindAllString(string(page), -1) {
		assert.Contains(t, string(codes), "\n## "+c+"\n")
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#]*)\)`).FindAllStringSubmatch(string(page), -1) {
		assert.FileExists(t, filepath.Join("..", "docs", m[1]))
	}
	for _, c := range []string{"LK211", "LK213", "LK214", "LK215", "LK216", "LK217", "LK601", "LK602", "LK603", "LK604", "LK605", "LK606", "LK607"} {
		assert.Contains(t, string(page), c)
	}
}

// unindent takes leading white space off each line.
func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return strings.Join(lines, "\n")
}
