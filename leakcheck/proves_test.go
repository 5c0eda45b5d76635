package leakcheck_test

import "runtime/pprof"

// proves says whether the runtime has the goroutineleak profile.
var proves = pprof.Lookup("goroutineleak") != nil
