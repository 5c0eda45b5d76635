package agent

// proved is what is said of something that was lent when the garbage collector has found that nothing refers to it: neither
// a variable, nor a goroutine, nor a finalizer that could still give it back. What else may end it is said after it.
//
// It is never said where the standard library itself refers to what the code was given: a transaction, and rows whose context
// can end, have a goroutine that waits; a pool knows its statements and their rows; an HTTP/2 stream that is open knows its body;
// and from Go 1.27 on, net/http's goroutine that waits for the end of a body over HTTP/1 drains it.
const proved = "proved: no code can release it any more"
