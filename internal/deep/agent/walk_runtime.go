//go:build leakgate_deep && leakgate_runtime

package agent

import _ "unsafe" // for the linkname

// canWalk says that package runtime has the walk.
const canWalk = true

// reach is in the file that deep mode adds to package runtime.
//
//go:linkname reach runtime.leakgateReach
func reach(skip, barriers, table, roots, queue, asks []uintptr, answers []uint8, gids []uint64, found []uintptr, nanos int64) (objects, nfound, state int)
