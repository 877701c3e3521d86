# `make` prints the targets. What is made goes to .venv/ and build/, and both may be deleted at any time.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
DEMO := build/demo
RELATIVES := .venv/replications
PEERS := .venv/peers
MANDATE := examples/mandates/us-enhanced-index.toml

# One thread a process: tests and benchmarks run beside each other, and sums come out in the same order.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: help env demo test check check-slow bench mutations replications docs lint ruff mypy contract lock clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

env: .venv/.project  ## make .venv with everything, from hash-pinned requirements

.venv/.requirements: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which: make env PYTHON=...")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv/.project: .venv/.requirements pyproject.toml
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.docs: .venv/.project requirements/docs.txt
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --requirement requirements/docs.txt
	@touch $@

# Alone in a folder of its own, for it pins an old pandas: only its CSV files are read.
.venv/.replications: .venv/.requirements requirements/replications.txt
	rm -rf $(RELATIVES)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes --target $(RELATIVES) --requirement requirements/replications.txt
	@test -f $(RELATIVES)/universal/data/nyse_o.csv
	@touch $@

# An environment of its own: what they need of solvers is older than what we do.
.venv/.peers: .venv/.project requirements/peers.txt
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --requirement requirements/peers.txt
	$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: env  ## simulate a large-cap market, run a mandate on it, write the tear sheet
	rm -rf $(DEMO)
	$(BIN)/gammastar simulate large-cap --seed 7 --out $(DEMO)/dataset
	$(BIN)/gammastar ingest $(DEMO)/dataset --into $(DEMO)/store
	$(BIN)/gammastar backtest $(MANDATE) --data $(DEMO)/store --from 2008-12-31 --to 2019-12-31 --out $(DEMO)/run > $(DEMO)/backtest.txt
	$(BIN)/gammastar report $(DEMO)/run
	@echo "Tear sheet: $(DEMO)/run/tearsheet.html"

test: env ruff mypy  ## lint, types, import contract and every fast test
	$(BIN)/pytest -n $(WORKERS) --dist loadscope

check: test docs  ## everything but the slow part

check-slow: env .venv/.replications  ## the slow part: long runs on real data, Monte Carlo laws, mutations, replications
	$(BIN)/pytest -m slow
	$(BIN)/python scripts/mutate
	$(MAKE) --no-print-directory replications

bench: env .venv/.peers  ## benchmarks: proposals and a walk-forward beside cvxpy, skfolio and cvxportfolio, the real run by phase, the store against pandas
	$(BIN)/python benchmarks/proposal.py
	$(PEERS)/bin/python benchmarks/rules.py
	$(PEERS)/bin/python benchmarks/walk_forward.py
	$(BIN)/python benchmarks/lane.py
	$(BIN)/python benchmarks/ladder.py
	$(BIN)/python benchmarks/risk_update.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/real_run.py
	$(BIN)/python benchmarks/decomposition.py
	$(BIN)/python benchmarks/simulation.py
	$(BIN)/python benchmarks/store.py

mutations: env  ## break each formula once, in a copy, and see its tests fail
	$(BIN)/python scripts/mutate

replications: env .venv/.replications  ## published and independently found tables, side by side with ours
	GAMMASTAR_RELATIVES="$${GAMMASTAR_RELATIVES:-$(RELATIVES)/universal/data}" $(BIN)/python -m replications

docs: .venv/.docs  ## run the examples and build the documentation into build/docs
	rm -rf build/pages build/docs
	mkdir -p build
	cp -R docs build/pages
	$(BIN)/sphinx-build --fail-on-warning --quiet -b html -c docs -d build/pages/.doctrees build/pages build/docs
	@echo "Documentation: build/docs/index.html"

lint: ruff mypy contract  ## ruff, mypy and the import contract alone

ruff: env
	$(BIN)/ruff check

mypy: env
	$(BIN)/mypy

contract: env
	$(BIN)/lint-imports

lock:  ## pin the requirements anew after a change in pyproject.toml (needs uv)
	scripts/lock

clean:  ## delete what was made, .venv included
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
