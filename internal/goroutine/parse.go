package goroutine

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
)

// Label is one pprof label of a goroutine.
type Label struct {
	Key, Value string
}

// Ancestor is a goroutine above the creator. The runtime shows them when the program was started with
// GODEBUG=tracebackancestors=N.
type Ancestor struct {
	ID        uint64
	Frames    []callsite.Frame // where it was when it started the next one, innermost first
	CreatedBy callsite.Frame
	Elided    int
}

// Goroutine is one block of a dump, read in full.
type Goroutine struct {
	ID      uint64
	State   string        // what it does or waits for: "chan receive"; without the flags below
	Leaked  bool          // a profile of leaked goroutines proved that nothing can wake it
	Durable bool          // blocked for good as far as its synctest bubble goes
	Scan    bool          // the garbage collector was looking at it
	Wait    time.Duration // for how long it was blocked, in whole minutes; 0 when below one
	Locked  bool          // locked to its thread
	Bubble  uint64        // its synctest bubble, 0 when it is in none
	Labels  []Label

	Frames    []callsite.Frame // innermost first
	Args      []string         // the argument text of each frame, as it stands: "0xc000126d80, {0x1?, 0x2?}"
	Elided    int              // how many frames the runtime left out, from the middle of a deep stack
	CreatedBy callsite.Frame   // zero for the main goroutine
	CreatorID uint64           // 0 when not known
	Ancestors []Ancestor

	Raw string // the whole block
}

// Label gives the value of the label with that key.
func (g Goroutine) Label(key string) (string, bool) {
	for _, l := range g.Labels {
		if l.Key == key {
			return l.Value, true
		}
	}
	return "", false
}

// errNoHeader is given for text that is not a goroutine at all.
var errNoHeader = errors.New("not a goroutine header")

// Parse reads one block of a dump. It never panics. With an error, which names the first thing that it could not
// read, the Goroutine holds all else that was there, and Raw always holds the text itself.
func Parse(block []byte) (Goroutine, error) {
	g := Goroutine{Raw: strings.Trim(string(block), "\n")}
	header, body, _ := strings.Cut(g.Raw, "\n")
	err := g.parseHeader(header)
	p := parser{g: &g, rest: body, err: err}
	p.parseBody()
	g.unhook()
	return g, p.err
}

// parseHeader reads the header line:
//
//	goroutine ID [gp=.. m=..] [STATE(, N minutes)(, locked to thread)(, synctest bubble N)( labels:{..})]( {..}):
func (g *Goroutine) parseHeader(line string) error {
	rest, ok := strings.CutPrefix(line, "goroutine ")
	if !ok {
		return fmt.Errorf("%w: %q", errNoHeader, line)
	}
	num, rest, _ := strings.Cut(rest, " ")
	id, err := strconv.ParseUint(num, 10, 64)
	if err != nil || id == 0 {
		return fmt.Errorf("%w: %q", errNoHeader, line)
	}
	g.ID = id
	open := strings.IndexByte(rest, '[')
	if open < 0 {
		return fmt.Errorf("goroutine header without a state: %q", line)
	}
	rest = rest[open+1:]

	// The state itself holds neither a bracket nor the word that starts the labels; the labels' text may.
	end := strings.IndexByte(rest, ']')
	if i := strings.Index(rest, string(labelsOpen26)); i >= 0 && (end < 0 || i < end) {
		g.parseState(rest[:i])
		rest, ok = g.parseLabels(rest[i+len(labelsOpen26):])
		if !ok || !strings.HasPrefix(rest, "]") {
			return fmt.Errorf("labels not understood: %q", line)
		}
		rest = rest[1:]
	} else if end < 0 {
		g.parseState(rest)
		return fmt.Errorf("goroutine header without an end: %q", line)
	} else {
		g.parseState(rest[:end])
		rest = rest[end+1:]
	}
	if after, found := strings.CutPrefix(rest, " {"); found {
		rest, ok = g.parseLabels(after)
		if !ok {
			return fmt.Errorf("labels not understood: %q", line)
		}
	}
	if rest != ":" {
		return fmt.Errorf("goroutine header with an unknown end: %q", line)
	}
	return nil
}

// parseState reads what stands between the brackets, without labels. Words that it does not know are left alone.
func (g *Goroutine) parseState(text string) {
	parts := strings.Split(text, ", ")
	g.State = parts[0]
	for {
		if s, found := strings.CutSuffix(g.State, " (leaked)"); found {
			g.State, g.Leaked = s, true
		} else if s, found := strings.CutSuffix(g.State, " (durable)"); found {
			g.State, g.Durable = s, true
		} else if s, found := strings.CutSuffix(g.State, " (scan)"); found {
			g.State, g.Scan = s, true
		} else {
			break
		}
	}
	for _, part := range parts[1:] {
		switch {
		case part == "locked to thread":
			g.Locked = true
		case strings.HasSuffix(part, " minutes"):
			if n, err := strconv.ParseInt(strings.TrimSuffix(part, " minutes"), 10, 64); err == nil && n > 0 {
				g.Wait = time.Duration(min(n, math.MaxInt64/int64(time.Minute))) * time.Minute
			}
		default:
			if n, found := strings.CutPrefix(part, "synctest bubble "); found {
				g.Bubble, _ = strconv.ParseUint(n, 10, 64)
			}
		}
	}
}

// parseLabels reads `k: v, "k 2": "v"}` and gives what follows the brace.
func (g *Goroutine) parseLabels(s string) (rest string, ok bool) {
	if after, found := strings.CutPrefix(s, "}"); found {
		return after, true
	}
	for {
		var l Label
		if l.Key, s, ok = labelText(s, ": "); !ok {
			return s, false
		}
		if s, ok = strings.CutPrefix(s, ": "); !ok {
			return s, false
		}
		if l.Value, s, ok = labelText(s, ",}"); !ok {
			return s, false
		}
		g.Labels = append(g.Labels, l)
		if after, found := strings.CutPrefix(s, "}"); found {
			return after, true
		}
		if s, ok = strings.CutPrefix(s, ", "); !ok {
			return s, false
		}
	}
}

// labelText reads a label's key or value: quoted, or plain up to one of the characters in stop. The runtime leaves
// only letters, digits, dots, slashes and underscores unquoted, and the empty text.
func labelText(s, stop string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, stop)
		if i < 0 {
			return "", s, false
		}
		return s[:i], s[i:], true
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			quoted := s[:i+1]
			text, err := strconv.Unquote(quoted)
			if err != nil {
				text = quoted[1 : len(quoted)-1]
			}
			return text, s[i+1:], true
		}
	}
	return "", s, false
}

// parser reads the lines below a header.
type parser struct {
	g    *Goroutine
	rest string // what is left of the block
	err  error  // the first one
}

// fail notes an error, unless there is an earlier one.
func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// line takes the next line.
func (p *parser) line() string {
	line, rest, _ := strings.Cut(p.rest, "\n")
	p.rest = rest
	return strings.TrimSuffix(line, "\r")
}

// position takes the position line below a frame, when there is one.
func (p *parser) position() (file string, line int) {
	if !strings.HasPrefix(p.rest, "\t") {
		return "", 0
	}
	text := p.line()[1:]
	file, line, ok := parsePosition(text)
	if !ok {
		p.fail("position not understood: %q", text)
	}
	return file, line
}

func (p *parser) parseBody() {
	var above *Ancestor // whose stack is being read, nil for the goroutine's own
	for p.rest != "" {
		line := p.line()
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "\t"):
			if !strings.Contains(line, "stack unavailable") {
				p.fail("position without a frame: %q", line)
			}
		case strings.HasPrefix(line, "..."):
			n, known := parseElided(line)
			if !known {
				p.fail("line not understood: %q", line)
				continue
			}
			if above != nil {
				above.Elided = min(above.Elided+n, math.MaxInt32/2)
			} else {
				p.g.Elided = min(p.g.Elided+n, math.MaxInt32/2)
			}
		case strings.HasPrefix(line, "[originating from goroutine "):
			num := strings.TrimSuffix(strings.TrimPrefix(line, "[originating from goroutine "), "]:")
			id, err := strconv.ParseUint(num, 10, 64)
			if err != nil {
				p.fail("ancestor not understood: %q", line)
			}
			p.g.Ancestors = append(p.g.Ancestors, Ancestor{ID: id})
			above = &p.g.Ancestors[len(p.g.Ancestors)-1]
		case strings.HasPrefix(line, "created by "):
			fn, id := parseCreator(strings.TrimPrefix(line, "created by "))
			frame := callsite.Frame{Func: fn}
			frame.File, frame.Line = p.position()
			if above != nil {
				above.CreatedBy = frame
			} else {
				p.g.CreatedBy, p.g.CreatorID = frame, id
			}
		default:
			p.parseFrame(line, above)
		}
	}
}

// parseFrame reads "function(arguments)" and the position below it. Names that a C symbolizer gives may have no
// arguments and any form; they are taken for frames when a position follows, or by the runtime's own words for them.
func (p *parser) parseFrame(line string, above *Ancestor) {
	fn, args := line, ""
	if open := strings.LastIndexByte(line, '('); open > 0 && strings.HasSuffix(line, ")") {
		fn, args = line[:open], line[open+1:len(line)-1]
	} else if !strings.HasPrefix(p.rest, "\t") && !strings.HasPrefix(line, "non-Go function") {
		p.fail("line not understood: %q", line)
		return
	}
	frame := callsite.Frame{Func: fn}
	frame.File, frame.Line = p.position()
	if above != nil {
		above.Frames = append(above.Frames, frame)
		return
	}
	p.g.Frames = append(p.g.Frames, frame)
	p.g.Args = append(p.g.Args, args)
}

// parsePosition reads "file:line", which may be followed by "+0x1d", "fp=0x.. sp=0x.. pc=0x..". The file may hold
// spaces and colons. A bare "pc=0x.." is a position that is not known.
func parsePosition(text string) (file string, line int, ok bool) {
	for {
		space := strings.LastIndexByte(text, ' ')
		word := text[space+1:]
		if !isHexWord(word) {
			break
		}
		if space < 0 {
			return "", 0, true
		}
		text = text[:space]
	}
	colon := strings.LastIndexByte(text, ':')
	if colon <= 0 {
		return text, 0, false
	}
	n, err := strconv.Atoi(text[colon+1:])
	if err != nil || n < 0 {
		return text, 0, false
	}
	return text[:colon], n, true
}

// isHexWord says whether word is one of those that may follow a position.
func isHexWord(word string) bool {
	for _, prefix := range []string{"+0x", "fp=0x", "sp=0x", "pc=0x"} {
		if digits, found := strings.CutPrefix(word, prefix); found {
			return digits != "" && strings.Trim(digits, "0123456789abcdef") == ""
		}
	}
	return false
}

// parseElided reads "...51 frames elided..." and "...additional frames elided...", which does not say how many and
// counts as one.
func parseElided(line string) (n int, ok bool) {
	text, ok := strings.CutSuffix(strings.TrimPrefix(line, "..."), " frames elided...")
	if !ok {
		return 0, false
	}
	if text == "additional" {
		return 1, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > math.MaxInt32/2 { // no stack is that deep
		return 0, false
	}
	return n, true
}

// parseCreator reads "function in goroutine 12".
func parseCreator(text string) (fn string, id uint64) {
	const in = " in goroutine "
	if i := strings.LastIndex(text, in); i >= 0 {
		if n, err := strconv.ParseUint(text[i+len(in):], 10, 64); err == nil {
			return text[:i], n
		}
	}
	return text, 0
}
