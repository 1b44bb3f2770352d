# Imprint: `make demo` shows it, `make test` proves it, `make serve` runs it.
# Needs make and Python 3.11 or newer; the rest is installed into $(VENV), pinned by constraints.txt.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
TORCH ?= torch==2.13.0
HOST ?= 127.0.0.1
PORT ?= 8080
PYTEST_ARGS ?=
BENCH_ARGS ?=
DATA ?= ../shared/data/omniglot

PY := $(VENV)/bin/python
PIP := $(PY) -m pip install -qq --disable-pip-version-check --constraint constraints.txt
PINS := pyproject.toml constraints.txt

.PHONY: help setup demo serve test test-train test-stress check bench docs train-ledger
.DELETE_ON_ERROR:

help:
	@echo "make demo         set up and watch Imprint learn from one example each"
	@echo "make test         set up and run the tests (no torch)"
	@echo "make serve        set up and start the HTTP server (HOST=, PORT=)"
	@echo "make check        lint, types, import floors, sizes"
	@echo "make test-train   the tests that need torch (installs $(TORCH) when missing)"
	@echo "make test-stress  kills, floods and soaks; minutes"
	@echo "make bench        time the main job on this machine (records: docs/measurements)"
	@echo "make train-ledger  train every recipe of the Omniglot table (hours; DATA=folder)"
	@echo "make docs         write the generated pages of docs/ again"
	@echo "make setup        install Imprint and its test tools, nothing more"

# One virtual environment, filled in three steps. Each stamp is older than its pins until installed.
$(PY):
	@test -n "$(PYTHON)" || { echo "Imprint needs Python 3.11 or newer; try make PYTHON=/path/to/python3"; exit 1; }
	@echo "Creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(PINS) | $(PY)
	@echo "Installing Imprint into $(VENV) (half a minute when packages are cached)"
	@$(PIP) --editable ".[serve]"
	@touch $@

$(VENV)/.installed-dev: $(PINS) | $(PY)
	@echo "Installing Imprint and its test tools into $(VENV)"
	@$(PIP) --editable ".[serve,dev]"
	@touch $@ $(VENV)/.installed

# torch comes first and by exact pin, so that nothing else decides which build of it is fetched.
$(VENV)/.installed-train: $(PINS) | $(VENV)/.installed-dev
	@echo "Installing the training extra into $(VENV)"
	@$(PY) -c 'import torch' 2>/dev/null || $(PIP) "$(TORCH)"
	@$(PIP) --editable ".[serve,dev,train]" sentence-transformers mlflow
	@touch $@

setup: $(VENV)/.installed-dev

demo: $(VENV)/.installed
	@$(VENV)/bin/imprint demo

serve: $(VENV)/.installed
	@$(VENV)/bin/imprint serve --host $(HOST) --port $(PORT)

test: $(VENV)/.installed-dev
	@$(PY) -m pytest $(PYTEST_ARGS)

test-train: $(VENV)/.installed-train
	@$(PY) -m mypy
	@$(PY) -m pytest -m train $(PYTEST_ARGS)

test-stress: $(VENV)/.installed-dev
	@$(PY) -m pytest -m stress $(PYTEST_ARGS)

check: $(VENV)/.installed-dev
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@if $(PY) -c 'import torch' 2>/dev/null; then $(PY) -m mypy; else \
		echo "torch is not installed: the types of src/imprint/train are left to make test-train"; \
		$(PY) -m mypy --exclude imprint/train/; fi
	@$(VENV)/bin/lint-imports
	@$(PY) -m pytest tests/architecture -q

bench: $(VENV)/.installed-dev
	@$(PY) benchmarks/main_job.py $(BENCH_ARGS)
	@$(PY) benchmarks/cli_cold.py

# Hours of training; resumes where it was stopped. DATA names the folder with Omniglot's npz files.
train-ledger: $(VENV)/.installed-train
	@OMP_NUM_THREADS=1 $(PY) benchmarks/train_ledger.py $(DATA) --runs runs/ledger

docs: $(VENV)/.installed-dev
	@$(PY) tools/build_docs.py
