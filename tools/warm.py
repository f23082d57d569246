"""Kernels from a warm process: it has imported what every lecture imports, then forks.

Importing torch, its optimizers and matplotlib takes as long as most lectures do at
scale smoke. `warm(folder)` builds the wheel, installs it into `folder`, starts a
process that imports `gmlib` from there, and describes a kernel `python3` that is forked
from it: in the environment that it yields, papermill, nbval and nbclient use it.

    python tools/warm.py serve SOCKET          the process that imports, then forks
    python tools/warm.py kernel SOCKET FILE    what a kernel manager starts

A kernel gets the environment, folder and standard streams of its launcher, and ends
when its launcher does. Linux and macOS; nothing here starts a thread before a fork.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = """
import gmlib.architectures, gmlib.data, gmlib.divergences, gmlib.game, gmlib.lecture
import gmlib.metrics, gmlib.nets, gmlib.objectives, gmlib.plot, gmlib.sweep
import ipykernel.kernelapp, ipykernel.ipkernel, torch
p = torch.nn.Parameter(torch.zeros(1))
p.grad = torch.ones(1)
torch.optim.Adam([p]).step()
"""


# ----------------------------------------------------------------- in the processes


def _serve(address):
    """Import, say so, then fork a kernel for each launcher that connects."""
    exec(IMPORTS, {})
    seconds = time.process_time()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children leave no zombies
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print(f"{seconds:.3f}", flush=True)
        while True:
            launcher, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _become_kernel(launcher, seconds)
            launcher.close()


def _become_kernel(launcher, seconds):
    """Turn this child into the kernel that the launcher asks for; never return."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        text, streams, *_ = socket.recv_fds(launcher, 2**20, 3)
        while not text.endswith(b"\n"):
            text += launcher.recv(2**20)
        wanted = json.loads(text)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.setsid()
        os.environ.clear()
        os.environ |= wanted["environment"] | {"GMLIB_WARM_SECONDS": str(seconds)}
        os.chdir(wanted["folder"])
        launcher.sendall(f"{os.getpid()}\n".encode())

        def end_with_launcher():
            launcher.recv(1)
            os._exit(1)

        threading.Thread(target=end_with_launcher, daemon=True).start()
        # What ipykernel has read from the environment when it was imported.
        parent = f"--IPKernelApp.parent_handle={os.getppid()}"
        arguments = wanted["arguments"]
        if not any("log_level" in argument for argument in arguments):
            arguments.append("--IPKernelApp.log_level=ERROR")
        sys.argv = ["ipykernel_launcher", parent, *arguments]
        sys.path.insert(0, "")  # as for a kernel that starts cold
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance()
        code = 0
    finally:
        os._exit(code)


def _kernel(address, arguments):
    """Have a kernel forked; pass signals on to it, and end when it ends."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        wanted = {
            "environment": dict(os.environ),
            "folder": os.getcwd(),
            "arguments": arguments,
        }
        text = json.dumps(wanted).encode() + b"\n"
        sent = socket.send_fds(server, [text], [0, 1, 2])
        server.sendall(text[sent:])
        pid = int(server.makefile().readline())

        def pass_on(number, _):
            os.kill(pid, number)

        signal.signal(signal.SIGINT, pass_on)
        signal.signal(signal.SIGTERM, pass_on)
        server.recv(1)  # until the kernel is gone


# ------------------------------------------------------------- for tools and tests


UV = str(Path(sys.executable).with_name("uv"))
HERE = ["--python", sys.executable]


def build(folder):
    """Build the wheel into `folder`, without asking a network; return its path."""
    command = [UV, "build", "--quiet", "--offline", "--wheel", "--no-build-isolation"]
    subprocess.run([*command, *HERE, "--out-dir", folder, ROOT], check=True)
    (wheel,) = Path(folder).glob("*.whl")
    return wheel


def install(wheel, site):
    """Install a wheel alone into the folder `site`, without asking a network."""
    command = [UV, "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*command, *HERE, "--target", site, wheel], check=True)
    # The checkout is installed beside it, as editable: out of sight.
    (site / "sitecustomize.py").write_text(
        f"import sys\nsys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
    )


@contextmanager
def warm(folder):
    """Install the wheel into `folder`, start the warm process, yield the environment.

    The environment is that of this process and what makes a kernel a warm one. The
    process ends with the block.
    """
    folder = Path(folder)
    site = folder / "site"
    install(build(folder), site)
    address = str(folder / "socket")
    spec = folder / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    # A copy of this file, so that nothing of the checkout is loaded in a kernel.
    script = shutil.copy(__file__, folder / "warm.py")
    launcher = [sys.executable, "-ES", str(script), "kernel", address]
    kernel = {"argv": [*launcher, "-f", "{connection_file}"], "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel | {"display_name": "warm"}))
    here = {"PYTHONPATH": str(site), "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, str(script), "serve", address],
        cwd=spec,  # an empty folder but for the description
        env={k: v for k, v in os.environ.items() if not k.startswith("GMLIB_")} | here,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if not server.stdout.readline():
            raise RuntimeError("the warm process ended before it was ready")
        jupyter = str(folder / "jupyter")
        yield os.environ | {"JUPYTER_PATH": jupyter, "GMLIB_WARM": str(folder)}
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        del sys.path[0]  # the folder of this file
        _serve(sys.argv[2])
    else:
        _kernel(sys.argv[2], sys.argv[3:])
