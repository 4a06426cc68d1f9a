# `make help` lists what there is. Everything is installed into .venv; nothing else is touched.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

faults_options := $(if $(SHORT),--short)

.PHONY: help demo serve test check bench faults fuzz format stubs constraints screenshots docs sbom clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(VENV)/.demo ## Explain two photographs on an embedded stack, write demo-output/, stop
	@$(BIN)/python -m deploy.demo $(ARGS)

serve: $(VENV)/.$(if $(MODELS),stack,demo) ## Keep the embedded stack running and print its address (MODELS=models.toml: your own; ARGS="--port 8001")
	@$(BIN)/python -m deploy.demo --serve $(if $(MODELS),--models $(MODELS)) $(ARGS)

test: $(VENV)/.test ## Run all tests
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.test ## Lint, format, types, import rules, stubs, pins, Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python proto/generate.py --check
	$(BIN)/python constraints/compile.py --check
	@if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint deploy/Dockerfile; fi

bench: $(VENV)/.test ## Measure the promised figures: one JSON object a line
	@$(BIN)/python -m tests.bench $(ARGS)

faults: $(VENV)/.test ## Kill, freeze and cut off while jobs run, and count what is lost (SHORT=1: a few minutes)
	@$(BIN)/python -m tests.faults $(faults_options) $(ARGS)

fuzz: $(VENV)/.test ## Send broken images and requests for SECONDS (300) from ever new seeds
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),300)

screenshots: $(VENV)/.test ## Write the pictures of the page, docs/images/page-*.webp, with the system's Chromium
	@$(BIN)/python -m tests.screenshots $(ARGS)

format: $(VENV)/.test ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

stubs: $(VENV)/.test ## Generate worker/serving/stubs from proto/
	$(BIN)/python proto/generate.py

constraints: $(VENV)/.test ## Resolve the dependencies anew and pin them with hashes
	$(BIN)/python constraints/compile.py

docs: $(VENV)/.docs ## Build the documentation as a site in dist/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet && echo "The site is in dist/site/; begin with dist/site/index.html."

sbom: $(VENV)/.test ## Write what the images hold to dist/sbom (CycloneDX)
	@mkdir -p dist/sbom
	@for image in web worker; do \
	    $(BIN)/python -W ignore -m cyclonedx_py requirements constraints/$$image.txt --pyproject pyproject.toml --mc-type application \
	        --output-reproducible --spec-version 1.6 --of JSON --output-file dist/sbom/$$image.cdx.json || exit 1; \
	done

clean: ## Remove what the other targets made
	rm -rf $(VENV) demo-output .cache dist

$(VENV)/.demo: constraints/demo.txt pyproject.toml constraints/install.sh
	@PYTHON=$(PYTHON) constraints/install.sh $(VENV) demo
	@touch $@ $(VENV)/.stack

$(VENV)/.stack: constraints/stack.txt pyproject.toml constraints/install.sh
	@PYTHON=$(PYTHON) constraints/install.sh $(VENV) stack
	@touch $@

$(VENV)/.docs: constraints/docs.txt pyproject.toml constraints/install.sh
	@PYTHON=$(PYTHON) constraints/install.sh $(VENV) docs
	@touch $@

$(VENV)/.test: constraints/test.txt pyproject.toml constraints/install.sh
	@PYTHON=$(PYTHON) constraints/install.sh $(VENV) test
	@touch $@ $(VENV)/.demo $(VENV)/.stack $(VENV)/.docs
