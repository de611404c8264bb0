# The menu. `make run` and `make test` install what they need on a fresh Debian or Ubuntu with Python 3.11 or newer.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Three with browsers for two cores, as many as are served in time, and two that give way to them (tests/lanes.py).
JOBS ?= 5

.PHONY: help run room ready check quick test lint ruff mypy tsc bench fuzz parts system clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/.server  ## start the server with a demo meeting and print its links
	@$(BIN)/python -m readiness serve --demo $(ARGS)

room: $(VENV)/.room  ## check this machine as a meeting room, or a room made of software; its page is at `make run`
	@CODE="$(CODE)" SERVER="$(SERVER)" SOFTWARE="$(SOFTWARE)" $(BIN)/python -m tests.room.demo

# A run has some two hundred processes, and each of them would compile all that it imports where bytecode is not kept:
# it is, whatever the environment says, and the product's is there before the first of them asks.
test quick: export PYTHONDONTWRITEBYTECODE :=

test: system $(VENV)/.test .cache/.node  ## install what the tests need and run them all, once
	@-$(BIN)/python -m compileall -q -j 0 probes readiness reports
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist load --maxschedchunk 1 --durations 25 $(ARGS)

check: $(VENV)/.test .cache/.node  ## lint, types and all tests without browser, namespace and server process: a minute
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target quick lint

# By file, so that what the tests of one file share is made once; three processes for two cores, because some wait.
quick: $(VENV)/.test
	@$(BIN)/python -m pytest --quick --numprocesses 3 --dist loadfile $(ARGS)

lint: mypy tsc ruff  ## ruff, mypy, tsc

ruff: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mypy: $(VENV)/.test
	$(BIN)/mypy

tsc: .cache/.node
	.ci/node_modules/.bin/tsc --project .ci/tsconfig.json

# What `test` and `lint` install, for whoever wants both at the same time.
ready: system $(VENV)/.test .cache/.node

bench: system $(VENV)/.test  ## print measured figures; AREA=selftest, QUICK=1
	$(BIN)/python -m tests.bench $(if $(AREA),--area $(AREA)) $(if $(QUICK),--quick)

fuzz: $(VENV)/.test  ## 200,000 broken inputs for each reader; TARGETS="sdp json", COUNT=2000
	$(BIN)/python -m tests.fuzz $(if $(COUNT),--count $(COUNT)) $(TARGETS)

parts:  ## the parts list (CycloneDX) of what is checked out
	@.ci/parts

# pip comes last: an environment that was left half made is made again.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/install-system python3-venv >&2
	$(PYTHON) -m venv $(VENV) >&2

# What a server needs, by version and hash.
$(VENV)/.server: .ci/requirements-server.txt | $(VENV)/bin/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< >&2
	@touch $@

# What a room needs; the packages that it shares with a server are of the same versions.
$(VENV)/.room: .ci/requirements-room.txt | $(VENV)/bin/pip
	@/sbin/ldconfig -p | grep -q libportaudio.so.2 || .ci/install-system libportaudio2 >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< >&2
	@touch $@

# What the tests need besides.
$(VENV)/.test: .ci/requirements-test.txt | $(VENV)/bin/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< >&2
	@touch $@ $(VENV)/.server

# Programs that the tests drive: browsers, a TURN server, a proxy, a speech synthesiser. Looked for each time.
system:
	@.ci/install-system

.cache/.node: .ci/package-lock.json | system
	npm ci --prefix .ci --no-fund --no-audit --loglevel=error
	@mkdir -p .cache && touch $@

clean:  ## forget everything that was installed or made
	rm -rf $(VENV) .cache .ci/node_modules .mypy_cache .ruff_cache .pytest_cache
