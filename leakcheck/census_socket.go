package leakcheck

import (
	"slices"
	"sync"

	"github.com/leakgate/leakgate/internal/origin"
	"github.com/leakgate/leakgate/internal/process"
	"github.com/leakgate/leakgate/internal/socket"
)

var (
	sockets  socketCensus
	children childCensus
)

// socketCensus lists the process's own sockets. There is one, because its buffers are reused.
type socketCensus struct {
	mu   sync.Mutex
	c    socket.Census
	refs []socket.Ref

	// When refs were listed, in deep mode alone.
	changes uint64 // see origin.Changes
	open    int    // descriptors that were open; 0 when refs must not be used again
}

// list calls f with every socket; f must not keep the slice.
//
// In deep mode it is known how often a descriptor was opened or closed. When that has not changed since the last listing, and
// the kernel tells of as many as then, the last listing is used again. What that misses is a socket that was opened in a way that
// nobody tells of while another descriptor was closed in such a way: see forget.
func (s *socketCensus) list(f func([]socket.Ref)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, known := origin.Changes()
	open := 0
	if known {
		open = toldDescriptors()
		if open > 0 && open == s.open && changes == s.changes {
			f(s.refs)
			return nil
		}
	}
	s.open = 0
	var err error
	s.refs, err = s.c.List(s.refs[:0])
	if err != nil {
		return err
	}
	s.changes, s.open = changes, open
	f(s.refs)
	return nil
}

// forget makes the next listing ask the kernel about every descriptor.
func (s *socketCensus) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = 0
}

// states counts the sockets that are open now, by state and in all; -1 when they cannot be listed. With more than most of them
// by is nil.
func (s *socketCensus) states(most int) (by map[string]int, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	by = make(map[string]int)
	n, err := s.c.States(by, most)
	if err != nil {
		return nil, -1
	}
	if len(by) == 0 {
		by = nil
	}
	return by, n
}

// keys lists the sockets that are open now, sorted.
func (s *socketCensus) keys() (keys []uint64, err error) {
	err = s.list(func(refs []socket.Ref) {
		keys = make([]uint64, 0, len(refs))
		for _, r := range refs {
			keys = append(keys, r.Key())
		}
	})
	slices.Sort(keys)
	return keys, err
}

// since lists the sockets that are not among the sorted keys.
func (s *socketCensus) since(keys []uint64) (fresh []socket.Ref, err error) {
	err = s.list(func(refs []socket.Ref) {
		for _, r := range refs {
			if _, ok := slices.BinarySearch(keys, r.Key()); !ok {
				fresh = append(fresh, r)
			}
		}
	})
	return fresh, err
}

type childCensus struct {
	mu   sync.Mutex
	c    process.Census
	refs []process.Ref
}

func (s *childCensus) keys() ([]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.refs, err = s.c.List(s.refs[:0]); err != nil || len(s.refs) == 0 {
		return nil, err
	}
	keys := make([]uint64, 0, len(s.refs))
	for _, r := range s.refs {
		keys = append(keys, r.ID)
	}
	slices.Sort(keys)
	return keys, nil
}

func (s *childCensus) since(keys []uint64) ([]process.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.refs, err = s.c.List(s.refs[:0]); err != nil {
		return nil, err
	}
	var fresh []process.Ref
	for _, r := range s.refs {
		if _, ok := slices.BinarySearch(keys, r.ID); !ok {
			fresh = append(fresh, r)
		}
	}
	return fresh, nil
}
