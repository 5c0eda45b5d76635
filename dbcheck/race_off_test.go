//go:build !race

package dbcheck_test

const raceEnabled = false
