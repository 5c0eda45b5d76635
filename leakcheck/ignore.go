package leakcheck

import (
	"fmt"
	"strings"
	"sync"
)

// Matcher picks leaks for Ignore. Func, CreatedBy, Remote, KindIs and Site make one.
type Matcher interface {
	picks() matcher
}

type matcher struct {
	text  string
	match func(*Leak) bool
	err   error
}

func (m matcher) picks() matcher { return m }

// String says what the matcher picks.
func (m matcher) String() string { return m.text }

// picks gives what an option picks as a Matcher; only Remote picks anything.
func (o Option) picks() (m matcher) {
	if o != nil {
		o(&config{picks: &m})
	}
	return m
}

// Func matches a leak that has a function of this name in its stack, user's or not. The pattern is the full name with its
// import path ("example.com/app/worker.(*Pool).run"), or the name as the report prints it ("worker.(*Pool).run"), or ends in
// "..." and matches every name that begins so.
func Func(pattern string) Matcher {
	return patternMatcher("Func", pattern, func(l *Leak, is func(string) bool) bool {
		for _, s := range l.all {
			if is(s.Func) {
				return true
			}
		}
		return is(l.Site.Function)
	})
}

// CreatedBy matches a goroutine whose go statement is in this function. The pattern is as in Func.
func CreatedBy(pattern string) Matcher {
	return patternMatcher("CreatedBy", pattern, func(l *Leak, is func(string) bool) bool { return is(l.createdBy) })
}

// remoteMatcher is what Remote is to Ignore.
func remoteMatcher(pattern string) matcher {
	return patternMatcher("Remote", pattern, func(l *Leak, is func(string) bool) bool {
		for _, r := range l.remotes {
			if is(r) {
				return true
			}
		}
		return false
	})
}

// KindIs matches leaks of one kind.
func KindIs(kind Kind) Matcher {
	m := matcher{text: fmt.Sprintf("KindIs(%q)", kind), match: func(l *Leak) bool { return l.Kind == kind }}
	if kind == "" {
		m.err = fmt.Errorf("leakcheck.KindIs: the kind is empty: name one, as in KindIs(leakcheck.Goroutine)")
	}
	return m
}

// Site matches a leak by the function or the file of the line that took it: "example.com/app/store.Open" or
// "/src/app/store/...". The pattern is a full name or ends in "...".
func Site(pattern string) Matcher {
	return patternMatcher("Site", pattern, func(l *Leak, is func(string) bool) bool {
		return is(l.Site.Function) || is(l.Site.File)
	})
}

// short is a function's name as a report prints it.
func short(fn string) string { return fn[strings.LastIndexByte(fn, '/')+1:] }

func patternMatcher(name, pattern string, match func(*Leak, func(string) bool) bool) matcher {
	m := matcher{text: fmt.Sprintf("%s(%q)", name, pattern)}
	prefix, isPrefix := strings.CutSuffix(pattern, "...")
	switch {
	case strings.TrimSpace(pattern) == "":
		m.err = fmt.Errorf("leakcheck.%s: the pattern is empty: give a full name, or a beginning that ends in \"...\"", name)
	case isPrefix && prefix == "":
		m.err = fmt.Errorf("leakcheck.%s(%q): the pattern matches everything: put the beginning of a name before \"...\"", name, pattern)
	case strings.ContainsAny(pattern, "*?^$|\\") && !strings.Contains(pattern, "(*"):
		m.err = fmt.Errorf("leakcheck.%s(%q): a pattern is no regular expression and no glob: give a full name, or a beginning that ends in \"...\"", name, pattern)
	}
	is := func(s string) bool { return s == pattern || short(s) == pattern }
	if isPrefix {
		is = func(s string) bool {
			return s != "" && (strings.HasPrefix(s, prefix) || strings.HasPrefix(short(s), prefix))
		}
	}
	m.match = func(l *Leak) bool { return match(l, is) }
	return m
}

// Ignore sets leaks aside that all the matchers pick; a report counts them with the reason. The reason is not optional:
// it is what the next reader needs. An Ignore that matched nothing in a whole run is reported by Main.
func Ignore(reason string, matchers ...Matcher) Option {
	return func(c *config) {
		if strings.TrimSpace(reason) == "" {
			c.wrong("leakcheck.Ignore: the reason is empty: say why this may stay, as in Ignore(\"metrics exporter lives as long as the process\", …)")
			return
		}
		if len(matchers) == 0 {
			c.wrong("leakcheck.Ignore(%q): no matcher: name what to ignore, as in leakcheck.Func(\"example.com/metrics...\")", reason)
			return
		}
		var names []string
		var picks []matcher
		for i, given := range matchers {
			var m matcher
			if !isNil(given) {
				m = given.picks()
			}
			if m.err != nil {
				c.wrong("leakcheck.Ignore(%q): %w", reason, m.err)
				return
			}
			if m.match == nil {
				c.wrong("leakcheck.Ignore(%q): matcher %d picks nothing: make it with Func, CreatedBy, Remote, KindIs or Site", reason, i+1)
				return
			}
			names, picks = append(names, m.text), append(picks, m)
		}
		r := &rule{reason: reason, matchers: picks, text: strings.Join(names, ", ")}
		c.rules = append(c.rules, r)
		rules.declare(r)
	}
}

type rule struct {
	reason   string
	text     string
	matchers []matcher
}

func (r *rule) matches(l *Leak) bool {
	for _, m := range r.matchers {
		if !m.match(l) {
			return false
		}
	}
	return true
}

// ruleBook remembers which ignores were declared and which of them ever matched, by their text: the same Ignore in fifty
// tests is one.
type ruleBook struct {
	mu   sync.Mutex
	used map[string]bool // reason and matchers -> matched
	keys []string
}

var rules ruleBook

func (r *rule) key() string { return fmt.Sprintf("Ignore(%q, %s)", r.reason, r.text) }

func (b *ruleBook) declare(r *rule) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used == nil {
		b.used = make(map[string]bool)
	}
	if _, ok := b.used[r.key()]; !ok {
		b.used[r.key()] = false
		b.keys = append(b.keys, r.key())
	}
}

func (b *ruleBook) hit(r *rule) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used[r.key()] = true
}

// unused lists the ignores that matched nothing, in the order in which they were declared.
func (b *ruleBook) unused() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, k := range b.keys {
		if !b.used[k] {
			out = append(out, k)
		}
	}
	return out
}
