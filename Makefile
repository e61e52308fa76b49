# Tollgate. The two commands to know: make demo, make test. `make` alone lists the rest.
# The recipes are short on purpose: what takes more than a line is a script in scripts/, each with its reason at its head.

MAKEFLAGS += --no-print-directory
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help sentinel setup setup-demo wasm demo up down test fmt lint deny generate prices eval bench soak dist clean

# Cargo does the parallel work; two recipes at once would only wait for each other's locks.
.NOTPARALLEL:

demo := cargo run -q -p tests --bin demo --

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: ## install what a fresh machine lacks, into .tools: wasm target, Envoy, SDKs, test runner, PostgreSQL, Redis
	@scripts/setup
	@echo "tollgate: set up; next: make demo"

setup-demo:
	@scripts/setup wasm envoy

wasm: setup-demo ## build the filters into dist/
	scripts/build-wasm

demo: wasm ## start everything on loopback, stream one chat through it, show how to go on
	cargo build -p companion --bin tollgate -p tests --bin demo --bin fake-provider
	@$(demo) demo

up: wasm ## the same, left running in the background; writes .run/demo.env
	cargo build -p companion --bin tollgate -p tests --bin demo --bin fake-provider
	@$(demo) up

down: ## stop what `make up` started
	@$(demo) down

test: ## all checks: format, lints, unit, companion, end to end in Envoy, SDKs
	@scripts/setup
	@scripts/lint
	@scripts/build-wasm
	@scripts/test

fmt: ## format the code
	cargo fmt --all

lint: ## check the format and the lints
	@scripts/lint

deny: ## licences, sources, banned crates and, from the network, known vulnerabilities of the dependencies
	@scripts/deny

generate: ## rewrite the generated files: schemas, Kong's meta files, tables in the docs
	UPDATE=1 cargo test -q -p tests --all-features --test generated
	UPDATE=1 cargo test -q -p companion --lib openapi

prices: ## rewrite the table of model prices from its pinned source; needs the network
	scripts/prices

sentinel: ## train Sentinel's layer again: texts by package, weights and model card; with rows to tune on: make sentinel GUARD_DATA=FOLDER
	@GUARD_DATA="$(GUARD_DATA)" scripts/sentinel

eval: ## precision and recall of the guards on labelled texts: make eval GUARD_DATA=FOLDER; what went wrong: ARGS=-v
	@cargo run -q --profile bench-tool -p eval -- "$(GUARD_DATA)" $(ARGS)

bench: wasm ## cost of auth, limits, routing, guardrails, the chain, minting and memory, next to bare Envoy, jwt_authn, local_ratelimit, Lua; one of them: make bench ONLY=limits
	@scripts/setup redis
	cargo build --profile bench-tool -p companion --bin tollgate -p tests --bin bench
	@cargo run -q --profile bench-tool -p tests --bin bench -- $(ONLY)

soak: wasm ## minutes under load: a fleet's limit, a ledger and conversations while things die, ten thousand open streams; one of them: make soak ONLY=fleet
	@scripts/setup postgres redis
	cargo build -p companion --bin tollgate -p tests --bin soak
	@cargo run -q -p tests --bin soak -- $(ONLY)

dist: wasm ## filters, schemas and their checksums in dist/
	@scripts/dist

clean: ## remove what was built; .tools stays, as it is slow to get
	rm -rf target dist .run
