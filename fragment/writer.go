package fragment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// tail closes the document. It is behind the last record, and the next record overwrites it.
const tail = "\n]}\n"

// Writer writes the fragment of one process. Its methods may be called by several goroutines at once. Each adds one record
// with one write and returns when the operating system has it, so that the document on disk is whole after each.
//
// A method that fails has left the document as it was, and the next call tries anew. Its error names the file, the record
// and the cause; a fragment that is full gives a *LimitError.
//
// A Writer keeps its file open until Close, so that a test that uses up the process's file descriptors does not lose the
// record of just that.
type Writer struct {
	path string

	mu   sync.Mutex
	file file
	pos  int64 // where the next record goes: the offset of tail
	some bool  // there is a record

	sampled int64 // bytes of samples that were written
	seen    int   // samples that were given, to keep every second, every fourth and so on
}

// file is what a Writer needs of an *os.File.
type file interface {
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	Close() error
}

// Create makes the folder where it is missing, and in it a fragment with this header and no records. Its name has the
// package, the process's ID and a random number, so that neither two processes that start at the same moment nor two
// fragments of one process meet, on one machine or on several that share the folder.
//
// The file comes into being whole: it is written under a name that does not end in .json, and renamed.
func Create(dir string, h Header) (*Writer, error) {
	abs, err := filepath.Abs(dir) // a test may change the working directory
	if err != nil {
		return nil, createError(dir, err)
	}
	h = maskHeader(h)
	head, err := encode(struct {
		Leakgate string `json:"leakgate"`
		Version  int    `json:"version"`
		Header
	}{"fragment", Version, h})
	if err != nil {
		return nil, createError(abs, err)
	}
	head = append(bytes.TrimSuffix(head, []byte("}")), `,"records":[`...)
	if err := os.MkdirAll(abs, 0o777); err != nil {
		return nil, createError(abs, err)
	}
	path, err := place(abs, fmt.Sprintf("%s-%d-", fileName(h.Package), h.PID), append(head[:len(head):len(head)], tail...))
	if err != nil {
		return nil, createError(abs, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, createError(abs, err)
	}
	return &Writer{path: path, file: f, pos: int64(len(head))}, nil
}

// place writes a file whose name nobody has, and gives its path.
func place(dir, prefix string, text []byte) (string, error) {
	for range 100 {
		path := filepath.Join(dir, fmt.Sprintf("%s%016x.json", prefix, random()))
		temp := path + ".tmp"
		// Whoever wants this path must make this temporary file first, and only one can.
		f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, taken := os.Lstat(path)
		if taken == nil {
			f.Close()
			os.Remove(temp)
			continue
		}
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(temp, path)
		}
		if err != nil {
			os.Remove(temp)
			return "", err
		}
		return path, nil
	}
	return "", errors.New("100 names were tried, and there is a file of each")
}

// random is a variable so that a test can let names meet.
var random = rand.Uint64

// fileName makes a package's path a part of a file's name that every system takes.
func fileName(pkg string) string {
	const most = 120
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, pkg)
	if len(name) > most {
		name = name[len(name)-most:] // the end tells more
	}
	name = strings.TrimLeft(name, ".-")
	if name == "" {
		name = "package"
	}
	return name
}

// createError says what stands in the way and what to do.
func createError(dir string, err error) error {
	todo := ""
	switch at, ok := fileAbove(dir); {
	case ok:
		todo = fmt.Sprintf(": %s is a file; let LEAKGATE_REPORT name a folder", at)
	case errors.Is(err, fs.ErrPermission):
		todo = ": let LEAKGATE_REPORT name a folder that the tests may write to"
	}
	return fmt.Errorf("leakgate: no report can be written to %s%s: %w", dir, todo, err)
}

// fileAbove finds what is a file, and no folder, among the folders of a path.
func fileAbove(dir string) (string, bool) {
	for {
		if info, err := os.Stat(dir); err == nil {
			return dir, !info.IsDir()
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// Path gives the file's absolute path.
func (w *Writer) Path() string { return w.path }

// Test adds a test that is over.
func (w *Writer) Test(t Test) error { return w.add("test "+t.Name, record{Test: ptr(maskTest(t))}) }

// Leak adds a leak.
func (w *Writer) Leak(l Leak) error { return w.add("leak "+l.Code, record{Leak: ptr(maskLeak(l))}) }

// Ignored adds what one rule set aside in one test.
func (w *Writer) Ignored(i Ignored) error {
	return w.add("ignored leaks", record{Ignored: ptr(maskIgnored(i))})
}

// Samples adds samples, oldest first. Of a long run they are thinned: after about 2 MB of them every second one is kept,
// after 4 MB every fourth, and so on.
func (w *Writer) Samples(s []Sample) error {
	for len(s) > 0 {
		n := min(len(s), samplesBatch)
		if err := w.addSamples(s[:n]); err != nil {
			return err
		}
		s = s[n:]
	}
	return nil
}

func (w *Writer) addSamples(batch []Sample) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	every := 1 << min(w.sampled/samplesStep, 30)
	var kept []Sample
	for _, s := range batch {
		if w.seen%every == 0 {
			kept = append(kept, maskSample(s))
		}
		w.seen++
	}
	if len(kept) == 0 {
		return nil
	}
	before := w.pos
	err := w.append("samples", record{Samples: kept}, maxFile-reserved)
	w.sampled += w.pos - before
	return err
}

// End adds how the run ended. It has room even in a fragment that is full.
func (w *Writer) End(e End) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append("end of the run", record{End: ptr(maskEnd(e))}, maxFile)
}

// Close gives the file back. The document is whole without it. Records that come later fail with os.ErrClosed.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

// record is one element of "records", with one member.
type record struct {
	Test    *Test    `json:"test,omitempty"`
	Leak    *Leak    `json:"leak,omitempty"`
	Ignored *Ignored `json:"ignored,omitempty"`
	Samples []Sample `json:"samples,omitempty"`
	End     *End     `json:"end,omitempty"`
}

func (w *Writer) add(what string, r record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append(what, r, maxFile-reserved)
}

// append writes a record and the tail behind it, or leaves the document as it was.
func (w *Writer) append(what string, r record, limit int64) error {
	fail := func(err error) error {
		return fmt.Errorf("leakgate: %s cannot be added to the report %s: %w", what, w.path, err)
	}
	if w.file == nil {
		return fail(fs.ErrClosed)
	}
	line, err := encode(r)
	if err == nil && len(line) > maxRecord {
		shorten(&r)
		line, err = encode(r)
	}
	if err != nil {
		return fail(err)
	}
	if len(line) > maxRecord {
		return fail(&LimitError{What: "a record", Limit: maxRecord})
	}
	text := make([]byte, 0, len(line)+len(tail)+2)
	if w.some {
		text = append(text, ',')
	}
	text = append(append(append(text, '\n'), line...), tail...)
	if w.pos+int64(len(text)) > limit {
		return fail(&LimitError{What: "a report", Limit: maxFile})
	}
	if _, err := w.file.WriteAt(text, w.pos); err != nil {
		return fail(errors.Join(err, w.restore()))
	}
	if err := w.there(); err != nil {
		return fail(err)
	}
	w.pos += int64(len(text) - len(tail))
	w.some = true
	return nil
}

// restore takes back what was written behind the last whole record.
func (w *Writer) restore() error {
	// The tail needs no new space: it stood there before.
	if _, err := w.file.WriteAt([]byte(tail), w.pos); err != nil {
		return fmt.Errorf("and the file is cut now: %w", err)
	}
	if err := w.file.Truncate(w.pos + int64(len(tail))); err != nil {
		return fmt.Errorf("and the file is cut now: %w", err)
	}
	return nil
}

// there says whether the path still leads to the file: a test, or a step beside it, may have cleared the folder.
func (w *Writer) there() error {
	mine, err := w.file.Stat()
	if err != nil {
		return err
	}
	info, err := os.Stat(w.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, info) {
		return errors.New("the file was removed while the tests ran: leave LEAKGATE_REPORT's folder alone until they are over")
	}
	return nil // a folder that may not be looked into any more says nothing
}

// encode gives one line of JSON that a person can read: < and & stand as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func ptr[T any](v T) *T { return &v }
