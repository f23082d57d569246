"""The counterpart in the page of each operation of torch.

A translator takes the recorder, torch's function, what it gave, and its arguments by
name. It writes steps down and returns the list of the result, or a list of lists.
"""

from collections.abc import Callable
from math import prod
from typing import Any, Protocol

import torch
from torch import Tensor


class Refused(ValueError):
    """What the page cannot do."""

    def __init__(self, words: str, said: bool = False) -> None:
        super().__init__(words)
        self.said = said  # the layer is already named


class Writer(Protocol):
    """What a translator asks of a recorder."""

    def moves(self, x: Any) -> bool: ...

    def use(self, x: Any) -> int: ...

    def emit(self, kind: str, operands: list[int], size: int, *more: Any) -> int: ...


Given = dict[str, Any]
Translator = Callable[[Writer, Any, Any, Given], Any]
TRANSLATED: dict[str, Translator] = {}


def translates(*names: str) -> Callable[[Translator], Translator]:
    """Let a function translate torch's operations of these names."""

    def keep(f: Translator) -> Translator:
        TRANSLATED.update(dict.fromkeys(names, f))
        return f

    return keep


def must(holds: bool, words: str) -> None:
    if not holds:
        raise Refused(words)


# ------------------------------------------------------------------ number by number

# torch's name: the page's name, and the arguments that go with it
MAPS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        name: (name, ())
        for name in (
            "relu", "tanh", "sigmoid", "exp", "log", "log1p", "expm1", "neg", "abs",
            "sqrt", "rsqrt", "reciprocal", "sin", "cos", "erf", "sign", "floor",
            "trunc", "round", "silu", "mish", "hardswish", "hardsigmoid",
        )
    },
    "leaky_relu": ("leaky", ("negative_slope",)),
    "elu": ("elu", ("alpha", "scale", "input_scale")),
    "softplus": ("softplus", ("beta", "threshold")),
    "threshold": ("threshold", ("threshold", "value")),
    "hardtanh": ("clamp", ("min_val", "max_val")),
}  # fmt: skip


@translates(*MAPS)
def _map(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x = given.pop("self")
    kind, names = MAPS[func.overloadpacket.__name__.rstrip("_")]
    return r.emit("map", [r.use(x)], out.numel(), kind, *[given[n] for n in names])


@translates("celu")
def _celu(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    a = given["alpha"]
    return r.emit("map", [r.use(given["self"])], out.numel(), "elu", a, 1, 1 / a)


@translates("gelu")
def _gelu(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    kind = "gelu" if given["approximate"] == "none" else "gelutanh"
    return r.emit("map", [r.use(given["self"])], out.numel(), kind)


@translates("log_sigmoid_forward")
def _log_sigmoid(r: Writer, func: Any, out: Any, given: Given) -> list[int]:
    size = out[0].numel()
    less = r.emit("map", [r.use(given["self"])], size, "neg")
    soft = r.emit("map", [less], size, "softplus", 1, 20)
    return [r.emit("map", [soft], size, "neg")]


@translates("clamp", "clamp_min", "clamp_max")
def _clamp(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    low, high = given.get("min"), given.get("max")
    must(not any(isinstance(v, Tensor) for v in (low, high)), "has moving bounds")
    return r.emit("map", [r.use(given["self"])], out.numel(), "clamp", low, high)


@translates("_to_copy")
def _to_copy(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x = given["self"]
    if x.dtype.is_floating_point and out.dtype == torch.bool:
        return two(r, "ne", x, 0, out)
    if x.dtype.is_floating_point and not out.dtype.is_floating_point:
        return r.emit("map", [r.use(x)], out.numel(), "trunc")
    return r.use(x)


# ------------------------------------------------------------------- two and three

TWO = {
    "add", "sub", "mul", "div", "pow", "maximum", "minimum", "gt", "lt", "ge", "le",
    "eq", "ne", "atan2",
}  # fmt: skip


def spread(r: Writer, x: Any, shape: torch.Size) -> int:
    """A tensor or number as the operand of a result of some shape."""
    if not isinstance(x, Tensor) or x.numel() in (1, prod(shape)):
        return r.use(x)
    strides = torch.empty(x.shape).expand(shape).stride()
    return r.emit("strided", [r.use(x)], prod(shape), [*shape], [*strides], 0)


def two(r: Writer, kind: str, a: Any, b: Any, out: Tensor) -> int:
    operands = [spread(r, a, out.shape), spread(r, b, out.shape)]
    return r.emit("two", operands, out.numel(), kind)


@translates(*TWO, "rsub")
def _binary(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    kind = func.overloadpacket.__name__.rstrip("_")
    first, second, *_ = [v for k, v in given.items() if k not in ("alpha",)]
    must(given.get("rounding_mode") is None, "rounds")
    must(given.get("alpha", 1) == 1, "has a factor")
    if kind == "rsub":
        kind, first, second = "sub", second, first
    return two(r, kind, first, second, out)


@translates("where")
def _where(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    parts = [spread(r, given[n], out.shape) for n in ("condition", "self", "other")]
    return r.emit("where", parts, out.numel())


@translates("_prelu_kernel")
def _prelu(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x = given["self"]
    parts = [r.emit("map", [r.use(x)], out.numel(), "relu")]
    low = r.emit("map", [r.use(x)], out.numel(), "clamp", None, 0)
    slope = spread(r, given["weight"], out.shape)
    parts.append(r.emit("two", [low, slope], out.numel(), "mul"))
    return r.emit("two", parts, out.numel(), "add")


@translates("lerp")
def _lerp(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    way = two(r, "sub", given["end"], given["self"], out)
    weight = spread(r, given["weight"], out.shape)
    part = r.emit("two", [way, weight], out.numel(), "mul")
    whole = [spread(r, given["self"], out.shape), part]
    return r.emit("two", whole, out.numel(), "add")


def _reduced(r: Writer, index: int, size: int, reduction: int) -> int:
    """What a loss of torch returns: all numbers, their mean, or their sum."""
    if reduction == 0:
        return index
    return r.emit("rows", [index], 1, "mean" if reduction == 1 else "sum", 1, size)


@translates("binary_cross_entropy_with_logits")
def _bce(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x, y = given["self"], given["target"]
    must(given["weight"] is None and given["pos_weight"] is None, "has weights")
    soft = r.emit("map", [r.use(x)], x.numel(), "softplus", 1, 40)
    product = two(r, "mul", x, y, x)
    loss = r.emit("two", [soft, product], x.numel(), "sub")
    return _reduced(r, loss, x.numel(), given["reduction"])


@translates("mse_loss")
def _mse(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x = given["self"]
    less = two(r, "sub", x, given["target"], x)
    square = r.emit("two", [less, less], x.numel(), "mul")
    return _reduced(r, square, x.numel(), given["reduction"])


# ------------------------------------------------------------- what only moves numbers

VIEWS = (
    "view", "_unsafe_view", "reshape", "permute", "transpose", "t", "unsqueeze",
    "squeeze", "expand", "slice", "select", "alias", "detach", "clone", "lift_fresh",
    "diagonal", "unfold", "split", "unsafe_split", "split_with_sizes", "unbind",
    "repeat", "flip", "roll", "constant_pad_nd", "pixel_shuffle", "pixel_unshuffle",
    "upsample_nearest1d",
    "upsample_nearest2d", "reflection_pad1d", "reflection_pad2d", "replication_pad1d",
    "replication_pad2d",
)  # fmt: skip


def _places(x: Tensor) -> Tensor:
    """A tensor of the shape of x that says where each number stands, from 1."""
    return torch.arange(1.0, x.numel() + 1, dtype=torch.float64).reshape(x.shape)


def _moved(r: Writer, x: Tensor, places: Tensor, found: Tensor, fill: float) -> int:
    """The numbers of x at the places in `found`; place 0 is `fill`."""
    index = r.use(x)
    flat = found.reshape(-1)
    if flat.numel() == x.numel() and torch.equal(flat, places.reshape(-1)):
        return index
    if found.untyped_storage().data_ptr() == places.untyped_storage().data_ptr():
        shape, strides = [*found.shape], [*found.stride()]
        start = found.storage_offset()
        return r.emit("strided", [index], flat.numel(), shape, strides, start)
    return r.emit("gather", [index, r.use(flat - 1)], flat.numel(), fill)


@translates(*VIEWS)
def _view(r: Writer, func: Any, out: Any, given: Given) -> Any:
    x = given.pop("self", None)
    x = given.pop("input") if x is None else x
    fill = given.pop("value", 0.0) if "constant" in func.name() else 0.0
    given.pop("memory_format", None)
    places = _places(x)
    found = func(places, **given)
    if isinstance(found, Tensor):
        return _moved(r, x, places, found, fill)
    return [_moved(r, x, places, part, fill) for part in found]


def arranged(r: Writer, x: Tensor, order: list[int]) -> int:
    """A tensor with its dimensions in another order."""
    places = _places(x)
    return _moved(r, x, places, places.permute(order), 0.0)


@translates("cat", "stack")
def _cat(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    parts = [x for x in given["tensors"] if x.numel()]
    dim = given["dim"] % out.dim()
    inner = prod(out.shape[dim + 1 :])
    widths = [
        inner if func.overloadpacket.__name__ == "stack" else x.shape[dim] * inner
        for x in parts
    ]
    return r.emit("cat", [r.use(x) for x in parts], out.numel(), widths)


@translates("embedding", "index_select", "index")
def _take(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    table = given.get("weight", given.get("self"))
    index = given.get("indices", given.get("index"))
    if isinstance(index, list | tuple):
        if not any(r.moves(i) for i in index):
            places = _places(table)
            return _moved(r, table, places, func(places, index), 0.0)
        must(len(index) == 1, "has more than one moving index")
        index = index[0]
    must(given.get("dim", 0) == 0, "takes along another dimension than the first")
    must(not index.dtype.is_floating_point and index.dtype != torch.bool, "masks")
    width = prod(table.shape[1:])
    return r.emit("take", [r.use(table), r.use(index)], out.numel(), width)
