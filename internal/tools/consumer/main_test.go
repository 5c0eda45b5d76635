package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func mod(t *testing.T, text string) goMod {
	t.Helper()
	var m goMod
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMoved(t *testing.T) {
	const base = `{"Go":"1.25.0","Require":[
		{"Path":"a","Version":"v1.0.0"},
		{"Path":"i","Version":"v1.0.1","Indirect":true},
		{"Path":"golang.org/x/sys","Version":"v0.26.0"}]}`
	const none = `{"Go":"1.25.0"}`
	const withSys = `{"Go":"1.25.0","Require":[{"Path":"golang.org/x/sys","Version":"v0.30.0"}]}`
	const onlyDirect = `{"Go":"1.25.0","Require":[
		{"Path":"a","Version":"v1.0.0"},
		{"Path":"golang.org/x/sys","Version":"v0.26.0"}]}`
	tests := []struct {
		name, after, ours string
		forced, allowed   []string
	}{
		{name: "nothing", after: base, ours: none},
		{
			name: "more requirements are no move",
			after: strings.Replace(base, `[`,
				`[{"Path":"b","Version":"v1.0.0"},`, 1),
			ours: none,
		},
		{
			name:   "a dependency",
			after:  strings.Replace(base, "v1.0.0", "v1.1.0", 1),
			ours:   none,
			forced: []string{"a v1.0.0 => v1.1.0"},
		},
		{
			name:   "an indirect dependency",
			after:  strings.Replace(base, "v1.0.1", "v1.1.0", 1),
			ours:   none,
			forced: []string{"i v1.0.1 => v1.1.0"},
		},
		{
			name:  "an indirect dependency that vanished",
			after: onlyDirect,
			ours:  none,
		},
		{
			name:   "a direct dependency that vanished",
			after:  withSys,
			ours:   withSys,
			forced: []string{"a v1.0.0 is no longer required"}, allowed: []string{"golang.org/x/sys v0.26.0 => v0.30.0"},
		},
		{
			name:    "x/sys, which we require",
			after:   strings.Replace(base, "v0.26.0", "v0.30.0", 1),
			ours:    withSys,
			allowed: []string{"golang.org/x/sys v0.26.0 => v0.30.0"},
		},
		{
			name:   "x/sys, which we do not require",
			after:  strings.Replace(base, "v0.26.0", "v0.30.0", 1),
			ours:   none,
			forced: []string{"golang.org/x/sys v0.26.0 => v0.30.0"},
		},
		{
			name:   "the go directive",
			after:  strings.Replace(base, "1.25.0", "1.26.0", 1),
			ours:   none,
			forced: []string{"go directive 1.25.0 => 1.26.0"},
		},
		{
			name:   "a toolchain line",
			after:  strings.Replace(base, `{`, `{"Toolchain":"go1.26.8",`, 1),
			ours:   none,
			forced: []string{`toolchain "" => "go1.26.8"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after := mod(t, tt.after)
			selected := make(map[string]string)
			for _, r := range after.Require {
				selected[r.Path] = r.Version
			}
			forced, allowed := moved(mod(t, base), after, mod(t, tt.ours), selected)
			if !slices.Equal(forced, tt.forced) {
				t.Errorf("forced: got %q, want %q", forced, tt.forced)
			}
			if !slices.Equal(allowed, tt.allowed) {
				t.Errorf("allowed: got %q, want %q", allowed, tt.allowed)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	got := foreign([]string{"", module, "go.uber.org/goleak", "z.org/z", "b.org/b", "z.org/z", sys})
	if want := []string{"b.org/b", "z.org/z"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPublicPackages(t *testing.T) {
	tree := t.TempDir()
	if _, err := publicPackages(tree); err == nil || !strings.Contains(err.Error(), "no package leakcheck") {
		t.Errorf("empty tree: got error %v, want one that names leakcheck", err)
	}
	for _, name := range []string{"leakcheck", "httpcheck", "mockserver"} {
		dir := filepath.Join(tree, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte("package "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := publicPackages(tree)
	if want := []string{module + "/leakcheck", module + "/httpcheck", module + "/mockserver"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
