# Each target works first on a fresh clone: Python 3.11, pip and make are enough (make test says what else it needs).
# Pass options with ARGS, as in: make demo ARGS="--port 8090 --no-open" · make test ARGS="tests/dialogs -k join".

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick bench lint audit lock system-packages

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | awk -F '\t' '{printf "  make %-16s %s\n", $$1, $$2}'

setup:  ## make .venv, install the lock, compile the catalogues
	@scripts/setup.sh

demo: setup  ## play it in the browser: citizen, officer and province side by side
	@.venv/bin/hoctap demo $(ARGS)

test: setup system-packages  ## every test: Chromium, PostgreSQL, ten kills on the web and thirty on Telegram (up to 30 minutes)
	@HOCTAP_NO_SKIPS=1 .venv/bin/pytest -n 2 --dist worksteal $(ARGS)

quick: setup  ## the tests that need only Python: SQLite, nobody killed (three to four minutes)
	@HOCTAP_EXAMPLES=5 .venv/bin/pytest -n 2 --dist worksteal -m "not slow and not kill and not browser and not postgres" $(ARGS)

bench: setup  ## measure against the bars
	@.venv/bin/python -m benchmarks $(ARGS)

lint: setup  ## style, types, import arrows, catalogues
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/python -m locales.check

audit: setup  ## known vulnerabilities of the locked packages, where the database of them can be had; pins and hashes anyway
	@scripts/audit.sh

lock: setup  ## write the locks anew from pyproject.toml (ARGS=--upgrade for newer releases)
	@scripts/lock.sh $(ARGS)

system-packages:
	@scripts/system-packages.sh
