"""Execute chapters and store their outputs in the notebook, stamped with the code.

    python tools/execute.py [NAME ...] [--scale smoke|cpu|gpu|auto] [--stale]

A chapter's file changes only after a run without error. A run that fails is kept
aside as NAME.partial.ipynb with its error, and the good file stays. A run at scale
``smoke`` only tries the code: it stores nothing unless --store says so.

The data folder is taken from GMLIB_DATA, as in any other use of gmlib.
"""

import argparse
import datetime
import fcntl
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
from address import address, install_cell
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from notebooks import (
    CLAIM,
    FORMAT,
    INSTALL,
    ROOT,
    chosen,
    code_hash,
    hide_machine,
    library,
    locked,
    machine_paths,
    outputs_hash,
    over_budget,
    parameters,
    read,
    records,
    stale,
    tagged,
    write,
)

from gmlib.fingerprint import digest

PROBE = """
def _gmlib_probe():
    import json, platform, resource, sys, time
    import matplotlib, numpy, torch
    from gmlib import data, runtime
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    device, facts = runtime.device(), {}
    if device.type == "cuda":
        facts["device_memory_mib"] = torch.cuda.max_memory_reserved() // 2**20
    print(json.dumps(facts | {
        "scale": runtime.scale(),
        "device": torch.cuda.get_device_name() if facts else device.type,
        "cpu_seconds": round(time.process_time(), 1),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit,
        "data": data.used(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "matplotlib": matplotlib.__version__,
        },
    }))
_gmlib_probe()
"""


def environment(folder, scale):
    """Return the environment of a kernel: figures only through `show`, no bars."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    changes = {
        "MPLBACKEND": "agg",
        "TQDM_DISABLE": "1",
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "IPYTHONDIR": str(folder / ".ipython"),
    }
    if scale != "auto":
        changes["GMLIB_SCALE"] = scale
    return {**os.environ, **changes}


def run(nb, scale="auto", timeout=None):
    """Execute `nb` in place, in an empty folder; return what the probe found."""
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    probe = nbformat.v4.new_code_cell(PROBE)
    nb.cells.append(probe)
    with tempfile.TemporaryDirectory(prefix="gmlib-") as folder:
        client = NotebookClient(
            nb,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env=environment(Path(folder), scale))
        except AssertionError as error:
            # nbclient takes SIGINT and SIGTERM for itself: it ends the kernel and
            # then misses it.
            if client.kc is None:
                raise KeyboardInterrupt from error
            raise
        finally:
            nb.cells.remove(probe)
            hide_machine(nb, run_folder=folder)
    printed = "".join(output.get("text", "") for output in probe.outputs)
    return json.loads(printed.strip().splitlines()[-1])


def tidy(nb):
    """Keep only the metadata that does not depend on who executed the notebook."""
    nb.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
            **{k: v for k, v in nb.metadata.items() if k in ("gmlib", "budget")},
        }
    )
    for cell in nb.cells:
        for key in ("execution", "papermill", "ExecuteTime"):
            cell.metadata.pop(key, None)


@contextmanager
def alone(path):
    """Let one process at a time execute a chapter; say who else does."""
    place = ROOT / "_build" / "executing"
    place.mkdir(parents=True, exist_ok=True)
    mark = digest(str(path.resolve()))  # another checkout has another chapter
    with open(place / f"{path.stem}-{mark}", "a+", encoding="utf8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read().strip() or "?"
            sys.exit(
                f"{path.stem}: process {who} is executing it already:"
                " wait for it, or end it, then run this again"
            )
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield


def execute(path, scale="auto", store=None):
    """Execute one chapter; return whether it succeeded."""
    with alone(path):
        return _execute(path, scale, store)


def _report(name, nb, facts, seconds):
    """Print what a run took and what is wrong with it."""
    for claim in records(nb, CLAIM):
        if claim["verdict"] == "fails":
            print(f"{name}: DOES NOT HOLD: {claim['id']}", file=sys.stderr)
    print(
        f"{name}: {seconds:.0f} s, {facts['cpu_seconds']:.0f} CPU s,"
        f" {facts['memory_mib']} MiB, scale {facts['scale']}, {facts['device']},"
        f" {len(records(nb, CLAIM))} claims"
    )
    mib = facts.get("device_memory_mib", facts["memory_mib"])
    for line in over_budget(nb, facts["scale"], facts["cpu_seconds"], mib):
        print(f"{name}: OVER BUDGET: {line}", file=sys.stderr)


def _take_outputs(fresh, nb):
    """Put the outputs of the run `nb` into the same notebook as it is in its file."""
    done = iter([cell for cell in nb.cells if cell.cell_type == "code"])
    for cell in fresh.cells:
        if cell.cell_type == "code":
            other = next(done)
            cell.outputs, cell.execution_count = other.outputs, other.execution_count
    for cell in tagged(fresh, INSTALL):
        cell.source = install_cell(address())


def _execute(path, scale, store):
    partial = path.with_suffix(".partial.ipynb")
    nb = read(path)
    before, modules, lock = code_hash(nb), library(nb), locked()
    start = time.monotonic()
    print(f"{path.stem}: executing (scale {scale}) ...", flush=True)

    def keep(reason):
        write(nb, partial)
        print(f"{path.stem}: {reason}", file=sys.stderr)
        print(f"{path.stem}: the run is in {partial.name}; {path.name} is as it was")
        return False

    try:
        facts = run(nb, scale)
    except CellExecutionError as error:
        return keep(f"stopped at an error\n{error}")
    except DeadKernelError:
        return keep("the kernel died (out of memory, or ended by a signal)")
    except KeyboardInterrupt:
        keep("interrupted")
        sys.exit(130)
    seconds = time.monotonic() - start

    if found := machine_paths(nb):
        return keep(f"its outputs name paths of this machine: {', '.join(found)}")
    _report(path.stem, nb, facts, seconds)
    if not (store if store is not None else facts["scale"] != "smoke"):
        print(f"{path.stem}: tried only; nothing is stored (--store to store it)")
        return True

    fresh = read(path)  # its prose may have been written on meanwhile
    if code_hash(fresh) != before:
        return keep("its code was changed while it ran")
    _take_outputs(fresh, nb)
    fresh.metadata["gmlib"] = {
        "format": FORMAT,
        "code": before,
        "outputs": outputs_hash(fresh),
        "library": modules,
        "lock": lock,
        "seed": parameters(fresh).get("seed"),
        "seconds": round(seconds, 1),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **facts,
    }
    tidy(fresh)
    nbformat.validate(fresh)
    write(fresh, path)
    partial.unlink(missing_ok=True)
    return True


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="chapters (default: all)")
    parser.add_argument("--scale", default="auto", help="smoke, cpu, gpu or auto")
    parser.add_argument("--stale", action="store_true", help="only where it is needed")
    parser.add_argument("--store", action="store_true", default=None)
    asked = parser.parse_args(argv)
    if asked.scale not in ("smoke", "cpu", "gpu", "auto"):
        parser.error(f"scale is smoke, cpu, gpu or auto, not {asked.scale!r}")
    failed = []
    for name, path in chosen(parser, asked.names).items():
        if asked.stale:
            reason = stale(path)
            if not reason:
                continue
            print(f"{name}: {reason}")
        if not execute(path, asked.scale, asked.store):
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
