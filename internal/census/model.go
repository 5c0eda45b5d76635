// Package census has the document that leakcheck.Handler answers with: what a process holds at one moment, as JSON and as
// text, and what changed between two moments. docs/handler-json.md describes it.
//
// It knows nothing of HTTP or of tests: leakcheck fills it, and reads it on the other side.
package census

import "time"

// Name is what the document says it is.
const Name = "census"

// Version is raised when an old reader would misread the document.
const Version = 1

// Answer is the document.
type Answer struct {
	Leakgate   string        `json:"leakgate"`
	Version    int           `json:"version"`
	Moment     string        `json:"moment"`
	At         time.Time     `json:"at"`
	Age        time.Duration `json:"age"`
	Process    Process       `json:"process"`
	Counts     Counts        `json:"counts"`
	Leases     *Leases       `json:"leases,omitempty"`
	Goroutines *Goroutines   `json:"goroutines,omitempty"`
	Sockets    *Sockets      `json:"sockets,omitempty"`
	Databases  []Database    `json:"databases,omitempty"`
	Probes     []Probe       `json:"probes,omitempty"`
	Children   []string      `json:"children,omitempty"`
	Ignored    []Ignored     `json:"ignored,omitempty"`
	Unseen     []string      `json:"unseen,omitempty"`
	Since      *Diff         `json:"since,omitempty"`
}

// Process says which process it is.
type Process struct {
	ID     string    `json:"id"`
	PID    int       `json:"pid"`
	Module string    `json:"module,omitempty"`
	Go     string    `json:"go"`
	GOOS   string    `json:"goos"`
	GOARCH string    `json:"goarch"`
	Began  time.Time `json:"began"`
}

// Counts are the totals. Those that are not known are -1.
type Counts struct {
	Goroutines int            `json:"goroutines"`
	Sockets    int            `json:"sockets"`
	States     map[string]int `json:"states,omitempty"`
	Leased     int            `json:"leased"`
	Pools      map[string]int `json:"pools,omitempty"`
	Children   int            `json:"children"`
}

// Leases are what tracked pools have lent out.
type Leases struct {
	Last    uint64  `json:"last"`
	Held    int     `json:"held"`
	Pools   []Pool  `json:"pools,omitempty"`
	Groups  []Lease `json:"groups,omitempty"`
	LeftOut int     `json:"left_out,omitempty"`
}

// Pool is one pool that lends.
type Pool struct {
	Kind    string        `json:"kind"`
	Name    string        `json:"name"`
	Size    int           `json:"size,omitempty"`
	Leased  int           `json:"leased"`
	Peak    int           `json:"peak"`
	Longest time.Duration `json:"longest,omitempty"`
}

// Lease is what one pool has lent to one line.
type Lease struct {
	Key     string        `json:"key"`
	Kind    string        `json:"kind"`
	Code    string        `json:"code"`
	Pool    string        `json:"pool"`
	Summary string        `json:"summary"`
	Count   int           `json:"count"`
	Oldest  time.Duration `json:"oldest"`
	Newest  time.Duration `json:"newest"`
	Site    Frame         `json:"site"`
	Stack   []Frame       `json:"stack,omitempty"`
	State   string        `json:"state,omitempty"`
	Note    string        `json:"note,omitempty"`
	Hint    string        `json:"hint,omitempty"`
}

// Goroutines are the goroutines by what they do.
type Goroutines struct {
	Listed  bool          `json:"listed"`
	Age     time.Duration `json:"age"`
	Idle    int           `json:"idle"`
	Groups  []Goroutine   `json:"groups,omitempty"`
	LeftOut int           `json:"left_out,omitempty"`
}

// Goroutine is goroutines with one stack.
type Goroutine struct {
	Key      string  `json:"key"`
	Count    int     `json:"count"`
	Role     string  `json:"role"`
	State    string  `json:"state,omitempty"`
	Function string  `json:"function"`
	Site     Frame   `json:"site"`
	Stack    []Frame `json:"stack,omitempty"`
}

// Sockets are the sockets by state and peer.
type Sockets struct {
	Groups  []Socket `json:"groups,omitempty"`
	LeftOut int      `json:"left_out,omitempty"`
}

// Socket is sockets of one state to one peer.
type Socket struct {
	Key    string `json:"key"`
	Count  int    `json:"count"`
	Family string `json:"family"`
	State  string `json:"state,omitempty"`
	Local  string `json:"local,omitempty"`
	Remote string `json:"remote,omitempty"`
}

// Database is one tracked pool of connections to a database that is open.
type Database struct {
	Name   string `json:"name,omitempty"`
	Driver string `json:"driver,omitempty"`
	Open   int    `json:"open"`
	Site   Frame  `json:"site"`
}

// Probe is what a probe of the program's own lists.
type Probe struct {
	Kind string `json:"kind"`
	Held int    `json:"held"`
}

// Ignored counts what one rule set aside.
type Ignored struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Frame is one call.
type Frame struct {
	Func   string `json:"func,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Source string `json:"source,omitempty"`
}

// Diff is what changed since another moment.
type Diff struct {
	Moment  string        `json:"moment"`
	Ago     time.Duration `json:"ago"`
	Changes []Change      `json:"changes,omitempty"`
	LeftOut int           `json:"left_out,omitempty"`
	Missing []string      `json:"missing,omitempty"`
}

// Change is a group that is new or gone, that grew or shrank.
type Change struct {
	Of     string `json:"of"`
	Change string `json:"change"`
	Key    string `json:"key"`
	Name   string `json:"name"`
	Site   Frame  `json:"site"`
	Before int    `json:"before"`
	Now    int    `json:"now"`
	Fresh  int    `json:"fresh,omitempty"`
	Idle   bool   `json:"idle,omitempty"`
}

// What a Change may be of, and what it may be.
const (
	OfLease     = "lease"
	OfGoroutine = "goroutine"
	OfSocket    = "socket"
	OfChild     = "child"

	IsNew  = "new"
	IsGone = "gone"
	Grew   = "grew"
	Shrank = "shrank"
)
