package main

import "fmt"

// recorder is a test that only takes note of what it is told. It fits leakcheck, goleak and leaktest.
type recorder struct {
	name string
	errs []string
}

func (r *recorder) Helper()             {}
func (r *recorder) Name() string        { return r.name }
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Failed() bool        { return len(r.errs) > 0 }
func (r *recorder) Error(args ...any)   { r.errs = append(r.errs, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errs = append(r.errs, fmt.Sprintf(format, args...))
}

// clean gives an error when the test was told one.
func (r *recorder) clean() error {
	if len(r.errs) == 0 {
		return nil
	}
	return fmt.Errorf("reported without a leak: %.60q", r.errs[0])
}
