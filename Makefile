# `make` lists the targets. Each one creates the environment it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
QUIET := --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-all nightly check format bench constraints clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(QUIET) -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY) ## a live bot under the guard on the rehearsal exchange, offline, about 90 s
	$(BIN)/qt-guard demo

test: $(READY) ## the tests, some twelve minutes on two idle cores
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not long"

test-all: $(READY) ## every test: random lives, campaigns, each style of strategy as well
	$(BIN)/python -m pytest -n auto --dist worksteal

nightly: $(READY) ## every test, with 10,000 examples of each property, for a night
	$(BIN)/python -m pytest -n auto --dist worksteal --hypothesis-profile nightly

check: $(READY) ## formatting, lint, types and spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell

format: $(READY) ## format the code and mend what lint can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## all benchmarks, under 40 min; prints JSON and writes docs/benchmarks.md
	$(BIN)/python -m benchmarks

constraints: $(READY) ## pin the versions of the environment as it is
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) dist build out .pytest_cache .mypy_cache .ruff_cache .hypothesis
