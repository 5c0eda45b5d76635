// Package survival has tests alone: they build one module of leaking tests in many ways, and hold that each leak has the same
// fingerprint in all of them, byte for byte. Edits move the code, rename its files and subtests and put closures above others;
// builds differ in the Go version, -trimpath, -race, -cover, what is inlined, and whether dependencies are vendored.
//
//	LEAKGATE_SURVIVAL=each go test ./internal/survival     every change by itself, and not the compatible ones together
//
// With LEAKGATE_REQUIRE_SERVICES=1 a Go version that cannot be had fails the test; else its part is skipped.
package survival
