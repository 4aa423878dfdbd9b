# A virtual environment in .venv holds everything; PYTHON chooses the interpreter that makes it.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: setup demo test test-slow test-full test-gpu docs lint environments

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'make: needs Python 3.11 or newer; set PYTHON=')"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $@

demo: setup
	$(RUN) -m benchmarks.demo

test: setup
	$(RUN) -m pytest -n 2

test-slow: setup
	$(RUN) -m pytest -m slow

# every case of the contract: hours; choose with K, as in make test-full K=my_method
test-full: setup
	$(RUN) -m pytest -n 2 -m full $(if $(K),-k "$(K)")

# what only a GPU can show; DEVICE=cpu tries the tests themselves where there is none
test-gpu: setup
	$(RUN) -m pytest -m gpu -rs $(if $(DEVICE),--device $(DEVICE))

# the documentation as a site; build/docs/index.html opens without a server
docs: export NO_MKDOCS_2_WARNING = 1
docs: export DISABLE_MKDOCS_2_WARNING = true
docs: setup
	$(RUN) -m pip install --quiet --editable '.[docs]'
	$(RUN) -m mkdocs build

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pyright

# new environments for every Python that uv finds, with the oldest and newest libraries: an hour, and 6 GB at a time
environments: setup
	$(RUN) -m pip install --quiet uv
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) -m benchmarks.environments $(if $(PYTHONS),--pythons $(PYTHONS))
