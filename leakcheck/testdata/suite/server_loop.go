package suite

var forever = make(chan int)

// TestServerLoop is a helper with a name like a test's.
func TestServerLoop() { <-forever }
