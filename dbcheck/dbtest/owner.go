package dbtest

import (
	"encoding/json"
	"os"
	"time"
)

// owner is one process, so described that another one with the same number is not taken for it.
type owner struct {
	PID   int    `json:"pid"`
	Start string `json:"start"`           // when it started, in the system's own words; empty where that is not known
	Host  string `json:"host"`            // the machine's name
	Boot  string `json:"boot,omitempty"`  // changes when the machine starts anew
	Space string `json:"space,omitempty"` // the PID namespace: a number means nothing outside it
}

// String is the owner as it stands on a container's label.
func (o owner) String() string {
	b, _ := json.Marshal(o) // strings and a number: cannot fail
	return string(b)
}

// self describes this process.
func self() owner { return describe(os.Getpid()) }

func describe(pid int) owner {
	host, _ := os.Hostname()
	boot, space := machine()
	return owner{PID: pid, Start: startOf(pid), Host: host, Boot: boot, Space: space}
}

// alive says whether the process still runs. One that has ended and was not waited for by its parent does not.
func (o owner) alive() bool {
	if o.PID <= 0 {
		return false
	}
	start, running := probe(o.PID, o.Start != "")
	return running && (o.Start == "" || start == "" || start == o.Start)
}

// judged says whether this process can tell if o is alive: not when o's number belongs to another machine or to
// another container. What an earlier boot of this machine left is judged too, and is dead.
func (o owner) judged() bool {
	me := self()
	if o.Host != me.Host {
		return false
	}
	return o.Boot != me.Boot || o.Space == me.Space
}

// stale says that the process is gone for certain.
func (o owner) stale() bool {
	if !o.judged() {
		return false
	}
	return o.Boot != self().Boot || !o.alive()
}

// gone waits until the process is not there any more, and is false when it still is after max.
func (o owner) gone(max time.Duration) bool {
	for end := time.Now().Add(max); o.alive(); {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
	return true
}
