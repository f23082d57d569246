"""Run every check of the course and say at the end how each went.

    python tools/test.py

Style, the site (warnings are errors), the tests of code, notebooks and site, and every
notebook cell by cell against its stored outputs. Nothing here needs the network.
"""

import json
import os
import re
import subprocess
import sys
import time

from notebooks import ROOT, chapters, over_budget, read

BIN = os.path.dirname(sys.executable)
PYTEST = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile"]


def stages():
    """Return (name, command) of each check."""
    books = [str(path.relative_to(ROOT)) for path in chapters()]
    nbval = ["--nbval-lax", "--nbval-cell-timeout", "300", "-p", "no:randomly", *books]
    return [
        ("style", ["make", "--no-print-directory", "lint"]),
        ("book", [sys.executable, "tools/book.py", "--as-stored"]),
        ("tests", [*PYTEST, "--durations", "8", "tests"]),
        ("cell by cell", ["env", "GMLIB_SCALE=smoke", *PYTEST, *nbval]),
    ]


def environment():
    """Return the environment of the checks: one thread each, nothing set by hand."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GMLIB_")}
    return env | {
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "MPLBACKEND": "agg",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PATH": BIN + os.pathsep + env.get("PATH", ""),
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


def print_budgets():
    """Print what each notebook took at scale smoke, beside what it declares."""
    for path in chapters():
        file = ROOT / "_build" / "spent" / f"{path.stem}.json"
        if file.exists():
            spent = json.loads(file.read_text("utf8"))
            over = over_budget(read(path), "smoke", spent["seconds"], spent["mib"])
            took = f"{spent['seconds']:5.0f} CPU s {spent['mib']:5} MiB at smoke"
            notes = "".join(f"  OVER BUDGET: {line}" for line in over)
            print(f"{path.stem:16} {took}{notes}")


def main():
    rows, env = [], environment()
    for name, command in stages():
        print(f"\n=== {name}", flush=True)
        start = time.monotonic()
        code, closing = run(command, env)
        rows.append((name, code, time.monotonic() - start, closing))
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
    print_budgets()
    total = sum(row[2] for row in rows)
    summary = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    print(f"total: {summary} in {total:.0f} s")
    sys.exit(any(row[1] for row in rows))


if __name__ == "__main__":
    main()
