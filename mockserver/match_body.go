package mockserver

import "fmt"

// WithBody takes requests whose body is this text. An empty text takes requests without a body.
func WithBody(text string) Matcher {
	return oneOf("body", bodyText, equal(text)).as("WithBody", text)
}

// WithBodyContaining takes requests whose body has this text in it. An empty text is in every body.
func WithBodyContaining(text string) Matcher {
	return oneOf("body", bodyText, containing(text)).as("WithBodyContaining", text)
}

// WithBodyMatching takes requests whose body the regular expression matches, anywhere in it unless ^ and $ say otherwise.
// An expression that cannot be read fails the test at On.
func WithBodyMatching(expr string) Matcher {
	c, err := matching(expr)
	if err != nil {
		return failing(callText("WithBodyMatching", expr), err)
	}
	return oneOf("body", bodyText, c).as("WithBodyMatching", expr)
}

func bodyText(in *incoming) (found []string, why string) {
	if why = in.tooLong(); why != "" {
		return nil, why
	}
	if !in.hasText {
		in.text, in.hasText = string(in.Body), true
	}
	return []string{in.text}, ""
}

// tooLong says why a body of which only the beginning is kept cannot be matched.
func (in *incoming) tooLong() string {
	if !in.Truncated {
		return ""
	}
	if in.size < 0 {
		return fmt.Sprintf("the body has more than %d bytes, the most that the server reads", maxBody)
	}
	if in.size <= in.keep { // it was not counted
		return fmt.Sprintf("the body has more than the %s that are kept; keep more with New(t, mockserver.KeepBodies(n))", count(in.keep, "byte"))
	}
	return fmt.Sprintf("the body has %s, and %d are kept; keep more with New(t, mockserver.KeepBodies(%d))",
		count(in.size, "byte"), in.keep, in.size)
}
