.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet
FOR ?=
UNIT_TESTS := $(BIN)/python -m pytest
LEARNING_TESTS := $(addprefix tests/unit/,parameter_server learners actors simulations)
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
unexport PYTHONDONTWRITEBYTECODE # pytest rewrites assertions once, not at each start

.PHONY: help install demo test test-unit test-learning test-serving test-thorough test-faults test-nodes lint format bench kernels clean

help: ## show these lines
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) -e .
	$(BIN)/python -m foryou.warm_up
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(PIP) -e '.[$*]'
	@touch $@

install: $(VENV)/.installed ## install into .venv

demo: install ## run the whole system with simulated people (FOR=60 stops after a minute)
	$(BIN)/foryou demo $(if $(FOR),--for $(FOR))

test: test-unit ## run every test
	$(BIN)/python -m pytest tests/integration tests/e2e
	$(BIN)/python -m pytest tests/faults # systems of its own: a process has one Ray at a time

test-unit: $(VENV)/.installed-test ## run the tests that need no server
	@$(MAKE) --no-print-directory --jobs=2 $(SYNC) test-learning test-serving

test-learning: # two processes at once, each with about half of the tests and of the imports
	$(UNIT_TESTS) $(LEARNING_TESTS)

test-serving:
	$(UNIT_TESTS) tests/unit tests/conformance $(addprefix --ignore=,$(LEARNING_TESTS))

test-thorough: $(VENV)/.installed-test ## run the property tests with many more examples (takes long)
	$(UNIT_TESTS) tests/unit --hypothesis-profile=thorough

test-faults: $(VENV)/.installed-test ## kill, pause and cut off parts of a system in fifty random schedules (takes long)
	$(BIN)/foryou chaos --schedules $(or $(SCHEDULES),50)

test-nodes: $(VENV)/.installed ## KUAIRAND=folder: nodes of a cluster on this machine come, go, die and are cut off
	$(BIN)/foryou experiment nodes --path $(or $(KUAIRAND),$(error say where the data set is: KUAIRAND=folder))

lint: $(VENV)/.installed-lint ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-lint ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-bench ## run every benchmark and write a page of tables and plots (QUICK=1: small sizes)
	$(BIN)/foryou bench all $(if $(QUICK),--quick)

kernels: $(VENV)/.installed ## compile all kernels anew, after a change of one that others call
	find . -path ./$(VENV) -prune -o -name '*.nb[ic]' -exec rm {} +
	$(BIN)/python -m foryou.warm_up

clean: ## remove the environment and local state
	rm -rf $(VENV) .foryou
