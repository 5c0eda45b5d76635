// Package leakgate holds the sources that deep mode (leakgate test) builds into test binaries. There is nothing to import here:
// the harness is in package leakcheck, and the program in cmd/leakgate.
package leakgate

import (
	"embed"

	"github.com/leakgate/leakgate/internal/deep"
)

// A package can embed only what lies below it, and the sources are those of packages side by side. Which of them the agent is
// made of follows from what they import.
//
//go:embed leakcheck/*.go fragment/*.go internal/*/*.go internal/*/*.s internal/deep/*/*.go
var sources embed.FS

func init() { deep.Sources = sources }
