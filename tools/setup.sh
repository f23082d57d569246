#!/bin/sh
# Set up what is needed: `setup.sh book` the Python environment of the book, `setup.sh
# tests` what the tests add to it, `setup.sh browser` a browser for them. Where a system
# program is missing, it is installed (as root, on Debian and Ubuntu) or named together
# with the package that brings it.
set -eu
cd "$(dirname "$0")/.."
VENV=.venv

system() { # the distribution's name
    (. /etc/os-release 2>/dev/null && echo "$ID") || uname -s
}

may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install() { # install PACKAGE ...
    echo "setup: installing $* (apt-get)"
    apt-get -qq update >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" \
        >/dev/null
}

find_python() {
    for name in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

environment() { # make it, or mend it, with the Python that is found
    if ! python=$(find_python); then
        echo "setup: Python 3.11 or newer is needed; on Debian and Ubuntu:" >&2
        echo "    apt-get install python3 python3-venv" >&2
        exit 1
    fi
    if ! "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        2>/dev/null; then
        if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            if ! may_install || ! { install "python$version-venv" || install python3-venv; }
            then
                echo "setup: Python's venv is missing; on Debian and Ubuntu:" >&2
                echo "    apt-get install python3-venv" >&2
                exit 1
            fi
        fi
        echo "setup: making $VENV"
        rm -rf "$VENV"
        "$python" -m venv "$VENV"
    fi
    wanted=$(sed -n 's/^uv==\([^ ]*\).*/uv \1/p' tools/uv.lock.txt)
    case "$("$VENV/bin/uv" --version 2>/dev/null || true)" in
    "$wanted" | "$wanted "*) ;;
    *) "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes -r tools/uv.lock.txt ;;
    esac
}

packages() { # packages LOCK: exactly those of the lock, and gmlib from this checkout
    echo "setup: installing the packages of $1"
    # uv from the environment itself, told which one it is
    VIRTUAL_ENV=$PWD/$VENV
    export VIRTUAL_ENV
    "$VENV/bin/uv" pip sync --quiet --require-hashes "$1"
    "$VENV/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
}

driver() { # what steers the browser: a program that needs a library of the system
    "$VENV/bin/playwright" --version >/dev/null 2>&1 && return
    may_install && install libatomic1 && "$VENV/bin/playwright" --version >/dev/null && return
    echo "setup: the driver of the browser does not start; on Debian and Ubuntu:" >&2
    echo "    apt-get install libatomic1" >&2
    "$VENV/bin/playwright" --version >&2 || true
    exit 1
}

browser() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" >/dev/null && return
    done
    case "$(system)" in
    debian) may_install && install chromium && return ;;
    ubuntu) # its chromium package is a snap: take playwright's
        if [ "$(id -u)" = 0 ]; then deps=--with-deps; else deps=; fi
        "$VENV/bin/playwright" install $deps chromium && return ;;
    *) "$VENV/bin/playwright" install chromium && return ;;
    esac
    echo "setup: the tests of the site need a browser; on Debian:" >&2
    echo "    apt-get install chromium" >&2
    echo "on Ubuntu: snap install chromium" >&2
    exit 1
}

case "${1:-book}" in
book)
    environment
    packages requirements.lock
    touch "$VENV/.ready"
    ;;
tests)
    packages requirements-test.lock
    touch "$VENV/.ready-tests"
    ;;
browser)
    driver
    browser
    ;;
esac
