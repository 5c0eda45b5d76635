// Package baseline reads, writes and applies leakgate.baseline, the file of leaks that a module had when it began to use
// Leakgate. What it allows is exact: one leak more fails, and one less must leave the file.
//
// # The file
//
// It is text in UTF-8, one entry a stanza of lines "key: value":
//
//	# a remark
//	leak: http-response | GET | example.com/shop/store.(*Client).Get < example.com/shop/store.TestClient | TestClient
//	package: example.com/shop/store
//	code: LK001
//	count: 2
//	id: f9680e470c883855
//	reason: was there when the baseline was made
//	owner: @payments
//	expires: 2027-03-01
//	added: 2026-11-21
//
// An entry begins with its leak line. Lines after it may stand in any order, and blank lines and the order of entries do not
// matter. leak, package, code, count and id are generated, and a rewrite puts them first. The others are people's: a rewrite
// keeps their text and their order, and comments with them. id, owner and expires may be left out.
//
// Entries are sorted and say nothing that changes from run to run, so that two branches that change different entries merge
// without a conflict. A merge by lines takes equal lines for the same, and all lines of two entries may be equal but for
// leak. Two things keep it right. id, a hash of leak and package, stands below count, so that git cannot take the count of one
// entry for that of another; and where it does not fit the entry, lines of two have been mixed, which is an error.
// And where both sides add an entry at the same place, git leaves the last lines that they have in common once, below its
// marks. To keep both sides is right there: an entry that ends early, with another one right below it and no blank line
// between, has the lines that it lacks from the one below. added is last for that reason: an entry without it ends early.
package baseline

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Name is the file's name at the root of a module.
const Name = "leakgate.baseline"

// dateForm is how dates are written.
const dateForm = "2006-01-02"

// Key is what an entry is found by. Make it with NewKey.
type Key struct {
	Package     string // import path of the package that was tested
	Fingerprint string
}

// NewKey gives the key in the form in which the file has it: white space is one blank, and what a line of text cannot hold is
// replaced. Two fingerprints that differ in that alone are one. An empty part is "-".
func NewKey(pkg, fingerprint string) Key {
	return Key{Package: canonical(pkg), Fingerprint: canonical(fingerprint)}
}

func canonicalKey(k Key) Key { return NewKey(k.Package, k.Fingerprint) }

// ID gives a short name of the key for formats that want one: the first 16 digits of the SHA-256 of both parts, in hex.
func (k Key) ID() string {
	k = canonicalKey(k)
	sum := sha256.Sum256([]byte(k.Package + "\x00" + k.Fingerprint))
	return hex.EncodeToString(sum[:8])
}

// maxPart bounds a fingerprint, in bytes. What is longer ends in a hash of the whole.
const maxPart = 8 << 10

func canonical(s string) string {
	s = strings.Join(strings.Fields(oneLine(s)), " ")
	if len(s) > maxPart {
		sum := sha256.Sum256([]byte(s))
		s = strings.TrimSpace(strings.ToValidUTF8(s[:maxPart-40], "")) + "…" + hex.EncodeToString(sum[:8])
	}
	if s == "" {
		return "-"
	}
	return s
}

// oneLine makes text fit for one line of the file.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}

func compareKeys(a, b Key) int {
	return cmp.Or(strings.Compare(a.Package, b.Package), strings.Compare(a.Fingerprint, b.Fingerprint))
}

// Entry is one stanza of the file.
type Entry struct {
	Key
	// Generated.
	Count int    // how many there are, in one run of the top-level test
	Code  string // "LK001"
	// Written by people, and kept when the file is written again.
	Reason  string
	Added   string // a date, "2026-11-21"
	Expires string // a date, or "": from that day on the entry hides nothing
	Owner   string
	Notes   []string // comment lines of the stanza, without "# "

	Line int // where it stands, from 1; 0 when it was not read

	above int      // so many of Notes stand above the leak line
	order []string // people's keys in their order, "#" for a comment
}

// File is a baseline.
type File struct {
	Path    string // as it was opened, for messages
	Entries []Entry
	Header  []string // comment lines above the first entry, without "# "; a file that has none gets ours
	Footer  []string // comment lines below the last one

	crlf  bool // the file has Windows line ends, and keeps them
	index map[Key]int
}

// Lapse says whether the entry hides nothing any more at the time, because its day has come or its date cannot be read, and
// why, as a clause: "the baseline accepted it until 2026-09-01 (old; @payments)". The day is that of the time's location.
func (e *Entry) Lapse(now time.Time) (why string, lapsed bool) {
	if e.Expires == "" {
		return "", false
	}
	about := e.Reason
	if e.Owner != "" {
		about += "; " + e.Owner
	}
	if !isDate(e.Expires) {
		return fmt.Sprintf("the baseline's date for it cannot be read (expires: %s), and is to be like 2027-03-01 (%s)", e.Expires, about), true
	}
	if now.Format(dateForm) < e.Expires {
		return "", false
	}
	return fmt.Sprintf("the baseline accepted it until %s (%s)", e.Expires, about), true
}

// isDate takes 2026-11-21, and nothing that is only like it. Dates of that form are in order when their text is.
func isDate(s string) bool {
	_, err := time.Parse(dateForm, s)
	return err == nil
}

// Expired says whether the entry hides nothing any more at the time: its day has come, or its date cannot be read.
func (e *Entry) Expired(now time.Time) bool {
	_, lapsed := e.Lapse(now)
	return lapsed
}

// Find gives the entry, nil when there is none. Any number of goroutines may call it at once while nobody changes Entries.
func (f *File) Find(k Key) *Entry {
	k = canonicalKey(k)
	if i, ok := f.index[k]; ok && i < len(f.Entries) && f.Entries[i].Key == k {
		return &f.Entries[i]
	}
	for i := range f.Entries {
		// Entries that were read are in the one form already.
		if e := &f.Entries[i]; e.Key == k || f.index == nil && canonicalKey(e.Key) == k {
			return e
		}
	}
	return nil
}

// tidy brings the entries into the form and the order of the file.
func (f *File) tidy() {
	for i := range f.Entries {
		f.Entries[i].Key = canonicalKey(f.Entries[i].Key)
	}
	slices.SortStableFunc(f.Entries, func(a, b Entry) int { return compareKeys(a.Key, b.Key) })
	f.index = make(map[Key]int, len(f.Entries))
	for i := range f.Entries {
		f.index[f.Entries[i].Key] = i
	}
}
