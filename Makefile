# Everything here needs Python 3.11 or newer, make and git; the rest is set up in .venv when first used.
#   make lab        JupyterLab on the tutorials          (make lab ARGS=--no-browser)
#   make test       the checks and all tests, with a real browser   (make test ARGS="-k stepper")
#   make check      format, lint, types, floors, and the same for the JavaScript
#   make bench      the benchmarks
#   make shots      a picture of every view, in both themes and at three widths, to look at: shots/index.html
#   make notebooks  runs the tutorials again and keeps what they show
#   make docs       the documentation site, in build/docs: open build/docs/index.html
#   make pins       chooses the newest versions and writes them to constraints.txt
#   make clean      removes what was set up

PYTHON ?= python3
ARGS ?=
# One more than the cores of a small machine: tests with a browser or a database often wait for it.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
SETUP := pyproject.toml constraints.txt scripts/bootstrap.py scripts/debian.py

# What the user's shell adds to Python's path must not stand in for what is pinned here.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
# An image may turn compiled files off; then every process that a test starts would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
# uv trusts whom the machine trusts, as pip does; older versions of uv know the second name only.
export UV_SYSTEM_CERTS ?= 1
export UV_NATIVE_TLS ?= 1

# Not by its own name: a line with that runs even where `make -n` is to say only what would run.
AGAIN := $(MAKE)

# Each is a target of its own, so that two cores share them; all of them print only what is wrong.
QUICK_CHECKS := check-format check-lint
SLOW_CHECKS := check-types check-js
CHECKS := $(QUICK_CHECKS) $(SLOW_CHECKS) check-floors

.DEFAULT_GOAL := help
.PHONY: help lab test check $(CHECKS) bench shots notebooks docs pins clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/.ready-lab: $(SETUP)
	@$(PYTHON) scripts/bootstrap.py $(VENV) tutorials
	@touch $@

$(VENV)/.ready-docs: $(SETUP)
	@$(PYTHON) scripts/bootstrap.py $(VENV) docs
	@touch $(VENV)/.ready-lab $@

$(VENV)/.ready-test: $(SETUP)
	@$(PYTHON) scripts/bootstrap.py $(VENV) test
	@touch $(VENV)/.ready-lab $(VENV)/.ready-docs $@

# Compiles the tests and what they import once, before several workers would each compile the same.
$(VENV)/.ready-compiled: $(VENV)/.ready-test
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null
	@touch $@

# Node comes from a wheel (the extra `check`), what runs on it from package-lock.json; users need neither.
JS := PATH="$(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$$PATH"
JS_FILES := calamity_lab tests/browser tests/front_end eslint.config.js

node_modules/.ready: package-lock.json $(VENV)/.ready-test
	@$(JS) npm ci --loglevel=error --ignore-scripts --no-audit --no-fund
	@touch $@

lab: $(VENV)/.ready-lab
	@$(BIN)/python -m scripts.open_lab $(ARGS)

# The slow checks run beside the tests, which often wait for a browser. If all is well, the last line is
# pytest's own: the checks print only what is wrong, and only after it. The tests have the floors among them.
test: $(VENV)/.ready-test $(QUICK_CHECKS)
	@chromium="$$($(BIN)/python -m scripts.chromium)" || exit; found="$$(mktemp)"; \
	$(AGAIN) --no-print-directory -k -j2 $(SLOW_CHECKS) >"$$found" 2>&1 & checks=$$!; \
	trap "kill $$checks" INT TERM; \
	$(AGAIN) --silent $(VENV)/.ready-compiled; \
	CHROMIUM="$$chromium" $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS); tests=$$?; \
	wait $$checks || { cat "$$found" >&2; tests=1; }; \
	rm "$$found"; exit $$tests

check: $(CHECKS)

check-format: $(VENV)/.ready-test
	@$(BIN)/ruff format --check --quiet .

check-lint: $(VENV)/.ready-test
	@$(BIN)/ruff check --quiet .

check-types: $(VENV)/.ready-test
	@$(BIN)/mypy --no-error-summary

check-floors: $(VENV)/.ready-test
	@$(BIN)/python -m pytest -q --no-header --no-summary tests/test_floors.py

check-js: node_modules/.ready
	@$(JS) node tests/front_end/format.js --check
	@$(JS) eslint $(JS_FILES)
	@$(BIN)/python -m scripts.view_types > node_modules/.views.d.ts
	@$(JS) tsc --project tsconfig.json
	@$(JS) node --import ./tests/front_end/load_looks.js --test --test-reporter=dot "tests/front_end/*.test.js"

bench: $(VENV)/.ready-test
	@chromium="$$($(BIN)/python -m scripts.chromium)" && CHROMIUM="$$chromium" $(BIN)/python -m tests.benchmarks $(ARGS)

shots: $(VENV)/.ready-test
	@chromium="$$($(BIN)/python -m scripts.chromium)" && CHROMIUM="$$chromium" $(BIN)/python -m scripts.shots $(ARGS)

notebooks: $(VENV)/.ready-test
	$(BIN)/python scripts/execute_notebooks.py $(ARGS)

docs: $(VENV)/.ready-docs
	@$(BIN)/python -m scripts.build_docs build/docs

pins: $(VENV)/.ready-test
	$(BIN)/uv pip compile --quiet --upgrade --all-extras --universal --python-version 3.11 --no-annotate --no-header \
		--no-emit-package calamity-lab --no-emit-index-url --no-emit-find-links pyproject.toml -o $(VENV)/pins.txt
	@{ sed -n '/^#/p' constraints.txt; cat $(VENV)/pins.txt; } > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt

clean:
	rm -rf $(VENV) node_modules .jupyter build dist shots .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
