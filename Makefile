# What to do here. `make` alone says what there is.

ADDR      = localhost:8080
FRONT     = 127.0.0.1:8080
BENCH     = .
COUNT     = 1
FUZZTIME  = 10m
SCHEDULES = 100000
ARGS      =

# In CI nothing may be left out: what is missing fails.
ifeq ($(CI),true)
REQUIRE = 1
endif
export REQUIRE

# Debian keeps nginx and haproxy where users do not look.
export PATH := $(PATH):/usr/sbin

# The race detector needs a C compiler; Go turns cgo off where there is none.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# A directory for each module in this repository. That of tools has no code.
MODULES = $(dir $(shell find . -name node_modules -prune -o -name go.mod -print))
CODE    = $(filter-out ./tools/,$(MODULES))
TOOL    = go tool -modfile=$(CURDIR)/tools/go.mod

E2E     = examples/chat/e2e
CLIENTS = $(E2E)/clients
JS      = clients/js
BROWSERS = chromium firefox
ADAPTER = conformance/adapters/eventsource
STRANGERS = proof/wild/clients

# Names what the tests need beside Go and this machine lacks.
define MISSING
missing=; need() { \
	what=$$1; shift; \
	for program; do if command -v $$program >/dev/null; then return; fi; done; \
	echo "not run here: $$what ($$1 is missing)"; missing=1; \
}; \
if [ -z '$(RACE)' ]; then echo 'not run here: the race detector (a C compiler is missing)'; missing=1; fi; \
need 'tests behind nginx' nginx; \
need 'tests behind haproxy' haproxy; \
need 'browser tests' chromium chromium-browser google-chrome chrome; \
need 'tests with npm clients' node; \
need 'tests with npm clients' npm; \
echo 'browser tests and npm clients have a target of their own: make e2e'; \
test -z "$$missing" || test -z '$(REQUIRE)'
endef

help:
	@echo 'make run       the chat at http://$(ADDR); elsewhere with ADDR=host:port'
	@echo 'make cluster   the chat on two processes, at http://$(FRONT)'
	@echo 'make operated  the chat under load at http://$(ADDR), with /metrics and /debug/crier/'
	@echo 'make test      all tests that need no browser, with the race detector'
	@echo 'make lint      gofmt, go vet, staticcheck, go fix, go mod tidy: no complaints'
	@echo 'make test-backplanes  the backplanes, with the servers that each needs'
	@echo 'make observe   metrics, traces, dashboard and alerts, against a real Prometheus'
	@echo 'make cluster-test  several processes on each engine, with real faults; cluster-soak is its long form'
	@echo 'make e2e       the chat in a real browser, and clients by others'
	@echo 'make js        the JavaScript client: that its dist is built, and its tests in browsers; BROWSERS=chromium halves it'
	@echo 'make conformance  clients against the cases of PROTOCOL.md, as tables'
	@echo 'make schema    TypeScript and AsyncAPI that schema writes, held against their own tools'
	@echo 'make wild      browsers, clients and proxies by others; WILD=short takes three minutes'
	@echo 'make soak      the long form of the tests, and every fuzz target for FUZZTIME=$(FUZZTIME)'
	@echo 'make bench     benchmarks; BENCH=regexp COUNT=n choose'
	@echo 'make peers     side by side with other libraries, into BENCHMARKS.md; INTO= prints'
	@echo 'make capacity  how many users this machine holds; INTO=BENCHMARKS.md writes it there'

run:
	go run ./examples/chat -addr $(ADDR)

# Built in its own module, and run from here.
cluster:
	@mkdir -p out
	cd examples/cluster && go build -o ../../out/cluster .
	out/cluster -front $(FRONT) $(ARGS)

operated:
	@mkdir -p out
	cd examples/operated && go build -o ../../out/operated .
	out/operated -addr $(ADDR) $(ARGS)

# proof comes first, because it takes longest: the others run beside it.
test: $(if $(shell command -v npm 2>/dev/null),$(ADAPTER)/node_modules $(JS)/node_modules)
	go test $(RACE) -shuffle=on -timeout 20m ./proof ./...
	cd bench/load && go test $(RACE) -shuffle=on -timeout 20m ./...
	@$(MISSING)

# The modules below backplane/. Their tests start the servers that they need.
# Debian keeps those of PostgreSQL where users do not look.
BACKPLANES = $(filter ./backplane/%,$(CODE))
POSTGRES   = $(lastword $(sort $(wildcard /usr/lib/postgresql/*/bin)))

# They run at the same time, since they mostly wait for their servers.
test-backplanes:
	@$(MAKE) --no-print-directory -k -j 3 -O $(BACKPLANES)

.PHONY: $(BACKPLANES)
$(BACKPLANES):
	@echo "test $@"; export PATH="$$PATH$(addprefix :,$(POSTGRES))"; cd $@; \
	go test $(RACE) -shuffle=on -timeout 20m ./... || exit 1; \
	case $@ in */redis/*) need=redis-server;; */postgres/*) need=postgres;; *) exit;; esac; \
	command -v $$need >/dev/null && exit; \
	echo "not run here: tests with $$need (it is missing)"; test -z '$(REQUIRE)'

# What exports a hub's numbers, held against a real Prometheus, and the program
# that uses it all.
OBSERVE = $(filter ./observe/% ./examples/operated/,$(CODE))

observe:
	@failed=; for module in $(OBSERVE); do echo "test $$module"; cd $(CURDIR)/$$module; \
		go test $(RACE) -shuffle=on -timeout 10m ./... || failed=1; done; \
	command -v prometheus >/dev/null || { echo 'not run here: a real Prometheus (prometheus is missing)'; test -z '$(REQUIRE)' || failed=1; }; \
	test -z "$$failed"

# Without the race detector, which would leave little to be delivered: what it
# could find, the tests of the packages can, too. What is skipped is named.
cluster-test:
	cd examples/cluster && go test $(RACE) -count=1 -timeout 5m ./...
	cd proof/cluster && go test -count=1 -timeout 10m -v . $(ARGS)

cluster-soak:
	cd proof/cluster && go test -count=1 -timeout 2h -v . -soak $(ARGS)

lint:
	@failed=; unformatted=$$(gofmt -l $$(find . -name node_modules -prune -o -name '*.go' -print)); \
	test -z "$$unformatted" || { echo "run gofmt on: $$unformatted"; failed=1; }; \
	for module in $(CODE); do \
		echo "lint $$module"; cd $(CURDIR)/$$module; \
		go vet ./... || failed=1; \
		$(TOOL) staticcheck ./... || failed=1; \
		go fix -diff ./... || failed=1; \
	done; \
	for module in $(MODULES); do cd $(CURDIR)/$$module; go mod tidy -diff || failed=1; done; \
	test -z "$$failed"

e2e: $(if $(shell command -v npm 2>/dev/null),$(CLIENTS)/node_modules)
	cd $(E2E) && go test -count=1 -v ./...

wild: $(if $(shell command -v npm 2>/dev/null),$(STRANGERS)/node_modules)
	cd proof/wild && go test $(RACE) ./... && go run . $(if $(WILD),-$(WILD)) $(ARGS)

%/node_modules: %/package-lock.json
	npm ci --prefix $* --engine-strict --ignore-scripts --no-audit --no-fund
	touch $@

js: $(if $(shell command -v npm 2>/dev/null),$(JS)/node_modules)
	@if command -v npm >/dev/null; then cd $(JS) && npm run --silent check && BROWSERS='$(BROWSERS)' npm test; \
	else echo 'not run here: tests of the JavaScript client (npm is missing)'; test -z '$(REQUIRE)'; fi


conformance: $(ADAPTER)/node_modules $(JS)/node_modules
	go test -count=1 -v ./conformance -run 'Client|EventSource'

SCHEMA = schema/judge
schema: $(if $(shell command -v npm 2>/dev/null),$(SCHEMA)/npm/node_modules)
	cd $(SCHEMA) && go test $(RACE) -count=1 ./...

soak:
	go test $(RACE) -shuffle=on -count=1 -timeout 3h -v ./proof -soak
	go test $(RACE) -count=1 -timeout 3h -run TestModel ./hub ./hub/internal/eventlog -schedules $(SCHEDULES)
	go test $(RACE) -count=1 -timeout 3h -run TestCluster ./hub -cluster-schedules 5000
	@set -e; for package in $$(go list ./...); do \
		targets=$$(go test -list '^Fuzz' $$package); \
		for target in $$targets; do case $$target in Fuzz*) \
			echo "fuzz $$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
		esac; done; done

bench:
	go test -run '^$$' -timeout 0 -bench '$(BENCH)' -count $(COUNT) ./...

# Both can write their section of a document and the picture beside it. A part
# of the comparison is only printed: make peers INTO= ARGS='-scenarios sse'
peers: INTO = BENCHMARKS.md
peers:
	@mkdir -p out
	cd bench/load && go test -c -o ../../out/peers.test ./peers
	out/peers.test report $(if $(INTO),-into '$(INTO)',-svg out/peers.svg) $(ARGS)

# Printed unless INTO is set, so that a try leaves the tree clean. The committed
# section is made by: make capacity INTO=BENCHMARKS.md
capacity: INTO =
capacity:
	@mkdir -p out
	cd bench/load && go build -o ../../out/capacity ./capacity
	out/capacity $(if $(INTO),-into '$(INTO)') $(ARGS)

.PHONY: help run cluster operated test test-backplanes observe cluster-test cluster-soak lint e2e js conformance schema wild soak bench peers capacity
