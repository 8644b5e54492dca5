# Everything happens in .venv, which the first call makes; a second call finds it ready.
# Other Python: make test PYTHON=python3.12. More arguments: make demo ARGS="--help".
# Wheels of ROS 2 Kilted in place of Jazzy: make test ROS=kilted.

PYTHON ?= python3
ARGS ?=
# Processes that share the tests' files; more than four hardly help.
WORKERS ?= auto
# Of which ROS 2 distribution the wheels are; each has a folder of its own.
ROS ?= jazzy
VENV := $(if $(filter jazzy,$(ROS)),.venv,.venv-$(ROS))
BIN := $(VENV)/bin
LOG := $(VENV)/install.log
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input
CPU_WHEELS := https://download.pytorch.org/whl/cpu
SOURCES := pyproject.toml setup.py CMakeLists.txt constraints.txt cmake/ros_wheels.cmake \
           $(wildcard msg/*.msg srv/*.srv)

# A sourced ROS would mix with the one in .venv.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH
unexport RMW_IMPLEMENTATION ROS_DISTRO
# Hundreds of processes that tests start would compile our sources, each for itself.
unexport PYTHONDONTWRITEBYTECODE

# $(call quietly,COMMAND): its output goes to a log, of which the end is shown if it fails.
quietly = { $(1); } > $(LOG) 2>&1 || { tail -n 25 $(LOG) >&2; \
          echo "error: the command above failed; all it said is in $(LOG)" >&2; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-kilted check docs bench format clean

help: ## List what there is.
	@echo "make demo         see it work: node, player and clicks; leaves demo/overlay.mp4"
	@echo "make test         format, lint, types and all tests"
	@echo "make test-kilted  the tests of the node with ROS 2 Kilted, in .venv-kilted"
	@echo "make check        format, lint and types alone"
	@echo "make bench        measure the stages, the tracker and the node on this machine"
	@echo "make docs         build the documentation's site into build/docs"
	@echo "make setup        install into .venv, which the others do by themselves"
	@echo "make format       let ruff format and mend the sources"
	@echo "make clean        remove .venv and everything built"

setup: $(VENV)/etam_ros.stamp ## Install into .venv.

demo: setup
	@$(BIN)/etam demo $(ARGS)

docs: setup
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
	@echo "build/docs/index.html"

bench: setup
	@$(BIN)/etam bench $(ARGS)

test: check
	@echo "== tests"
	@command -v chromium > /dev/null || command -v google-chrome > /dev/null || \
	  echo "note: without Chromium the page is not tested: sudo apt install chromium"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile \
	  --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

# Not part of `test`: a second environment takes minutes.
test-kilted:
	@$(MAKE) --no-print-directory setup ROS=kilted
	@OMP_NUM_THREADS=1 .venv-kilted/bin/python -m pytest test/ros/tracker/test_node.py $(ARGS)

check: setup
	@echo "== format"
	@$(BIN)/ruff format --check .
	@echo "== lint"
	@$(BIN)/ruff check .
	@echo "== types"
	@$(BIN)/mypy

format: setup
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist etam_ros.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1), expected Python 3.10 to 3.13:" \
	       "name one, as in make PYTHON=python3.12" >&2; exit 1; }
	@command -v g++ > /dev/null || { \
	  echo "error: g++ is not here, the messages need it: sudo apt install g++" >&2; exit 1; }
	@$(PYTHON) -c 'import os, sysconfig as s, sys; \
	  sys.exit(not os.path.exists(os.path.join(s.get_path("include"), "Python.h")))' || { \
	  echo "error: Python.h is not here, the messages need it: sudo apt install python3-dev" >&2; \
	  exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: $(PYTHON) cannot make one: sudo apt install python3-venv" >&2; exit 1; }
	@touch $@

# A CPU build from the user's own indexes if they have one, else from PyTorch's.
$(VENV)/torch.stamp: $(VENV)/python.stamp constraints.txt
	@echo "installing PyTorch for the CPU (200 MB)"
	@$(INSTALL) -q -c constraints.txt torch > $(LOG) 2>&1 || \
	  $(call quietly,$(INSTALL) -c constraints.txt torch --extra-index-url $(CPU_WHEELS))
	@touch $@

# The pins hold inside the build as well, which only the environment reaches.
ifeq ($(ROS),jazzy)
BUILD = PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(INSTALL) -e '.[dev]'
else
OTHER := $(BIN)/python scripts/wheel_requirements.py $(ROS)
BUILD = $(OTHER) constraints > $(VENV)/constraints.txt && $(OTHER) requirements > $(VENV)/requirements.txt && \
        $(INSTALL) -c $(VENV)/constraints.txt -r $(VENV)/requirements.txt && \
        PATH="$(abspath $(BIN)):$$PATH" $(INSTALL) --no-build-isolation --no-deps -e .
endif

$(VENV)/etam_ros.stamp: $(VENV)/torch.stamp $(SOURCES)
	@echo "installing etam_ros and building its messages (a minute or two)"
	@$(call quietly,$(BUILD))
	@touch $@
