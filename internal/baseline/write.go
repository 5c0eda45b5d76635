package baseline

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ourHeader stands above the entries of a file that has no header of its own.
var ourHeader = []string{
	"Leaks that were there when Leakgate came. Each is to go: fix it, then run: leakgate baseline prune",
	"A leak that is not here fails its test, and so does one more than count says.",
	"",
	"leak, package, code, count, id   generated: how the leak is found again, and how many one run of its test has",
	"reason, owner, added             yours, kept when the file is written again, as comments are",
	"expires                          yours: a day like 2027-03-01, from which on the entry hides nothing",
}

// Format gives the file's text: sorted, the same for the same entries.
func (f *File) Format() []byte {
	entries := slices.Clone(f.Entries)
	sorted := File{Entries: entries}
	sorted.tidy()

	var b strings.Builder
	header := f.Header
	if len(header) == 0 {
		header = ourHeader
	}
	writeComments(&b, header)
	for i := range entries {
		b.WriteByte('\n')
		entries[i].write(&b)
	}
	if len(f.Footer) > 0 && len(entries) > 0 {
		b.WriteByte('\n')
		writeComments(&b, f.Footer)
	}
	text := b.String()
	if f.crlf {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return []byte(text)
}

func writeComments(b *strings.Builder, lines []string) {
	for _, line := range lines {
		line = oneComment(line)
		switch {
		case line == "" || line[0] == '#': // "#####" stays a rule
			b.WriteString("#" + line + "\n")
		default:
			b.WriteString("# " + line + "\n")
		}
	}
}

// oneComment is oneLine, with the indentation that a comment may have.
func oneComment(line string) string {
	return strings.TrimRight(line[:len(line)-len(strings.TrimLeft(line, " "))]+oneLine(line), " ")
}

func (e *Entry) write(b *strings.Builder) {
	above := min(max(e.above, 0), len(e.Notes))
	writeComments(b, e.Notes[:above])
	notes := e.Notes[above:]

	fmt.Fprintf(b, "leak: %s\npackage: %s\n", e.Fingerprint, e.Package)
	writeLine(b, "code", e.Code)
	writeLine(b, "count", strconv.Itoa(e.Count))
	writeLine(b, "id", e.ID())

	order := slices.Clone(e.order)
	for i, key := range byPeople {
		if !slices.Contains(order, key) {
			order = slices.Insert(order, placeFor(order, byPeople[i+1:]), key)
		}
	}
	for _, key := range order {
		switch {
		case key != "#":
			writeLine(b, key, e.value(key))
		case len(notes) > 0:
			writeComments(b, notes[:1])
			notes = notes[1:]
		}
	}
	writeComments(b, notes)
}

// placeFor finds where a key belongs in an order that people made: before those that come after it by ours.
func placeFor(order, after []string) int {
	for i, key := range order {
		if slices.Contains(after, key) {
			return i
		}
	}
	return len(order)
}

func writeLine(b *strings.Builder, key, value string) {
	if value = oneLine(value); value != "" {
		b.WriteString(key + ": " + value + "\n")
	}
}

// Save writes the file in one step, so that who reads it meanwhile sees the old text or the new one. A file that has the text
// already is left alone, and one without entries is removed. Save refuses to write what Parse would not read.
func (f *File) Save() error {
	path := f.Path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the file that a link names is written, and the link stays
	}
	if len(f.Entries) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the baseline is empty and cannot be removed: %w", err)
		}
		return nil
	}
	text := f.Format()
	if _, err := Parse(f.Path, text); err != nil {
		return fmt.Errorf("the baseline is not written, because it could not be read again: %w", err)
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := replace(path, text); err != nil {
		return fmt.Errorf("the baseline cannot be written: %w", err)
	}
	return nil
}

func replace(path string, text []byte) (err error) {
	temp, err := createBeside(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	if info, statErr := os.Stat(path); statErr == nil {
		if err := temp.Chmod(info.Mode().Perm()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			temp.Close()
			return err
		}
	}
	if _, err := temp.Write(text); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Sync(); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// createBeside creates a file in the folder of path, for which the umask counts, as it does not for os.CreateTemp.
func createBeside(path string) (*os.File, error) {
	for i := 0; ; i++ {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.%d", filepath.Base(path), os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) && i < 1000 {
			continue
		}
		return f, err
	}
}
