#!/bin/sh
# Lock every package with its hashes, for every platform, without any address.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header "$@" \
    pyproject.toml --extra book --extra test --extra cluster -o requirements.lock
# the entry of uv alone: what the set-up starts from
awk '/^[^ ]/ {on = /^uv==/} on' requirements.lock >tools/uv.lock.txt
