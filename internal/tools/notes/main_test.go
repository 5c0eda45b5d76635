package main

import (
	"testing"
)

func TestScan(t *testing.T) {
	home, root, note := homes[0], checkouts[0], noteWords[0]
	tests := []struct {
		name, line, want string
	}{
		{"home", `	"` + home + `jane/src/x.go:12"`, "machine path"},
		{"second of two homes", home + "user/a " + home + "jane/a", "machine path"},
		{"made-up home", home + "user/src/x.go:12", ""},
		{"a request's path", "GET " + homes[1] + "7", ""},
		{"a file in no home", home + "x.go:12", ""},
		{"Mac home", "at " + homes[1] + "jane/x.go", "machine path"},
		{"Windows home", `C:\Use` + `rs\jane\x.go`, "machine path"},
		{"escaped Windows home", `"C:\\Use` + `rs\\jane\\x.go"`, "machine path"},
		{"made-up Windows home", `C:\Use` + `rs\you\x.go`, ""},
		{"root's home in a dump", "\t" + root + "go/pkg/mod/x.go:12 +0x1d", "machine path"},
		{"file URL", "file://" + root + "x.go", "machine path"},
		{"end of a longer path", "example.com" + root + "x", ""},
		{"relative path", "." + root + "x", ""},
		{"own folder", "see /srv/jane/leakgate/x.go", "machine path"},
		{"folder that begins the same", "see /srv/jane/leakgates", ""},
		{"GOROOT", "\t/usr/local/go/src/net/http/transport.go:12", ""},
		{"note", "// " + note + ": later", "note to self"},
		{"second word", "# " + noteWords[1], "note to self"},
		{"context's function", "ctx := context." + note + "()", ""},
		{"part of a word", note + "S and mas" + note, ""},
		{"merge", "<<<<<<" + "< ours", "merge marker"},
		{"heading", "=======", ""},
		{"plain", "rows, err := db.Query(q)", ""},
	}
	list := rules("/srv/jane/leakgate", "/src")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := scan("f", []byte("first\n"+tt.line+"\nlast"), list)
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("%q: got %v, want nothing", tt.line, found)
			case tt.want != "" && (len(found) != 1 || found[0].what != tt.want || found[0].line != 2):
				t.Errorf("%q: got %v, want one %s on line 2", tt.line, found, tt.want)
			}
		})
	}
}

func TestScanBinary(t *testing.T) {
	if found := scan("f", []byte("\x00\n"+noteWords[0]), rules()); found != nil {
		t.Errorf("got %v from binary data, want nothing", found)
	}
}
