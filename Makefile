# Sanctum. Two commands matter: `make up` starts the house, `make test` runs everything.

SHELL := /bin/bash
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/sbin:/sbin
CARGO ?= cargo
# Two checkouts may share a build cache; snapshots are those of this one.
export INSTA_WORKSPACE_ROOT := $(CURDIR)
TARGET := $(or $(CARGO_TARGET_DIR),target)
SANCTUM := $(TARGET)/release/sanctum

# Network namespaces need root: as somebody else, tests run through sudo.
ifeq ($(shell id -u),0)
AS_ROOT :=
TESTS := $(CARGO)
else
AS_ROOT := sudo -E env "PATH=$$PATH"
TESTS := $(CARGO) --config 'target."cfg(unix)".runner="sudo -E"'
endif

.PHONY: help up down build install test check lab conformance clients mcp openclaw chaos demo bench bless clean

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

up: build ## Build and start the house; prints where to look
	@$(SANCTUM) config check >/dev/null 2>&1 || [ -e "$${SANCTUM_HOME:-$$HOME/.sanctum}/sanctum.toml" ] || $(SANCTUM) init --yes
	@$(SANCTUM) up --detach

down: ## Stop the house
	@$(SANCTUM) down

build:
	@tools/setup up
	@$(CARGO) build --release --locked -p sanctum

install: build ## Copy the binary to /usr/local/bin, with a link for every service
	install -m 755 $(SANCTUM) /usr/local/bin/sanctum
	@for name in $$($(SANCTUM) version --json | tr -d ' \n' | sed 's/.*"services":\[\([^]]*\)\].*/\1/' | tr -d '"' | tr ',' ' '); do \
	  ln -sf sanctum /usr/local/bin/sanctum-$$name; done

test: ## Install what tests need, then run all of them
	@tools/setup test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) build --release --locked -p sanctum -p sanctum-lab
	$(TESTS) test --workspace --locked --no-fail-fast
	$(CARGO) test --doc --locked -p sanctum-kernel -p sanctum-api
	@$(MAKE) --no-print-directory conformance clients mcp lab

check: ## The quick part of the tests: formatting, lints, unit tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --workspace --locked --lib

lab: ## The story in network namespaces, with real DHCP and the real binary (root)
	@tools/setup test
	@$(CARGO) build --release --locked -p sanctum -p sanctum-lab
	@$(AS_ROOT) $(TARGET)/release/sanctum-lab story

conformance: ## What clients of models rely on, asked of the proxy; AGAINST=smg (or ferrogw, litellm, …) asks a peer
	@$(CARGO) build --release --locked -p sanctum -p sanctum-lab
	@$(if $(AGAINST),tools/peers >/dev/null)
	@$(TARGET)/release/sanctum-lab conformance $(if $(AGAINST),--against $(AGAINST))

clients: ## Real SDKs and agents against the proxy
	@tools/setup test
	@tools/clients >/dev/null
	@$(CARGO) build --release --locked -p sanctum -p sanctum-lab
	@$(TARGET)/release/sanctum-lab clients

mcp: ## The Model Context Protocol: its conformance suite, its Inspector, and an agent that is not ours
	@tools/setup test
	@tools/clients >/dev/null
	@tools/mcp >/dev/null
	@$(CARGO) build --release --locked -p sanctum -p sanctum-lab
	@$(TARGET)/release/sanctum-lab mcp

openclaw: ## OpenClaw against the proxy (installs 650 MB)
	@tools/setup test
	@tools/clients openclaw >/dev/null
	@$(CARGO) build --release --locked -p sanctum -p sanctum-lab
	@$(TARGET)/release/sanctum-lab clients --only openclaw

demo: build ## The story with a simulated router
	@$(SANCTUM) demo

chaos: build ## A house of real processes is hurt at random and scored: SEED=7 ROUNDS=8 repeat one run
	@$(SANCTUM) chaos run --rounds $(or $(ROUNDS),8) $(if $(SEED),--seed $(SEED))

bench: ## Measure, with the peers beside us
	@tools/setup bench
	@$(CARGO) build --release --locked -p sanctum -p sanctum-lab -p sanctum-benches
	@tools/bench $(TARGET)/release

bless: ## Renew the generated reference and the screenshot
	$(CARGO) run -q -p xtask -- bless
	SANCTUM_BLESS=1 $(CARGO) test -q -p sanctum-dashboard --test it

clean:
	$(CARGO) clean
