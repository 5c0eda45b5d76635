package verdict

import (
	"maps"
	"slices"

	"github.com/leakgate/leakgate/fragment"
)

// Thin gives at most n samples (and never fewer than the first and the last) that show the same picture: the highest and the
// lowest of each count are among them, over the whole time and, as far as n allows, in each part of it. The samples are those
// of the series, in its order; nothing is averaged.
func (s *Series) Thin(n int) []fragment.Sample {
	n = max(n, 2)
	if len(s.Samples) <= n {
		return s.Samples
	}
	counts := s.counts()
	keep := map[int]bool{0: true, len(s.Samples) - 1: true}
	for _, count := range counts { // over the whole time, in an order in which the most telling come first
		lowest, highest := extremes(count, 0, len(count))
		for _, i := range []int{highest, lowest} {
			if len(keep) < n {
				keep[i] = true
			}
		}
	}
	// As many parts as there is room for: mostly one sample is the extreme of several counts, so that it is tried.
	best := keep
	for low, high := 1, n; low <= high; {
		parts := (low + high) / 2
		tried := maps.Clone(keep)
		for part := range parts {
			from, to := part*len(s.Samples)/parts, (part+1)*len(s.Samples)/parts
			for _, count := range counts {
				lowest, highest := extremes(count, from, to)
				tried[lowest], tried[highest] = true, true
			}
		}
		if len(tried) <= n {
			best, low = tried, parts+1
		} else {
			high = parts - 1
		}
	}
	out := make([]fragment.Sample, 0, len(best))
	for _, i := range slices.Sorted(maps.Keys(best)) {
		out = append(out, s.Samples[i])
	}
	return out
}

// counts gives what is counted, each over the whole time: sockets, goroutines, the leases of each pool and the sockets in each
// state, by their names, and where they are known descriptors and the heap.
func (s *Series) counts() [][]int {
	at := make(map[string]int)
	for i := range s.Samples {
		for name := range s.Samples[i].Leased {
			at[name] = 0
		}
	}
	out := make([][]int, 2+len(at))
	for i := range out {
		out[i] = make([]int, len(s.Samples))
	}
	for i, name := range slices.Sorted(maps.Keys(at)) {
		at[name] = 2 + i
	}
	for i := range s.Samples {
		out[0][i], out[1][i] = s.Samples[i].Sockets, s.Samples[i].Goroutines
		for name, n := range s.Samples[i].Leased {
			out[at[name]][i] = n
		}
	}
	return append(out, s.laterCounts()...)
}

// laterCounts gives what fragments of earlier versions do not have.
func (s *Series) laterCounts() (out [][]int) {
	states := make(map[string][]int)
	fds, heap := make([]int, len(s.Samples)), make([]int, len(s.Samples))
	anyFDs, anyHeap := false, false
	for i := range s.Samples {
		m := &s.Samples[i]
		for name, n := range m.States {
			if states[name] == nil {
				states[name] = make([]int, len(s.Samples))
			}
			states[name][i] = n
		}
		fds[i], heap[i] = m.FDs, int(m.HeapInUse>>10)
		anyFDs, anyHeap = anyFDs || m.FDs > 0, anyHeap || m.HeapInUse > 0
	}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		out = append(out, states[name])
	}
	if anyFDs {
		out = append(out, fds)
	}
	if anyHeap {
		out = append(out, heap)
	}
	return out
}

// extremes gives where the first lowest and the first highest count between from and to are, which are not the same index.
func extremes(count []int, from, to int) (lowest, highest int) {
	lowest, highest = from, from
	for i := from + 1; i < to; i++ {
		if count[i] < count[lowest] {
			lowest = i
		}
		if count[i] > count[highest] {
			highest = i
		}
	}
	return lowest, highest
}
