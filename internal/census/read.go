package census

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is read of another process.
const (
	MaxSize  = 4 << 20 // bytes of a document
	maxText  = 2 << 10 // bytes of one text in it
	maxItems = 1000    // of one list
	maxCount = 1 << 30
)

// Errors of Read, told apart because what there is to do differs.
var (
	// ErrNotCensus: it is something else.
	ErrNotCensus = errors.New("this is no census of leakgate")
	// ErrTooBig: it is longer than MaxSize.
	ErrTooBig = fmt.Errorf("the answer is longer than %d MiB", MaxSize>>20)
)

// VersionError is given for a document of another version.
type VersionError struct{ Got int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the census has version %d, and version %d was expected", e.Got, Version)
}

// Read reads a document that another process has written. It reads MaxSize bytes at most. Texts are cut to one line of
// 2 KiB, and lists that are too long, counts that cannot be, and the like are errors.
func Read(r io.Reader) (*Answer, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, ErrTooBig
	}
	var head struct {
		Leakgate string `json:"leakgate"`
		Version  int    `json:"version"`
	}
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, ErrNotCensus
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrNotCensus, oneLine(err.Error()))
	}
	if head.Leakgate != Name {
		return nil, ErrNotCensus
	}
	if head.Version != Version {
		return nil, &VersionError{head.Version}
	}
	a := &Answer{}
	if err := json.Unmarshal(data, a); err != nil {
		return nil, fmt.Errorf("the census cannot be read: %s", oneLine(err.Error()))
	}
	return a, a.check()
}

// check looks at what is read of another process. What is not read by anybody is not looked at.
func (a *Answer) check() error {
	p := &a.Process
	for _, s := range []*string{&p.ID, &p.Module, &p.Go, &p.GOOS, &p.GOARCH, &a.Moment} {
		*s = oneLine(*s)
	}
	if p.ID == "" {
		return errors.New("the census cannot be read: it does not say of which process it is (process.id)")
	}
	if l := a.Leases; l != nil {
		if err := length("leases.groups", len(l.Groups)); err != nil {
			return err
		}
		if err := count("leases.held", l.Held, 0); err != nil {
			return err
		}
		if err := count("leases.left_out", l.LeftOut, 0); err != nil {
			return err
		}
		for i := range l.Groups {
			g := &l.Groups[i]
			if err := count("the count of a group of leases", g.Count, 1); err != nil {
				return err
			}
			for _, s := range []*string{&g.Key, &g.Kind, &g.Code, &g.Pool, &g.Summary, &g.State, &g.Note, &g.Hint} {
				*s = oneLine(*s)
			}
			g.Oldest, g.Newest = max(g.Oldest, 0), max(g.Newest, 0)
			if err := frames(&g.Site, g.Stack); err != nil {
				return err
			}
		}
	}
	if d := a.Since; d != nil {
		if err := length("since.changes", len(d.Changes)); err != nil {
			return err
		}
		for i := range d.Changes {
			c := &d.Changes[i]
			for _, s := range []*string{&c.Of, &c.Change, &c.Key, &c.Name} {
				*s = oneLine(*s)
			}
			for _, n := range []int{c.Now, c.Before, c.Fresh} {
				if err := count("a change", n, 0); err != nil {
					return err
				}
			}
			if err := frames(&c.Site, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func length(what string, n int) error {
	if n > maxItems {
		return fmt.Errorf("the census cannot be read: %s has %d entries, and at most %d were expected", what, n, maxItems)
	}
	return nil
}

func count(what string, n, least int) error {
	if n < least || n > maxCount {
		return fmt.Errorf("the census cannot be read: %s is %d, and a number from %d on was expected", what, n, least)
	}
	return nil
}

func frames(site *Frame, stack []Frame) error {
	if err := length("a stack", len(stack)); err != nil {
		return err
	}
	site.clean()
	for i := range stack {
		stack[i].clean()
	}
	return nil
}

func (f *Frame) clean() {
	f.Func, f.File, f.Source = oneLine(f.Func), oneLine(f.File), oneLine(f.Source)
	f.Line = max(f.Line, 0)
}

// oneLine makes a text of another process fit for a line of a report.
func oneLine(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Cf) {
			return ' '
		}
		return r
	}, s))
}

// Same says whether two answers are of one process.
func (p Process) Same(o Process) bool {
	return p.ID == o.ID && p.PID == o.PID && p.Began.Equal(o.Began)
}

// Since writes when a process began.
func (p Process) Since() string { return p.Began.UTC().Format(time.RFC3339) }
