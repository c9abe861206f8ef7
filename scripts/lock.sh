#!/usr/bin/env bash
# Write requirements.lock (what the bot runs on) and requirements-dev.lock (that plus the tools of its makers).
# Pass --upgrade to take newer releases; without it the pins that still fit pyproject.toml stay.
set -euo pipefail
cd "$(dirname "$0")/.."

# The locks name packages and hashes only: where they come from is the business of each machine's pip.
compile() {
    .venv/bin/pip-compile pyproject.toml --quiet --generate-hashes --allow-unsafe --strip-extras \
        --build-deps-for editable --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --no-emit-trusted-host --no-emit-options --newline lf "$@"
}

compile --output-file requirements.lock "${@}"
compile --output-file requirements-dev.lock --extra dev --constraint requirements.lock "${@}"
