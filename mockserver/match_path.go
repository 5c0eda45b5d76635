package mockserver

// WithPathMatching takes requests whose path the regular expression matches, anywhere in it unless ^ and $ say otherwise.
// The path is decoded, begins with a slash and has no query. The pattern of the stub must match as well, so give the
// widest: On("GET", "/", WithPathMatching(`^/v\d+/users$`)). An expression that cannot be read fails the test at On.
func WithPathMatching(expr string) Matcher {
	c, err := matching(expr)
	if err != nil {
		return failing(callText("WithPathMatching", expr), err)
	}
	path := func(in *incoming) (found []string, why string) { return []string{in.path()}, "" }
	return oneOf("path", path, c).as("WithPathMatching", expr)
}
