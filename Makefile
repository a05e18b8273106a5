# Everything here sets itself up: see tools/setup.sh for what it installs and why.

PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 10
# Processes that share the tests.  Each has a Ceph cluster of its own, so more than two want memory.
JOBS ?= 2
OSDS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-rados test test-fast pyz pythons release-check lint format explore soak bench clean

help:           ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

demo: $(VENV)/ready  ## the main job on a SQLite file
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/demo.sh

demo-rados: $(VENV)/ready ceph  ## the same on a real Ceph cluster, started for it
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/demo_rados.py

test: $(VENV)/ready ceph cephfs  ## all tests, on a real Ceph cluster too
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-fast: $(VENV)/ready  ## the tests that need no Ceph
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not ceph"

pyz: $(VENV)/ready  ## csijournal.pyz: all in one file, to copy to where there is no pip
	$(BIN)/python tools/pyz.py

pythons: $(VENV)/ready  ## the tests that need no Ceph on every Python found, from wheel and pyz
	$(BIN)/python tools/pythons.py --jobs $(JOBS)

release-check: $(VENV)/ready  ## what is too long for each change: hours, root, 10 GB
	tools/release_check.sh

lint: $(VENV)/ready  ## style, types, and nothing that Python 3.9 lacks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/vermin --quiet --no-tips --violations --target=3.9- src tests tools

format: $(VENV)/ready  ## put the code in the common style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

explore: $(VENV)/ready  ## the full walk through all interleavings (long)
	$(BIN)/python tools/explore.py

soak: $(VENV)/ready ceph  ## real faults on a real cluster for MINUTES=10, with OSDS=3 failovers
	$(BIN)/python tools/soak.py --minutes $(MINUTES) --osds $(OSDS)

bench: $(VENV)/ready ceph  ## timings beside their floors and the predecessor's protocol
	@$(BIN)/python -c 'import matplotlib' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check 'matplotlib>=3.8'
	$(BIN)/python tools/bench

clean:          ## remove the virtual environment, caches and what was built
	rm -rf $(VENV) build csijournal.pyz .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: ceph cephfs
ceph cephfs:
	@tools/setup.sh packages $@

$(VENV)/ready: pyproject.toml tools/setup.sh tools/pyz-requirements.txt
	@tools/setup.sh packages python
	@tools/setup.sh venv "$(PYTHON)" "$(VENV)"
	@touch $@
