# pacesync: `make help` lists what can be done here.
SHELL := /bin/bash
export CGO_ENABLED := 0
export PACESYNC_SHARED ?= $(abspath ../shared)
GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: help build check test demo race fuzz-smoke bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## the binary and every name of it under bin/
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-s -w" -o bin/pacesync ./cmd/pacesync
	@bin/pacesync links bin

check: ## gofmt, vet, staticcheck, hygiene
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) test .

test: build check ## every kind of test once, small
	$(GO) test ./...

clean: ## remove what was built
	rm -rf bin build dist
