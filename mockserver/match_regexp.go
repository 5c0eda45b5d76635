package mockserver

import (
	"fmt"
	"regexp"
)

// matching wants a regular expression to match anywhere in a text. The error says what is wrong with the expression.
func matching(expr string) (condition, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return condition{}, fmt.Errorf("%w; a regular expression is written as package regexp has it", err)
	}
	return condition{
		want: "matches " + quote(expr),
		ok:   re.MatchString,
		why: func(got string) string {
			if fold, err := regexp.Compile("(?i:" + expr + ")"); err == nil && fold.MatchString(got) {
				return "matches in other upper and lower case only"
			}
			return "does not match"
		},
	}, nil
}
