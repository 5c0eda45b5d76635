package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every command, subcommand and flag is in every script.
func TestCompletionIsWhole(t *testing.T) {
	for _, shell := range shells {
		text := script(shell)
		golden(t, "completion."+shell, text)
		for _, c := range completions() {
			for _, w := range c.words {
				assert.Contains(t, text, w.text, "%s at %q", shell, c.path)
			}
			for _, f := range c.flags {
				assert.Contains(t, text, strings.TrimPrefix(f.text, "-"), "%s at %q", shell, c.path)
			}
		}
	}
}

// Each flag has a text and its command's help says it, and every flag with a value says what that is.
func TestEveryFlagIsTold(t *testing.T) {
	var visit func(path string, cmds []command)
	visit = func(path string, cmds []command) {
		for _, cmd := range cmds {
			name := path + cmd.names[0]
			visit(name+" ", cmd.subs)
			if cmd.flags == nil {
				continue
			}
			text := cmd.text()
			assert.NotContains(t, text, flagsHere, name)
			fs := cmd.flags()
			assert.Equal(t, name, fs.Name())
			fs.VisitAll(func(f *flag.Flag) {
				value, about := flag.UnquoteUsage(f)
				assert.NotEmpty(t, about, "%s -%s", name, f.Name)
				if !isSwitch(f) {
					assert.Regexp(t, `^[A-Z]+$`, value, "%s -%s", name, f.Name)
				}
				assert.Regexp(t, `(?m)^  -`+regexp.QuoteMeta(f.Name)+` `, text, name)
			})
		}
	}
	visit("", commands())
}

// asked are lines that a user has typed so far, and what is then offered.
var asked = []struct {
	words []string // the last one is being typed
	want  []string // all of them
	not   []string // none of them
}{
	{[]string{""}, []string{"demo", "report", "baseline", "completion", "help", "version"}, []string{"accept", "-format"}},
	{[]string{"re"}, []string{"report"}, []string{"baseline"}},
	{[]string{"baseline", ""}, []string{"accept", "prune", "check"}, []string{"report"}},
	{[]string{"baseline", "pr"}, []string{"prune"}, []string{"accept"}},
	{[]string{"baseline", "accept", "-"}, []string{"-reason", "-expires", "-from", "-n", "-h"}, []string{"-format", "-all"}},
	{[]string{"baseline", "check", "-"}, []string{"-from", "-json"}, []string{"-reason", "-n"}},
	{[]string{"report", "-f"}, []string{"-format"}, []string{"-o", "-from"}},
	{[]string{"report", "-format", ""}, []string{"text", "json", "sarif", "gitlab", "github", "junit", "html"}, []string{"leaks", "demo"}},
	{[]string{"report", "-all", "-format", "s"}, []string{"sarif"}, []string{"json"}},
	{[]string{"report", ""}, []string{"leaks"}, []string{"notes.txt", "demo", "accept"}},
	{[]string{"report", "-o", "n"}, []string{"notes.txt"}, []string{"leaks"}},
	{[]string{"report", "-baseline", ""}, []string{"off", "notes.txt"}, []string{"demo"}},
	{[]string{"report", "-root", ""}, []string{"leaks"}, []string{"notes.txt"}},
	// A value is not a command, and what follows -- is go test's.
	{[]string{"baseline", "accept", "-reason", "prune", "-"}, []string{"-reason"}, nil},
	{[]string{"baseline", "accept", "./...", "--", "-"}, nil, []string{"-reason"}},
	{[]string{"baseline", "accept", "--", ""}, nil, []string{"demo", "accept"}},
	{[]string{"completion", ""}, []string{"bash", "zsh", "fish", "powershell"}, nil},
	{[]string{"help", "b"}, []string{"baseline"}, []string{"report"}},
}

// offers asks a shell for what it would offer.
type offers func(t *testing.T, dir string, words []string) []string

// needShell skips the test where the shell is missing, and fails it where everything has to be there.
func needShell(t *testing.T, shell string) {
	t.Helper()
	if _, err := exec.LookPath(shell); err == nil {
		return
	}
	if os.Getenv("LEAKGATE_REQUIRE_SERVICES") == "1" {
		t.Fatalf("%s is not installed here, and LEAKGATE_REQUIRE_SERVICES=1 wants it", shell)
	}
	t.Skipf("%s is not installed here", shell)
}

func testShell(t *testing.T, shell string, ask offers) {
	needShell(t, shell)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "leaks"), 0o755))
	write(t, dir, "notes.txt", "")
	write(t, dir, "leakgate."+shell, script(shell))
	for _, a := range asked {
		got := ask(t, dir, a.words)
		line := "leakgate " + strings.Join(a.words, " ")
		for _, w := range a.want {
			assert.Contains(t, got, w, line)
		}
		for _, w := range a.not {
			assert.NotContains(t, got, w, line)
		}
	}
}

// ran by the shell itself.
func shellOut(t *testing.T, dir, shell string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "TERM=dumb", "LC_ALL=C.UTF-8")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, errs.String())
	assert.Empty(t, errs.String())
	var words []string
	for line := range strings.Lines(string(out)) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), "\t") // fish adds the text after a tab
		words = append(words, strings.TrimSuffix(word, "/"))
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

func TestBashCompletion(t *testing.T) {
	testShell(t, "bash", func(t *testing.T, dir string, words []string) []string {
		return shellOut(t, dir, "bash", append([]string{"--noprofile", "--norc", "-c", `
			source ./leakgate.bash
			COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
			_leakgate
			printf '%s\n' "${COMPREPLY[@]}"`, "bash", "leakgate"}, words...)...)
	})
}

func TestFishCompletion(t *testing.T) {
	testShell(t, "fish", func(t *testing.T, dir string, words []string) []string {
		return shellOut(t, dir, "fish", "--no-config", "-c",
			"source ./leakgate.fish; complete -C "+fishQuote("leakgate "+strings.Join(words, " ")))
	})
}

// zsh completes for an editor alone: what the script would hand it is caught here.
func TestZshCompletion(t *testing.T) {
	testShell(t, "zsh", func(t *testing.T, dir string, given []string) []string {
		return shellOut(t, dir, "zsh", append([]string{"-f", "-c", `
			compdef() { }
			_files() { [[ $1 == -/ ]] && print -l -- *(N/) || print -l -- *(N) }
			compadd() { shift; print -l -- "$@" }
			_describe() { local -a all; [[ $1 == -o ]] && shift; all=("${(@P)2}"); print -l -- "${(@)all%%:*}" }
			source ./leakgate.zsh
			words=("$@") CURRENT=$#
			_leakgate | while read -r w; do [[ $w == ${words[CURRENT]}* ]] && print -r -- $w; done; true`, "zsh", "leakgate"}, given...)...)
	})
}

// Two hyphens are as good as one.
func TestCompletionOfTwoHyphens(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "leakgate.bash", script("bash"))
	needShell(t, "bash")
	got := shellOut(t, dir, "bash", "--noprofile", "--norc", "-c",
		`source ./leakgate.bash; COMP_WORDS=(leakgate report --f) COMP_CWORD=2; _leakgate; printf '%s\n' "${COMPREPLY[@]}"`)
	assert.Equal(t, []string{"--format"}, got)
	got = shellOut(t, dir, "bash", "--noprofile", "--norc", "-c",
		`source ./leakgate.bash; COMP_WORDS=(leakgate baseline accept --dry) COMP_CWORD=3; _leakgate; printf '%s\n' "${COMPREPLY[@]}"`)
	assert.Equal(t, []string{"--dry-run"}, got)
}
