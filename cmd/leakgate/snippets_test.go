package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// typedIn finds the commands of this program in a page or a file for CI, as they are written there: up to what ends them in a
// shell, in a page or in the other language's quotes.
func typedIn(text string) (out [][]string) {
	for _, at := range regexp.MustCompile(`(?:^|[\s'"(/`+"`"+`])leakgate (report|baseline|completion|help|demo|version)\b`).FindAllStringSubmatchIndex(text, -1) {
		line, _, _ := strings.Cut(text[at[2]:], "\n")
		line = strings.TrimSuffix(line, "\r")
		if args := shellWords(line); len(args) > 1 || args[0] != "baseline" { // a word of prose
			out = append(out, args)
		}
	}
	return out
}

// shellWords splits a line as a shell does that knows double quotes alone.
func shellWords(line string) (words []string) {
	word, quoted := "", false
	for _, r := range line + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case quoted:
			word += string(r)
		case strings.ContainsRune("'`|&;)<,:…", r):
			if word != "" {
				words = append(words, word)
			}
			return words
		case r == ' ':
			if word != "" {
				words = append(words, word)
			}
			word = ""
		case r == '#' && word == "":
			return words
		default:
			word += string(r)
		}
	}
	return words
}

// understood says what is wrong with the words before anything is run.
func understood(args []string) error {
	cmds := commands()
	cmd := find(cmds, args[0])
	if len(cmd.subs) > 0 && len(args) > 1 {
		sub := find(cmd.subs, args[1])
		if sub == nil {
			return usageError{"there is no leakgate " + args[0] + " " + args[1]}
		}
		cmd, args = sub, args[1:]
	}
	if cmd.flags == nil {
		return nil
	}
	_, _, err := parseFlags(cmd.flags(), args[1:], cmd.args == argPackages)
	return err
}

// What the pages tell people to type is understood.
func TestCommandsInPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	seen := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, args := range typedIn(string(text)) {
			seen++
			assert.NoError(t, understood(args), "%s: leakgate %s", filepath.Base(page), strings.Join(args, " "))
		}
	}
	assert.Greater(t, seen, 20)
}

// The commands of the files for CI run as they stand there, write the files that the rest of the job keeps, and fail on a new
// leak alone.
func TestCommandsInCI(t *testing.T) {
	for name, keeps := range map[string][]string{
		"github-actions.yml": {"leaks.html", "leaks.sarif"},
		"gitlab-ci.yml":      {"leaks.html", "leaks.xml", "gl-code-quality-report.json"},
		"Jenkinsfile":        {"leaks.html", "leaks.sarif", "leaks.xml"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("../../docs/ci", name))
			require.NoError(t, err)
			all := typedIn(string(text))
			all = slices.DeleteFunc(all, func(args []string) bool { // what a comment tells people to do
				return args[0] == "baseline" && args[1] == prune
			})
			require.Len(t, all, 2, "report and baseline check")
			for state, want := range map[string]int{"known": exitOK, "new": exitLeaks} {
				dir := checkout(t)
				shop := filepath.Join(dir, "shop")
				ran(t, filepath.Join(shop, "leaks"), storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 2))
				s := newTranscript(t, shop, "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary.md"))
				if state == "known" {
					require.Equal(t, exitOK, s.call("adopt", "baseline", "accept", "-from", "leaks"))
				}
				s.console.environ = append(s.console.environ, "CI=true")
				for _, args := range all {
					assert.Equal(t, want, s.call(state, args...), "%s: %s", strings.Join(args, " "), s.errs)
				}
				for _, file := range keeps {
					assert.FileExists(t, filepath.Join(shop, file))
					// once where it is written, and once where it is kept
					assert.GreaterOrEqual(t, strings.Count(string(text), file), 2, file)
				}
			}
		})
	}
}
