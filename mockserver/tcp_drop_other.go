//go:build !linux && !darwin && !netbsd && !openbsd

package mockserver

import (
	"fmt"
	"runtime"
)

func holdDropping() (addr string, free func(), err error) {
	return "", nil, fmt.Errorf("%w on %s", errCannotDrop, runtime.GOOS)
}
