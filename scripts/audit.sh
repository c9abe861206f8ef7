#!/usr/bin/env bash
# Are the locked packages known to be vulnerable? Asks the database of advisories (pip-audit); where that cannot be
# reached, says so and checks what can be checked here: every package pinned to one version and by its hashes.
# Exit status 1: a finding. AUDIT_SECONDS: how long the database may take (default 60).
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/python scripts/pinned.py requirements.lock requirements-dev.lock

# Not strict: a package that the database does not know is no finding.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
status=0
timeout "${AUDIT_SECONDS:-60}" .venv/bin/pip-audit --disable-pip --require-hashes --requirement requirements-dev.lock \
    --progress-spinner off --timeout 10 --format json --output "$said" >/dev/null 2>&1 || status=$?

# Where it cannot be had, pip-audit ends with an error, or (behind a mirror of packages only) skips every package.
.venv/bin/python - "$said" "$status" <<'PYTHON'
import json
import sys
from pathlib import Path

try:
    packages = json.loads(Path(sys.argv[1]).read_text("utf-8"))["dependencies"]
except (ValueError, KeyError):
    packages = []
asked = [each for each in packages if "skip_reason" not in each]
if not asked:
    print(f"audit: no database of advisories can be had here (status {sys.argv[2]}): only pins and hashes were checked")
    raise SystemExit(0)
found = [(each, hole) for each in asked for hole in each.get("vulns", ())]
for each, hole in found:
    mended = ", ".join(hole.get("fix_versions", ())) or "no version yet"
    print(f"audit: {each['name']} {each['version']}: {hole['id']}; mended in {mended}")
print(f"audit: {len(asked)} of {len(packages)} packages looked up, {len(found)} known vulnerabilities")
raise SystemExit(bool(found))
PYTHON
