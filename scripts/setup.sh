#!/usr/bin/env bash
# Make .venv fit for work: Python 3.11 or later, the packages of the lock, the project itself, compiled catalogues.
# Quick when nothing changed: a stamp in .venv remembers the lock and the pyproject.toml that it was made from.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() {
    echo "setup: $*" >&2
    exit 1
}

good() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
complete() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The first interpreter that is new enough and can make a virtual environment.
find_python() {
    local name
    for name in python3.11 python3 python3.12 python3.13 /usr/bin/python3; do
        if good "$name" && complete "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

make_venv() {
    local python
    if ! python=$(find_python); then
        good python3 || good /usr/bin/python3 || stop "Python 3.11 or later is missing"
        # Debian ships Python without its venv module.
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            stop "Python cannot make a virtual environment; install the package python3-venv (sudo apt-get install python3-venv)"
        fi
        echo "setup: installing python3-venv"
        apt-get -qq -o DPkg::Lock::Timeout=120 update
        DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 \
            install --no-install-recommends python3-venv >/dev/null
        python=$(find_python) || stop "Python cannot make a virtual environment even with python3-venv installed"
    fi
    echo "setup: making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
}

if ! good .venv/bin/python || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    make_venv
fi

# The folder is part of the stamp, since an environment that was moved no longer finds the project.
made_from=$( (pwd; cat requirements-dev.lock pyproject.toml) | sha256sum)
if [ "$(cat .venv/made-from 2>/dev/null)" != "$made_from" ]; then
    echo "setup: installing the packages of requirements-dev.lock (a few minutes the first time)"
    # pip's own resolver has nothing to decide: every package is named, and checked by its hash.
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
        -r requirements-dev.lock
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
    echo "$made_from" >.venv/made-from
fi

# Here and not at the first sentence: a server's folder may be read-only.
.venv/bin/python - <<'PYTHON'
from locales import HERE, LANGUAGES, compile_catalogue

for language in LANGUAGES:
    source = HERE / language / "LC_MESSAGES" / "bot.po"
    compiled = source.with_suffix(".mo")
    if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
        compile_catalogue(source, compiled)
PYTHON
