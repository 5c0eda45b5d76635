package codes

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:generate go test -run ^TestTable$ . -update

// Page is where the codes are explained.
const Page = "https://github.com/leakgate/leakgate/blob/main/docs/codes.md"

// Code is one code of a leak.
type Code struct {
	ID       string   // "LK001"
	Short    string   // a noun phrase without a full stop, plain text: "a response body that was never closed, and holds its connection"
	Full     string   // the first paragraph of its explanation, plain text, in one line
	Markdown string   // its whole explanation as GitHub's Markdown, with absolute links, without a heading
	Packages []string // that report it, from the module's root: "leakcheck"
	Tags     []string // what it is about: "leak" or "budget", and such as "http", "database"
}

// URL is the explanation on the web.
func (c *Code) URL() string { return Page + "#" + strings.ToLower(c.ID) }

// Name is a name of the code without spaces, for programs that want one: "ResponseBodyHeld".
func (c *Code) Name() string { return names[c.ID] }

// Plain is Markdown without its marks, as text.
func (c *Code) Plain() string { return plain(c.Markdown) }

// All gives every code, sorted.
func All() []Code { return slices.Clone(table) }

// Find gives the code; false for one that is not ours, as a probe of the user's own may give.
func Find(id string) (Code, bool) {
	i, ok := index()[id]
	if !ok {
		return Code{}, false
	}
	return table[i], true
}

var index = sync.OnceValue(func() map[string]int {
	out := make(map[string]int, len(table))
	for i, c := range table {
		out[c.ID] = i
	}
	return out
})

var link = regexp.MustCompile(`\[([^]]+)\]\([^)]*\)`)

// plain takes links and marks of code out of Markdown.
func plain(markdown string) string {
	return strings.ReplaceAll(link.ReplaceAllString(markdown, "$1"), "`", "")
}

// tags says what a code is about.
func tags(id string) []string {
	out := []string{"leak"}
	switch {
	case slices.Contains(budgets, id):
		out[0] = "budget"
	case id == `LK901`:
		return []string{"configuration"}
	}
	switch {
	case strings.HasPrefix(id, `LK0`):
		out = append(out, "http", "connection")
	case id == `LK101`:
		out = append(out, "http", "goroutine")
	case strings.HasPrefix(id, `LK1`):
		out = append(out, "goroutine")
	case strings.HasPrefix(id, `LK22`):
		out = append(out, "database", "connection", "pgx")
	case strings.HasPrefix(id, `LK2`):
		out = append(out, "database", "connection")
	case id == `LK303`:
		out = append(out, "file")
	case strings.HasPrefix(id, `LK3`):
		out = append(out, "socket", "connection")
	case strings.HasPrefix(id, `LK4`):
		out = append(out, "process")
	case id == `LK605`:
		out = append(out, "socket", "connection")
	case id == `LK606` || id == `LK607`:
		out = append(out, "startup")
	case strings.HasPrefix(id, `LK6`):
		out = append(out, "exhaustion")
	}
	return out
}

// budgets are limits that the user set: nothing need be left when they are passed.
var budgets = []string{
	`LK004`, `LK005`, `LK011`, `LK012`, `LK013`, `LK211`, `LK212`, `LK213`, `LK214`, `LK215`, `LK216`, `LK217`,
	`LK602`, `LK603`, `LK604`, `LK605`, `LK606`, `LK607`,
}

var names = map[string]string{
	`LK001`: "ResponseBodyHeld",
	`LK002`: "ResponseBodyNotClosed",
	`LK003`: "TransportPerCall",
	`LK004`: "LimitPassed",
	`LK005`: "HighWaterPassed",
	`LK011`: "TooManyResponsesOut",
	`LK012`: "ConnectionsNotReused",
	`LK013`: "BodyClosedEarly",
	`LK021`: "ConnectionHeldByClient",
	`LK022`: "ConnectionSeemsHeldByClient",
	`LK101`: "ServerNotShutDown",
	`LK102`: "GoroutineNotEnded",
	`LK201`: "DBNotClosed",
	`LK202`: "TxNotEnded",
	`LK203`: "RowsNotClosed",
	`LK204`: "ConnNotGivenBack",
	`LK205`: "StmtNotClosed",
	`LK206`: "RowNotScanned",
	`LK207`: "ConnCloseBlocked",
	`LK208`: "SessionLeftOnServer",
	`LK211`: "ConnHeldTooLong",
	`LK212`: "TooManyConnsOpen",
	`LK213`: "PoolConnsNotReused",
	`LK214`: "PoolNearlyExhausted",
	`LK215`: "CallWhileConnHeld",
	`LK216`: "NestedLease",
	`LK217`: "ServerTooSmall",
	`LK221`: "PgxPoolNotClosed",
	`LK222`: "PgxTxNotEnded",
	`LK223`: "PgxRowsNotClosed",
	`LK224`: "PgxConnNotReleased",
	`LK225`: "PgxBatchNotClosed",
	`LK226`: "PgxRowNotScanned",
	`LK227`: "PgxPoolCloseBlocked",
	`LK228`: "PgxConnReleasedDirty",
	`LK229`: "PgxConnNotClosed",
	`LK301`: "SocketNotClosed",
	`LK302`: "ListenerNotClosed",
	`LK303`: "FileNotClosed",
	`LK401`: "ProcessNotWaitedFor",
	`LK501`: "ProbeFoundLeak",
	`LK601`: "GrowsWithEveryRun",
	`LK602`: "CeilingPassed",
	`LK603`: "PoolExhausted",
	`LK604`: "HeldForLong",
	`LK605`: "AddressNotAllowed",
	`LK606`: "StartHangs",
	`LK607`: "StartSaysNothing",
	`LK901`: "WrongOption",
}
