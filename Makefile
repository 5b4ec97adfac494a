# Loopy: every command a contributor needs. `make` alone prints this list.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run fmt lint types imports test test-sim test-crash bench check clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1mmake %-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Two stamps, so that `make run` installs only what running needs.
$(VENV)/.run: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing loopy into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing loopy and its development tools into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.run

setup: $(VENV)/.dev ## Create .venv with Loopy and every development tool

run: $(VENV)/.run ## Rehearse examples/ai-sre: a Sentry webhook travels to GoalShipped
	@once=--once; if [ -t 1 ]; then once=; fi; \
	$(BIN)/loopy run examples/ai-sre --rehearse $$once \
		--deliver /hooks/sentry=examples/ai-sre/deliveries/sentry-issue.json

fmt: setup ## Format the code and mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: setup ## Check format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: setup ## Check types strictly
	@$(BIN)/mypy

imports: setup ## Check the import contracts of ARCHITECTURE.md
	@$(BIN)/lint-imports --no-cache

test: setup ## Run every test (a real nats-server, no network)
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not alone and not cluster"
	@$(BIN)/python -m pytest -m alone

test-sim: setup ## Simulate crashes, losses and delays: SEEDS=2000 of them, or replay SEED=…
	@$(BIN)/python -m tests.sim $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),2000))

test-crash: setup ## Kill processes and servers for minutes, lose nothing (SEED=n plays one again)
	@$(BIN)/python -m tests.crash $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m pytest -m cluster -s tests/cluster

bench: setup ## Measure what the README claims; prints medians and ratios
	@$(BIN)/python -m tests.bench

check: lint types imports test test-sim ## Everything CI checks

clean: ## Remove the virtual environment and every cache
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis examples/*/.loopy
