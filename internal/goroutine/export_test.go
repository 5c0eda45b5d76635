package goroutine

// WithLabels is what DumpLabels does around a dump.
var WithLabels = withLabels
