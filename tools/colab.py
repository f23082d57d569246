"""Run the lectures as on Colab: its versions, gmlib's wheel, an empty folder.

    python tools/colab.py [NAME ...] [--versions colab|newest]

Makes an environment in _build/colab (with Colab's versions, or with the newest that
gmlib admits), installs the wheel and a stand-in for `google.colab`, and runs every
lecture at scale smoke in an empty folder. Then a training is lost with its runtime: the
kernel is killed, a new one goes on from the checkpoint on the mounted "Drive", and what
it ends with is compared with a run that was never lost.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from execute import environment
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook
from notebooks import CHECK, CLAIM, ROOT, chosen, read, records

UV = str(Path(sys.executable).with_name("uv"))
PINS = ROOT / "tools" / "colab.txt"
STAND_IN = '''"""A stand-in for Colab's module: what a notebook may ask of it."""

import os


class drive:
    @staticmethod
    def mount(place, force_remount=False):
        os.makedirs(os.path.join(place, "MyDrive"), exist_ok=True)
        print("Mounted at", place)
'''
MOUNT = """import os
from google.colab import drive

drive.mount("drive")
os.environ["GMLIB_CHECKPOINTS"] = "drive/MyDrive/course"
os.makedirs("drive/MyDrive/course", exist_ok=True)
"""
TRAIN = """import gmlib.game.training
from gmlib import data, nets
from gmlib.game import Player, fit
from gmlib.lecture import begin
from gmlib.objectives import jensen_shannon as V, standard_normal

gmlib.game.training.SAVE_SECONDS = 1
run = begin("smoke", 0)
G, T = nets.mlp([2, 64, 2]), nets.mlp([2, 64, 1], shape=())
p_data, p_z = data.ring(), standard_normal(2)
players = {
    "T": Player([T], lambda x: -V(T(x), T(G(p_z.sample((len(x),)))))),
    "G": Player([G], lambda x: -V(T(G(p_z.sample((len(x),)))), T(x))),
}
history = fit(players, p_data, 8_000, checkpoint=run.checkpoint("ring"))
weights = [p.detach().double().abs().sum() for m in (G, T) for p in m.parameters()]
print(sum(weights).item())
"""


def make(which, folder):
    """Make the environment; return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([UV, "venv", "--quiet", str(folder)], check=True)
    wheels = folder / "wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    build = [UV, "build", "--quiet", "--wheel", "--out-dir", str(wheels), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = wheels.glob("*.whl")
    install = [UV, "pip", "install", "--quiet", "--python", str(python)]
    install += ["--reinstall-package", "gmlib", str(wheel), "ipykernel"]
    install += ["-r", str(PINS)] if which == "colab" else ["--upgrade"]
    subprocess.run(install, check=True)
    place = folder / "stand-in" / "google" / "colab"
    place.mkdir(parents=True, exist_ok=True)
    (place / "__init__.py").write_text(STAND_IN, "utf8")
    kernel = folder / "share" / "jupyter" / "kernels" / "colab"
    kernel.mkdir(parents=True, exist_ok=True)
    start = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": start, "display_name": "colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), "utf8")
    return python


def versions(python):
    """Return what is installed, as far as Colab's list names it."""
    listed = subprocess.run(
        [UV, "pip", "list", "--quiet", "--python", str(python), "--format", "json"],
        check=True,
        capture_output=True,
    )
    names = {line.split("==")[0] for line in PINS.read_text("utf8").splitlines()}
    found = [p for p in json.loads(listed.stdout) if p["name"] in names | {"gmlib"}]
    return ", ".join(f"{p['name']} {p['version']}" for p in found)


def client(nb, place):
    """Return a client whose kernel runs in `place`, like one on Colab."""
    return NotebookClient(
        nb,
        kernel_name="colab",
        timeout=600,
        resources={"metadata": {"path": str(place)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )


def kernel_environment(home, place):
    """Return the environment of such a kernel: nothing of the checkout in sight."""
    env = environment(place, "smoke")
    for name in ("PYTHONPATH", "GMLIB_DATA", "GMLIB_CHECKPOINTS", "VIRTUAL_ENV"):
        env.pop(name, None)
    return env | {
        "PYTHONPATH": str(home / "stand-in"),
        "GMLIB_MIRRORS": "",
        "GMLIB_CACHE": str(place / "cache"),
    }


def lecture(path, home):
    """Run a lecture in an empty folder; return (seconds, claims)."""
    nb = read(path)
    with tempfile.TemporaryDirectory(prefix="gmlib-colab-") as folder:
        place = Path(folder, "content")
        place.mkdir()
        start = time.monotonic()
        client(nb, place).execute(env=kernel_environment(home, Path(folder)))
        seconds = time.monotonic() - start
        left = sorted(file.name for file in place.iterdir())
    if left:
        raise RuntimeError(f"it left files behind: {', '.join(left)}")
    bad = [c["id"] for c in records(nb, CHECK) if c["passed"] != c["solution"]]
    if bad:
        raise RuntimeError(f"exercises: {', '.join(bad)}")
    return seconds, len(records(nb, CLAIM))


def train(home, place, kill=False):
    """Run the training in `place`; return what it prints, or None if it is killed."""
    nb = new_notebook(cells=[new_code_cell(MOUNT), new_code_cell(TRAIN)])
    runner = client(nb, place)

    def lose_the_runtime():
        saved = place / "drive" / "MyDrive" / "course"
        while not list(saved.glob("*.safetensors")):
            time.sleep(0.05)
        os.kill(runner.km.provisioner.pid, 9)

    if kill:
        threading.Thread(target=lose_the_runtime, daemon=True).start()
    try:
        runner.execute(env=kernel_environment(home, place.parent))
    except DeadKernelError:
        return None
    printed = [o.text for o in nb.cells[1].outputs if o.get("name") == "stdout"]
    return "".join(printed).strip().splitlines()[-1]


def lost_runtime(home):
    """Lose a training with its runtime, go on; raise if it differs from a whole one."""
    with tempfile.TemporaryDirectory(prefix="gmlib-colab-") as folder:
        for name in ("whole", "lost"):
            Path(folder, name, "content").mkdir(parents=True)
        whole = train(home, Path(folder, "whole", "content"))
        lost = Path(folder, "lost", "content")
        if train(home, lost, kill=True) is not None:
            raise RuntimeError("the training was over before its runtime was lost")
        start = time.monotonic()
        resumed = train(home, lost)
    if resumed != whole:
        raise RuntimeError(f"resumed: {resumed}; never lost: {whole}")
    return time.monotonic() - start, resumed


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="chapters (default: all)")
    parser.add_argument("--versions", choices=("colab", "newest"), default="colab")
    asked = parser.parse_args(argv)
    paths = chosen(parser, asked.names)
    home = ROOT / "_build" / "colab" / asked.versions
    home.parent.mkdir(parents=True, exist_ok=True)
    python = make(asked.versions, home)
    os.environ["JUPYTER_PATH"] = str(home / "share" / "jupyter")
    print(f"{asked.versions}: {versions(python)}", flush=True)
    failed = []
    for name, path in paths.items():
        try:
            seconds, number = lecture(path, home)
            print(f"{name}: runs, {seconds:.0f} s, {number} claims", flush=True)
        except Exception as error:
            failed.append(name)
            print(f"{name}: FAILS\n{error}", file=sys.stderr, flush=True)
    try:
        seconds, end = lost_runtime(home)
        print(
            f"a lost runtime: resumed in {seconds:.0f} s, equal to a whole run ({end})"
        )
    except Exception as error:
        failed.append("a lost runtime")
        print(f"a lost runtime: FAILS\n{error}", file=sys.stderr)
    if failed:
        sys.exit(f"failed with the {asked.versions} versions: {', '.join(failed)}")


if __name__ == "__main__":
    main()
