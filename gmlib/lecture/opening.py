"""How a lecture starts."""

from dataclasses import dataclass
from pathlib import Path

import torch

from gmlib import ranks, runtime


@dataclass(frozen=True)
class Run:
    """What `begin` found: the device, the scale and the seed of this run."""

    device: torch.device
    scale: str
    seed: int

    def checkpoint(self, name: str) -> Path | None:
        """The checkpoint's path for a training called `name`, or None.

        None unless the environment variable ``GMLIB_CHECKPOINTS`` names a folder.
        """
        return runtime.checkpoint_path(f"{name}-{self.scale}-seed{self.seed}")


def begin(scale: str = "auto", seed: int = 0) -> Run:
    """Start a lecture: choose device and scale, seed everything.

    On an accelerator tensors are from here on created there unless a cell says
    otherwise (`torch.set_default_device`).

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        If there is no such scale or device, or the seed is no integer >= 0.
    """
    ranks.start(runtime.device().type)  # under torchrun: each rank on its own GPU
    run = Run(runtime.device(), runtime.set_scale(scale), seed)
    if run.device.type != "cpu":
        torch.set_default_device(run.device)
    runtime.seed(seed)
    return run
