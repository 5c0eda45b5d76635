//go:build !go1.27

package dbcheck

import "database/sql/driver"

// scanning is for drivers that scan by themselves, which there are from Go 1.27 on.
func scanning(*sweptRows) (driver.Rows, bool) { return nil, false }
