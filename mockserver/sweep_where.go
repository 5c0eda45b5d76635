package mockserver

import (
	"bytes"
	"runtime"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
)

// goroutinesNow lists all goroutines but the calling one. What cannot be parsed is left out: it is there to name a line.
func goroutinesNow() []goroutine.Goroutine {
	var d goroutine.Dumper
	return parseAll(d.DumpLabels(), nil)
}

// parseAll reads those goroutines of a dump that have one of the texts in it, or all; the first is the calling one.
func parseAll(dump []byte, texts [][]byte) (out []goroutine.Goroutine) {
	first := true
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if first {
			first = false
			return true
		}
		if texts != nil && !slices.ContainsFunc(texts, func(text []byte) bool { return bytes.Contains(h.Block, text) }) {
			return true
		}
		if g, err := goroutine.Parse(h.Block); err == nil {
			out = append(out, g)
		}
		return true
	})
	return out
}

// sending is what the stack of a goroutine has that waits for a response.
var sending = [][]byte{[]byte("\nnet/http.(*persistConn).roundTrip("), []byte("\nnet/http.(*Client)."), []byte("\nnet/http.(*Transport).RoundTrip(")}

// caller finds the goroutine that runs the call.
func (r *run) caller(all []goroutine.Goroutine) (goroutine.Goroutine, bool) {
	for _, g := range all {
		if g.ID == r.id.Load() {
			return g, true
		}
	}
	return goroutine.Goroutine{}, false
}

// own lists the goroutines of the call: the one that runs it first, and those that it started, as far as that shows.
func (r *run) own(all []goroutine.Goroutine) (out []goroutine.Goroutine) {
	mine := map[uint64]bool{r.id.Load(): true}
	for more := true; more; {
		more = false
		for _, g := range all {
			if mine[g.ID] {
				continue
			}
			if mine[g.CreatorID] || r.labelled(g) {
				mine[g.ID], more = true, true
			}
		}
	}
	for _, g := range all {
		if !mine[g.ID] {
			continue
		}
		if g.ID == r.id.Load() {
			out = append([]goroutine.Goroutine{g}, out...)
		} else {
			out = append(out, g)
		}
	}
	return out
}

func (r *run) labelled(g goroutine.Goroutine) bool {
	v, _ := g.Label(label.Key)
	id, _, ok := label.Parse(v)
	return ok && id != 0 && uint64(id) == r.watch.Load()
}

// computes says whether a goroutine of the call, or one of a connection of net/http's, has a processor or waits for one.
func (r *run) computes() bool {
	var d goroutine.Dumper
	dump := d.DumpLabels()
	moving := func(g goroutine.Goroutine) bool { return g.State == "running" || g.State == "runnable" }
	return slices.ContainsFunc(parseAll(dump, [][]byte{[]byte("net/http.(*persistConn).readLoop")}), moving) ||
		slices.ContainsFunc(r.own(parseAll(dump, nil)), moving)
}

// findSenders finds who may have sent the request that has just come: the goroutines that wait for a response of net/http's
// client. Those of others are among them, where a goroutine sends that was there before; which connection is whose is told
// by the connection.
func (r *run) findSenders() (found []sender) {
	var d goroutine.Dumper
	dump := d.DumpLabels()
	clients := parseAll(dump, sending)
	own := make(map[uint64]bool)
	if len(clients) > 1 {
		for _, g := range r.own(parseAll(dump, nil)) {
			own[g.ID] = true
		}
	}
	for _, g := range clients {
		who := sender{own: own[g.ID]}
		sends := false
		for i, f := range g.Frames {
			switch {
			case f.Func == "net/http.(*persistConn).roundTrip" && i < len(g.Args):
				who.pair, _, _ = strings.Cut(g.Args[i], ",")
				who.pair = strings.TrimSuffix(who.pair, "?")
				sends = true
			case strings.HasPrefix(f.Func, "net/http.(*Client)."), f.Func == "net/http.(*Transport).RoundTrip":
				sends = true
			}
		}
		if !sends {
			continue
		}
		who.site, who.stack = callsite.Caller(g.Frames, "net/http.(*Client)."), userFrames(g)
		if who.site.Func != "" {
			found = append(found, who)
		}
	}
	if len(clients) > 1 && slices.ContainsFunc(found, func(s sender) bool { return s.own }) {
		found = slices.DeleteFunc(found, func(s sender) bool { return !s.own })
	}
	return found
}

// senderOn finds who sent the last request on a connection of net/http's.
func (r *run) senderOn(pair string) (who sender, ok bool) {
	for _, s := range r.senders {
		if pair != "" && s.pair == pair {
			who, ok = s, true
		}
	}
	return who, ok
}

// lines gives the senders with different lines.
func lines(senders []sender) (out []sender) {
	for _, s := range senders {
		if !slices.ContainsFunc(out, func(o sender) bool { return o.site == s.site }) {
			out = append(out, s)
		}
	}
	return out
}

// userFrames are the frames of the client's own code and of the test.
func userFrames(g goroutine.Goroutine) []callsite.Frame { return callsite.User(g.Frames) }

// waiting is where a goroutine waits.
type waiting struct {
	site    callsite.Frame   // the innermost frame of the user
	stack   []callsite.Frame // all of the user's
	callee  string           // what was called there: "io.ReadAll"; "" when the line itself waits
	state   string
	started callsite.Frame // the go statement, when it is not the call's own goroutine
	net     bool           // it waits for the network
}

func waitsAt(g goroutine.Goroutine) waiting {
	w := waiting{stack: userFrames(g), state: g.State}
	w.site = callsite.Pick(w.stack)
	for i, f := range g.Frames {
		// What waits in this package waits for a reply that a responder stalls.
		w.net = w.net || f.Package() == "net" || f.Package() == "net/http" || callsite.IsHarness(f)
		if f == w.site {
			for j := i - 1; j >= 0 && w.callee == ""; j-- {
				if c := g.Frames[j]; c.Package() != "runtime" && !callsite.IsHarness(c) {
					w.callee = short(c.Func)
				}
			}
			break
		}
	}
	return w
}

// short is a function without the path of its package's folder.
func short(fn string) string { return fn[strings.LastIndexByte(fn, '/')+1:] }

// hangs finds the goroutine to blame for a call that does not return: the call's own, or one of its own that waits for the
// network when the call's waits for that one. here is where the call itself waits.
func (r *run) hangs() (blame, here waiting) {
	all := r.own(goroutinesNow())
	if len(all) == 0 || all[0].ID != r.id.Load() {
		return waiting{}, waiting{}
	}
	here = waitsAt(all[0])
	if here.net {
		return here, here
	}
	for _, g := range all[1:] {
		w := waitsAt(g)
		if w.net && w.site.Func != "" && g.State != "running" {
			w.started = g.CreatedBy
			return w, here
		}
	}
	return here, here
}

// callersFrames gives the user's frames of the calling goroutine, innermost first.
func callersFrames() []callsite.Frame {
	var pcs [64]uintptr
	return callsite.User(callsite.Expand(pcs[:runtime.Callers(1, pcs[:])]))
}

// panicStack gives the user's frames of the panic that is being recovered, innermost first.
func panicStack() []callsite.Frame {
	var pcs [64]uintptr
	stack := callsite.Expand(pcs[:runtime.Callers(1, pcs[:])])
	for i, f := range stack {
		if f.Func == "runtime.gopanic" {
			stack = stack[i+1:]
			break
		}
	}
	return callsite.User(stack)
}
