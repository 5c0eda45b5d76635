package baseline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a file. Each entry has some 400 bytes.
const (
	maxFile     = 16 << 20
	maxLine     = 64 << 10
	maxProblems = 10   // told
	maxKept     = 1000 // sorted by line before that; more are counted
	maxQuoted   = 60   // of a text in a message, in bytes
)

// The keys, in the order in which a new entry has them.
var (
	generated = []string{"leak", "package", "code", "count", "id"}
	byPeople  = []string{"reason", "owner", "expires", "added"}
	required  = []string{"leak", "package", "code", "count", "reason", "added"}
	allKeys   = slices.Concat(generated, byPeople)
)

// meant are words that people write for a key, beside misspellings.
var meant = map[string]string{
	"fingerprint": "leak", "pkg": "package", "import": "package", "hash": "id", "times": "count", "max": "count", "allow": "count",
	"why": "reason", "note": "reason", "comment": "reason", "because": "reason", "description": "reason",
	"author": "owner", "team": "owner", "assignee": "owner", "until": "expires", "expiry": "expires", "ignoreuntil": "expires",
	"date": "added", "since": "added", "created": "added",
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line int // from 1; 0 for the file as a whole
	Text string
}

// Error is what is wrong with a file.
type Error struct {
	Path     string
	Problems []Problem // in the order of their lines; the first ten
	More     int       // how many are not among them
}

// Error gives a line "file:line: what was found, what was expected and what to do" for each.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Path)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": " + p.Text)
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\n%s: and %d more", e.Path, e.More)
	}
	return b.String()
}

// Load reads the file. An error that is fs.ErrNotExist says that there is none. What is wrong with its text is an *Error.
func Load(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the baseline: %w", err)
	}
	if !info.Mode().IsRegular() { // to read a pipe could take for ever
		return nil, whole(path, "is "+whatIs(info.Mode())+", and a baseline is a file of text: name the file itself")
	}
	if info.Size() > maxFile {
		return nil, tooLarge(path, info.Size())
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the baseline: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("the baseline: %w", err)
	}
	return Parse(path, data)
}

func whatIs(m fs.FileMode) string {
	if m.IsDir() {
		return "a folder"
	}
	return "a device, pipe or socket"
}

func whole(path, text string) *Error { return &Error{Path: path, Problems: []Problem{{Text: text}}} }

func tooLarge(path string, size int64) *Error {
	return whole(path, fmt.Sprintf("has %.1f MB, and a baseline has at most %d MB, which is enough for 30 000 leaks: is it another file?",
		float64(size)/(1<<20), maxFile>>20))
}

// Parse reads a baseline. name is for messages. The error is an *Error. Windows line ends, a byte order mark and a last line
// without an end are no errors, and neither is a file without entries.
func Parse(name string, data []byte) (*File, error) {
	if len(data) > maxFile {
		return nil, tooLarge(name, int64(len(data)))
	}
	p := parser{file: &File{Path: name}}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, whole(name, "is UTF-16, and a baseline is UTF-8: save it again as UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if p.conflicts(data); len(p.problems) == 0 {
		p.lines(data)
		p.finish()
	}
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int { return a.Line - b.Line })
		told := min(len(p.problems), maxProblems)
		return nil, &Error{Path: name, Problems: p.problems[:told], More: len(p.problems) - told + p.more}
	}
	p.file.tidy()
	return p.file, nil
}

type parser struct {
	file     *File
	problems []Problem
	more     int // problems that are counted alone
	stanzas  []*stanza
	comments []comment // those that are not yet known to belong to an entry
	blank    bool      // the line before is empty, or there is none
	early    bool      // a key stands before the first entry, and that was said
}

// stanza is an entry that is being read.
type stanza struct {
	entry  Entry
	id     string
	last   string  // the key of its last line
	lines  [9]int  // of each of allKeys, 0 when it is not there
	bad    [9]bool // it is there, or is not, and that was said
	joined bool    // the next entry stands right below
	twice  bool    // a key is there twice, and that was said
}

type comment struct {
	text     string
	detached bool // a blank line stands above it
}

func (p *parser) problem(line int, format string, args ...any) {
	if len(p.problems) == maxKept {
		p.more++
		return
	}
	p.problems = append(p.problems, Problem{line, fmt.Sprintf(format, args...)})
}

// conflicts finds what git leaves where two sides cannot be merged. While it is there nothing else is worth saying.
func (p *parser) conflicts(data []byte) {
	n, open := 0, 0
	for line := range bytes.Lines(data) {
		n++
		mark := conflictMark(line)
		switch {
		case mark == "":
			continue
		case mark[0] == '<' || open == 0:
			open = n
			p.problem(n, "%q is a mark of a merge conflict, which stands in the file still: "+
				"keep the entries of both sides, remove the lines with <<<<<<<, ||||||| (and what follows it), ======= and >>>>>>>, "+
				"and of two entries for the same leak keep the one with the count that is right", short(string(bytes.TrimSpace(line))))
		}
		if mark[0] == '>' {
			open = 0
		}
	}
}

func conflictMark(line []byte) string {
	for _, mark := range []string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"} {
		if rest, ok := bytes.CutPrefix(line, []byte(mark)); ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \r\n"), rest[0]) >= 0) {
			return mark
		}
	}
	return ""
}

func (p *parser) lines(data []byte) {
	p.blank = true
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if n == 1 {
			p.file.crlf = bytes.HasSuffix(line, []byte("\r\n"))
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if text, ok := p.text(n, line); ok {
			p.line(n, strings.TrimSpace(text))
		} else {
			p.blank = false
		}
	}
}

// text refuses what an editor would not show as it is.
func (p *parser) text(n int, line []byte) (string, bool) {
	if len(line) > maxLine {
		p.problem(n, "has %d bytes, and a line has at most %d: is it another file?", len(line), maxLine)
		return "", false
	}
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			p.problem(n, "has the byte 0x%02x at column %d, which is no UTF-8: save the file as UTF-8", line[i], i+1)
			return "", false
		case r != '\t' && unicode.IsControl(r):
			p.problem(n, "has the control character %U at column %d: remove it, a baseline is plain text", r, i+1)
			return "", false
		}
		i += size
	}
	return string(line), true
}

func (p *parser) line(n int, text string) {
	if text == "" {
		p.blank = true
		return
	}
	if rest, ok := strings.CutPrefix(text, "#"); ok {
		p.comments = append(p.comments, comment{strings.TrimPrefix(rest, " "), p.blank})
		p.blank = false
		return
	}
	key, value, ok := strings.Cut(text, ":")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	switch {
	case !ok:
		p.problem(n, "found %q, expected \"key: value\" (%s), a comment (#) or an empty line; a value does not go on in the next line",
			short(text), strings.Join(allKeys, ", "))
	case !slices.Contains(allKeys, key):
		p.problem(n, "there is no key %q%s: the keys are %s; what is for people alone stands in a comment (#)",
			short(key), didYouMean(key), strings.Join(allKeys, ", "))
	case key == "leak":
		p.begin(n)
		p.set(n, key, value)
	case len(p.stanzas) == 0:
		if !p.early {
			p.problem(n, "found %q before the first leak line, with which an entry begins: move the leak line up, or add it", key+":")
		}
		p.early = true
	default:
		p.attach()
		p.set(n, key, value)
	}
	p.blank = false
}

func (p *parser) last() *stanza { return p.stanzas[len(p.stanzas)-1] }

// begin starts an entry. The comments above it are its own, but for the file's header and for those that stand right below
// the entry before, with a blank line after them.
func (p *parser) begin(n int) {
	comments := p.comments
	p.comments = nil
	s := &stanza{}
	s.entry.Line = n
	// Where the last block of comments begins.
	block := len(comments)
	if !p.blank {
		for block > 0 {
			block--
			if comments[block].detached {
				break
			}
		}
	}
	if len(p.stanzas) == 0 {
		p.file.Header, comments = texts(comments[:block]), comments[block:]
	} else {
		before, cut := p.last(), 0
		if p.blank || block > 0 {
			for cut < len(comments) && !comments[cut].detached {
				cut++
			}
		}
		for _, c := range comments[:cut] {
			before.note(c.text)
		}
		before.joined = !p.blank && !slices.ContainsFunc(comments, func(c comment) bool { return c.detached })
		comments = comments[cut:]
	}
	s.entry.Notes = texts(comments)
	s.entry.above = len(s.entry.Notes)
	p.stanzas = append(p.stanzas, s)
}

// texts joins blocks of comments. An empty comment stands where a blank line was.
func texts(comments []comment) (out []string) {
	for i, c := range comments {
		if i > 0 && c.detached {
			out = append(out, "")
		}
		out = append(out, c.text)
	}
	return out
}

// attach gives the comments to the entry that is being read.
func (p *parser) attach() {
	for _, c := range p.comments {
		p.last().note(c.text)
	}
	p.comments = nil
}

func (s *stanza) note(text string) {
	s.entry.Notes = append(s.entry.Notes, text)
	s.entry.order = append(s.entry.order, "#")
}

func (p *parser) set(n int, key, value string) {
	s := p.last()
	i := slices.Index(allKeys, key)
	if before := s.lines[i]; before > 0 {
		if !s.twice {
			p.problem(n, "%q is there twice for one entry, first in line %d: keep the line that is right; "+
				"if another entry begins here, its leak line is missing", key+":", before)
		}
		s.twice = true
		return
	}
	s.lines[i], s.last = n, key
	if value == "" {
		p.problem(n, "%q has no value: write %s", key+":", example(key))
		s.bad[i] = true
		return
	}
	e := &s.entry
	switch key {
	case "leak", "package":
		*e.field(key) = canonical(value)
	case "count":
		count, err := strconv.Atoi(value)
		if err != nil || count < 1 {
			p.problem(n, "the count is %q, expected how many leaks there are, from 1%s", short(value), aboutCount(value, count, err))
			s.bad[i] = true
		}
		e.Count = count
	case "id":
		s.id = value
	default:
		*e.field(key) = value
	}
	if slices.Contains(byPeople, key) {
		e.order = append(e.order, key)
	}
}

func aboutCount(value string, count int, err error) string {
	switch {
	case strings.Contains(value, "#"):
		return ": a comment stands on a line of its own"
	case err == nil && count == 0:
		return ": remove the entry of a leak that is gone"
	case errors.Is(err, strconv.ErrRange):
		return ": this number is too large"
	}
	return ""
}

// example says what the value of a key is to be.
func example(key string) string {
	switch key {
	case "leak":
		return "the fingerprint, as the report of the leak has it"
	case "package":
		return "the import path of the package that was tested"
	case "code":
		return "the leak's code, such as \"code: LK001\""
	case "count":
		return "how many there are, such as \"count: 1\""
	case "id":
		return "it as it was, or remove the line"
	case "reason":
		return "why the leak may stay for now, such as \"reason: was there before Leakgate\""
	case "owner":
		return "who is to fix it, or remove the line"
	case "expires":
		return "a day like \"expires: 2027-03-01\", or remove the line"
	}
	return "the day, such as \"added: 2026-11-21\""
}

func (p *parser) finish() {
	if len(p.stanzas) == 0 {
		p.file.Header = texts(p.comments)
		return
	}
	p.trailing()
	p.join()
	seen := make(map[Key]int)
	for _, s := range p.stanzas {
		p.missing(s)
		if s.bad[0] || s.bad[1] { // its key is not known
			continue
		}
		if s.id != "" && !strings.EqualFold(s.id, s.entry.ID()) {
			p.problem(s.lines[slices.Index(allKeys, "id")], "the id is %q, and that of this leak and package (line %d) is %q: "+
				"a merge has mixed the lines of two entries, or one was edited; put the lines right, or remove this one if they are",
				short(s.id), s.entry.Line, s.entry.ID())
		}
		if first, ok := seen[s.entry.Key]; ok {
			p.problem(s.entry.Line, "this leak of %s has an entry in line %d already: keep one of the two; "+
				"after a merge both sides may have added it, and if their counts differ the higher one is right until a test says otherwise",
				short(s.entry.Package), first)
			continue
		}
		seen[s.entry.Key] = s.entry.Line
		p.file.Entries = append(p.file.Entries, s.entry)
	}
}

func (p *parser) missing(s *stanza) {
	var keys []string
	for i, key := range allKeys {
		if s.lines[i] == 0 && slices.Contains(required, key) {
			keys = append(keys, fmt.Sprintf("%q", key+":"))
			s.bad[i] = true
		}
	}
	switch len(keys) {
	case 0:
	case 1:
		key := strings.Trim(keys[0], `":`)
		p.problem(s.entry.Line, "the entry that begins here has no line %s: add it, with %s", keys[0], example(key))
	default:
		p.problem(s.entry.Line, "the entry that begins here has no lines %s: add them, or remove what is left of the entry", strings.Join(keys, ", "))
	}
}

// trailing gives comments at the end to the last entry when no blank line is between, and to the file when there is one.
func (p *parser) trailing() {
	cut := 0
	for cut < len(p.comments) && !p.comments[cut].detached {
		p.last().note(p.comments[cut].text)
		cut++
	}
	p.file.Footer = texts(p.comments[cut:])
}

// join completes entries that end early from the one right below. The lines that both had in common begin where the upper one
// ends. Had they an optional line among them, whose place is before the end, then the last line of the upper entry is another
// one than below: else it would be among them too. Where it is another one, an optional line below may be its own or common;
// it is taken for common then, because a date too many hides less.
func (p *parser) join() {
	for i := len(p.stanzas) - 2; i >= 0; i-- {
		s, next := p.stanzas[i], p.stanzas[i+1]
		if !s.joined || !s.endsEarly() {
			continue
		}
		to, from := &s.entry, &next.entry
		for i, key := range allKeys {
			if s.lines[i] > 0 || next.lines[i] == 0 || key == "id" {
				continue
			}
			if last := s.last; !slices.Contains(required, key) && last != "id" && to.value(last) == from.value(last) {
				continue
			}
			s.lines[i], s.bad[i] = next.lines[i], next.bad[i]
			if key == "count" {
				to.Count = from.Count
			} else {
				*to.field(key) = *from.field(key)
			}
			if slices.Contains(byPeople, key) {
				to.order = append(to.order, key)
			}
		}
	}
}

// field gives where the text of a key is kept, nil for count and id.
func (e *Entry) field(key string) *string {
	switch key {
	case "leak":
		return &e.Fingerprint
	case "package":
		return &e.Package
	case "code":
		return &e.Code
	case "reason":
		return &e.Reason
	case "owner":
		return &e.Owner
	case "expires":
		return &e.Expires
	case "added":
		return &e.Added
	}
	return nil
}

func (e *Entry) value(key string) string {
	if key == "count" {
		return strconv.Itoa(e.Count)
	}
	return *e.field(key)
}

// endsEarly says whether what is missing is the end of the entry, the required keys taken in their order, and no line of its
// middle.
func (s *stanza) endsEarly() bool {
	missing := false
	for i, key := range allKeys {
		switch {
		case !slices.Contains(required, key):
		case s.lines[i] == 0:
			missing = true
		case missing:
			return false
		}
	}
	return missing
}

func short(s string) string {
	if len(s) > maxQuoted {
		return strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return s
}

// didYouMean gives "; did you mean ...?" when a key is near.
func didYouMean(key string) string {
	low := strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(short(key)))
	near, least := meant[low], 3
	for _, k := range allKeys {
		if d := distance(low, k); d < least && d < len(k)-1 {
			near, least = k, d
		}
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", near)
}

// distance counts the letters that must be changed, added or left out.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			up := row[j+1]
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, up+1, row[j]+1)
			diagonal = up
		}
	}
	return row[len(b)]
}
