package mockserver

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// Matcher is a condition that a request must meet besides method and path. The With functions, Where and InState make
// one, and On takes any number: a stub answers the requests that meet all of them. A Matcher is a value and may be given
// to several stubs and servers. The zero Matcher fails the test at On.
//
// What a matcher wants is compared exactly, byte by byte and in upper and lower case, unless it says otherwise. A
// matcher that looks at the body takes none that is longer than what the server keeps of it; see KeepBodies.
type Matcher struct {
	text string // the call that makes it, as messages show it: WithQuery("page", "2")
	key  string // matchers with one key take the same requests; "" is the key of a matcher that is like no other
	part string // what it looks at: "query page"
	want string // what it wants there
	err  error  // why it cannot be used; On reports it

	// test and show are called without a lock. show says what the request has in this place, and, when test does not
	// take it, why.
	test func(*incoming) bool
	show func(*incoming) (got, why string)

	from            values             // what oneOf and noneOf look at
	holds           func(Request) bool // of Where, in place of test
	panicked        *atomic.Bool       // holds did, and it was reported
	scenario, state string             // of InState, which is tested when the stub is chosen
}

// String gives the call that makes the matcher, with the values of secret headers left out.
func (m Matcher) String() string { return m.text }

func (m Matcher) problem() error {
	switch {
	case m.err != nil:
		return fmt.Errorf("%s: %w", m.text, m.err)
	case m.test == nil && m.holds == nil && m.scenario == "":
		return errors.New("a Matcher that no function made; write mockserver.WithQuery(name, value), for example")
	}
	return nil
}

// takes says whether a request meets the condition, but for the state of a scenario.
func (m *Matcher) takes(in *incoming) bool {
	switch {
	case m.holds != nil:
		return in.ask(m)
	case m.test != nil:
		return m.test(in)
	}
	return true
}

// condition is what one text is to be.
type condition struct {
	want string // as a message shows it
	ok   func(string) bool
	why  func(string) string // for a text that is not ok
}

// values finds the texts that a matcher looks at. why says why there can be none; it is for a message.
type values func(*incoming) (found []string, why string)

// oneOf wants one of the values to be ok.
func oneOf(part string, from values, c condition) Matcher {
	return Matcher{
		part: part,
		want: c.want,
		from: from,
		test: func(in *incoming) bool {
			found, _ := from(in)
			for _, v := range found {
				if c.ok(v) {
					return true
				}
			}
			return false
		},
		show: func(in *incoming) (got, why string) {
			found, why := from(in)
			switch {
			case len(found) == 0 && why == "":
				why = "is absent"
			case len(found) == 1:
				why = c.why(found[0])
			case len(found) > 1:
				why = fmt.Sprintf("none of the %d values", len(found))
			}
			return quoteAll(found), why
		},
	}
}

// noneOf wants that there is no value.
func noneOf(part string, from values) Matcher {
	return Matcher{
		part: part,
		want: nothing,
		from: from,
		test: func(in *incoming) bool {
			found, _ := from(in)
			return len(found) == 0
		},
		show: func(in *incoming) (got, why string) {
			found, _ := from(in)
			return quoteAll(found), "is there"
		},
	}
}

// failing is a matcher that cannot be used.
func failing(text string, err error) Matcher { return Matcher{text: text, key: text, err: err} }

// as names a matcher by the call that makes it. Arguments are told apart by it too.
func (m Matcher) as(function string, args ...string) Matcher {
	m.text = callText(function, args...)
	m.key = m.text
	return m
}

func callText(function string, args ...string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = strconv.Quote(a)
	}
	return function + "(" + strings.Join(quoted, ", ") + ")"
}

func equal(want string) condition {
	return condition{
		want: quote(want),
		ok:   func(got string) bool { return got == want },
		why:  func(got string) string { return unlike(got, want) },
	}
}

func containing(want string) condition {
	return condition{
		want: "has " + quote(want),
		ok:   func(got string) bool { return strings.Contains(got, want) },
		why: func(got string) string {
			if strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
				return "has it in other upper and lower case"
			}
			return "does not have it"
		},
	}
}

// nothing stands in a message for what is not there.
const nothing = "(none)"

const cell = 60 // runes of a value that a message shows

// quote shows a value in a message.
func quote(s string) string {
	return clip(strconv.Quote(clip(s, cell)), cell+5)
}

func quoteAll(all []string) string {
	if len(all) == 0 {
		return nothing
	}
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = quote(s)
	}
	return clip(strings.Join(quoted, ", "), cell+5)
}

// clip cuts a text that has more than most runes.
func clip(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n == most-3 {
			return s[:i] + "..."
		}
		n++
	}
	return s
}

// unlike says how two texts that are not the same differ, where that is hard to see.
func unlike(got, want string) string {
	switch {
	case strings.EqualFold(got, want):
		return "differs in upper and lower case"
	case strings.TrimSpace(got) == strings.TrimSpace(want):
		return "differs in the space around it"
	case got == "":
		return "is empty"
	case utf8.RuneCountInString(got) <= cell && utf8.RuneCountInString(want) <= cell:
		return "differs"
	}
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	for at > 0 && (at < len(got) && !utf8.RuneStart(got[at]) || at < len(want) && !utf8.RuneStart(want[at])) {
		at--
	}
	switch {
	case at == len(got):
		return fmt.Sprintf("ends after %s, before %s", count(at, "byte"), strconv.Quote(clip(want[at:], 20)))
	case at == len(want):
		return fmt.Sprintf("goes on after %s with %s", count(at, "byte"), strconv.Quote(clip(got[at:], 20)))
	}
	return fmt.Sprintf("differs after %s: %s, not %s", count(at, "byte"), strconv.Quote(clip(got[at:], 20)), strconv.Quote(clip(want[at:], 20)))
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
