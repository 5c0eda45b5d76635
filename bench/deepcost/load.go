package main

import (
	"os"
	"strings"
)

// load says how busy the machine is, where it says so.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	one, _, _ := strings.Cut(string(text), " ")
	return "; load average at the beginning " + one
}
