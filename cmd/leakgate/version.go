package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

const versionUsage = `usage: leakgate version

Prints the version of this program, the Go version that built it, and the system that it runs on.
`

func versionCommand(_ context.Context, args []string, c console) int {
	if wantsHelp(args) {
		fmt.Fprint(c.out, versionUsage)
		return exitOK
	}
	if len(args) > 0 {
		fmt.Fprintf(c.err, "leakgate version: takes no arguments\n")
		return exitUsage
	}
	version := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	fmt.Fprintf(c.out, "leakgate %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitOK
}
