package goroutine

import "bytes"

var (
	newline      = []byte("\n")
	blankLine    = []byte("\n\n")
	comma        = []byte(", ")
	headerWord   = []byte("goroutine ")
	createdLine  = []byte("\ncreated by ")
	createdIn    = []byte(" in goroutine ")
	labelsOpen26 = []byte(" labels:{")
	labelsOpen27 = []byte("] {")
	runtimeDot   = []byte("runtime.")
	readLoopCall = []byte("net/http.(*persistConn).readLoop(")
	selectState  = []byte("select")

	// flags are what the runtime adds to a state in parentheses, behind a space. Other parentheses belong to
	// the state itself: "chan receive (nil chan)".
	flags = [][]byte{[]byte(" (leaked)"), []byte(" (scan)"), []byte(" (durable)")}

	// transportMakers create the loops of a client connection.
	transportMakers = [][]byte{
		[]byte("net/http.(*Transport).dialConn"),
		[]byte("net/http.(*http2Transport).newClientConn"),
		[]byte("net/http/internal/http2.(*Transport).newClientConn"),
		[]byte("golang.org/x/net/http2.(*Transport).newClientConn"),
	}
)

// Head is what a scan tells of one goroutine. Its slices point into the dump.
type Head struct {
	ID        uint64 // 0 when the block is not one of a goroutine
	State     []byte // what it does or waits for: "chan receive"; without flags, wait time and labels
	Transport bool   // it is a loop of an HTTP client connection, of either protocol
	Leased    bool   // it is the read loop of an HTTP/1 connection whose response somebody still holds
	Block     []byte // its text, without the line end
}

// Scan calls f for each goroutine of a dump, in the dump's order, until f returns false. It allocates nothing. Text
// between blank lines that is not a goroutine is passed on with ID 0.
//
// Blank lines part the goroutines of a dump and occur nowhere else in it: the runtime escapes line ends in labels.
func Scan(dump []byte, f func(Head) bool) {
	for len(dump) > 0 {
		var block []byte
		block, dump = nextBlock(dump)
		if len(block) > 0 && !f(head(block)) {
			return
		}
	}
}

// nextBlock cuts the first block, without the line ends around it, from a dump.
func nextBlock(dump []byte) (block, rest []byte) {
	if i := bytes.Index(dump, blankLine); i >= 0 {
		block, rest = dump[:i], dump[i+len(blankLine):]
	} else {
		block = dump
	}
	for len(block) > 0 && block[0] == '\n' {
		block = block[1:]
	}
	for len(block) > 0 && block[len(block)-1] == '\n' {
		block = block[:len(block)-1]
	}
	return block, rest
}

// head reads a block's header and its creator.
func head(block []byte) Head {
	h := Head{Block: block}
	id, rest := headerID(block)
	if id == 0 {
		return h
	}
	h.ID = id
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		end = len(rest)
	}
	h.State = headerState(rest[:end])
	h.Transport = byTransport(block)
	h.Leased = h.Transport && bytes.Equal(h.State, selectState) && bytes.HasPrefix(topCall(rest[end:]), readLoopCall)
	return h
}

// headerID reads "goroutine 12" and gives what follows; the id is 0 when that is not what is there.
func headerID(block []byte) (id uint64, rest []byte) {
	if !bytes.HasPrefix(block, headerWord) {
		return 0, nil
	}
	rest = block[len(headerWord):]
	i := 0
	for i < len(rest) && '0' <= rest[i] && rest[i] <= '9' {
		if id > (1<<64-10)/10 {
			return 0, nil // no goroutine has such an id
		}
		id = id*10 + uint64(rest[i]-'0')
		i++
	}
	if i == 0 || i == len(rest) || rest[i] != ' ' {
		return 0, nil
	}
	return id, rest[i:]
}

// headerState cuts the state from the rest of a header line: " gp=0x1 m=nil [chan receive (leaked), 2 minutes]:".
func headerState(line []byte) []byte {
	open := bytes.IndexByte(line, '[')
	if open < 0 {
		return nil
	}
	state := line[open+1:]
	for i, c := range state {
		if c == ']' || c == ',' && bytes.HasPrefix(state[i:], comma) || c == ' ' && bytes.HasPrefix(state[i:], labelsOpen26) {
			state = state[:i]
			break
		}
	}
	return trimFlags(state)
}

// trimFlags takes the flags off a state.
func trimFlags(state []byte) []byte {
	for again := true; again; {
		again = false
		for _, flag := range flags {
			if bytes.HasSuffix(state, flag) {
				state = state[:len(state)-len(flag)]
				again = true
			}
		}
	}
	return state
}

// topCall gives the rest of a block from its first frame on that is not inside the runtime. Frames of the runtime
// are there when GOTRACEBACK=system is set. block starts at the end of the header line.
func topCall(block []byte) []byte {
	for len(block) > 0 {
		block = block[1:] // the line end
		if !bytes.HasPrefix(block, runtimeDot) {
			return block
		}
		for range 2 { // the call and its position
			i := bytes.IndexByte(block, '\n')
			if i < 0 {
				return nil
			}
			block = block[i:]
			if len(block) > 1 && block[1] == '\t' {
				block = block[1:]
			} else {
				break
			}
		}
	}
	return nil
}

// byTransport says whether the goroutine was started by the dial of an HTTP client. As a rule the creator is the last
// line but one, and looking from there is what makes a scan fast.
func byTransport(block []byte) bool {
	last := bytes.LastIndexByte(block, '\n')
	if last < 0 {
		return false
	}
	i := bytes.LastIndexByte(block[:last], '\n')
	if i < 0 {
		return false
	}
	var line []byte
	if bytes.HasPrefix(block[i:], createdLine) {
		line = creatorLine(block, i)
	}
	if !bytes.Contains(line, createdIn) {
		// The block may go on with ancestors (GODEBUG=tracebackancestors), whose creators are of no known goroutine.
		// The goroutine's own creator comes first.
		i = bytes.Index(block, createdLine)
		if i < 0 {
			return false
		}
		line = creatorLine(block, i)
	}
	for _, maker := range transportMakers {
		if bytes.HasPrefix(line, maker) && (len(line) == len(maker) || line[len(maker)] == ' ') {
			return true
		}
	}
	return false
}

// creatorLine gives the rest of the line whose "\ncreated by " is at i.
func creatorLine(block []byte, i int) []byte {
	line, _, _ := bytes.Cut(block[i+len(createdLine):], newline)
	return line
}

// Blocked says whether a goroutine in that state waits for another goroutine, a lock, or the network, so that it
// stays as it is until one of them acts. Running, ready to run, asleep until a time, in a system call, or held up by
// the garbage collector is not blocked. Flags in the state do not matter.
func Blocked(state string) bool {
	state = string(trimFlags([]byte(state)))
	switch state {
	case "chan receive", "chan receive (nil chan)",
		"chan send", "chan send (nil chan)",
		"select", "select (no cases)",
		"semacquire", "IO wait", "coroutine", "panicwait",
		"finalizer wait", "cleanup wait", "trace reader (blocked)",
		"synctest.Run", "synctest.Wait":
		return true
	}
	return len(state) > len("sync.") && state[:len("sync.")] == "sync."
}
