"""Train a judge: the classifier behind the inception score and the FID.

    python tools/train_judge.py mnist     (or: digits, fashion_mnist)

Writes data/judges/NAME.safetensors, whose header says how it came about. The
same seed, versions and number of threads (OMP_NUM_THREADS=1 for the stored
ones) give the same weights on a CPU; see data/judges.md for their accuracies.
A further set of images is a line in RECIPES and one in `gmlib.metrics.judges`.
"""

import argparse
import hashlib
import json
import math
import platform
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the gmlib of this checkout, installed or not

from gmlib import __version__, checks, data, runtime  # noqa: E402
from gmlib.metrics import ImageJudge, judge_network  # noqa: E402


class Recipe(NamedTuple):
    """How long to train, and whether a mirror image keeps its class."""

    epochs: int
    mirror: bool = False


RECIPES = {
    "digits": Recipe(30),
    "fashion_mnist": Recipe(12, mirror=True),
    "mnist": Recipe(6),
}
BATCH = 128


def augment(x, mirror=False):
    """Turn, scale and shift each image a little; ink stays ink."""
    n = len(x)
    angle, scale = 0.14 * torch.randn(n), 1 + 0.08 * torch.randn(n)
    shift = (torch.rand(n, 2) * 2 - 1) * 2 / 14  # up to a fourteenth of the size
    cos, sin = angle.cos() * scale, angle.sin() * scale
    columns = [cos, sin], [-sin, cos], [shift[:, 0], shift[:, 1]]
    matrix = torch.stack([torch.stack(column, 1) for column in columns], 2)
    if mirror:  # every other one, left to right
        matrix[:, :, 0] *= torch.randint(2, (n, 1)) * 2 - 1
    where = F.affine_grid(matrix.to(x), x.shape, align_corners=False)
    return F.grid_sample(x, where, align_corners=False)


def learn(network, x, y, recipe):
    """Minimise the cross-entropy over so many epochs of augmented images."""
    steps = recipe.epochs * math.ceil(len(x) / BATCH)
    optimizer = torch.optim.AdamW(
        network.parameters(), 3e-3, weight_decay=1e-2, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, steps)
    start = time.perf_counter()
    for epoch in range(recipe.epochs):
        for i in torch.randperm(len(x), device=x.device).split(BATCH):
            loss = F.cross_entropy(network(augment(x[i], recipe.mirror)), y[i])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
        seconds = time.perf_counter() - start
        print(
            f"epoch {epoch + 1:2}: loss {loss.item():.3f}, {seconds:.0f} s", flush=True
        )


def train(name, seed, recipe):
    """Return the trained network and what is known of it."""
    runtime.seed(seed)
    train_set, test_set = (
        data.images(split, which=name) for split in ("train", "test")
    )
    x, y = train_set.x, train_set.y
    shape, classes = tuple(x.shape[1:]), int(y.max()) + 1
    network = judge_network(shape, classes)
    network = network.to(x.device, memory_format=torch.channels_last)
    learn(network, x, y, recipe)
    accuracy = ImageJudge(network, name, {}, shape).accuracy(test_set.x, test_set.y)
    pixels = (x * 255).round().to("cpu", torch.uint8).numpy()
    usual = recipe.epochs == RECIPES[name].epochs
    return network, {
        "accuracy": accuracy,
        "shape": shape,
        "classes": classes,
        "trained_on": f"{len(x)} images of {name}",
        "tested_on": f"{len(test_set)} images of {name}",
        "training_pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        "command": f"python tools/train_judge.py {name} --seed {seed}"
        + ("" if usual else f" --epochs {recipe.epochs}"),
        "seed": seed,
        "epochs": recipe.epochs,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "gmlib": __version__,
        },
        "threads": torch.get_num_threads(),
        "device": runtime.device().type,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument(
        "--to", type=lambda p: checks.path("--to", p), default=ROOT / "data" / "judges"
    )
    asked = parser.parse_args()
    recipe = RECIPES[asked.name]
    recipe = recipe._replace(epochs=asked.epochs or recipe.epochs)
    network, info = train(asked.name, asked.seed, recipe)
    asked.to.mkdir(parents=True, exist_ok=True)
    weights = {key: w.contiguous().cpu() for key, w in network.state_dict().items()}
    path = asked.to / f"{asked.name}.safetensors"
    save_file(weights, path, {"info": json.dumps(info)})
    path.chmod(0o644)  # safetensors writes for the owner alone
    print(f"{path.name}: {path.stat().st_size:,} bytes, {info['accuracy']:.2%}")


if __name__ == "__main__":
    main()
