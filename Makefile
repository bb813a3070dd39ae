# `make run` starts Parley, `make test` is the whole check. Each sets up all it needs, from nothing, in .venv.

VENV := .venv
PY := $(VENV)/bin/python
REQUIREMENTS := requirements
MAKEFLAGS += --no-print-directory

# A model server or a key named in the environment or in .env: then no local models are needed.
HAS_SERVER = test -n "$$OPENAI_API_KEY$$OPENAI_API_KEY_FILE$$OPENAI_BASE_URL" || \
	grep -Eqs '^[[:space:]]*(export[[:space:]]+)?OPENAI_(API_KEY|API_KEY_FILE|BASE_URL)[[:space:]]*=[[:space:]]*[^[:space:]\#]' .env

# install,NAME: what requirements/NAME.txt locks, unless just that was installed before. Later locks add to earlier ones: all pin
# the same versions.
install = sum=$$(cksum < $(REQUIREMENTS)/$(1).txt); \
	if [ "$$(cat $(VENV)/.installed-$(1) 2>/dev/null)" != "$$sum" ]; then \
		echo "Installing $(REQUIREMENTS)/$(1).txt into $(VENV); the first time takes a few minutes."; \
		[ -t 1 ] && quiet= || quiet=--quiet; \
		$(PY) -m pip install $$quiet --disable-pip-version-check --require-hashes -r $(REQUIREMENTS)/$(1).txt && \
		printf '%s' "$$sum" > $(VENV)/.installed-$(1); \
	fi

.PHONY: help run test hard bench docs lock clean venv

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' Makefile

run: venv ## Start Parley with all that is set up; fetches local models when no key or base URL is set
	@if $(HAS_SERVER); then $(call install,base); else $(call install,local) && $(PY) -m bot models pull; fi
	@exec $(PY) -m bot all

# When the set-up began, so that the check tells its own time apart.
test hard: export CHECK_BEGAN := $(shell date +%s)

test: venv ## Check everything: format, lint, types, migrations, docs, tests
	@$(call install,dev)
	@exec $(PY) -m tests

hard: venv ## Run the long forms of tests, up to an hour: `make test` runs their short ones
	@$(call install,dev)
	@exec $(PY) -m tests hard

bench: venv ## Run the benchmarks in bench/, some ten minutes; `python -m bench.NAME --help` tells the long forms
	@$(call install,dev)
	@for file in bench/[a-z]*.py; do echo "== $$file"; $(PY) -m bench.$$(basename $$file .py) || exit 1; done

docs: venv ## Write the documents that are made from the code
	@$(call install,base)
	@$(PY) -m bot config --write docs/configuration.md
	@$(PY) -m tests.architecture_page

# The locks hold versions and hashes, and no addresses, so that any mirror of the index serves.
LOCK = $(PY) -m uv pip compile pyproject.toml --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-header $(UPGRADE)
lock: venv ## Resolve the dependencies again; UPGRADE=--upgrade takes the newest
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) -o $(REQUIREMENTS)/base.txt
	$(LOCK) --extra local -c $(REQUIREMENTS)/base.txt -o $(REQUIREMENTS)/local.txt
	$(LOCK) --extra local --group dev -c $(REQUIREMENTS)/local.txt -o $(REQUIREMENTS)/dev.txt
	@! grep -n '://' $(REQUIREMENTS)/*.txt

clean: ## Remove the environment and all caches; your conversations stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python of 3.11 or newer, a working environment made by it, and the command `parley` in it.
venv:
	@$(PY) -m pip --version >/dev/null 2>&1 || { \
		for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3 python; do \
			"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && found=$$candidate && break; \
		done; \
		if [ -z "$$found" ]; then \
			echo "Parley needs Python 3.11 or newer, and found none. Install it, or name it: make PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		if ! "$$found" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
			version=$$("$$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
			echo "$$found cannot make environments. On Debian or Ubuntu: apt install python$$version-venv" >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$("$$found" --version)."; \
		rm -rf $(VENV) && "$$found" -m venv $(VENV); \
	}
	@[ -x $(VENV)/bin/parley ] || { \
		printf '#!/bin/sh\n# Runs Parley from the folder that holds this environment.\nhere=$$(dirname "$$(readlink -f "$$0")")\n' \
			> $(VENV)/bin/parley && \
		printf 'PYTHONPATH="$$here/../..$${PYTHONPATH:+:$$PYTHONPATH}" exec "$$here/python" -P -m bot "$$@"\n' >> $(VENV)/bin/parley && \
		chmod +x $(VENV)/bin/parley; \
	}
