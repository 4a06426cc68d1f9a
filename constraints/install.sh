#!/usr/bin/env bash
# Install Limelight with one set of hash-pinned dependencies into a virtual environment.
# Usage: PYTHON=python3.12 constraints/install.sh .venv demo
set -uo pipefail
venv=$1 set=$2
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)
log=$(mktemp "${TMPDIR:-/tmp}/limelight-install.XXXXXX")

fail() {
    echo "limelight: $1" >&2
    if [ -s "$log" ]; then echo "limelight: the whole output is in $log" >&2; else rm -f "$log"; fi
    exit 1
}

name_another="name a Python 3.11 or newer: make PYTHON=/path/to/python3.12 $set"
command -v "$python" >/dev/null || fail "there is no '$python' here; $name_another"
version=$("$python" --version 2>&1) || fail "'$python' does not run ($(head -n 1 <<<"$version")); $name_another"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$version is too old; $name_another"

# An environment without pip is one whose making was interrupted.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv "$venv" >>"$log" 2>&1 \
        || fail "'$python -m venv $venv' failed; on Debian and Ubuntu it needs the package python3-venv"
fi

echo "Installing the '$set' dependencies into $venv (a few minutes the first time) ..."
"$venv/bin/python" -m pip install --disable-pip-version-check --no-input --require-hashes \
    -r "$root/constraints/$set.txt" >>"$log" 2>&1 || {
    if grep -qiE 'Failed to establish|Temporary failure|ConnectionError|NewConnectionError|Network is unreachable|Could not find a version .*from versions: none|timed out' "$log"; then
        fail "the package index could not be reached; check the network, or pip's proxy and index settings, and run make again"
    fi
    tail -n 5 "$log" >&2
    fail "pip could not install constraints/$set.txt"
}
"$venv/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation \
    --editable "$root" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; fail "pip could not install Limelight itself"; }
rm -f "$log"
