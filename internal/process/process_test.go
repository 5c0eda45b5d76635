package process

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestString(t *testing.T) {
	for want, c := range map[string]Child{
		"process 7 sleep (1 argument), sleeping, started 1.2s ago": {Ref: Ref{PID: 7}, Name: "sleep", Args: 1,
			State: "sleeping", Age: 1200 * time.Millisecond},
		"process 7 sh (3 arguments), exited and not waited for": {Ref: Ref{PID: 7}, Name: "sh", Args: 3, Exited: true,
			State: "exited"},
		"process 7 true": {Ref: Ref{PID: 7}, Name: "true"},
		"process 7":      {Ref: Ref{PID: 7}, Args: -1},
	} {
		require.Equal(t, want, c.String())
	}
}

func TestErrUnsupported(t *testing.T) {
	require.ErrorIs(t, ErrUnsupported, ErrUnsupported)
	require.ErrorIs(t, fmt.Errorf("x: %w", ErrUnsupported), errors.ErrUnsupported)
	require.Contains(t, ErrUnsupported.Error(), "never waited for")
}

func TestDescribeUnknown(t *testing.T) {
	for _, pid := range []int{-1, 0, 1, 1 << 30} {
		_, ok := Describe(Ref{ID: 1, PID: pid})
		require.False(t, ok)
	}
}
