package dbcheck_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/dbcheck"
)

type stateError string

func (e stateError) Error() string    { return "SQLSTATE " + string(e) }
func (e stateError) SQLState() string { return string(e) }

// otherNumber is an error of another database, with a number of another meaning.
type otherNumber struct{ Number int32 }

func (otherNumber) Error() string { return "mssql" }

// endless wraps itself.
type endless struct{}

func (e endless) Error() string { return "again" }
func (e endless) Unwrap() error { return e }

// angry does not like to be asked.
type angry struct{ p *stateError }

func (e *angry) Error() string    { return "angry" }
func (e *angry) SQLState() string { return string(*e.p) }

func TestExhausted(t *testing.T) {
	full := stateError("53300")
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"nil":                        {nil, false},
		"another error":              {errors.New("remaining connection slots are reserved, SQLSTATE 53300, Error 1040"), false},
		"SQLSTATE 53300":             {full, true},
		"another SQLSTATE":           {stateError("53200"), false},
		"wrapped":                    {fmt.Errorf("failed to connect to `host`: %w", full), true},
		"second of several":          {errors.Join(stateError("28P01"), fmt.Errorf("next: %w", full)), true},
		"deep in several":            {fmt.Errorf("all failed: %w", errors.Join(errors.New("x"), errors.Join(errors.New("y"), full))), true},
		"1040":                       {&mysqlFakeError{Number: 1040}, true},
		"1040, wrapped":              {fmt.Errorf("open: %w", &mysqlFakeError{Number: 1040}), true},
		"1203":                       {&mysqlFakeError{Number: 1203}, true},
		"1045, access denied":        {&mysqlFakeError{Number: 1045}, false},
		"a nil pointer":              {(*mysqlFakeError)(nil), false},
		"a number of another server": {otherNumber{1203}, false},
		"one that panics":            {errors.Join(&angry{}, full), true},
		"one that panics, alone":     {&angry{}, false},
		"one that wraps itself":      {endless{}, false},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, dbcheck.Exhausted(c.err)) })
	}
}
