package mockserver

// index finds the stubs whose pattern matches a request, without looking at all of them. It is a tree of path segments.
type index struct {
	literals map[string]*index
	wildcard *index
	here     []*Stub // whose pattern ends here
	rest     []*Stub // whose pattern takes all that follows
}

func (n *index) add(st *Stub) {
	for _, s := range st.pattern.segs {
		switch s.kind {
		case rest:
			n.rest = append(n.rest, st)
			return
		case wildcard:
			if n.wildcard == nil {
				n.wildcard = &index{}
			}
			n = n.wildcard
		default:
			next := n.literals[s.text]
			if next == nil {
				next = &index{}
				if n.literals == nil {
					n.literals = map[string]*index{}
				}
				n.literals[s.text] = next
			}
			n = next
		}
	}
	n.here = append(n.here, st)
}

// find appends to found the stubs that match method and path. A path that is nil matches nothing.
func (n *index) find(method string, path []string, found []*Stub) []*Stub {
	if len(path) == 0 {
		return appendMethod(found, n.here, method)
	}
	found = appendMethod(found, n.rest, method)
	if next := n.literals[path[0]]; next != nil {
		found = next.find(method, path[1:], found)
	}
	if n.wildcard != nil && path[0] != "" {
		found = n.wildcard.find(method, path[1:], found)
	}
	return found
}

// overlapping calls visit with the stubs that have paths in common with a pattern.
func (n *index) overlapping(segs []segment, visit func(*Stub)) {
	if len(segs) == 0 {
		each(n.here, visit)
		return
	}
	if segs[0].kind == rest {
		n.below(visit)
		return
	}
	each(n.rest, visit)
	if segs[0].kind == literal {
		if next := n.literals[segs[0].text]; next != nil {
			next.overlapping(segs[1:], visit)
		}
	} else {
		for text, next := range n.literals {
			if text != "" {
				next.overlapping(segs[1:], visit)
			}
		}
	}
	if n.wildcard != nil && (segs[0].kind == wildcard || segs[0].text != "") {
		n.wildcard.overlapping(segs[1:], visit)
	}
}

// below calls visit with the stubs whose pattern goes on behind n.
func (n *index) below(visit func(*Stub)) {
	each(n.rest, visit)
	for _, next := range n.literals {
		each(next.here, visit)
		next.below(visit)
	}
	if n.wildcard != nil {
		each(n.wildcard.here, visit)
		n.wildcard.below(visit)
	}
}

func each(stubs []*Stub, visit func(*Stub)) {
	for _, st := range stubs {
		visit(st)
	}
}

func appendMethod(found, stubs []*Stub, method string) []*Stub {
	for _, st := range stubs {
		if st.pattern.matchesMethod(method) {
			found = append(found, st)
		}
	}
	return found
}
