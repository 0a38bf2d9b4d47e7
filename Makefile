# pacesync: `make help` lists what can be done here.
SHELL := /bin/bash
export CGO_ENABLED := 0
export PACESYNC_SHARED ?= $(abspath ../shared)
GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PKGVERSION = 0.1.0+git$(shell git rev-list --count HEAD).$(shell git rev-parse --short=8 HEAD)

.PHONY: help build deps deps-demo packages check staticcheck cover cover-decoders demo test e2e test-long test-fresh race fuzz-smoke bench bench-scheduler bench-go clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## the binary and every name of it under bin/
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-s -w" -o bin/pacesync ./cmd/pacesync
	@bin/pacesync links bin

deps: ## install what the tests need (Debian 12; quick when nothing is missing)
	@test/packages test

deps-demo:
	@test/packages demo

packages: build ## a .deb and a .rpm in dist/ (needs the module proxy for nfpm, the first time)
	@packaging/build dist bin/pacesync $(PKGVERSION)

check: staticcheck ## gofmt, vet, staticcheck, hygiene
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) test .

staticcheck:
	$(GO) tool -modfile=tools/go.mod staticcheck ./...

demo: deps-demo build ## a cluster does its main job, told as it happens (REF=1: beside Debian's corosync; KEEP=1: stays up)
	@bin/pacesync demo $(if $(REF),-ref) $(if $(KEEP),-keep) $(if $(COROSYNC),-corosync $(COROSYNC)) $(if $(PACEMAKER),-pacemaker $(PACEMAKER)) $(if $(DC),-dc $(DC))

test: deps build ## every kind of test once, small; ends with the sum
	@$(GO) run ./test/run

e2e: deps build ## only the end-to-end tests (RUN=pattern: some of them)
	E2E=1 $(GO) test -count=1 -p=1 -timeout=20m $(if $(RUN),-v -run '$(RUN)') ./test/...

test-long: deps build ## full counts of one part: make test-long PART=… (without: the list)
	@$(GO) run ./test/run -long '$(or $(PART),?)'

test-fresh: deps ## build, demo and test in a debootstrap tree, as on a new machine
	@test/fresh

cover: deps build ## which statements the tests reach: make cover PKG=./pengine (COVERPROFILE=FILE for go tool cover)
	@$(GO) run ./test/run -cover $(or $(PKG),./pengine)

cover-decoders: ## what the tests reach of everything that reads what others wrote; fails below 90 % of the blocks
	@$(GO) run ./test/run -decoders

race: ## unit tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -short -timeout=30m ./...

fuzz-smoke: ## every fuzz target for 10 s (FUZZTIME=…)
	@$(GO) run ./test/run -fuzz $(or $(FUZZTIME),10s)

bench: deps build bench-scheduler ## our corosync and our scheduler beside Debian's: rates, cost, latency, as ratios in one run (ARGS=-rounds=5)
	$(GO) run ./test/bench $(ARGS)

bench-scheduler: deps build ## the scheduler's part of it alone (SCHED=-only=resources)
	$(GO) run ./test/bench/scheduler $(SCHED)

bench-go: ## Go benchmarks with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

clean: ## remove what was built
	rm -rf bin build dist
