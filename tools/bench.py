"""Speed of the engine against the textbook loop, with the same networks.

    python tools/bench.py [GAME ...] [--seconds 2] [--repeats 5] [--record]

Textbook loop, engine, and engine with each switch train by turns in one process, on
the same device with the same number of threads; a ratio is taken within each turn, and
the median of the turns counts. Each loop is also started once in a process of its own,
which says how long the first round takes from nothing and how much memory it needs.
Speed does not depend on what is in the pictures, so they are noise.

--record writes data/speed/loops.csv, which the site shows.
"""

import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import textbook
import torch
from torch import nn
from torch.nn.functional import interpolate, logsigmoid
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import (
    bernoulli,
    gradient_penalty,
    jensen_shannon,
    kl_divergence,
    normal,
    standard_normal,
    wasserstein,
)

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "data" / "speed"
PICTURES = 10_000
Z = 64
FAST = {"engine": False, "bf16": ("bf16",), "compile": ("compile",)}
if torch.cuda.is_available():
    FAST |= {"graph": ("graph",), "graph + bf16": ("graph", "bf16")}


# ---------------------------------------------------------------------- the games


class Joint(nn.Module):
    """An MLP of several arguments, flattened and put side by side."""

    def __init__(self, sizes, activation="relu", shape=None):
        super().__init__()
        self.mlp = nets.mlp(sizes, activation, shape=shape)

    def forward(self, *parts):
        return self.mlp(torch.cat([p.flatten(1) for p in parts], dim=1))


class Game(NamedTuple):
    """A game of the bench: how to make its networks, and both ways to train them."""

    target: float  # the ratio asked for on two CPU cores; 0: none
    batch: int
    size: int
    tanh: bool
    networks: object  # () → tuple of modules
    textbook: object  # (*networks, batches, device) → (rounds → None)
    players: object  # (*networks) → dict of players


def mlp_networks():
    G = nn.Sequential(nets.mlp([Z, 256, 512, 784], shape=(1, 28, 28)), nn.Tanh())
    return G, nets.mlp([784, 512, 256, 1], "leaky", shape=())


def dcgan_networks(size, width=32, batch_norm=True):
    G = nets.dcgan_generator(Z, size=size, width=width)
    T = nets.dcgan_discriminator(size=size, width=width, batch_norm=batch_norm)
    return G, T


def gan_players(G, T, lr=2e-4):
    p_z = standard_normal(Z)

    def L_T(x):
        return -jensen_shannon(T(x), T(G(p_z.sample((len(x),)))))

    def L_G(x):  # non-saturating: the term that moves G, as in the textbook
        return -logsigmoid(T(G(p_z.sample((len(x),))))).mean()

    optimizer = adam(lr, (0.5, 0.999))
    return {"T": Player([T], L_T, optimizer), "G": Player([G], L_G, optimizer)}


def wgan_gp_players(G, T):
    p_z = standard_normal(Z)

    def L_T(x):
        y = G(p_z.sample((len(x),)))
        return 10 * gradient_penalty(T, x, y) - wasserstein(T(x), T(y))

    def L_G(x):
        return -T(G(p_z.sample((len(x),)))).mean()

    optimizer = adam(1e-4, (0.5, 0.999))
    T_player = Player([T], L_T, optimizer, steps=5)
    return {"T": T_player, "G": Player([G], L_G, optimizer)}


def vae_networks():
    return nets.mlp([784, 400, 2 * 20]), nets.mlp([20, 400, 784], shape=(1, 28, 28))


def vae_players(encoder, decoder):
    p_z = standard_normal(20)

    def loss(x):
        mean, log_var = encoder(x).chunk(2, dim=1)
        q = normal(mean, (0.5 * log_var).exp())
        p = bernoulli(decoder(q.rsample()))
        return -(p.log_prob(x) - kl_divergence(q, p_z)).mean()

    return {"VAE": Player([encoder, decoder], loss, adam(1e-3))}


def ali_networks():
    E = nets.mlp([784, 512, 256, 2 * Z])
    G = nn.Sequential(nets.mlp([Z, 256, 512, 784], shape=(1, 28, 28)), nn.Tanh())
    return E, G, Joint([784 + Z, 512, 256, 1], "leaky", shape=())


def ali_players(E, G, T):
    p_z = standard_normal(Z)

    def joints(x):
        mean, log_std = E(x).chunk(2, dim=1)
        z = p_z.sample((len(x),))
        return T(x, normal(mean, log_std.exp()).rsample()), T(G(z), z)

    def L_T(x):
        return -jensen_shannon(*joints(x))

    def L_EG(x):
        t_q, t_p = joints(x)
        return -jensen_shannon(t_p, t_q)

    return {"T": Player([T], L_T), "EG": Player([E, G], L_EG)}


def avb_networks():
    E = Joint([784 + Z, 512, 256, Z])
    G = nets.mlp([Z, 256, 512, 784], shape=(1, 28, 28))
    return E, G, Joint([784 + Z, 512, 256, 1], "leaky", shape=())


def avb_players(E, G, T):
    p_z = standard_normal(Z)

    def q(x):
        return E(x, p_z.sample((len(x),)))

    def L_EG(x):
        z = q(x)
        return (T(x, z) - normal(G(z), 1.0).log_prob(x)).mean()

    def L_T(x):
        return -jensen_shannon(T(x, q(x)), T(x, p_z.sample((len(x),))))

    return {"EG": Player([E, G], L_EG), "T": Player([T], L_T)}


def dcgan(target, size):
    networks = lambda: dcgan_networks(size)  # noqa: E731
    return Game(target, 64, size, True, networks, textbook.gan, gan_players)


GAMES = {
    "MLP GAN 784": Game(2.5, 64, 28, True, mlp_networks, textbook.gan, gan_players),
    "DCGAN 28x28": dcgan(1.9, 28),
    "DCGAN 32x32": dcgan(1.9, 32),
    "DCGAN 64x64": dcgan(1.9, 64),
    "WGAN-GP 28x28": Game(
        2.2, 64, 28, True,
        lambda: dcgan_networks(28, batch_norm=False),
        textbook.wgan_gp, wgan_gp_players,
    ),
    "VAE 784-400-20": Game(
        4.2, 128, 28, False, vae_networks, textbook.vae, vae_players
    ),
    "ALI 784": Game(0, 64, 28, True, ali_networks, textbook.ali, ali_players),
    "AVB 784": Game(0, 64, 28, True, avb_networks, textbook.avb, avb_players),
}  # fmt: skip


def textbook_loop(game):
    """Return rounds → None: the game as tutorials train it."""
    device = runtime.device()
    pictures = torch.randint(256, (PICTURES, 28, 28), dtype=torch.uint8)
    batches = textbook.loader(pictures, game.batch, game.size, game.tanh)
    networks = [m.to(device) for m in game.networks()]
    return game.textbook(*networks, batches, device)


def noise(game):
    """Return pictures of noise of the game's size, as an empirical distribution."""
    pictures = torch.randint(256, (PICTURES, 1, 28, 28), dtype=torch.uint8)
    if game.size != 28:
        pictures = interpolate(pictures.float(), size=game.size).to(torch.uint8)
    return data.Empirical(pictures, transform=data.to_tanh if game.tanh else None)


def engine_loop(game, fast=False):
    """Return rounds → None: the game as lectures train it."""
    p_data = noise(game)
    networks = [m.to(runtime.device()) for m in game.networks()]
    players = game.players(*networks)

    def train(rounds):
        fit(players, p_data, rounds, batch_size=game.batch, fast=fast, progress=False)

    return train


# -------------------------------------------------------------------- measurement


def synchronize():
    if runtime.device().type == "cuda":
        torch.cuda.synchronize()


def seconds_of(train, rounds):
    """Return how long `rounds` rounds take."""
    synchronize()
    start = time.perf_counter()
    train(rounds)
    synchronize()
    return time.perf_counter() - start


def seconds_of_a_round(train, rounds):
    """Return the mean time of a round, without what a call does before the first."""
    return (seconds_of(train, rounds + 1) - seconds_of(train, 1)) / rounds


def enough(train, seconds):
    """Return how many rounds take about `seconds`."""
    train(2)  # what is made at the first round is made here
    rounds = 2
    while (taken := seconds_of(train, rounds)) < seconds / 3:
        rounds *= 2
    return max(2, round(rounds * seconds / taken))


def matrix_peak(size=2048, repeats=12):
    """Return the speed of a large matrix product in FLOP/s: the best of several."""
    a = torch.randn(size, size, device=runtime.device())
    a @ a
    return max(2 * size**3 / seconds_of(lambda _: a @ a, 1) for _ in range(repeats))


def copy_peak(megabytes=256, repeats=12):
    """Return the speed of a large copy in bytes/s, read and written: the best."""
    a = torch.ones(megabytes * 2**18, device=runtime.device())
    b = torch.empty_like(a)
    b.copy_(a)
    moved = 2 * a.numel() * a.element_size()
    return max(moved / seconds_of(lambda _: b.copy_(a), 1) for _ in range(repeats))


class Work(TorchDispatchMode):
    """Count FLOPs of products and convolutions, and bytes that operations touch."""

    def __init__(self):
        super().__init__()
        self.flops = self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        if not func.is_view:
            touched = [
                t for t in tree_leaves((args, kwargs, out)) if torch.is_tensor(t)
            ]
            self.bytes += sum(t.numel() * t.element_size() for t in touched)
        return out


def work_of(train):
    """Return (FLOPs, bytes touched) of one round."""
    with Work() as one:
        train(1)
    with Work() as three:
        train(3)
    # Two rounds more are two rounds: what `fit` does once, before the first, cancels.
    return (three.flops - one.flops) / 2, (three.bytes - one.bytes) / 2


def measure(game, seconds, repeats, switches=True):
    """Return one row a loop: speeds and ratios, all from this one run."""
    loops = {"textbook": textbook_loop(game)}
    for name, fast in FAST.items():
        if name == "engine" or switches:
            loops[name] = engine_loop(game, fast)
    rounds = {name: enough(train, seconds) for name, train in loops.items()}
    speeds = {name: [] for name in loops}
    for _ in range(repeats):
        for name, train in loops.items():
            taken = seconds_of_a_round(train, rounds[name])
            speeds[name].append(game.batch / taken)
    work = {name: work_of(loops[name]) for name in ("textbook", "engine")}
    peaks = matrix_peak(), copy_peak()
    rows = []
    for name, found in speeds.items():
        pairs = zip(speeds["textbook"], found, strict=True)
        ratios = sorted(b / a for a, b in pairs)
        speed = statistics.median(found)
        row = {
            "loop": name,
            "images/s": speed,
            "ratio": statistics.median(ratios),
            "lowest": ratios[0],
            "highest": ratios[-1],
        }
        flops, moved = work.get(name, work["engine"])  # a switch changes no work
        row["of matrix peak"] = flops * speed / game.batch / peaks[0]
        row["of copy peak"] = moved * speed / game.batch / peaks[1]
        rows.append(row)
    return rows


def cold(game, loop):
    """Play one round and say how long it took from the start of the process."""
    train = textbook_loop(game) if loop == "textbook" else engine_loop(game, FAST[loop])
    train(1)
    synchronize()
    seconds = time.time() - float(os.environ["GMLIB_BENCH_START"])
    train(20)
    if runtime.device().type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    else:
        # Not getrusage, whose peak a process inherits from the one that started it.
        status = Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) / 2**10
    return {"cold start, s": seconds, "peak memory, MiB": peak}


def apart(*arguments):
    """Run this file in a process of its own and return the JSON of its last line."""
    env = os.environ | {"GMLIB_BENCH_START": str(time.time())}
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


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


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("games", nargs="*", metavar="GAME", help=", ".join(GAMES))
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-switches", action="store_true", help="engine alone")
    parser.add_argument("--no-cold", action="store_true", help="no cold starts")
    parser.add_argument("--record", action="store_true", help="write the CSV")
    parser.add_argument("--cold", metavar="LOOP", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    unknown = set(asked.games) - set(GAMES)
    if unknown:
        parser.error(f"no game {', '.join(unknown)}: choose from {', '.join(GAMES)}")
    runtime.seed(0)
    if asked.cold:
        print(json.dumps(cold(GAMES[asked.games[0]], asked.cold)))
        return None
    here = machine()
    print(", ".join(f"{k} {v}" for k, v in here.items()))
    print(f"{'':15} {'loop':10} {'images/s':>9} {'ratio':>6}  of peak   cold   memory")
    rows = []
    for name in asked.games or GAMES:
        game = GAMES[name]
        with (
            open(os.devnull, "w") as nowhere,
            redirect_stderr(nowhere),
            redirect_stdout(nowhere),
        ):
            found = measure(game, asked.seconds, asked.repeats, not asked.no_switches)
        for row in found:
            first = row["loop"] in ("textbook", "engine")
            if first and not asked.no_cold:
                row |= apart(name, "--cold", row["loop"])
            target = game.target if row["loop"] == "engine" and game.target else ""
            rows.append({"game": name} | row | {"asked for": target} | here)
            print(
                f"{name:15} {row['loop']:10} {row['images/s']:9.0f} {row['ratio']:6.2f}"
                f"  {row['of matrix peak']:4.0%}   "
                f" {row.get('cold start, s', float('nan')):5.1f} s"
                f" {row.get('peak memory, MiB', float('nan')):5.0f} MiB"
                f"  {row['lowest']:.2f} to {row['highest']:.2f}"
                f"{f'  (asked for: {target})' if target else ''}",
                flush=True,
            )
    if asked.record:
        record("loops", rows)
    return rows


if __name__ == "__main__":
    main()
