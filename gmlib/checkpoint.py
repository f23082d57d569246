"""Checkpoints: tensors and JSON in one safetensors file, written atomically.

Nothing is pickled, so that a checkpoint from an unknown hand can run no code.
"""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gmlib import checks

REFUSED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EACCES}
REFUSED |= {errno.EBADF}  # what network drives answer that cannot sync


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read, or that belongs to another game."""


def save(path: str | Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write `tensors` and `meta` to `path`; the old file stays until the new is whole.

    Parameters
    ----------
    path : str or Path
        Folders are made as needed; ``~`` is the home folder.
    tensors : dict of str to Tensor
    meta : dict
        Anything JSON can hold.

    Raises
    ------
    CheckpointError
        If the disk is full or the folder cannot be written; the message names
        the path, and an older checkpoint is untouched.
    """
    path = checks.path("checkpoint", path)
    # safetensors refuses tensors that share memory or are strided oddly.
    host = {k: t.detach().to("cpu", copy=True).contiguous() for k, t in tensors.items()}
    with _written(path) as partial:
        save_file(host, partial, metadata={"gmlib": json.dumps(meta)})
        with open(partial, "r+b") as file:  # Windows syncs what may be written
            _sync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)


def prepare(path: str | Path) -> None:
    """Make the folder of a checkpoint; CheckpointError if none can be written there.

    To be called before any work that is worth a checkpoint.
    """
    path = checks.path("checkpoint", path)
    with _written(path) as partial:
        if path.is_dir():
            raise IsADirectoryError("it is a folder: name a file in it")
        partial.touch()
        partial.unlink()


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Yield the name of the file to write first; say what is wrong with `path`."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the checkpoint {path} could not be written ({error}); "
            "an older one there, if any, is untouched"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _sync(descriptor: int) -> None:
    """Let the disk keep a file, on drives that can be told to."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in REFUSED:  # a full disk may be noticed only here
            raise


def _sync_folder(folder: Path) -> None:
    """Let the disk keep the new name; Windows and network drives may refuse."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
    path = checks.path("checkpoint", path)
    try:
        if not path.exists():
            raise FileNotFoundError(f"there is no checkpoint {path}")
        if path.is_dir():
            raise IsADirectoryError("it is a folder: name a file in it")
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {})["gmlib"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise CheckpointError(f"{path} is no checkpoint: {error}") from error
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
