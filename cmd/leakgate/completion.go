package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
)

const completionUsage = `usage: leakgate completion bash|zsh|fish|powershell

Prints the script by which the shell completes leakgate's commands, flags, formats and files.

  bash          leakgate completion bash > /etc/bash_completion.d/leakgate
                or in ~/.bashrc: source <(leakgate completion bash)
  zsh           leakgate completion zsh > "${fpath[1]}/_leakgate"
                or in ~/.zshrc, after compinit: source <(leakgate completion zsh)
  fish          leakgate completion fish > ~/.config/fish/completions/leakgate.fish
  PowerShell    in $PROFILE: leakgate completion powershell | Out-String | Invoke-Expression

Exit status: 0 the script was written, 2 wrong usage.
`

// shells are those that a script can be made for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

// script makes the script for a shell; "" for one that is not known.
func script(shell string) string {
	switch shell {
	case "bash":
		return bashScript()
	case "zsh":
		return zshScript()
	case "fish":
		return fishScript()
	case "powershell":
		return powershellScript()
	}
	return ""
}

func completionCommand(_ context.Context, args []string, c console) int {
	if wantsHelp(args) {
		fmt.Fprint(c.out, completionUsage)
		return exitOK
	}
	if len(args) != 1 {
		return wrongUsage("completion", usagef("name one shell: %s", strings.Join(shells, ", ")), c)
	}
	if text := script(args[0]); text != "" {
		if err := c.print([]byte(text)); err != nil {
			return ended("completion", err, c)
		}
		return exitOK
	}
	err := usagef("there is no script for %q: name one of %s", args[0], strings.Join(shells, ", "))
	if near := nearestOf(args[0], append(slices.Clone(shells), "pwsh")); near != "" {
		err = usagef("there is no script for %q; did you mean %q?", args[0], strings.Replace(near, "pwsh", "powershell", 1))
	}
	return wrongUsage("completion", err, c)
}

// word is one thing that can be completed.
type word struct{ text, about string }

// What a flag's value is.
const (
	valueNone     = "none"   // the flag is a switch
	valueOther    = "other"  // nothing is known of it
	valueFile     = "file"   // a file
	valueFolder   = "folder" // a folder
	valueFormat   = "format"
	valueBaseline = "baseline" // a file, or off
)

// complete is what is offered at one command.
type complete struct {
	path  string // "", "report", "baseline accept"
	words []word // subcommands, shells, ...
	flags []flagWord
	args  string // argFolders or argPackages: folders are offered too
}

type flagWord struct {
	word
	value string
}

// completions lists the commands with what is offered at each.
func completions() []complete {
	var all []complete
	top := complete{}
	cmds := commands()
	for _, cmd := range cmds {
		top.words = append(top.words, word{cmd.names[0], cmd.about})
	}
	all = append(all, top)
	for _, cmd := range cmds {
		c := completeOf(cmd.names[0], &cmd)
		switch cmd.args {
		case argCommand:
			c.words = top.words
		case argShell:
			for _, s := range shells {
				c.words = append(c.words, word{s, "the script for " + s})
			}
		}
		for _, sub := range cmd.subs {
			c.words = append(c.words, word{sub.names[0], sub.about})
		}
		all = append(all, c)
		for _, sub := range cmd.subs {
			all = append(all, completeOf(cmd.names[0]+" "+sub.names[0], &sub))
		}
	}
	return all
}

func completeOf(path string, cmd *command) complete {
	c := complete{path: path}
	if cmd.args == argFolders || cmd.args == argPackages {
		c.args = cmd.args
	}
	if cmd.flags != nil {
		cmd.flags().VisitAll(func(f *flag.Flag) {
			_, text := flag.UnquoteUsage(f)
			about, _, _ := strings.Cut(text, ";")
			about, _, _ = strings.Cut(about, " (")
			about, _, _ = strings.Cut(about, ". ")
			c.flags = append(c.flags, flagWord{word{"-" + f.Name, about}, valueOf(f)})
		})
	}
	c.flags = append(c.flags, flagWord{word{"-h", "show the help"}, valueNone})
	return c
}

// valueOf says what the value of a flag is; the same name means the same at every command.
func valueOf(f *flag.Flag) string {
	switch {
	case isSwitch(f):
		return valueNone
	case f.Name == "format":
		return valueFormat
	case f.Name == "o":
		return valueFile
	case f.Name == "baseline":
		return valueBaseline
	case slices.Contains([]string{"from", "root", "keep"}, f.Name):
		return valueFolder
	}
	return valueOther
}

// valued lists the flags of any command whose value is of that sort, with one hyphen and with two.
func valued(all []complete, value string) (names []string) {
	for _, c := range all {
		for _, f := range c.flags {
			if f.value == value && !slices.Contains(names, f.text) {
				names = append(names, f.text, "-"+f.text)
			}
		}
	}
	return names
}

// withValue lists the flags that take one.
func withValue(all []complete) (names []string) {
	for _, v := range []string{valueOther, valueFile, valueFolder, valueFormat, valueBaseline} {
		names = append(names, valued(all, v)...)
	}
	return names
}

func texts(words []word) (out []string) {
	for _, w := range words {
		out = append(out, w.text)
	}
	return out
}

func flagTexts(flags []flagWord) (out []string) {
	for _, f := range flags {
		out = append(out, f.text)
	}
	return out
}

// bashScript needs nothing of the package bash-completion.
func bashScript() string {
	all := completions()
	var b strings.Builder
	b.WriteString(`# bash completion for leakgate
_leakgate_files() {
    [[ -n $1 ]] || return
    local IFS=$'\n' # names may have blanks
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen "$1" -- "$cur"))
}
_leakgate() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev='' path='' words='' flags='' folders='' files='' i w skip=''
    COMPREPLY=()
    ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD-1]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        w=${COMP_WORDS[i]}
        if [[ -n $skip ]]; then skip=''; continue; fi
        case $w in
        --) return ;;
`)
	fmt.Fprintf(&b, "        %s) skip=1 ;;\n        -*) ;;\n", strings.Join(withValue(all), "|"))
	b.WriteString(`        *) case "$path $w" in
`)
	for _, c := range all[1:] {
		fmt.Fprintf(&b, "           %q) path=%q ;;\n", " "+c.path, c.path)
		if strings.Contains(c.path, " ") {
			fmt.Fprintf(&b, "           %q) path=%q ;;\n", c.path, c.path)
		}
	}
	fmt.Fprintf(&b, `           esac ;;
        esac
    done
    if [[ -n $skip ]]; then
        case $prev in
        %s) COMPREPLY=($(compgen -W %q -- "$cur")) ;;
        %s) files=-f ;;
        %s) files=-f COMPREPLY=($(compgen -W off -- "$cur")) ;;
        %s) files=-d ;;
        esac
        _leakgate_files $files
        return
    fi
    case $path in
`, strings.Join(valued(all, valueFormat), "|"), strings.Join(formNames(), " "), strings.Join(valued(all, valueFile), "|"),
		strings.Join(valued(all, valueBaseline), "|"), strings.Join(valued(all, valueFolder), "|"))
	for _, c := range all {
		fmt.Fprintf(&b, "    %q) words=%q flags=%q folders=%q ;;\n", c.path, strings.Join(texts(c.words), " "), strings.Join(flagTexts(c.flags), " "), c.args)
	}
	b.WriteString(`    esac
    if [[ $cur == --* ]]; then
        flags=" $flags"
        COMPREPLY=($(compgen -W "${flags// -/ --}" -- "$cur"))
    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    elif [[ -n $folders ]]; then
        _leakgate_files -d
    else
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    fi
}
complete -F _leakgate leakgate
`)
	return b.String()
}

// zshWord is a word with its text, for _describe.
func zshWord(w word) string {
	return "'" + strings.NewReplacer("'", `'\''`, ":", `\:`).Replace(w.text) + ":" + strings.ReplaceAll(w.about, "'", `'\''`) + "'"
}

func zshScript() string {
	all := completions()
	var b strings.Builder
	b.WriteString(`#compdef leakgate
# zsh completion for leakgate
_leakgate() {
    local at='' w skip='' i folders=''
    local -a words_ flags_
    for ((i = 2; i < CURRENT; i++)); do
        w=${words[i]}
        if [[ -n $skip ]]; then skip=''; continue; fi
        case $w in
        --) return ;;
`)
	fmt.Fprintf(&b, "        %s) skip=1 ;;\n        -*) ;;\n", strings.Join(withValue(all), "|"))
	b.WriteString("        *) case \"$at $w\" in\n")
	for _, c := range all[1:] {
		fmt.Fprintf(&b, "           %q) at=%q ;;\n", " "+c.path, c.path)
		if strings.Contains(c.path, " ") {
			fmt.Fprintf(&b, "           %q) at=%q ;;\n", c.path, c.path)
		}
	}
	fmt.Fprintf(&b, `           esac ;;
        esac
    done
    if [[ -n $skip ]]; then
        case ${words[CURRENT-1]} in
        %s) compadd -- %s ;;
        %s) _files ;;
        %s) compadd -- off; _files ;;
        %s) _files -/ ;;
        esac
        return
    fi
    case $at in
`, strings.Join(valued(all, valueFormat), "|"), strings.Join(formNames(), " "), strings.Join(valued(all, valueFile), "|"),
		strings.Join(valued(all, valueBaseline), "|"), strings.Join(valued(all, valueFolder), "|"))
	for _, c := range all {
		fmt.Fprintf(&b, "    %q)\n        folders=%q\n        words_=(", c.path, c.args)
		for _, w := range c.words {
			b.WriteString("\n            " + zshWord(w))
		}
		b.WriteString(")\n        flags_=(")
		for _, f := range c.flags {
			b.WriteString("\n            " + zshWord(f.word))
		}
		b.WriteString(") ;;\n")
	}
	b.WriteString(`    esac
    if [[ ${words[CURRENT]} == --* ]]; then
        flags_=(-${^flags_})
    fi
    if [[ ${words[CURRENT]} == -* ]]; then
        _describe -o flag flags_
    elif [[ -n $folders ]]; then
        _files -/
    else
        _describe command words_
    fi
}
if [[ $funcstack[1] == _leakgate ]]; then
    _leakgate "$@"
else
    compdef _leakgate leakgate
fi
`)
	return b.String()
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

func fishScript() string {
	all := completions()
	var b strings.Builder
	b.WriteString(`# fish completion for leakgate
function __leakgate_at
    set -l path
    set -l skip 0
    set -l words (commandline -opc)
    for w in $words[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case '--'
                return 1
`)
	fmt.Fprintf(&b, "            case %s\n                set skip 1\n", quoteAll(withValue(all)))
	b.WriteString(`            case '-*'
            case '*'
                switch "$path $w"
`)
	for _, c := range all[1:] {
		names := []string{" " + c.path}
		if strings.Contains(c.path, " ") {
			names = append(names, c.path)
		}
		fmt.Fprintf(&b, "                    case %s\n                        set path %s\n", quoteAll(names), fishQuote(c.path))
	}
	b.WriteString(`                end
        end
    end
    test "$path" = "$argv[1]"
end
complete -c leakgate -f
`)
	for _, c := range all {
		at := fishQuote("__leakgate_at " + fishQuote(c.path))
		for _, w := range c.words {
			fmt.Fprintf(&b, "complete -c leakgate -n %s -a %s -d %s\n", at, fishQuote(w.text), fishQuote(w.about))
		}
		if c.args != "" {
			fmt.Fprintf(&b, "complete -c leakgate -n %s -a '(__fish_complete_directories)'\n", at)
		}
		for _, f := range c.flags {
			value := ""
			switch f.value {
			case valueOther:
				value = " -x"
			case valueFile:
				value = " -r -F"
			case valueBaseline:
				value = " -r -F -a off"
			case valueFolder:
				value = " -x -a '(__fish_complete_directories)'"
			case valueFormat:
				value = " -x -a " + fishQuote(strings.Join(formNames(), " "))
			}
			fmt.Fprintf(&b, "complete -c leakgate -n %s -o %s%s -d %s\n", at, strings.TrimPrefix(f.text, "-"), value, fishQuote(f.about))
		}
	}
	return b.String()
}

func quoteAll(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, fishQuote(w))
	}
	return strings.Join(out, " ")
}

func psQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func psList(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, psQuote(w))
	}
	return "@(" + strings.Join(out, ", ") + ")"
}

func powershellScript() string {
	all := completions()
	var b strings.Builder
	b.WriteString(`# PowerShell completion for leakgate
Register-ArgumentCompleter -Native -CommandName leakgate -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $offered = @{
`)
	for _, c := range all {
		fmt.Fprintf(&b, "        %s = @(\n", psQuote(c.path))
		for _, w := range c.words {
			fmt.Fprintf(&b, "            @(%s, %s)\n", psQuote(w.text), psQuote(w.about))
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "            @(%s, %s)\n", psQuote(f.text), psQuote(f.about))
		}
		b.WriteString("        )\n")
	}
	fmt.Fprintf(&b, `    }
    $valued = %s
    $path = ''
    $skip = $false
    $last = ''
    foreach ($e in @($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($e.Extent.EndOffset -ge $cursorPosition -and $wordToComplete -ne '') { break }
        $w = $e.Extent.Text
        $last = $w
        if ($skip) { $skip = $false; continue }
        if ($w -eq '--') { return }
        if ($valued -contains $w) { $skip = $true; continue }
        if ($w.StartsWith('-')) { continue }
        $next = "$path $w".Trim()
        if ($offered.ContainsKey($next)) { $path = $next }
    }
    if ($skip) {
        if (%s -contains $last) {
            %s | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
                [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
            }
        }
        return
    }
    $offered[$path] | Where-Object { $_[0] -like "$wordToComplete*" -and ($wordToComplete.StartsWith('-') -or -not $_[0].StartsWith('-')) } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])
    }
}
`, psList(withValue(all)), psList(valued(all, valueFormat)), psList(formNames()))
	return b.String()
}
