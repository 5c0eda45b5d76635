//go:build leakgate_deep

package callsite

import (
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// overlaid is the folder of the standard library as the packages have it that an overlay was put over, this one among them. Where
// that was done under another name of the installation, the rest may be compiled under its own name, and be in the build cache.
var overlaid = sync.OnceValue(func() string {
	_, file, _, _ := runtime.Caller(0)
	root, _, ok := strings.Cut(filepath.ToSlash(file), "internal/leakgate/callsite/")
	if !ok {
		return ""
	}
	return root
})
