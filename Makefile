# The menu. `make run` and `make test` install what they need on a fresh Debian or Ubuntu with Python 3.11 or newer.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Browser tests mostly wait for a person, so three run well beside each other on two cores.
JOBS ?= 3

.PHONY: help run test lint types bench fuzz browsers clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/.server  ## start the server with a demo meeting and print its links
	@$(BIN)/python -m readiness serve --demo $(ARGS)

test: $(VENV)/.test .cache/.system .cache/.node  ## install what the tests need and run them all
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(ARGS) || { \
	  echo "Once more, one at a time: what failed may have failed because two browsers shared this machine."; \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(ARGS); }

lint: $(VENV)/.test .cache/.node  ## ruff, mypy, tsc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	.ci/node_modules/.bin/tsc --project .ci/tsconfig.json

bench: $(VENV)/.test .cache/.system  ## print measured figures; AREA=selftest, QUICK=1
	$(BIN)/python -m tests.bench $(if $(AREA),--area $(AREA)) $(if $(QUICK),--quick)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/install-system python3-venv >&2
	$(PYTHON) -m venv $(VENV) >&2

# What a server needs, by version and hash.
$(VENV)/.server: .ci/requirements-server.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< >&2
	@touch $@

# What the tests need besides.
$(VENV)/.test: .ci/requirements-test.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< >&2
	@touch $@ $(VENV)/.server

# Programs that the tests drive: browsers, a TURN server, a proxy, a speech synthesiser.
.cache/.system: .ci/install-system
	.ci/install-system
	@mkdir -p .cache && touch $@

.cache/.node: .ci/package-lock.json .cache/.system
	npm ci --prefix .ci --no-fund --no-audit --loglevel=error
	@mkdir -p .cache && touch $@

clean:  ## forget everything that was installed or made
	rm -rf $(VENV) .cache .ci/node_modules .mypy_cache .ruff_cache .pytest_cache
