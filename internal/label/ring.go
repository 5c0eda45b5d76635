package label

// ring keeps the last Keep of what is put in. It grows as it is filled: most processes put little in, and what it takes
// up, the garbage collector looks through each time.
type ring[T any] struct {
	all  []T
	next int // the oldest, once there are Keep
}

// put keeps one more, and gives what had to go for it; full is false when nothing had to.
func (r *ring[T]) put(v T) (old T, full bool) {
	if len(r.all) < Keep {
		r.all = append(r.all, v)
		return old, false
	}
	old, r.all[r.next] = r.all[r.next], v
	r.next = (r.next + 1) % Keep
	return old, true
}
