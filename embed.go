// Package leakgate holds the sources that deep mode (leakgate test) builds into test binaries. There is nothing to import here:
// the harness is in package leakcheck, and the program in cmd/leakgate.
package leakgate

import (
	"embed"

	"github.com/leakgate/leakgate/internal/deep"
)

// A package can embed only what lies below it, and the sources are those of packages side by side.
//
//go:embed leakcheck/*.go fragment/*.go
//go:embed internal/baseline/*.go internal/callsite/*.go internal/callstack/*.go internal/callstack/*.s internal/dbpool/*.go
//go:embed internal/dbuse/*.go internal/fold/*.go internal/goroutine/*.go internal/goroutine/*.s internal/label/*.go
//go:embed internal/label/*.s internal/lease/*.go internal/origin/*.go internal/process/*.go internal/redact/*.go
//go:embed internal/report/*.go internal/socket/*.go internal/sqltext/*.go
//go:embed internal/deep/agent/*.go internal/deep/goleak/*.go internal/deep/hook/*.go internal/deep/mode/*.go internal/deep/roundtrip/*.go
var sources embed.FS

func init() { deep.Sources = sources }
