package redact

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestTokensOfServices: tokens that say by their beginning what they are. The names of packages and files that begin alike stay.
func TestTokensOfServices(t *testing.T) {
	for in, want := range map[string]string{
		"key sk-proj-0123456789abcdefghijklmn refused":  "key sk-… refused",
		"sk-ant-api03-0123456789abcdefghij":             "sk-…",
		"hvs.CAESI0123456789abcdefghij.":                "hvs.….",
		"npm_0123456789abcdefghijABCDEFGHIJ0123":        "npm_…",
		"dckr_pat_0123456789abcdefghij":                 "dckr_pat_…",
		"pypi-AgEIcHlwaS5vcmc0123456789abcdefghij":      "pypi-…",
		"xapp-1-A0123456789-0123":                       "xapp-…",
		"SG.0123456789abcdefghij.0123456789abcdefghij":  "SG.…",
		"desk-0123456789abcdefghijklmnopqrst":           "desk-0123456789abcdefghijklmnopqrst",
		"npm_install sk-eleton pypi-server hvs.go SG.x": "npm_install sk-eleton pypi-server hvs.go SG.x",
	} {
		assert.Equal(t, want, Text(in))
		assert.Equal(t, `x("`+want+`")`, Code(`x("`+in+`")`))
	}
}
