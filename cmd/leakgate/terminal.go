package main

import (
	"os"
	"runtime"
	"strings"
	"unicode/utf8"
)

// width is how many columns the output keeps to.
const width = 100

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// wantsColour follows https://no-color.org. The old console of Windows shows escape sequences as they are.
func wantsColour(getenv func(string) string) bool {
	if getenv("NO_COLOR") != "" {
		return false
	}
	return runtime.GOOS != "windows" || getenv("WT_SESSION") != "" || getenv("TERM") != ""
}

const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (c console) paint(code, text string) string {
	if !c.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// wrap breaks a line at spaces so that it keeps to the width; the rest is indented by hang.
func wrap(line string, hang int) []string {
	var out []string
	for utf8.RuneCountInString(line) > width {
		runes := []rune(line)
		at := -1
		for i := width; i > hang; i-- {
			if runes[i] == ' ' {
				at = i
				break
			}
		}
		if at < 0 || strings.TrimSpace(string(runes[:at])) == "" {
			break // one word that is longer than a line
		}
		out = append(out, strings.TrimRight(string(runes[:at]), " "))
		line = strings.Repeat(" ", hang) + strings.TrimLeft(string(runes[at:]), " ")
	}
	return append(out, line)
}
