.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z]*\): ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

.PHONY: test
test: ## run the tests of the root module
	go test ./...

.PHONY: race
race: ## run the tests of every module under the race detector
	bash .ci/run race services nested

.PHONY: lint
lint: ## gofmt, vet, staticcheck, tidy modules, no stray notes
	bash .ci/run notes format vet staticcheck modules

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME each (2s)
	bash .ci/run fuzz

.PHONY: bench
bench: ## compare with peers, side by side
	cd bench && go run .

.PHONY: golden
golden: ## capture the goroutine dumps again, on each Go version
	$(MAKE) -C internal/goroutine/testdata capture

.PHONY: update
update: ## rewrite the golden files; read the diff before you commit it
	@dirs=$$(git grep -l --untracked -E 'flag\.Bool(Var)?\(.*"update"' -- '*_test.go' ':!examples' ':!bench' \
		| sed -e 's|[^/]*$$||' -e 's|^|./|' | sort -u); \
	if [ -z "$$dirs" ]; then echo "no package has golden files"; exit 1; fi; \
	for d in $$dirs; do (set -x; cd $$d && go test . -update) || exit 1; done # each from its own module

.PHONY: ci
ci: ## run everything that CI runs
	bash .ci/run
