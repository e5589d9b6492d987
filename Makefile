# LK: `make run` and `make test` need python3 (3.11 or newer), make and a package index, and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
WORKERS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test faults attack lint ruff mypy djlint bandit lock messages openapi bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

run: $(VENV)/.run ## the site, its worker and demo data on http://127.0.0.1:8000 (PORT, HOST, DATABASE_URL)
	@exec env LK_LOCAL=1 $(BIN)/python -m lk_site.local

test: $(VENV)/.dev ## the whole suite on DATABASE_URL or SQLite (ARGS="-k words", WORKERS=2)
	@command -v chromium chromium-browser google-chrome >/dev/null || echo "No Chromium: browser tests are skipped. On Debian: apt-get install chromium"
	@$(BIN)/pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

faults: $(VENV)/.dev ## every fault of docs/faults.md on a production stack of its own, under load; prints a table
	@$(BIN)/pytest -q -n 0 -o python_files='fault_*.py' tests/faults $(ARGS)

attack: $(VENV)/.dev ## sqlmap, a crawler, request smuggling, slow clients, schemathesis and the matrix of who may what
	@command -v sqlmap >/dev/null || apt-get install -y -qq --no-install-recommends sqlmap || echo "No sqlmap here: its part is skipped. On Debian: apt-get install sqlmap"
	@$(BIN)/pytest -q -n 0 -o python_files='attack_*.py' tests/attack $(ARGS)
	@ATTACK_EXAMPLES=30 $(BIN)/pytest -q -n $(WORKERS) --dist loadfile deals/tests/test_schemathesis.py lk_site/tests/test_access_matrix.py lk_site/tests/test_keys_everywhere.py lk_site/tests/test_attacks_*.py deploy/tests/test_nginx.py

lint: ruff mypy djlint bandit ## style, types, templates, security

ruff: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mypy: $(VENV)/.dev var/keys.json
	LK_LOCAL=1 $(BIN)/mypy

djlint: $(VENV)/.dev
	$(BIN)/djlint --quiet --lint templates

bandit: $(VENV)/.dev
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive lk_site accounts deals clients/python/src

lock: $(VENV)/.dev ## write requirements*.txt again from requirements*.in
	$(LOCK) $(ARGS) requirements.in -o requirements.txt
	$(LOCK) $(ARGS) requirements-tracing.in -o requirements-tracing.txt
	$(LOCK) $(ARGS) requirements-dev.in -o requirements-dev.txt

messages: $(VENV)/.dev var/keys.json ## collect the sentences of the interface, and compile their translations (needs gettext)
	LK_LOCAL=1 $(BIN)/python manage.py makemessages --locale ru --no-location --no-wrap --ignore .venv --ignore var
	LK_LOCAL=1 $(BIN)/python manage.py compilemessages --ignore .venv --ignore var

openapi: $(VENV)/.dev var/keys.json ## write openapi.json
	LK_LOCAL=1 $(BIN)/python manage.py write_openapi

bench: $(VENV)/.dev ## times, sizes and costs against bare psycopg at 1,000,000 deals (BENCH_DEALS=20000 is quick); writes bench/RESULTS.md
	@exec $(BIN)/python -m bench

clean: ## everything that can be made again; var/ with keys and data stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov test-results bench/var
	find . -name __pycache__ -prune -exec rm -rf {} +

var/keys.json: | $(BIN)/python # Django reads no settings without keys
	@$(BIN)/python -m lk_site.new_keys $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "LK needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt …"
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(BIN)/python
	@echo "Installing requirements-dev.txt …"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@
