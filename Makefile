# Everything starts here. `make help` lists the targets.
PYTHON ?= python3
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
PORT   ?= 8000

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev serve demo test check bench lock

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A stamp names the lock it was made from, so a changed lock fills the environment anew.
.venv/.stamp-%: %.lock pyproject.toml
	@echo "Filling .venv from $< (the first time takes a minute) …"
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r $<
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.stamp-requirements  ## Fill .venv with what casecore needs to run

setup-dev: .venv/.stamp-requirements-dev

serve: setup  ## Run casecore on an embedded PostgreSQL (PORT=8000)
	@PORT=$(PORT) $(BIN)/casecore serve

demo: setup  ## Write a believable working day into the ledger
	$(BIN)/casecore demo

test: setup setup-dev  ## Run the whole suite
	$(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile

check: setup setup-dev  ## Formatting, lint, types, import contracts, docker files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=src:. $(BIN)/lint-imports
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml

bench: setup setup-dev  ## Measure casecore beside its peers; writes benchmarks/results.md
	$(BIN)/python -m benchmarks

UV_COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --upgrade

lock:  ## Resolve the dependencies anew (needs uv)
	$(UV_COMPILE) pyproject.toml --extra build -o requirements.lock
	$(UV_COMPILE) pyproject.toml --extra build --extra dev -o requirements-dev.lock
