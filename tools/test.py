"""Run every check of the course and say at the end how each went.

    python tools/test.py [CHAPTER]

Style, the site (warnings are errors), the tests of code, notebooks and site, and every
notebook cell by cell against its stored outputs. With a chapter: style, the site, and
what concerns that chapter. Nothing here needs the network, and no check compares the
clock with anything: what a notebook takes is counted in CPU seconds of its kernel.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from notebooks import ROOT, chosen, over_budget, read
from warm import warm

BIN = os.path.dirname(sys.executable)
WORKERS = 1 + max(2, min(4, os.cpu_count() or 2))  # some of them wait
PYTEST = [sys.executable, "-m", "pytest", "-n", str(WORKERS), "-rfE"]
NBVAL = [*PYTEST, "--dist", "loadfile", "--nbval-lax", "-p", "no:randomly"]


def stages(paths, chapter):
    """Return (name, command) of each check."""
    books = [str(path.relative_to(ROOT)) for path in paths.values()]
    only = ["--chapter", chapter] if chapter else []
    return [
        ("style", ["make", "--no-print-directory", "lint"]),
        ("book", [sys.executable, "tools/book.py", "--as-stored"]),
        ("tests", [*PYTEST, "--dist", "loadgroup", "--durations", "8", *only, "tests"]),
        ("cell by cell", ["env", "GMLIB_SCALE=smoke", *NBVAL, *books]),
    ]


def prepare():
    """Give this process the environment of the checks: one thread, nothing by hand."""
    for name in [name for name in os.environ if name.startswith("GMLIB_")]:
        del os.environ[name]
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "MPLBACKEND": "agg",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PATH": BIN + os.pathsep + os.environ.get("PATH", ""),
    }


def run(command, env):
    """Run a command, pass its output on, return (exit status, its closing line)."""
    closing = ""
    with subprocess.Popen(
        command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=2
    ) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if re.search(r"\d+ (passed|failed|error)", line):
                closing = line.strip().strip("=").strip()
    return process.returncode, closing


def print_budgets(paths):
    """Print what each notebook took at scale smoke, beside what it declares."""
    for path in paths.values():
        file = ROOT / "_build" / "spent" / f"{path.stem}.json"
        if file.exists():
            spent = json.loads(file.read_text("utf8"))
            over = over_budget(read(path), "smoke", spent["seconds"], spent["mib"])
            took = f"{spent['seconds']:5.0f} CPU s {spent['mib']:5} MiB at smoke"
            notes = "".join(f"  OVER BUDGET: {line}" for line in over)
            print(f"{path.stem:16} {took}{notes}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapter", nargs="?", help="check this one alone")
    asked = parser.parse_args()
    paths = chosen(parser, [asked.chapter] if asked.chapter else [])
    rows = []
    prepare()
    with tempfile.TemporaryDirectory(prefix="gmlib-") as folder, warm(folder) as env:
        for name, command in stages(paths, asked.chapter):
            print(f"\n=== {name}", flush=True)
            start = time.monotonic()
            code, closing = run(command, env)
            rows.append((name, code, time.monotonic() - start, closing))
    report(rows, paths)
    sys.exit(any(row[1] for row in rows))


def report(rows, paths):
    """Print how each check went, and the sum."""
    print("\n=== all checks")
    for name, code, seconds, closing in rows:
        verdict = "passed" if code == 0 else f"FAILED ({code})"
        print(
            f"{verdict:12} {seconds:6.0f} s  {name}" + (f": {closing}" * bool(closing))
        )
    counts = {"passed": 0, "failed": 0, "errors": 0, "skipped": 0}
    for *_, closing in rows:
        for number, word in re.findall(r"(\d+) (\w+)", closing):
            word = "errors" if word == "error" else word
            if word in counts:
                counts[word] += int(number)
    print_budgets(paths)
    total = sum(row[2] for row in rows)
    summary = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    print(f"total: {summary} in {total:.0f} s")


if __name__ == "__main__":
    main()
