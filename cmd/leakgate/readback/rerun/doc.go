// Package rerun runs a suite that leaks under gotestsum, which runs failed tests again, and reads what is left of it. It has
// tests alone.
package rerun
