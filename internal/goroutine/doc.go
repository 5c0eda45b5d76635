// Package goroutine takes the stacks of all goroutines, lists them cheaply, and says what each one is.
//
// The work is split by what it costs. Dump takes the text from the runtime. Scan reads the headers alone and
// allocates nothing: it is what a passing test pays for. Parse reads one goroutine in full and Classify gives its
// Role; they are for goroutines that the scan found to be new.
//
// The text is made for people and changes between Go versions, so everything here is tolerant: what cannot be read
// is handed on as it stands, and no input makes it panic. The grammar of Go 1.25, 1.26 and 1.27 is known, with
// labels in the header where the version has them:
//
//	goroutine 7 [chan receive, 3 minutes, locked to thread]:
//	goroutine 7 [select (durable), synctest bubble 2]:
//	goroutine 7 [IO wait labels:{"key": "value"}]:               Go 1.26
//	goroutine 7 [IO wait] {key: value}:                          Go 1.27
//
// The package uses the standard library alone and knows nothing of tests.
package goroutine
