//go:build !unix

package mockserver

import "errors"

func pipe(string) error { return errors.ErrUnsupported }
