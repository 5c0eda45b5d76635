//go:build !linux && !windows

package socket

// States counts the sockets that the process has open by their state, which are named as in Socket, and gives how many there
// are. With more than most sockets it counts them alone.
func (c *Census) States(by map[string]int, most int) (n int, err error) {
	refs, err := c.List(nil)
	if err != nil {
		return 0, err
	}
	if len(refs) > most {
		return len(refs), nil
	}
	for _, r := range refs {
		if s, ok := Describe(r); ok {
			by[stateOrUnknown(s.State)]++
			n++
		}
	}
	return n, nil
}
