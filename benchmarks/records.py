"""What the site shows: data/speed/NAME.csv, each row with its machine and its day."""

import csv
import datetime
import platform
from pathlib import Path

import torch

from gmlib import runtime

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "data" / "speed"


def machine():
    """Return what the numbers depend on besides the code; names no machine."""
    try:
        cpu = next(
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        )
    except (OSError, StopIteration):
        cpu = platform.machine()
    device = runtime.device().type
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else cpu,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }


def short(value):
    """Return a number as a table shows it."""
    if not isinstance(value, float):
        return value
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def record(name, rows):
    """Write rows to data/speed/NAME.csv, numbers to four digits or to whole ones."""
    RESULTS.mkdir(exist_ok=True)
    columns = list(dict.fromkeys(c for row in rows for c in row))
    path = RESULTS / f"{name}.csv"
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: short(v) for k, v in row.items()})
    print(f"bench: {path.relative_to(ROOT)}")
