// Package fragment has what one test binary writes down when LEAKGATE_REPORT names a folder: which tests ran, what each of
// them leaked and used, and what was ignored and why. The command "leakgate report" merges the fragments of many packages,
// shards and machines; Read and ReadDir are for programs of your own.
//
//	LEAKGATE_REPORT=leaks go test -count=1 ./...
//	go run github.com/leakgate/leakgate/cmd/leakgate@latest report leaks
//
// # The file
//
// A fragment is one JSON document, {"leakgate":"fragment","version":1, ...header..., "records":[ ... ]}. Each record is an
// object with one member, which says what it is: {"test":{...}}, {"leak":{...}}, {"ignored":{...}}, {"samples":[...]} or
// {"end":{...}}. A record is added with one write as soon as it is known, and the document is whole after each: a test that
// panics, or a process that is killed, loses nothing that was recorded, and its fragment has no end record.
//
// Version is raised when a reader of the version before would misread the file. New members and new kinds of records do not
// raise it: a reader leaves out what it does not know.
//
// Nothing secret is in it: query values, passwords in addresses and data source names, header values and literals of SQL
// statements are masked before they are written.
package fragment

import "time"

// Version is the version of the format that this package writes and reads.
const Version = 1

// Fragment is what one process wrote.
type Fragment struct {
	Header
	Tests   []Test
	Leaks   []Leak
	Ignored []Ignored
	Samples []Sample
	End     *End // nil when the process ended without saying so: it was killed, it panicked, or it has no leakcheck.Main

	// File is where ReadFile and ReadDir found it; "" from Read.
	File string
}

// Header says which process it was.
type Header struct {
	Module    string    `json:"module,omitempty"`     // path of the main module, "example.com/shop"; "" when it is not known
	Package   string    `json:"package"`              // import path of the package that was tested, "example.com/shop/store"
	Dir       string    `json:"dir,omitempty"`        // the package's folder from the module's root, with slashes; "." for the root
	ModuleDir string    `json:"module_dir,omitempty"` // the module's root from the repository's root (.git), with slashes; "." when they are one; "" when it is not known
	GoVersion string    `json:"go"`                   // runtime.Version
	GOOS      string    `json:"goos"`
	GOARCH    string    `json:"goarch"`
	PID       int       `json:"pid"`
	Began     time.Time `json:"began"`
	Main      bool      `json:"main"`               // leakcheck.Main or leakgate test runs the tests: those that do not call Verify are listed too
	Deep      bool      `json:"deep,omitempty"`     // leakgate test runs them
	Short     bool      `json:"short,omitempty"`    // -short
	Filtered  bool      `json:"filtered,omitempty"` // -run or -skip: other tests of the package did not run
	Baseline  string    `json:"baseline,omitempty"` // the baseline that was read, from the module's root; "" for none, "off" when it was turned off
	// BaselineError says why the baseline could not be used; "" when it could or there is none.
	BaselineError string `json:"baseline_error,omitempty"`
}

// Results of a test.
const (
	Passed  = "passed"
	Failed  = "failed" // by itself
	Leaked  = "leaked" // failed, because of what it leaked alone
	Skipped = "skipped"
)

// Test is one test that ran, or one subtest that calls Verify, and what it used. A test that ran more than once (-count) is
// there once for each run.
type Test struct {
	Name   string        `json:"name"`   // as testing has it, "TestClient/403"
	Result string        `json:"result"` // Passed, Failed, Leaked or Skipped
	Began  time.Time     `json:"began"`
	Took   time.Duration `json:"took"` // in nanoseconds

	Goroutines Peak   `json:"goroutines"`
	Sockets    Peak   `json:"sockets"`
	Pools      []Pool `json:"pools,omitempty"` // exact, not sampled
}

// Peak is how many of something there were in the process: when the test began, when it ended, and at most in between as
// far as samples show. Other tests that ran meanwhile count too.
type Peak struct {
	Before int `json:"before"`
	After  int `json:"after"`
	Most   int `json:"most"`
}

// Pool is what a test used of one pool of connections.
type Pool struct {
	Kind     string  `json:"kind"`           // "http-conn", "sql-conn", "pgx-conn" or a probe's own
	Name     string  `json:"name"`           // what a reader calls the pool
	Size     int     `json:"size,omitempty"` // most connections that it keeps or lends; 0 when there is no limit or it is not known
	Requests int     `json:"requests"`
	Peak     int     `json:"peak"` // most leases out at one moment
	Dialed   int     `json:"dialed"`
	Reused   int     `json:"reused"`
	Early    int     `json:"closed_early,omitempty"`
	Limit    float64 `json:"limit,omitempty"` // share of Size that leakcheck.HighWater allowed; 0 for none
}

// What became of a leak.
const (
	Fatal   = "failed"  // it failed the test, or the run
	Known   = "known"   // the baseline has it
	Excused = "excused" // the test failed by itself, so that it was told and not judged
	Noted   = "noted"   // nothing is held now: it was logged
)

// Leak is one root cause in one test.
type Leak struct {
	Kind        string        `json:"kind"`
	Code        string        `json:"code"`
	Class       string        `json:"class,omitempty"` // what sort of resource, without address or number
	Fingerprint string        `json:"fingerprint"`
	Test        string        `json:"test,omitempty"`     // "" when it is not known
	Suspects    []string      `json:"suspects,omitempty"` // tests that could have, when Test is not known
	Outcome     string        `json:"outcome"`            // Fatal, Known, Excused or Noted
	Expired     string        `json:"expired,omitempty"`  // the date, as the baseline has it, from which on its entry hides no more
	Allowed     int           `json:"allowed,omitempty"`  // how many the baseline allows; 0 when it has no entry
	Summary     string        `json:"summary"`
	Count       int           `json:"count"`
	Site        Frame         `json:"site"`              // the line to blame; zero when it is not known
	Example     bool          `json:"example,omitempty"` // Site is one place of several
	Role        string        `json:"role,omitempty"`    // what happened at Site: "taken at", "started at"
	Stack       []Frame       `json:"stack,omitempty"`   // the user's frames, innermost first
	State       string        `json:"state,omitempty"`
	Why         string        `json:"why,omitempty"`
	Holds       []string      `json:"holds,omitempty"`
	Hint        string        `json:"hint,omitempty"`
	Likely      bool          `json:"likely,omitempty"`  // Hint is likely, not certain
	Unknown     string        `json:"unknown,omitempty"` // why Site is not known, and how to get it
	Waited      time.Duration `json:"waited,omitempty"`  // how long it was waited for, in nanoseconds
	At          time.Time     `json:"at"`                // when it was found
}

// Frame is one call.
type Frame struct {
	Func   string `json:"func,omitempty"`   // package path and function
	File   string `json:"file,omitempty"`   // from the root of the main module, with slashes, when it is in it (InModule); else as module@version/file or as the compiler has it
	Line   int    `json:"line,omitempty"`   // from 1
	Source string `json:"source,omitempty"` // the text of the line
	// InModule says that File is a path from the root of the main module.
	InModule bool `json:"in_module,omitempty"`
}

// Ignored is what an Ignore or Goleak option set aside in one test.
type Ignored struct {
	Test   string `json:"test,omitempty"`
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Sample is what the process held at one moment.
type Sample struct {
	At         time.Time      `json:"at"`
	Goroutines int            `json:"goroutines"`
	Sockets    int            `json:"sockets"`          // -1 when they cannot be counted
	Leased     map[string]int `json:"leased,omitempty"` // connections out, by the pool's name; pools with none are left out

	// What follows is not in fragments of earlier versions.
	States    map[string]int `json:"states,omitempty"`      // Sockets by state, as netstat names it: "CLOSE_WAIT"; nil when it is not known
	FDs       int            `json:"fds,omitempty"`         // open file descriptors; 0 or -1 when it is not known
	HeapInUse int64          `json:"heap_in_use,omitempty"` // bytes, as runtime.MemStats.HeapInuse counts them; 0 when it is not known
}

// End says how the run ended.
type End struct {
	At   time.Time `json:"at"`
	Code int       `json:"code"` // the exit code
	// Stopped says that -failfast ended the run at a test that failed: the tests after it did not run.
	Stopped bool `json:"stopped,omitempty"`
	// Unused are ignores that matched nothing in a whole run.
	Unused []string `json:"unused,omitempty"`
}
