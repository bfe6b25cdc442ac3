# make table1   the environment, then results/table1.csv (CORES=8)
# make test     the environment, then all tests
# make lint     style of code and workflow
# make lock     compile requirements.in into requirements.lock
# Needs Python 3.11-3.13 with its venv module, and nothing else. PYTHON=/path/to/python3.12 chooses one.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
STAMP := $(VENV)/.installed
CORES ?= 8
PYTHON ?=
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help install table1 test lint lock

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

install: $(STAMP)

table1: $(STAMP)
	snakemake --cores $(CORES) results/table1.csv

test: $(STAMP)
	OMP_NUM_THREADS=1 python -m pytest -n 2

lint: $(STAMP)
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	snakemake --lint

lock: $(STAMP)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --quiet --output-file requirements.lock requirements.in

# uv comes from the lock like everything else; where it cannot reach what pip is set up for, pip does it. Compiled
# once here, torch is imported in half the time where Python may not write its own cache.
$(STAMP): requirements.lock pyproject.toml
	@python=$$(PYTHON="$(PYTHON)" workflow/find_python) && "$$python" -m venv $(VENV)
	grep -A 100 '^uv==' requirements.lock | sed '2,$${/^[^ ]/,$$d}' > $(VENV)/uv.lock
	python -m pip install --quiet --require-hashes -r $(VENV)/uv.lock
	uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --require-hashes -r requirements.lock \
	  || python -m pip install --require-hashes -r requirements.lock
	python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)
