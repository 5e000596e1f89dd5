# `make` alone prints the targets. Every target makes or reuses .venv by itself.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install demo dev test lint format bench docs wheel clean

help:  ## print this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | awk -F'\t' '{printf "  make %-9s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "sketchseek needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "python cannot make a virtual environment here; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }

# Stamps: an install runs again only when what it installs from has changed.
$(VENV)/core.stamp: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing sketchseek into $(VENV) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/dev.stamp: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing sketchseek with its training and development tools into $(VENV) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/core.stamp

install: $(VENV)/core.stamp  ## install the search side (no torch) into .venv

demo: install  ## install the search side and check it (the draw-to-search page comes later)
	@$(BIN)/sketchseek doctor

dev: $(VENV)/dev.stamp  ## install everything that tests and training need

test: dev  ## run the tests (no network, no GPU)
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: dev  ## check style, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: dev  ## put the code into the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: dev  ## run every benchmark and print its table
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: dev  ## write the commands' --help into docs/cli.md
	@$(BIN)/python -m tests.cli.help_page > docs/cli.md.new && mv docs/cli.md.new docs/cli.md

wheel: $(BIN)/python  ## build the wheel into dist/
	@$(PIP) build
	@$(BIN)/python -m build --wheel --outdir dist .

clean:  ## remove .venv and everything built
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
