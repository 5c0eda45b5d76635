package baseline

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzParse: no text is a panic, and what was read is written so that it is read again as the same, and written as the same.
func FuzzParse(f *testing.F) {
	const whole = "leak: a | b\npackage: p\ncode: LK001\ncount: 1\nreason: old\nadded: 2026-11-21\n"
	for _, seed := range []string{
		"", "# x\n", whole, whole + "\n# y\n", "# x\n\n# y\n" + whole, whole + "# z\n" + strings.Replace(whole, "a", "c", 1), "leak: c\n" + whole,
		"leak: c\npackage: q\n# n\n" + whole + "owner: @x\n", "\ufeff" + strings.ReplaceAll(whole, "\n", "\r\n"), "#\n##\n# # x\n\n\n#x\t\n" + whole,
		"<<<<<<<\n" + whole, "expire: x\n", "count: 0\nleak:\n:\n", "leak: \u00a0\npackage: \u2003p\ncode: \u200b\ncount: +1\nreason: \ufeff\nadded: x\nexpires: 2026-01-01\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := Parse(Name, data)
		if err != nil {
			var e *Error
			require.True(t, errors.As(err, &e))
			assert.NotEmpty(t, e.Problems)
			for _, p := range e.Problems {
				assert.LessOrEqual(t, p.Line, bytes.Count(data, []byte("\n"))+1)
				assert.NotEmpty(t, p.Text)
			}
			return
		}
		text := first.Format()
		second, err := Parse(Name, text)
		require.NoError(t, err, "%q", text)
		assert.Equal(t, string(text), string(second.Format()))
		require.Len(t, second.Entries, len(first.Entries))
		for i := range first.Entries {
			a, b := first.Entries[i], second.Entries[i]
			assert.Equal(t, a.Notes, b.Notes)
			a.Line, b.Line = 0, 0
			a.order, b.order = nil, nil
			assert.Equal(t, a, b)
			assert.NotNil(t, second.Find(a.Key))
		}
	})
}

// FuzzKey: whatever a fingerprint and a person's words hold, the file that has them is read again.
func FuzzKey(f *testing.F) {
	f.Add("p", "a | b", "r")
	f.Add("\n", "#\x00\xff", "=======\nleak: x")
	f.Add("<<<<<<< x", "\u0085\u2028", " \t# ")
	f.Fuzz(func(t *testing.T, pkg, fingerprint, words string) {
		e := Entry{Key: Key{pkg, fingerprint}, Count: 1, Code: "LK001", Reason: "r " + words, Owner: words, Added: "2026-11-21", Notes: []string{words}}
		if len(words) > maxLine/4 {
			t.Skip("Save refuses it")
		}
		file := &File{Path: Name, Entries: []Entry{e}}
		text := file.Format()
		got, err := Parse(Name, text)
		require.NoError(t, err, "%q", text)
		require.Len(t, got.Entries, 1)
		assert.Equal(t, NewKey(pkg, fingerprint), got.Entries[0].Key)
		assert.NotNil(t, got.Find(Key{pkg, fingerprint}))
		assert.Equal(t, string(text), string(got.Format()))
	})
}
