# One word for each thing to do; `make help` lists them.
SHELL := /bin/sh
export PATH := $(CURDIR)/.tools/bin:$(PATH)
export CGO_ENABLED ?= 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION)
BIN := bin/slate360-worker
DEMO := out/demo
FUZZTIME ?= 10s
# The race detector needs cgo and a C compiler. It makes long tests many times longer:
# those that bring nothing new to it are left out (-short).
RACE_PACKAGES := ./codec/... ./geom/... ./internal/...

.PHONY: help setup setup-test setup-race setup-lint build test race lint fuzz bench demo run cross clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile

setup: ## install what a build needs and is missing
	@./scripts/setup-tools.sh build

setup-test: ## install the foreign readers that tests use
	@./scripts/setup-tools.sh test

setup-race: ## install what the race detector needs
	@./scripts/setup-tools.sh race

setup-lint: ## build the linters
	@./scripts/setup-tools.sh lint

build: setup ## build bin/slate360-worker
	@./scripts/bullmq-scripts.sh
	@./scripts/web.sh
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/slate360-worker
	@ln -sf $(BIN) slate360-worker

test: setup-test ## pass all tests, with all foreign readers and real services
	@./scripts/bullmq-scripts.sh
	@./scripts/web.sh
	SLATE360_REQUIRE_TOOLS=1 go test -timeout 30m ./...

race: setup-race setup-test ## pass the tests under the race detector
	@./scripts/bullmq-scripts.sh
	@./scripts/web.sh
	CGO_ENABLED=1 go test -race -short -timeout 40m $(RACE_PACKAGES)

lint: setup-lint ## linters, gofumpt, layers, known holes
	go vet ./...
	golangci-lint run ./...
	@./scripts/web.sh lint
	@./scripts/vulnerabilities.sh

fuzz: setup ## run each fuzz test for FUZZTIME
	@for p in $$(grep -rl '^func Fuzz' --include=*_test.go . | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -h '^func Fuzz' $$p/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9]*\).*/\1/'); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; \
		done; done

bench: build setup-test ## benchmarks of codecs and filters, and of the whole against peers
	go test -run '^$$' -bench . -benchtime 1s ./codec/... ./geom/...
	.tools/venv/bin/python bench/compare.py
	.tools/venv/bin/python bench/mesh.py
	go run ./bench/queue

demo: build ## make a sample scan, process it, show what came out
	@$(BIN) sample pointcloud $(DEMO)/source
	$(BIN) process $(DEMO)/source/scan.laz --out $(DEMO)/result
	@find $(DEMO)/result -maxdepth 2 | sort
	@echo "look at it: ./slate360-worker view $(DEMO)/result"

run: demo ## look at the result of the demo in a browser
	$(BIN) view $(DEMO)/result

cross: setup ## build for all platforms
	@./scripts/bullmq-scripts.sh
	@./scripts/web.sh
	GOOS=linux GOARCH=amd64 go build -trimpath -o bin/linux-amd64/ ./cmd/slate360-worker
	GOOS=linux GOARCH=arm64 go build -trimpath -o bin/linux-arm64/ ./cmd/slate360-worker
	GOOS=darwin GOARCH=arm64 go build -trimpath -o bin/darwin-arm64/ ./cmd/slate360-worker

clean: ## remove what was built, but not .tools
	rm -rf bin out slate360-worker
