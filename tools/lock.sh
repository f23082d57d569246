#!/bin/sh
# Lock every package with its hashes, for every platform, without any address: what the
# tests need in requirements-test.lock, and of that what the book needs, in the same
# versions, in requirements.lock.
set -eu
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-annotate --no-header "$@"
}

compile "$@" pyproject.toml --extra book --extra cluster --extra test \
    -o requirements-test.lock
compile pyproject.toml --extra book --constraint requirements-test.lock \
    -o requirements.lock
# the entry of uv alone: what the set-up starts from
awk '/^[^ ]/ {on = /^uv==/} on' requirements.lock >tools/uv.lock.txt
