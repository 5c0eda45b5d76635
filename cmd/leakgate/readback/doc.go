// Package readback reads what Leakgate writes with readers that are not ours: the public schema of SARIF, a JUnit parser, the
// rules of GitHub's runner and of GitLab's parser. It has tests alone, and is a module of its own so that what they need is
// nobody else's dependency.
package readback
