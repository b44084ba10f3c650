# Everything a developer or CI runs. `make` alone lists it.

GO ?= go
# Pinned: a linter's new version is a change like any other.
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
PLATFORMS := linux/amd64 linux/arm64 darwin/arm64 windows/amd64
# The rooms that start goroutines.
RACE ?= ./cmd/... ./host/... ./lattice/... ./providers/... ./test/hostile/...
FUZZTIME ?= 10s
STEPS ?= 100000
# How many packages are tested at a time by stress, and how often.
AT_ONCE ?= 8
ROUNDS ?= 3
BENCH ?=
BENCHTIME ?= 1s
# Of test/bench: -rounds, -row, -results and more.
BENCHFLAGS ?=
# A checkout of github.com/samyfodil/wazy to compare with; none: not compared.
WAZY_DIR ?=
# Where the components of test-guests are built, and their toolchains kept.
GUESTS_DIR ?= test/guests/out

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help conformance wasi-suite interop build demo test race lint fmt generate check-generate fuzz stress soak bench cross guests test-guests ci clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/lath, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/lath

demo: build ## Play the story: push, start, link and call components on two hosts
	$(GO) run ./test/demo -lath bin/lath

test: ## Run every test
	$(GO) test ./...

race: ## Run the tests of what is concurrent under the race detector
	@if command -v "$$($(GO) env CC)" >/dev/null; then set -x; CGO_ENABLED=1 $(GO) test -race $(RACE); \
	else echo "SKIPPED: the race detector needs a C compiler, and there is no $$($(GO) env CC)" >&2; fi

lint: ## Check format, modules and code
	@unformatted="$$(gofmt -l .)"; if [ -n "$$unformatted" ]; then echo "run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GOLANGCI) run ./...

fmt: ## Format, tidy, and let the linters repair what they can
	gofmt -w .
	$(GO) mod tidy
	$(GOLANGCI) run --fix ./...

generate: ## Write the bindings of every contract
	$(GO) run ./wit/bindgen/gen

check-generate: generate ## Fail where the bindings in the repository are not those of its contracts
	@changed="$$(git status --porcelain -- '*.gen.go')"; if [ -n "$$changed" ]; then \
	echo "commit what make generate wrote:"; echo "$$changed"; git --no-pager diff --stat -- '*.gen.go'; exit 1; fi

# A worker that is between two inputs when the time is over makes go test fail, with
# a deadline and without an input; that is no finding. Left alone, it makes inputs
# that are new, not wrong, smaller for a minute each.
# Built once for each package: linking takes longer than a short run.
fuzz: ## Fuzz every target for FUZZTIME (10s)
	@dir="$$(mktemp -d)"; trap 'rm -rf "$$dir"' EXIT; last=; cache="$$($(GO) env GOCACHE)/fuzz"; \
	grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort | while IFS=: read -r file func; do \
	pkg="$$(dirname "$$file")"; name="$${func#func }"; echo "== $$pkg $$name"; \
	if [ "$$pkg" != "$$last" ]; then $(GO) test -c -fuzz=. -o "$$dir/test" "$$pkg" || exit 1; last="$$pkg"; fi; \
	{ (cd "$$pkg" && "$$dir/test" -test.run '^$$' -test.fuzz "^$$name\$$" -test.fuzztime $(FUZZTIME) -test.fuzzminimizetime 100x \
	-test.fuzzcachedir "$$cache/$$($(GO) list .)" </dev/null 2>&1) || echo "failed: $$pkg $$name"; } | tee "$$dir/log"; \
	if grep -q '^failed: ' "$$dir/log" && { grep -q 'Failing input' "$$dir/log" || ! grep -q '^ *context deadline exceeded$$' "$$dir/log"; }; then exit 1; fi; done

stress: ## Run every test on a crowded machine: AT_ONCE= packages at a time, ROUNDS= times
	$(GO) test -p '$(AT_ONCE)' -count '$(ROUNDS)' -timeout 60m ./...

soak: ## Play random schedules on lattices of three hosts: STEPS=, SEED=, SERVERS=3 for a cluster, DIR= to go on later
	$(GO) run ./test/soak -steps '$(STEPS)' $(if $(SERVERS),-servers '$(SERVERS)') $(if $(SEED),-seed '$(SEED)') $(if $(DIR),-dir '$(DIR)')

bench: ## Print what calls cost beside floors and peers (WAZY_DIR); with BENCH=regexp, Go benchmarks too
	@if [ -d '$(GUESTS_DIR)' ]; then export GUESTS_DIR='$(abspath $(GUESTS_DIR))'; else unset GUESTS_DIR; fi; \
	export WAZY_DIR='$(WAZY_DIR)'; set -x; $(GO) run ./test/bench $(BENCHFLAGS)
	@if [ -n "$(BENCH)" ]; then $(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...; fi

conformance: ## Play component-model scripts: SUITE=dir, JCO=folder with npm's @bytecodealliance/jco
	$(GO) run ./test/conformance -suite '$(SUITE)' $(if $(JCO),-jco '$(JCO)')

wasi-suite: ## Play WASI's own tests: SUITE=dir, JCO=folder with npm's @bytecodealliance/jco
	$(GO) run ./test/wasi -suite '$(SUITE)' $(if $(JCO),-jco '$(JCO)')

interop: ## Test against wasmCloud's own Go code, named by WASMCLOUD_GO_DIR and WRPC_GO_DIR
	cd test/interop && $(GO) mod tidy -diff && $(GO) vet ./... && $(GO) test -count=1 -v ./...

cross: ## Build for every platform
	@for platform in $(PLATFORMS); do echo "== $$platform"; \
	GOOS="$${platform%/*}" GOARCH="$${platform#*/}" CGO_ENABLED=0 $(GO) build -trimpath -o /dev/null ./cmd/lath || exit 1; done

guests: ## Rebuild the example components; needs clang 19 and lld for wasm32
	$(GO) run ./examples/internal/build

test-guests: ## Build components with npm, PyPI, crates.io, clang and rustc, where they are there, and test them
	$(GO) run ./test/guests/build -out '$(GUESTS_DIR)'
	GUESTS_DIR='$(abspath $(GUESTS_DIR))' $(GO) test -count=1 -v ./test/guests

ci: ## Run all that CI runs
ci: FUZZTIME := 2s
ci: lint check-generate test race cross fuzz demo

clean: ## Remove what make built
	rm -rf bin
