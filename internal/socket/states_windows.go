package socket

// States counts the sockets that the process has open by their state, which are named as in Socket, and gives how many there
// are. It reads the machine's tables once.
func (c *Census) States(by map[string]int, _ int) (n int, err error) {
	err = c.each(func(s Socket) {
		by[stateOrUnknown(s.State)]++
		n++
	})
	return n, err
}
