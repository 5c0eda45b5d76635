package page

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestClean: what would act on the characters around it is spelled out, and what is too long says by how much.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                   "plain",
		"tab\tline\n":             "tab\tline\n",
		"a\x00b":                  `a\u0000b`,
		"\u202eabc":               `\u202eabc`,
		"\u2028":                  `\u2028`,
		"z\u200bw":                `z\u200bw`,
		"bad \xff":                "bad \uFFFD",
		strings.Repeat("é", 20):   strings.Repeat("é", 20),
		strings.Repeat("é", 1021): strings.Repeat("é", 20) + "… (1,001 more characters)",
	} {
		assert.Equal(t, want, clean(in, 20), "%q", in)
	}
	assert.Equal(t, "a b c", line("a\r\nb\nc"))
	assert.Equal(t, "a\nb\nc", text("a\r\nb\nc"))
}

// TestNumbers: as they are read, not as they are computed.
func TestNumbers(t *testing.T) {
	for in, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		assert.Equal(t, want, number(in))
	}
	for in, want := range map[time.Duration]string{
		-1: "–", 0: "0 µs", 900 * time.Microsecond: "900 µs", 12 * time.Millisecond: "12 ms", 1240 * time.Millisecond: "1.24 s",
		42 * time.Second: "42.0 s", 75 * time.Second: "1 min 15 s", 3700 * time.Second: "1 h 1 min",
	} {
		assert.Equal(t, want, took(in))
	}
	assert.Equal(t, "1 leak", count(1, "leak"))
	assert.Equal(t, "1,200 entries", count(1200, "entry"))
	assert.Equal(t, "2 processes", count(2, "process"))
	assert.Equal(t, "a", list([]string{"a"}))
	assert.Equal(t, "a, b and c", list([]string{"a", "b", "c"}))
	assert.Empty(t, list(nil))
	assert.Equal(t, "+3", signed(3))
	assert.Equal(t, "−3", signed(-3))
	assert.Equal(t, "Its test.", sentence("its test"))
	assert.Empty(t, sentence(""))
	assert.Equal(t, "TestAA…BBZZ", shorten("TestAAAABBBBBZZ", 11))
	for n, want := range map[int]int{0: 2, 2: 2, 3: 4, 5: 6, 7: 10, 10: 10, 11: 20, 41: 60, 4711: 6000} {
		assert.Equal(t, want, roundUp(n))
	}
}
