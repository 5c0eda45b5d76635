module github.com/leakgate/leakgate/dbcheck/pgxcheck

go 1.25.0

// The lowest version of pgx that has what is needed, so that a test helper does not move yours: traces of Acquire and
// Release came with v5.6.0, package multitracer with v5.7.0. It is no advice on which version to use.
require (
	github.com/jackc/pgx/v5 v5.7.0
	github.com/leakgate/leakgate v0.0.0
)

require github.com/stretchr/testify v1.8.4

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	github.com/rogpeppe/go-internal v1.6.1 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/crypto v0.17.0 // indirect
	golang.org/x/sync v0.1.0 // indirect
	golang.org/x/text v0.14.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

replace github.com/leakgate/leakgate => ../..
