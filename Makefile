# The commands of this checkout. `make` alone lists them. No path here is absolute: the checkout
# may lie in a folder with spaces.

SHELL := /bin/sh
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test lint format schema lock clean

PYTHON = python3
UV_VERSION = 0.13.9
bin = .venv/bin

# Of `make run`; from the command line or the environment.
PORT ?= 8000
GATEWAY_PORT ?= 8001
DATA ?= data
# Of `make test`.
ARGS =

# By the environment: the recipes' shells then need no quoting of what is in them.
export PORT GATEWAY_PORT DATA

help: ## List the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{printf "%-16s%s\n", $$1, $$2}'

run: .venv/.installed .venv-notebook/.installed ## Run the whole service here (PORT= GATEWAY_PORT= DATA=)
	@exec $(bin)/python -m submarine_site.quickstart \
	  --port "$$PORT" --gateway-port "$$GATEWAY_PORT" --data "$$DATA"

test: .venv/.installed-dev .venv-notebook/.installed .venv-submarine/.installed .venv-openapi/.installed ## Run the tests (ARGS= for pytest)
	@$(bin)/python -m pytest -n auto -m "not stack and not browser and not cluster" $(ARGS)
	@$(bin)/python -m pytest -m "(stack or browser) and not cluster" $(ARGS)
	@$(bin)/python -m pytest -m cluster $(ARGS)

lint: .venv/.installed-dev ## Check style, types, imports, templates, migrations and the API's schema
	$(bin)/python -m ruff check .
	$(bin)/python -m ruff format --check .
	$(bin)/python -m mypy .
	$(bin)/lint-imports
	$(bin)/python -m djlint --check --lint templates
	$(checking) $(bin)/python manage.py makemigrations --check --dry-run
	$(checking) $(bin)/python manage.py spectacular --validate --fail-on-warn | diff -u docs/openapi.yaml -

# Enough of an environment for commands that look at the code only.
checking = env -u DATABASE_URL -u REDIS_URL DJANGO_SETTINGS_MODULE=submarine_site.settings.test \
	SUBMARINE_PAGES_URL=http://127.0.0.1:8000

format: .venv/.installed-dev ## Format code and templates, and mend what can be mended
	$(bin)/python -m ruff check --fix-only .
	$(bin)/python -m ruff format .
	-$(bin)/python -m djlint --reformat --quiet templates

schema: .venv/.installed-dev ## Write the API's schema to docs/openapi.yaml
	$(checking) $(bin)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

compile = $(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --upgrade

lock: .venv/.uv ## Choose the newest versions that fit, for every environment and image
	$(compile) --extra quickstart --output-file requirements.lock pyproject.toml
	$(compile) --extra quickstart --group dev --output-file requirements-dev.lock pyproject.toml
	$(compile) --constraints requirements.lock --output-file docker/requirements.lock pyproject.toml
	$(compile) $(slow) --output-file $(notebook)/requirements.lock $(notebook)/requirements.in
	$(compile) --constraints $(notebook)/requirements.lock --output-file $(notebook)/kernel.lock $(notebook)/kernel.in
	$(compile) --constraints requirements.lock --output-file $(notebook)/builder.lock $(notebook)/builder.in
	$(compile) --output-file $(submarine)/requirements.lock $(submarine)/requirements.in
	$(compile) --output-file $(openapi)/requirements.lock $(openapi)/requirements.in
	$(compile) --constraints $(notebook)/requirements.lock --output-file $(notebook)/client.lock $(notebook)/client.in

notebook = docker/notebook
submarine = tests/submarine
openapi = tests/openapi

# More than half of the time in which Jupyter starts would go into building a grammar, for a check
# of international addresses in JSON that jsonschema does without where these are not installed.
slow = --no-emit-package rfc3987-syntax --no-emit-package lark

clean: ## Remove the environments and caches; the data stay
	rm -rf .venv .venv-notebook .venv-submarine .venv-openapi .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -path ./data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp file says that what it depends on has been installed.

.venv/.installed: requirements.lock | .venv/.uv
	@$(call install,.venv,requirements.lock)
	@touch $@

# Holds all of the other one, so that a later `make run` has nothing to do.
.venv/.installed-dev: requirements-dev.lock requirements.lock client/pyproject.toml | .venv/.uv
	@$(call install,.venv,requirements-dev.lock)
	@$(bin)/uv pip install --quiet --python $(bin)/python --no-deps --no-build-isolation --editable client
	@touch .venv/.installed $@

.venv-notebook/.installed: docker/notebook/requirements.lock docker/notebook/client.lock docker/notebook/default_setting_overrides.json client/pyproject.toml $(wildcard client/src/submarine_client/*.py client/src/submarine_client/cli/*.py) | .venv/.uv
	@$(call environment,.venv-notebook)
	@$(call install,.venv-notebook,docker/notebook/requirements.lock,--no-deps)
	@$(call install,.venv-notebook,docker/notebook/client.lock,--no-deps)
	@$(bin)/uv pip install --quiet --compile-bytecode --python .venv-notebook/bin/python --no-deps --no-build-isolation --reinstall ./client
	@mkdir -p .venv-notebook/etc/jupyter/labconfig
	@cp docker/notebook/default_setting_overrides.json .venv-notebook/etc/jupyter/labconfig/
	@touch $@

# The released clients of Apache Submarine, for the tests that drive them.
.venv-submarine/.installed: $(submarine)/requirements.lock | .venv/.uv
	@$(call environment,.venv-submarine)
	@$(call install,.venv-submarine,$(submarine)/requirements.lock)
	@touch $@

# What generates clients from the API's schema, for the tests that drive these.
.venv-openapi/.installed: $(openapi)/requirements.lock | .venv/.uv
	@$(call environment,.venv-openapi)
	@$(call install,.venv-openapi,$(openapi)/requirements.lock)
	@touch $@

.venv/.uv: Makefile
	@$(call environment,.venv)
	@echo "Installing uv $(UV_VERSION)."
	@$(bin)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || { $(no_download); }
	@touch $@

# Unless it is there and works: an environment, made by the first of these that is new enough.
define environment
$(1)/bin/python -c '' 2>/dev/null && exit 0; \
for python in $(PYTHON) python3.13 python3.12 python3.11; do \
  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
    echo "$$python lacks its venv module: install it (on Debian and Ubuntu: apt install python3-venv), then run make again."; \
    exit 1; }; \
  exec "$$python" -m venv --clear $(1); \
done; \
echo "Python 3.11 or newer is needed: install it, or name it by 'make PYTHON=/path/to/python3'."; exit 1
endef

define install
echo "Installing $(2) into $(1)."; \
$(bin)/uv pip install --quiet --system-certs --compile-bytecode --python $(1)/bin/python --require-hashes $(3) --requirements $(2) || { $(no_download); }
endef

no_download = echo "The packages could not be installed: the message above says why. Run make again when that is mended."; exit 1
