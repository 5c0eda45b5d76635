// Package mode is what leakgate test tells the agent in the test binaries, by the environment.
package mode

// The variables.
const (
	// Env switches the agent on, see On.
	Env = "LEAKGATE_DEEP"
	// Kinds are the kinds to look at, separated by commas; empty for all.
	Kinds = "LEAKGATE_DEEP_KINDS"
	// Warn, when it is not empty, makes leaks be told and not fail.
	Warn = "LEAKGATE_DEEP_WARN"
	// Leaks, when it is not empty, names a folder that each leak is written to, for -json.
	Leaks = "LEAKGATE_DEEP_LEAKS"
	// Dials are the patterns of the addresses that may be dialled, one a line; empty when any may.
	Dials = "LEAKGATE_DEEP_DIALS"
)

// What Env is set to. A process that a test starts finds Child: it is no test, also when it is the test binary once more.
const (
	On    = "on"
	Child = "child"
)
