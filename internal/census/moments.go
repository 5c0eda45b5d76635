package census

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Keep is how many moments are remembered.
const Keep = 64

// maxChanges bounds the changes that one answer lists.
const maxChanges = 100

// Moment is what is remembered of a census, to compare a later one with it.
type Moment struct {
	At     time.Time
	Last   uint64            // the highest lease ID
	Listed map[string]bool   // what was listed: OfLease, OfGoroutine, ...
	Groups map[string]*Group // by what it is of and its key
}

// Group is one group of a Moment.
type Group struct {
	Of, Key, Name string
	Site          Frame
	Count         int
	Idle          bool
}

// Add puts a group into the moment.
func (m *Moment) Add(g Group) {
	if m.Groups == nil {
		m.Groups = make(map[string]*Group)
	}
	m.Groups[g.Of+" "+g.Key] = &g
}

// Moments remembers the last moments. The zero value is ready.
type Moments struct {
	mu   sync.Mutex
	next uint64
	ring []kept // the one used longest ago first
}

type kept struct {
	n uint64
	m *Moment
}

var momentID = regexp.MustCompile(`^([0-9a-f]{8})-([1-9][0-9]{0,17})$`)

// Put remembers a moment of the process and names it.
func (r *Moments) Put(process string, m *Moment) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	r.ring = append(r.ring, kept{r.next, m})
	if len(r.ring) > Keep {
		r.ring = slices.Delete(r.ring, 0, len(r.ring)-Keep)
	}
	return process + "-" + strconv.FormatUint(r.next, 10)
}

// Errors of Get, told apart by the status that they are answered with.
type (
	// Malformed is given for what is no name of a moment.
	Malformed struct{ Text string }
	// Expired is given for a moment that is not remembered any more.
	Expired struct{ Text string }
)

func (e *Malformed) Error() string { return e.Text }
func (e *Expired) Error() string   { return e.Text }

// Get finds a moment by its name. One that is asked for is remembered longest.
func (r *Moments) Get(process, id string) (*Moment, error) {
	parts := momentID.FindStringSubmatch(id)
	if parts == nil {
		return nil, &Malformed{"since: this is no name of a moment: give the one that an earlier answer names, such as " + process + "-1"}
	}
	if parts[1] != process {
		return nil, &Expired{"since: the moment " + id + " is of another process: this one is " + process + ", so the program was restarted, or several run behind this address; begin with a new answer"}
	}
	n, _ := strconv.ParseUint(parts[2], 10, 64)
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.ring, func(k kept) bool { return k.n == n })
	if at < 0 && n > r.next {
		return nil, &Malformed{"since: there was no moment " + id + " yet: give the one that an earlier answer names"}
	}
	if at < 0 {
		return nil, &Expired{fmt.Sprintf("since: the moment %s is not remembered any more: the last %d are, and one that is asked for longest; begin with a new answer", id, Keep)}
	}
	k := r.ring[at]
	r.ring = append(slices.Delete(r.ring, at, at+1), k)
	return k.m, nil
}

// Compare says what changed from the moment before to now. fresh gives, for the key of a group of leases, how many were
// taken after the lease with that ID.
func Compare(name string, before, now *Moment, fresh func(key string, after uint64) int) *Diff {
	d := &Diff{Moment: name, Ago: now.At.Sub(before.At)}
	for _, of := range []string{OfLease, OfGoroutine, OfSocket, OfChild} {
		if now.Listed[of] && !before.Listed[of] {
			d.Missing = append(d.Missing, of)
		}
	}
	for key, g := range now.Groups {
		if !before.Listed[g.Of] {
			continue
		}
		c := Change{Of: g.Of, Key: g.Key, Name: g.Name, Site: g.Site, Now: g.Count, Idle: g.Idle, Change: IsNew}
		if b := before.Groups[key]; b != nil {
			c.Before, c.Change = b.Count, Grew
		}
		if g.Of == OfLease {
			c.Fresh = fresh(g.Key, before.Last)
		}
		switch {
		case c.Now == c.Before && c.Fresh == 0:
			continue
		case c.Now < c.Before:
			c.Change = Shrank
		case c.Now == c.Before: // as many, and others
			c.Change = Grew
		}
		d.Changes = append(d.Changes, c)
	}
	for key, g := range before.Groups {
		if now.Groups[key] == nil && now.Listed[g.Of] {
			d.Changes = append(d.Changes, Change{Of: g.Of, Change: IsGone, Key: g.Key, Name: g.Name, Site: g.Site, Before: g.Count, Idle: g.Idle})
		}
	}
	order := map[string]int{OfLease: 0, OfSocket: 1, OfChild: 2, OfGoroutine: 3}
	rank := map[string]int{IsNew: 0, Grew: 1, Shrank: 2, IsGone: 3}
	slices.SortFunc(d.Changes, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(rank[a.Change], rank[b.Change]), cmp.Compare(order[a.Of], order[b.Of]),
			cmp.Compare(b.Now-b.Before, a.Now-a.Before), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key),
		)
	})
	if n := len(d.Changes); n > maxChanges {
		d.Changes, d.LeftOut = d.Changes[:maxChanges], n-maxChanges
	}
	return d
}
