# Prerequisites: Python >= 3.11 with venv, make, git, binutils. Everything else is made here.
PYTHON ?= python3
BIN := .venv/bin
DEMO := .venv-demo/bin

.PHONY: demo test test-full e2e-arm64 check fix unit vectors bench bench-check dist freeze clean

demo: .venv-demo/.ready            ## build, sign, install and run a plugin, start to end
	$(DEMO)/python build_scripts/demo.py --out demo-out

test: check .venv/wheels/.ready     ## check, then all tests
	$(BIN)/python -m pytest -n auto -m "not slow" tests --ignore tests/unit --ignore tests/property

test-full: .venv/wheels/.ready     ## all tests with all rounds of the slow ones
	$(BIN)/python -m pytest -n auto tests

e2e-arm64: .venv/.ready            ## build a plugin for linux/arm64 in a container, and run it; minutes
	OCM_PKG_E2E_ARM64=1 $(BIN)/python -m pytest tests/e2e/test_container_arm64.py

check: .venv/.ready                ## style, types, arrows, dependencies, unit tests with coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .
	$(MAKE) unit

unit: .venv/.ready                 ## unit and property tests; the pure rooms are covered whole
	$(BIN)/coverage run -m pytest -q $(PURE)
	$(BIN)/coverage report --fail-under=100 --skip-covered --show-missing
	$(BIN)/python -m pytest -q -n 2 tests/unit tests/property $(PURE:%=--ignore=%)

PURE := tests/unit/model tests/unit/contract tests/unit/builders tests/property/test_elf.py

vectors: .venv/.ready              ## every vector through the command line; ARGS=-v lists them
	$(BIN)/python -m tests.vectorset $(ARGS)

fix: .venv/.ready                  ## format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.ready                ## measure against bounds of the same run; writes bench.json
	$(BIN)/python -m tests.bench

bench-check: .venv/.ready          ## the same, and fail on a missed goal
	$(BIN)/python -m tests.bench --check

dist: .venv/.ready                 ## a wheel in dist/, with launchers where Go is installed
	if command -v go >/dev/null; then $(BIN)/python build_scripts/launchers.py; fi
	$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation --wheel-dir dist .

freeze: .venv-demo/.ready          ## ocm-pkg as one binary for this machine, in dist/
	$(DEMO)/python build_scripts/freeze.py

clean:
	rm -rf .venv .venv-demo demo-out bench.json build dist *.egg-info .coverage .hypothesis \
		.mypy_cache .pytest_cache .ruff_cache

.venv/.ready: requirements-dev.lock pyproject.toml build_scripts/environment.py
	$(PYTHON) build_scripts/environment.py .venv --lock requirements-dev.lock --editable

.venv/wheels/.ready: .venv/.ready requirements.lock ocm_pkg/builders/assemble.lock build_scripts/wheels.py
	$(BIN)/python build_scripts/wheels.py .venv/wheels

.venv-demo/.ready: requirements.lock pyproject.toml build_scripts/environment.py
	$(PYTHON) build_scripts/environment.py .venv-demo --lock requirements.lock --editable
