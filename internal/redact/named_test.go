package redact

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestBehindTheFirstWord: the secret is not the first word behind the name.
func TestBehindTheFirstWord(t *testing.T) {
	for in, want := range map[string]string{
		"authorization=Bearer zqzqzqzq next":               "authorization=Bearer … next",
		"Authorization=Basic zqzqzqzq":                     "Authorization=Basic …",
		"authorization=zqzqzqzq next":                      "authorization=… next",
		"authorization=bearer":                             "authorization=…",
		`secretKey = []byte("zqzqzqzq")`:                   `secretKey = []byte("…")`,
		`h["Authorization"] = []string{"Bearer zqzqzqzq"}`: `h["Authorization"] = []string{"Bearer …"}`,
	} {
		assert.Equal(t, want, Text(in), "Text")
		assert.Equal(t, want, Text(want), "Text again")
	}
	for in, want := range map[string]string{
		`secretKey = []byte("zqzqzqzq")`:                   `secretKey = []byte("…")`,
		`h["Authorization"] = []string{"Bearer zqzqzqzq"}`: `h["Authorization"] = []string{"Bearer …"}`,
		`token = []byte(raw)`:                              `token = []byte(raw)`,
	} {
		assert.Equal(t, want, Code(in), "Code")
	}
}
