# What a developer runs. `make` alone lists the targets.

.DEFAULT_GOAL := help
SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export PATH := $(CARGO_TARGET_DIR)/tools/bin:$(CARGO_TARGET_DIR)/venv/bin:$(PATH)

.PHONY: help setup demo test test-cargo-lambda lint stand-in invoke lambda deploy chaos bench bench-cpu fuzz clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## installs what the other targets need and is missing
	scripts/setup postgres pgbouncer freetds python cargo-lambda aws deny

demo: ## four tables of 100,000 rows from a SQL Server stand-in into a throwaway PostgreSQL, twice
	scripts/setup postgres
	scripts/demo

test: ## the whole suite, with its servers
	scripts/setup postgres pgbouncer freetds python cargo-lambda aws
	cargo test --workspace --no-fail-fast

chaos: ## kills runs at every step, SEEDS=20 times each
	scripts/setup postgres
	CHAOS_SEEDS=$(or $(SEEDS),20) cargo test --test suite -- chaos:: incremental::kills::

test-cargo-lambda: ## every file of events/ through cargo-lambda's emulator (a part of `test`)
	scripts/setup postgres python cargo-lambda
	cargo test --test suite cargo_lambda

lint: ## format, clippy, dependencies' bans, licences and sources
	scripts/setup deny
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p tablesync --lib --bins -- -D warnings # as it is shipped: the tests' failpoints are a feature
	cargo deny check bans licenses sources

stand-in: ## plays SQL Server on PORT= and prints the environment to use
	cargo run -q --profile demo -p tds-stand-in -- --port $(or $(PORT),1433) --rows $(or $(ROWS),100000)

invoke: ## EVENT=events/...: one event through `cargo lambda watch` and `cargo lambda invoke`
	@test -f "$(EVENT)" || { echo "EVENT= names a file of events/: $$(ls events | xargs)"; exit 2; }
	scripts/setup postgres python cargo-lambda
	scripts/invoke $(EVENT)

lambda: ## the deployable zip, table_configs.json packed in; checked, and its cold start measured
	scripts/setup python cargo-lambda
	scripts/package-lambda

deploy: ## STACK= CODE_BUCKET= [PARAMETERS="Name=value ..."]: the zip of `make lambda` as a stack of infra/template.yaml, with your AWS command line
	@test -n "$(STACK)" -a -n "$(CODE_BUCKET)" || { echo "STACK= names the stack, CODE_BUCKET= a bucket in its region for the zip"; exit 2; }
	scripts/deploy $(STACK) $(CODE_BUCKET) $(PARAMETERS)

bench: ## ours beside pymssql and psycopg2, and incremental_sync beside two psqls (ROWS=1000000 REPEAT=1)
	scripts/setup postgres python
	cargo build --release -p tablesync -p tds-stand-in
	scripts/with-postgres python3 benches/side_by_side.py --rows $(or $(ROWS),1000000) --repeat $(or $(REPEAT),1)
	scripts/with-postgres python3 benches/incremental.py --rows $(or $(ROWS),1000000) --repeat $(or $(REPEAT),3)

bench-cpu: ## OLD=<binary>: CPU seconds per million rows of another build beside this one (ROWS=1000000 PAIRS=11)
	@test -x "$(OLD)" || { echo "OLD= names the binary to compare with"; exit 2; }
	scripts/setup postgres
	cargo build --release -p tablesync -p tds-stand-in
	scripts/with-postgres python3 benches/cpu_pairs.py --old $(OLD) --rows $(or $(ROWS),1000000) --pairs $(or $(PAIRS),11)

fuzz: ## events, configuration and values against any bytes, FUZZ_SECONDS=20 each; needs the nightly compiler
	scripts/setup fuzz
	scripts/fuzz

clean: ## removes what was built
	cargo clean
