package mockserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/jsontree"
)

const (
	maxMapping  = 16 << 20 // bytes of a file of stub mappings
	maxBodyFile = 64 << 20 // bytes of a file that bodyFileName names
	maxProblems = 50       // that a message lists
)

// Load adds the stubs that WireMock's JSON files in a directory describe, so that stubs which a team has already can be
// used as they are. The directory is laid out as for WireMock: dir/mappings has the .json files, in folders too, and
// dir/__files the bodies that they name. A directory that has the .json files itself will do; __files is then in it, or
// beside it when it is called mappings. A file has one mapping, or several in {"mappings": [...]}; comments are allowed.
//
// What is read means what it means to WireMock:
//
//   - of a request method, url, urlPattern, urlPath, urlPathPattern, urlPathTemplate with pathParameters, headers,
//     queryParameters, cookies, formParameters, basicAuth and bodyPatterns;
//   - the operators equalTo (with caseInsensitive), contains, doesNotContain, matches, doesNotMatch, absent, anything,
//     equalToJson (with ignoreArrayOrder, ignoreExtraElements and JsonUnit's placeholders), matchesJsonPath (a path alone, or
//     one with an operator for what it finds), matchesPathTemplate, equalToNumber and its like, binaryEqualTo, and, or, not,
//     hasExactly and includes;
//   - of a response status, statusMessage, body, jsonBody, base64Body, bodyFileName, headers, fixedDelayMilliseconds,
//     delayDistribution (fixed, uniform, lognormal), chunkedDribbleDelay and the four faults;
//   - priority, scenarioName, requiredScenarioState and newScenarioState.
//
// The fields id, uuid, name, metadata, persistent and insertionIndex change no reply and are left alone. Everything else,
// as templates, proxies and XML, fails the test, as do unknown fields: one message lists all problems of all files. A
// mapping that has a problem is not loaded, and the others are.
//
// Of the stubs that Load has added and that match a request, the one with the lowest priority answers, and of these the one
// that was added last; files are read in the order of their names. WireMock's own order of files is by chance. A stub of On
// with the same priority goes before them, so that a test can override one for itself. A GET does not answer HEAD here.
// The stubs are Optional: a directory that tests share has some that one of them does not need. Messages name the file
// of a stub where they have the line of others.
//
// Replies are sent chunked, unless the mapping has a Content-Length. An error status without a body stays without one, and
// in this framing a client that does not close it holds its connection. WireMock's own headers (Matched-Stub-Id) are not
// sent. Regular expressions are Java's, and match the whole text; what Go's cannot do, look-ahead and back references
// above all, is a problem that the message names. In JSON paths the functions length and size are known. A body of which
// the server keeps only a part, see KeepBodies, matches no bodyPatterns.
func (s *Server) Load(dir string) {
	s.t.Helper()
	problems, loaded, total := s.load(dir)
	if len(problems) == 0 {
		return
	}
	verdict := count(len(problems), "problem")
	if total > 0 {
		verdict += fmt.Sprintf(", %d of %s loaded", loaded, count(total, "stub"))
	}
	var b strings.Builder
	for i, p := range problems {
		if i == maxProblems {
			fmt.Fprintf(&b, "\n\tand %d more", len(problems)-i)
			break
		}
		b.WriteString("\n\t" + p)
	}
	s.errorf("mockserver: Load(%q): %s:%s", dir, verdict, b.String())
}

// load returns what is wrong, how many stubs it has added, and how many there are in the files.
func (s *Server) load(dir string) (problems []string, loaded, total int) {
	root, name, bodyDir, err := mappingDirs(dir)
	if err != nil {
		return []string{err.Error()}, 0, 0
	}
	files, err := mappingFiles(root)
	if err != nil {
		return []string{err.Error()}, 0, 0
	}
	if len(files) == 0 {
		return []string{fmt.Sprintf("%s has no .json file; the mappings are in %s or in %s", filepath.ToSlash(root), path.Join(filepath.ToSlash(dir), "mappings"), filepath.ToSlash(dir))}, 0, 0
	}
	bodies := &bodyFiles{dir: bodyDir, cache: map[string][]byte{}}
	for _, file := range files {
		m := &mappingReader{file: path.Join(name, filepath.ToSlash(file)), bodies: bodies}
		stubs, n := m.read(s, filepath.Join(root, file))
		for _, st := range stubs {
			s.add(st, true)
		}
		loaded += len(stubs)
		total += n
		problems = append(problems, m.problems...)
	}
	return problems, loaded, total
}

// mappingDirs finds the mappings and the bodies. name is what messages call the first.
func mappingDirs(dir string) (root, name, bodies string, err error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		where := ""
		if wd, err := os.Getwd(); err == nil && !filepath.IsAbs(dir) {
			where = " in " + filepath.Base(wd) + ", where the test runs"
		}
		return "", "", "", fmt.Errorf("there is no such directory%s", where)
	case err != nil:
		return "", "", "", err
	case !info.IsDir():
		return "", "", "", errors.New("is a file; give the directory that has mappings and __files in it")
	}
	inner := filepath.Join(dir, "mappings")
	if info, err := os.Stat(inner); err == nil && info.IsDir() {
		return inner, "mappings", filepath.Join(dir, "__files"), nil
	}
	whole, err := filepath.Abs(dir)
	if err != nil {
		return "", "", "", err
	}
	bodies = filepath.Join(whole, "__files")
	if _, err := os.Stat(bodies); err != nil && filepath.Base(whole) == "mappings" {
		bodies = filepath.Join(filepath.Dir(whole), "__files")
	}
	return dir, filepath.Base(whole), bodies, nil
}

// mappingFiles lists the .json files, in the order of their names.
func mappingFiles(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "__files" {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.EqualFold(filepath.Ext(d.Name()), ".json") {
			rel, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			files = append(files, rel)
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

var (
	fileFields = schema{
		name: "a file of mappings", read: []string{"mappings"}, ignored: []string{"$schema", "meta", "uuid"},
		refused: map[string]string{"importOptions": "all mappings of a file are added"},
	}
	mappingFields = schema{
		name:    "a mapping",
		read:    []string{"request", "response", "priority", "scenarioName", "requiredScenarioState", "newScenarioState"},
		ignored: []string{"id", "uuid", "name", "metadata", "persistent", "insertionIndex", "$schema"},
		refused: map[string]string{
			"postServeActions":    "there are no extensions",
			"serveEventListeners": "there are no extensions",
		},
	}
)

// read reads one file. It returns the stubs that can be used, and how many mappings there are.
func (m *mappingReader) read(s *Server, file string) (stubs []*Stub, n int) {
	text, err := readRegular(func() (fs.FileInfo, error) { return os.Stat(file) }, func() (*os.File, error) { return os.Open(file) }, maxMapping)
	if err != nil {
		m.bad("", "%v", err)
		return nil, 0
	}
	return m.parse(s, text)
}

func (m *mappingReader) parse(s *Server, text []byte) (stubs []*Stub, n int) {
	doc, err := jsontree.ParseRelaxed(text)
	if err != nil {
		m.bad("", "is not JSON: %v", err)
		return nil, 0
	}
	if doc.Kind != jsontree.Object {
		m.bad("", `is %s; a file has one mapping, {"request": ..., "response": ...}, or several, {"mappings": [...]}`, doc.Kind)
		return nil, 0
	}
	several := doc.Get("mappings")
	if several == nil {
		if st := m.mapping(s, doc, "", m.file); st != nil {
			stubs = append(stubs, st)
		}
		return stubs, 1
	}
	fields := m.object(doc, "", &fileFields)
	if several.Kind == jsontree.Null {
		m.bad("mappings", "is null, so that the file has no mapping; write them as {\"mappings\": [...]}, or take the file away")
		return nil, 0
	}
	if fields["mappings"] == nil {
		return nil, 0
	}
	all := m.list(fields["mappings"], "mappings")
	if fields["mappings"].Kind == jsontree.Array && len(all) == 0 {
		m.bad("mappings", "is an empty list, so that the file has no mapping; add one, or take the file away")
	}
	for i, one := range all {
		line, _ := jsontree.Position(text, one.Offset)
		if st := m.mapping(s, one, item("mappings", i), fmt.Sprintf("%s:%d", m.file, line)); st != nil {
			stubs = append(stubs, st)
		}
	}
	return stubs, len(all)
}

// mapping makes a stub, or returns nil when something is wrong with it.
func (m *mappingReader) mapping(s *Server, v *jsontree.Value, at, site string) *Stub {
	before := len(m.problems)
	fields := m.object(v, at, &mappingFields)
	if fields == nil {
		return nil
	}
	st := &Stub{srv: s, site: site, priority: usualPriority, optional: true}
	m.request(fields["request"], under(at, "request"), st)
	reply := m.response(fields["response"], under(at, "response"))
	if f := fields["priority"]; f != nil {
		n, _ := m.integer(f, under(at, "priority"), -1<<31, 1<<31-1)
		st.priority = int(n)
	}
	m.scenario(fields, at, st)
	if len(m.problems) > before {
		return nil
	}
	st.replies = []Reply{reply}
	return st
}

func (m *mappingReader) scenario(fields map[string]*jsontree.Value, at string, st *Stub) {
	read := func(name string) (string, bool) {
		f := fields[name]
		if f == nil {
			return "", false
		}
		text, ok := m.str(f, under(at, name))
		return text, ok
	}
	name, ok := read("scenarioName")
	required, inState := read("requiredScenarioState")
	next, sets := read("newScenarioState")
	switch {
	case !ok && (inState || sets):
		if fields["scenarioName"] == nil {
			m.bad(under(at, "scenarioName"), "is missing: there is a state, and no scenario that it is of")
		}
		return
	case !ok:
		return
	case name == "":
		m.bad(under(at, "scenarioName"), "is empty")
		return
	}
	if inState {
		st.matchers = append(st.matchers, InState(name, required))
	}
	if sets {
		st.sets = map[string]string{name: next}
	}
}

// bodyFiles reads the files of __files, each of them once.
type bodyFiles struct {
	dir   string
	cache map[string][]byte
}

func (b *bodyFiles) read(name string) ([]byte, error) {
	// WireMock takes /a and ../__files/a from __files too.
	inner, ok := strings.CutPrefix(path.Join("__files", filepath.ToSlash(name)), "__files/")
	local := filepath.FromSlash(inner)
	if !ok || !filepath.IsLocal(local) {
		return nil, fmt.Errorf("%s is not a file in __files", quote(name))
	}
	if text, ok := b.cache[inner]; ok {
		return text, nil
	}
	root, err := os.OpenRoot(b.dir)
	if err != nil {
		return nil, fmt.Errorf("%s: there is no directory __files", quote(name))
	}
	defer root.Close()
	text, err := readRegular(func() (fs.FileInfo, error) { return root.Stat(local) }, func() (*os.File, error) { return root.Open(local) }, maxBodyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no %s in __files", quote(name))
	case err != nil:
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fmt.Errorf("%s in __files: %w", quote(name), err)
	}
	b.cache[inner] = text
	return text, nil
}

// readRegular reads a file, but not a pipe or a device: to open one may last for ever.
func readRegular(stat func() (fs.FileInfo, error), open func() (*os.File, error), most int64) ([]byte, error) {
	info, err := stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a file")
	case info.Size() > most:
		return nil, fmt.Errorf("is larger than %d bytes", most)
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
