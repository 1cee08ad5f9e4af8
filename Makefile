# `make run` hears music in minutes; `make test` checks everything. Both set .venv up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STARTER := models/diffmidi-starter
READY := $(VENV)/.ready
ARGS ?=

.PHONY: run test test-slow lint docs dist release-check clean help

run: $(READY)  ## train a small model on Bach chorales and let it play (ARGS="--data FOLDER" for your own MIDI)
	$(BIN)/diffmidi run $(ARGS)

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist worksteal $(ARGS)

test-slow: $(READY)  ## run the tests that take minutes: wrong parts trained and caught, all of the real music
	$(BIN)/python -m pytest -m slow --numprocesses logical --dist worksteal $(ARGS)

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

dist: $(READY)  ## build what a release uploads, and check it as PyPI does (into dist/)
	rm -rf dist
	$(BIN)/python .ci/release.py build dist

release-check: dist  ## the same, and try the wheels in an environment without this clone
	$(BIN)/python .ci/release.py try dist

docs: $(READY)  ## build the docs: build/docs/site/index.html
	$(BIN)/python -m docs.generate

clean:  ## remove the environment and what tools left
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(READY): pyproject.toml $(STARTER)/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'diffmidi needs Python 3.11 or newer: say which, as in `make run PYTHON=python3.12`.' >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]' --editable ./$(STARTER)
	touch $(READY)
