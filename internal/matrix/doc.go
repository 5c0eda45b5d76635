// Package matrix has tests alone: a table of leaks and, for each, the same code without the leak.
//
// Every scenario runs in a process of its own, because what one leaks the next would hold. The test binary starts itself
// again with the scenario's name in the environment; the child runs one test with leakcheck.Verify as its first line, or,
// for the second table, three tests under leakcheck.Main. The parent reads the report: one entry, of the right kind, at the
// right line, and nothing at all for the clean twin.
//
//	go test ./internal/matrix
//	LEAKGATE_MATRIX=http LEAKGATE_MATRIX_RUNS=50 go test -timeout=1h ./internal/matrix    # a part of it, 50 times each
package matrix
