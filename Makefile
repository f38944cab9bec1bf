# Everything from a fresh clone with Python 3.11 or newer, pip and make:
#   make run         set up, then serve the dashboard at http://localhost:8501 (PORT=8600 for another port)
#   make test        set up, then lint, types, tests, a real browser included; about ten minutes on two cores
#   make test-all    the tests that `make test` leaves out, slow or rare
#   make audit       known vulnerabilities of what is installed; says so when nobody can be asked
#   make benchmark   the training engine beside the usual PyTorch loop; wants a quiet machine
#   make faults      the tests that kill workers, trainers and servers, the long ones too
#   make format      rewrite the sources the way `make test` wants them
#   make clean       remove the virtual environment and caches; runs and data are elsewhere and stay

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install -qq --root-user-action=ignore

.PHONY: help run test test-all lint lint-javascript types pytest audit benchmark faults format clean

help:
	@sed -n '2,9p' Makefile | sed 's/^# *//'

run: $(VENV)/run.stamp
	@exec $(BIN)/python -m streamlit run streamlit_app.py --server.port $(PORT) $(ARGS)

test: lint types pytest

lint: $(VENV)/test.stamp lint-javascript
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

# Where there is no npm, or its registry does not answer, everything else is checked all the same.
lint-javascript: $(VENV)/python.stamp
	@if ! command -v npm >/dev/null; then echo "The JavaScript is not checked, because npm is not installed."; \
	elif ! $(MAKE) --silent node_modules/.stamp >$(VENV)/npm.log 2>&1; then \
	  echo "The JavaScript is not checked, because npm could not install its linter; $(VENV)/npm.log says why."; \
	else npm run --silent lint; fi

types: $(VENV)/test.stamp
	@$(BIN)/mypy

# Browsers have the machine to themselves; the rest goes three files at a time, as many tests wait for processes.
PYTEST = $(BIN)/python -m pytest
BESIDE := -n 3 --dist loadfile --ignore tests/browser

pytest: $(VENV)/test.stamp $(VENV)/browser.stamp
	@$(PYTEST) -m "not slow" tests/browser $(ARGS)
	@$(PYTEST) -m "not slow" $(BESIDE) $(ARGS)

test-all: $(VENV)/test.stamp $(VENV)/browser.stamp
	@$(PYTEST) -m slow tests/browser $(ARGS)
	@$(PYTEST) -m slow $(BESIDE) --timeout 1800 $(ARGS)
	@MNIST_DASH_TEST_DATABASE=postgresql $(PYTEST) $(BESIDE) --timeout 1800 tests/runs tests/search tests/faults $(ARGS)
	@$(MAKE) --silent audit

audit: $(VENV)/test.stamp
	@$(BIN)/python -m tests.dependencies

faults: $(VENV)/test.stamp
	@$(BIN)/python -m pytest tests/faults --timeout 1800 $(ARGS)

benchmark: $(VENV)/run.stamp
	@$(BIN)/python -m tests.benchmarks.bench_engine $(ARGS)
	@$(BIN)/python -m tests.benchmarks.bench_limits
	@$(BIN)/python -m tests.benchmarks.bench_queue

format: $(VENV)/test.stamp
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@! $(MAKE) --silent node_modules/.stamp >/dev/null 2>&1 || npm run --silent format

clean:
	rm -rf $(VENV) node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An interpreter without ensurepip (Debian's, without python3-venv) lends its own pip to the new environment.
$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "MNIST Dash needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=python3.12 run" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install -qq pip; }
	@touch $@

$(VENV)/run.stamp: requirements.txt $(VENV)/python.stamp
	@echo "Installing what MNIST Dash needs into $(VENV); once, a few minutes at most ..."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements.txt requirements-dev.txt $(VENV)/python.stamp
	@echo "Installing what the tests need into $(VENV); once, a few minutes at most ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

node_modules/.stamp: package.json package-lock.json .npmrc
	@timeout 300 npm ci
	@touch $@

# A Chromium or Chrome that is there, else Debian's when root, else Playwright's own. The tests look for it in the same order.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome

$(VENV)/browser.stamp: $(VENV)/test.stamp
	@command -v $(BROWSERS) >/dev/null || { \
	  echo "Installing a Chromium for the browser tests; once ..."; \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
	    >$(VENV)/browser.log 2>&1 \
	  || $(BIN)/python -m playwright install chromium >>$(VENV)/browser.log 2>&1 \
	  || { tail -5 $(VENV)/browser.log >&2; echo "Install Chromium or Chrome by hand and run make test again." >&2; exit 1; }; }
	@touch $@
