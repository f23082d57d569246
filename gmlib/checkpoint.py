"""Checkpoints: tensors and JSON in one safetensors file, written atomically.

Nothing is pickled, so that a checkpoint from an unknown hand can run no code.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read, or that belongs to another game."""


def save(path: str | Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write `tensors` and `meta` to `path`; the old file stays until the new is whole.

    Parameters
    ----------
    path : str or Path
        Folders are made as needed.
    tensors : dict of str to Tensor
    meta : dict
        Anything JSON can hold.

    Raises
    ------
    CheckpointError
        If the disk is full or the folder cannot be written; the message names
        the path, and an older checkpoint is untouched.
    """
    path = Path(path)
    # safetensors refuses tensors that share memory or are strided oddly.
    host = {k: t.detach().to("cpu", copy=True).contiguous() for k, t in tensors.items()}
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(host, partial, metadata={"gmlib": json.dumps(meta)})
        with open(partial, "r+b") as file:  # Windows syncs what may be written
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            partial.unlink()
        raise CheckpointError(
            f"the checkpoint {path} could not be written ({error}); "
            "an older one there, if any, is untouched"
        ) from error


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save` wrote.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    meta : dict

    Raises
    ------
    CheckpointError
        If the file is cut short or is no checkpoint of this library.
    FileNotFoundError
        If there is none.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {})["gmlib"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{path} is no whole checkpoint of this library ({error}); "
            "move it away to start afresh"
        ) from error
    return tensors, meta


def pack(state: Any, prefix: str) -> tuple[dict[str, Tensor], Any]:
    """Split a nested state (an optimizer's) into tensors and JSON.

    Returns
    -------
    tensors : dict of str to Tensor
        Named ``prefix/0``, ``prefix/1``, ...
    skeleton : JSON value
        The state with each tensor replaced by ``{"tensor": name}``.

    Raises
    ------
    TypeError
        If the state holds anything but tensors and what JSON can hold.
    """
    tensors: dict[str, Tensor] = {}

    def visit(value: Any) -> Any:
        if torch.is_tensor(value):
            name = f"{prefix}/{len(tensors)}"
            tensors[name] = value
            return {"tensor": name}
        if isinstance(value, dict):
            return {"items": [[k, visit(v)] for k, v in value.items()]}
        if isinstance(value, list | tuple):
            return {"list": [visit(v) for v in value], "tuple": type(value) is tuple}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"a checkpoint cannot hold {type(value).__name__} {value!r}")

    return tensors, visit(state)


def unpack(skeleton: Any, tensors: dict[str, Tensor]) -> Any:
    """Put together again what `pack` split."""
    if not isinstance(skeleton, dict):
        return skeleton
    if "tensor" in skeleton:
        return tensors[skeleton["tensor"]]
    if "items" in skeleton:
        return {k: unpack(v, tensors) for k, v in skeleton["items"]}
    values = [unpack(v, tensors) for v in skeleton["list"]]
    return tuple(values) if skeleton["tuple"] else values
