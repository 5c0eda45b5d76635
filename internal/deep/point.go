package deep

import "slices"

// A point is one place of the standard library where the hooks go in: a function that is told from when it begins, or that
// a function of the same name and signature is put around. It is found by its name, and left as it is where its signature is
// another than the one that the code of the hook was written for.
type point struct {
	pkg  string // "net/http"
	name string // "(*Transport).RoundTrip", or the name of a struct type

	// types are those of the parameters and results, as gofmt prints them without names: "(string, bool) error".
	types string

	// One of these is the code. In it, recv, p0, p1... stand between @ signs for the receiver and the parameters, @orig@ is
	// the function itself.
	enter string // statements at its beginning, on one line
	wrap  string // the body of the function around it
	field string // a field more, for a struct type

	tail    string   // declarations more, at the end of the file
	imports []string // what the code needs besides the hooks
	sees    string   // what is not seen where the point is missing
}

// agentImport is where the agent is.
const agentImport = inStd + "/deep/agent"

// points are all of them.
var points = slices.Concat(testPoints, allocationPoints, oncePoints, poolPoints, descriptorPoints, processPoints, dialPoints, httpPoints, serverPoints, sqlPoints)
