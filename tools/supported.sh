#!/bin/sh
# Install the wheel into an environment of its own, made with the Python named by PYTHON,
# and run the library's tests with it, away from the checkout: what CI does on every
# machine and every Python that the course supports.
set -eu
cd "$(dirname "$0")/.."
PLACE=$PWD/_build/supported
rm -rf "$PLACE"
"${PYTHON:-python3}" -m venv "$PLACE/venv"
VIRTUAL_ENV=$PLACE/venv
PATH=$VIRTUAL_ENV/bin:$PATH
export VIRTUAL_ENV PATH

python -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r tools/uv.lock.txt
uv pip sync --quiet --require-hashes requirements-test.lock
uv build --quiet --wheel --no-build-isolation --out-dir "$PLACE"
uv pip install --quiet --no-deps "$PLACE"/*.whl

# The library's tests, not those of the book and of the tools nor those of many
# processes; and what they use besides gmlib, which they find in the environment alone.
tests=
for test in tests/test_*.py; do
    case $(basename "$test" .py) in
    test_benchmarks | test_gates* | test_notebooks | test_pages | test_ranks) ;;
    test_repository | test_runs | test_site | test_sizes | test_sweep*) ;;
    test_tools* | test_wheel) ;;
    *) tests="$tests $test" ;;
    esac
done
cp -R tests tools sweeps benchmarks references.bib pyproject.toml "$PLACE"
cd "$PLACE"
python - <<'WHERE'
import platform
import sys

import gmlib

assert gmlib.__file__.startswith(sys.prefix), gmlib.__file__
print("Python", platform.python_version(), "on", platform.platform())
WHERE
# shellcheck disable=SC2086 # one word a file
OMP_NUM_THREADS=1 TQDM_DISABLE=1 MPLBACKEND=agg \
    python -m pytest -n 2 --dist loadfile $tests
