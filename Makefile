# Every target builds .venv on first use. Nothing here needs root but `make sandbox`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1
export JUPYTER_PLATFORM_DIRS := 1
JUPYTER ?=
PYTEST  ?=
COURSE  ?=
TORCH   ?=
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

# constraints.txt names the versions that were tested, so that a fresh machine next year gets the same.
# TORCH=cpu takes PyTorch's own build for CPUs first: 1 GB of disk instead of 7.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(if $(filter cpu,$(TORCH)),$(BIN)/python -m pip install --quiet --constraint constraints.txt \
	  --index-url https://download.pytorch.org/whl/cpu torch torchvision)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,site,postgres,similarity]"
	$(BIN)/python -c "import torch, torchvision, nbgrader, utils, autograder"
	touch $@

venv: $(READY)  ## build .venv; with PyTorch for CPUs alone: make venv TORCH=cpu

sandbox:  ## install bubblewrap (as root, or with sudo)
	@command -v bwrap >/dev/null || { \
	  run=$$([ "$$(id -u)" = 0 ] || echo sudo); $$run apt-get update -qq && $$run apt-get install -y -qq bubblewrap; }
	@bwrap --version

demo: $(READY)  ## the main job: release the labs, grade a sample class, feedback and report
	$(BIN)/python -m autograder demo

test: $(READY)  ## the tests of every commit: all but those in a browser and the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST)

test-browser: $(READY)  ## the pages, the explorables, JupyterLab and formgrader in Chromium; first: make browser
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "browser and not slow" $(PYTEST)

test-slow: $(READY)  ## what takes minutes, and every case of what `make test` does with one of each kind
	$(BIN)/python -m pytest -m slow

test-user: $(READY)  ## the tests of the sandbox as a user who is not root
	$(BIN)/python -m tests.as_user pytest -p no:cacheprovider tests/running tests/security $(PYTEST)

lab: $(READY)  ## open the labs in JupyterLab as a student
	$(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)/labs" $(JUPYTER)

course: $(READY)  ## JupyterLab with formgrader; for the sample class: make course COURSE=demo
	LAB_COURSE=$(COURSE) $(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" $(JUPYTER)

labs: $(READY)  ## regenerate the notebooks from their sources
	$(BIN)/autograder build

execute: $(READY)  ## run an instructor notebook and keep its outputs: make execute LAB=lab4 (LAB_BUDGET=cpu)
	$(BIN)/autograder execute $(LAB)

release: $(READY)  ## what students get: dist/student and the wheel
	$(BIN)/autograder release

wheel-check: $(READY)  ## run labs with the oldest and the newest packages that the students' wheel allows
	$(BIN)/python -m pytest -m slow tests/course/test_wheel.py

validate: $(READY)  ## the kill matrix of all labs, generic changes too; one lab: make validate LAB=lab4
	$(BIN)/autograder validate $(LAB) --generic

validate-full: $(READY)  ## the same with thousands of challenges, hours; goes on where it stopped: docs/validate
	$(BIN)/autograder validate $(LAB) --full

bench: $(READY)  ## all measurements
	$(BIN)/python -m bench

bench-check: $(READY)  ## measure again, and fail where a ratio is a fifth worse than the committed one
	$(BIN)/python -m bench.check

gpu-check: $(READY)  ## check probes, sampling and a training in bfloat16 on this machine's GPU: build/gpu-check.json
	$(BIN)/python -m bench.gpu_check

bench-grading: $(READY)  ## grading speed against stock nbgrader
	$(BIN)/python -m bench.bench_grading

screenshots: $(READY)  ## the pictures in docs/images, by the browser tests
	LAB_SCREENSHOTS=1 $(BIN)/python -m pytest -m "browser and not slow" tests/browser

browser:  ## install Chromium for the browser tests (as root, or with sudo)
	@command -v chromedriver >/dev/null || { \
	  run=$$([ "$$(id -u)" = 0 ] || echo sudo); $$run apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; }
	@chromedriver --version

postgres:  ## install PostgreSQL for the tests of a gradebook on a server (as root, or with sudo)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  run=$$([ "$$(id -u)" = 0 ] || echo sudo); $$run apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq --no-install-recommends postgresql >/dev/null; }
	@ls -d /usr/lib/postgresql/*

lint: $(READY)  ## ruff and the layers of the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

constraints:  ## install the newest versions that pyproject.toml allows, and write them to constraints.txt
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --editable ".[dev,site,postgres,cluster,similarity]"
	(echo "# The versions that were tested, written by \`make constraints\`."; \
	  build/constraints/bin/python -m pip freeze --all --exclude-editable | grep -v "^pip==") > constraints.txt
	rm -rf build/constraints

hooks: $(READY)  ## ruff, mypy and the freshness of the notebooks before every commit
	$(BIN)/pre-commit install

types: $(READY)  ## mypy
	$(BIN)/mypy

# Without npm, the front page shows a film in place of the live network.
site: $(READY)  ## the live network, the labs and the docs as static HTML: build/site/index.html
	$(BIN)/python -m docs.site.build

clean:  ## remove what can be made again; student data stay
	rm -rf dist build demo *.egg-info .pytest_cache .ruff_cache

.PHONY: bench-check gpu-check help venv sandbox demo test test-browser test-slow test-user constraints wheel-check lab course labs execute release validate validate-full bench bench-grading screenshots browser postgres hooks types site lint clean
