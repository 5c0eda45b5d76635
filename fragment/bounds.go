package fragment

// maxCount is the most that a reader takes of one number. A process never has so many of anything; sums of such numbers
// still are no overflow, by which many leaks would look like none.
const maxCount = 1 << 30

// maxBytes is the most that a reader takes of a size in bytes: a pebibyte.
const maxBytes = 1 << 50

// bound brings the numbers of a record that was read between -1, which some use for "not known", and maxCount.
func (r *record) bound() {
	if t := r.Test; t != nil {
		t.Goroutines.bound()
		t.Sockets.bound()
		for i := range t.Pools {
			p := &t.Pools[i]
			clamp(&p.Size, &p.Requests, &p.Peak, &p.Dialed, &p.Reused, &p.Early)
		}
	}
	if l := r.Leak; l != nil {
		clamp(&l.Count, &l.Allowed, &l.Site.Line)
		for i := range l.Stack {
			clamp(&l.Stack[i].Line)
		}
	}
	if r.Ignored != nil {
		clamp(&r.Ignored.Count)
	}
	for i := range r.Samples {
		s := &r.Samples[i]
		clamp(&s.Goroutines, &s.Sockets, &s.FDs)
		s.HeapInUse = max(0, min(s.HeapInUse, maxBytes))
		for _, by := range []map[string]int{s.Leased, s.States} {
			for name, n := range by {
				clamp(&n)
				by[name] = n
			}
		}
	}
}

func (p *Peak) bound() { clamp(&p.Before, &p.After, &p.Most) }

func clamp(numbers ...*int) {
	for _, n := range numbers {
		*n = max(-1, min(*n, maxCount))
	}
}
