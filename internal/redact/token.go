package redact

import "strings"

// tokenForms are tokens that say what they are by how they begin. Each is followed by at least that many letters or digits.
var tokenForms = []struct {
	prefix string
	least  int
}{
	{"ghp_", 20}, {"gho_", 20}, {"ghu_", 20}, {"ghs_", 20}, {"ghr_", 20}, {"github_pat_", 20}, // GitHub
	{"glpat-", 16},                                                       // GitLab
	{"xoxa-", 8}, {"xoxb-", 8}, {"xoxp-", 8}, {"xoxr-", 8}, {"xoxs-", 8}, // Slack
	{"sk_live_", 8}, {"sk_test_", 8}, {"rk_live_", 8}, {"rk_test_", 8}, // Stripe
	{"AIza", 30},                                                                                          // Google
	{"sk-", 20}, {"hvs.", 20}, {"npm_", 30}, {"dckr_pat_", 20}, {"pypi-", 30}, {"xapp-", 12}, {"SG.", 30}, // OpenAI, Anthropic, Vault, npm, Docker, PyPI, Slack, SendGrid
	{"AKIA", 16}, {"ASIA", 16}, // AWS
	{"eyJ", 20}, // a JSON web token: {" in base64
}

const (
	keyBegin = "-----BEGIN "
	keyKind  = "PRIVATE KEY"
	keyEnd   = "-----END "
)

// tokens masks tokens that are known by their form, and private keys.
func tokens(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		if i > 0 && isWord(s[i-1]) {
			continue
		}
		switch s[i] {
		case 'g', 'x', 's', 'r', 'A', 'e', 'h', 'n', 'd', 'p', 'S':
			for _, f := range tokenForms {
				if !strings.HasPrefix(s[i:], f.prefix) {
					continue
				}
				from := i + len(f.prefix)
				n := span(s[from:], func(c byte) bool { return isAlpha(c) || isDigit(c) || c == '_' || c == '-' || c == '.' })
				n -= len(s[from:from+n]) - len(strings.TrimRight(s[from:from+n], "."))
				if n >= f.least {
					b.WriteString(s[done:from] + hidden)
					done = from + n
				}
				i = from + n - 1
				break
			}
		case '-':
			if !strings.HasPrefix(s[i:], keyBegin) {
				continue
			}
			from := i + len(keyBegin)
			head := strings.Index(s[from:min(len(s), from+60)], keyKind)
			if head < 0 {
				continue
			}
			from += head + len(keyKind)
			from += span(s[from:], func(c byte) bool { return c == '-' })
			end := len(s)
			if n := strings.Index(s[from:], keyEnd); n >= 0 {
				end = from + n
			}
			if s[from:end] != hidden {
				b.WriteString(s[done:from] + value(s[from:end]))
				done = end
			}
			i = end - 1
		}
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}
