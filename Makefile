# `make demo` and `make test` set up what they need; uv is used where it exists.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ifeq ($(shell command -v uv 2>/dev/null),)
  CREATE = $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --upgrade pip
  INSTALL = $(BIN)/python -m pip install --quiet --no-compile
else
  # Trust what the system trusts, as pip does; the older and the newer name of the setting.
  export UV_NATIVE_TLS ?= 1
  export UV_SYSTEM_CERTS ?= 1
  CREATE = uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
  INSTALL = uv pip install --quiet --python $(BIN)/python
endif
# Programs start often here: what Python compiles is kept, though the environment say otherwise.
unexport PYTHONDONTWRITEBYTECODE
PACKAGED := $(wildcard pyproject.toml)

MERMAID := @mermaid-js/tiny@11.17.2

.PHONY: demo demo-fixed test thorough browser chromium lint types golden platform docs clean

demo: $(VENV)/.all
	$(BIN)/readiness demo

demo-fixed: $(VENV)/.all
	$(BIN)/readiness demo --fixed

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto

thorough: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto -m thorough

# What the tests of the page need beside Python: Debian's Chromium, and Mermaid by npm.
# Without one of them its tests are skipped, and say so.
browser: chromium $(VENV)/mermaid

chromium:
	@command -v chromium > /dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -y -qq --no-install-recommends chromium; } > /dev/null

$(VENV)/mermaid:
	mkdir -p $@.new
	cd $@.new && npm pack --silent $(MERMAID) > /dev/null && tar -xzf *.tgz && rm *.tgz
	mv $@.new $@

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

golden: $(VENV)/.dev
	$(BIN)/python -m tests.golden.remake
	$(BIN)/python -m tests.mutants.told

platform: $(VENV)/.dev
	$(BIN)/python -m tests.golden.capture

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build dist readiness-report

$(VENV)/.all: $(PACKAGED)
	$(CREATE)
	$(INSTALL) --editable '.[all]'
	touch $@

$(VENV)/.dev: $(PACKAGED)
	$(CREATE)
	$(INSTALL) --editable '.[dev]'
	touch $@ $(VENV)/.all
