package mockserver

import "fmt"

// flatten gives the replies of a sequence one by one, in order, none of them with a Then.
func flatten(replies []Reply) []Reply {
	var all []Reply
	for _, r := range replies {
		if r.extra == nil || len(r.extra.then) == 0 {
			all = append(all, r)
			continue
		}
		x := *r.extra
		then := x.then
		x.then = nil
		r.extra = &x
		all = append(all, r)
		all = append(all, flatten(then)...)
	}
	return all
}

// times is how often a reply is sent, 0 when nothing was said.
func (r Reply) times() int {
	if r.extra == nil {
		return 0
	}
	return r.extra.times
}

// nth finds the reply to the request that comes after n others. It returns false when all replies are used up.
func nth(replies []Reply, n int) (Reply, bool) {
	for i, r := range replies {
		most := r.times()
		if most == 0 && i == len(replies)-1 {
			return r, true
		}
		most = max(most, 1)
		if n < most {
			return r, true
		}
		n -= most
	}
	return Reply{}, false
}

// total is how many requests a sequence answers that ends.
func total(replies []Reply) int {
	n := 0
	for _, r := range replies {
		n += max(r.times(), 1)
	}
	return n
}

// spent is what a request is told for which there is no reply any more.
func spent(what string, replies []Reply) string {
	n := total(replies)
	return fmt.Sprintf("all replies of %s are used up: %s, the last one limited by Times(%d), answered 501\n"+
		"\tleave out Times on the last reply to send it again and again, or add one with .Then",
		what, plural(n, "request was answered", "requests were answered"), replies[len(replies)-1].times())
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
