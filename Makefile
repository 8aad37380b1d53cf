# Everything starts here; each target makes what it needs. Python 3.11 or newer and make are the only requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: run test check bench fuzz soak ui page-tools lock clean

run: $(VENV)/.installed
	$(BIN)/acuity up --simulator $(ARGS)

test: check
	bash tests/install_peers.sh
	$(MAKE) --no-print-directory page-tools
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	bash tests/install_peers.sh
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench $(ARGS)

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz receive --inputs 200000 --seed 2026 $(ARGS)

soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak $(ARGS)

# axe-core, with which the tests look at the page as WCAG does; where npm is missing they say so and are skipped.
page-tools:
	@if command -v npm >/dev/null 2>&1 && [ ! -f worklist/ui/node_modules/axe-core/axe.min.js ]; then \
	  (cd worklist/ui && npm ci --no-audit --no-fund --silent) || echo "page tools: npm ci failed; the axe tests are skipped" >&2; fi

ui:
	cd worklist/ui && npm ci --no-audit --no-fund && npm run build

lock: $(VENV)/.installed-dev
	$(BIN)/pip-compile -q --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --no-annotate --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --no-annotate --extra dev --extra train --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	# A local build of torch (+cpu) satisfies the plain version, and only that one is to be had everywhere.
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements-dev.lock

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
