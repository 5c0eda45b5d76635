// Package codes knows the codes of docs/codes.md: what each means, how bad it is, and its help.
package codes

// ranks are the codes whose harm is not that of their kind. Lower is worse.
var ranks = map[string]int{
	`LK001`: 10, `LK021`: 11, `LK022`: 65, `LK002`: 70,
	`LK204`: 14, `LK202`: 15, `LK203`: 16, `LK206`: 16, `LK207`: 12, `LK208`: 17,
	`LK224`: 14, `LK222`: 15, `LK223`: 16, `LK225`: 16, `LK226`: 16, `LK227`: 12, `LK228`: 18, `LK229`: 19,
	`LK201`: 20, `LK221`: 20, `LK205`: 25,
	`LK003`: 30,
	`LK216`: 31, `LK215`: 32, `LK214`: 33, `LK005`: 33, `LK212`: 34,
	`LK211`: 35, `LK011`: 35, `LK004`: 36, `LK213`: 37, `LK012`: 37, `LK013`: 38,
	`LK401`: 40, `LK101`: 45, `LK302`: 50, `LK301`: 52, `LK303`: 55, `LK102`: 60,
	`LK601`: 9, `LK603`: 13, `LK217`: 34, `LK605`: 30, `LK606`: 31, `LK607`: 32, `LK602`: 36, `LK604`: 71,
	`LK501`: 20, `LK901`: 5,
}

// kinds are for codes that are not known here: a probe may give its own.
var kinds = map[string]int{
	"http-response": 10, "sql-conn": 14, "sql-tx": 15, "sql-rows": 16, "pgx-conn": 14, "pgx-rows": 16, "sql-stmt": 25,
	"http-conn": 30, "process": 40, "socket": 52, "file": 55, "goroutine": 60,
}

// Rank orders leaks by the harm they do; lower is worse. It is the code's, or of one that is not known the kind's, or that of a
// probe of the user's own, which stands among the database's.
func Rank(code, kind string) int {
	if r, ok := ranks[code]; ok {
		return r
	}
	if r, ok := kinds[kind]; ok {
		return r
	}
	return ranks[`LK501`]
}
