#!/usr/bin/env bash
# What the tests need beside Python: Chromium, a font with every Vietnamese letter, PostgreSQL, nginx.
# Root on Debian gets what is missing; anyone else is told its name. No PostgreSQL cluster is made or started:
# the tests start a server of their own (tests/support/postgres.py).
set -euo pipefail

has_chromium() {
    local name
    for name in "${HOCTAP_CHROMIUM:-chromium}" chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return
    done
    return 1
}

has_fonts() {
    [ -e /usr/share/fonts/truetype/noto/NotoSans-Regular.ttf ] && return
    command -v fc-list >/dev/null && [ -n "$(fc-list 'Noto Sans')" ]
}

has_postgres() {
    local folder
    for folder in /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb || echo /none/initdb)")"; do
        [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && return
    done
    return 1
}

has_nginx() {
    [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null
}

missing=()
has_chromium || missing+=(chromium)
has_fonts || missing+=(fonts-noto-core)
has_postgres || missing+=(postgresql)
has_nginx || missing+=(nginx-light)
[ ${#missing[@]} = 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test needs packages that are missing: ${missing[*]} (sudo apt-get install ${missing[*]})" >&2
    exit 1
fi

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@" >/dev/null
}

echo "installing ${missing[*]}"
apt update
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
    # Debian's package makes a cluster and starts it, unless told otherwise between its two halves.
    apt install --no-install-recommends postgresql-common
    conf=/etc/postgresql-common/createcluster.conf
    sed -ri 's/^#?\s*create_main_cluster\s*=.*/create_main_cluster = false/' "$conf"
    grep -q '^create_main_cluster = false' "$conf" || echo 'create_main_cluster = false' >>"$conf"
fi
# Debian starts a server that it installs, unless this file says no; the tests start one of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt install --no-install-recommends "${missing[@]}"
