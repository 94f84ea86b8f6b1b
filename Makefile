# `make repro` and `make test` each do everything from a fresh clone; no variable has to be set.
SHELL := /bin/bash
BIN := .venv/bin
STAMP := .venv/.complete
# The commands in dvc.yaml say `python`: the environment's.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Threads that wait sleep: spinning ones take the cores from whatever else runs.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help env lint test test-quick test-long durations repro reliability portability rehearsal bench constraints clean

help:
	@echo "make repro        reproduce the experiment that params.yaml describes, say what was found"
	@echo "make test         run the tests, but for the long ones: about a quarter of an hour on two cores"
	@echo "make test-quick   run the tests that take less than half a second: 2 minutes"
	@echo "make test-long    run the long tests: half an hour"
	@echo "make durations    run all tests, and write anew which are slow and long"
	@echo "make lint         ruff and mypy"
	@echo "make reliability  run the tests that inject faults, write docs/reliability.md"
	@echo "make portability  run a small experiment with few processor instructions, and on a pretend device"
	@echo "make rehearsal    run every stage over local servers with random weights in the real shapes: hours"
	@echo "make bench        run every benchmark; results go to benchmarks/results"
	@echo "make env          make .venv (the others do it when needed)"
	@echo "make constraints  renew constraints.txt with the newest versions"
	@echo "make clean        delete the environment and tool caches; data and the DVC cache stay"

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt scripts/environment
	@scripts/environment
	@touch $@

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A process takes whole files, so that what their tests share is made once; those that take longest
# come first (tests/durations.py). Two processes: more would need more memory than a small machine has.
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: env
	$(PYTEST) -m "not long"

test-quick: env
	$(PYTEST) -m "not slow"

test-long: env
	$(PYTEST) -m long

durations: env
	$(PYTEST) --measure

# Whether there is anything to do is DVC's to say; the script knows when it was asked already.
repro: env
	@$(BIN)/python -IS scripts/unchanged.py || \
		{ $(BIN)/dvc repro && $(BIN)/python scripts/unchanged.py --keep; }
	$(BIN)/leitmotif results

reliability: env
	$(BIN)/python scripts/reliability.py

portability: env
	$(BIN)/python scripts/portability.py

rehearsal: env
	$(BIN)/python -m benchmarks.rehearsal

bench: env
	@set -e; for benchmark in benchmarks/[a-z]*.py; do \
		echo "== $$benchmark"; $(BIN)/python -m "benchmarks.$$(basename "$$benchmark" .py)"; \
	done

constraints:
	@scripts/environment --renew
	@touch $(STAMP)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
