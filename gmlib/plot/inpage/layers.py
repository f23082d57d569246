"""What layers ask of torch, and its counterpart in the page: products, and rows."""

from math import prod
from typing import Any

import torch
from torch import Tensor

from gmlib.plot.inpage.steps import (
    TRANSLATED,
    Given,
    Writer,
    arranged,
    must,
    spread,
    translates,
    two,
)

__all__ = ["TRANSLATED"]


# ------------------------------------------------------------------ sums of products


@translates("addmm", "mm", "bmm", "baddbmm")
def _product(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x = given.get("mat1", given.get("batch1", given["self"]))
    w = given.get("mat2", given.get("batch2"))
    must(given.get("beta", 1) == 1 and given.get("alpha", 1) == 1, "has factors")
    m, k, n = x.shape[-2], x.shape[-1], w.shape[-1]
    order = [*range(w.dim() - 2), w.dim() - 1, w.dim() - 2]
    # Rows of W beside rows of x; weights are turned here, what moves in the page.
    turned = arranged(r, w, order) if r.moves(w) else r.use(w.permute(order))
    size = prod(out.shape)
    found = r.emit("linear", [r.use(x), turned], size, size // (m * n), m, k, n)
    if x is given["self"]:
        return found
    bias = spread(r, given["self"], out.shape)
    return r.emit("two", [found, bias], size, "add")


@translates("mv", "dot")
def _vector(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    a, b = given["self"], given.get("vec", given.get("tensor"))
    parts = [r.use(b), r.use(a)]
    return r.emit("linear", parts, out.numel(), 1, 1, b.numel(), out.numel())


@translates("convolution")
def _convolution(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x, w, bias = given["input"], given["weight"], given["bias"]
    must(x.dim() in (3, 4), "has three dimensions")

    def both(values, first):
        return [first] * (2 - len(values)) + [*values]

    (n, c), (_, o) = x.shape[:2], out.shape[:2]
    sizes = [n, c, o, *both(x.shape[2:], 1), *both(out.shape[2:], 1)]
    shape = both(w.shape[2:], 1), both(given["stride"], 1), both(given["padding"], 0)
    more = [*shape, both(given["dilation"], 1), given["groups"], given["transposed"]]
    operands = [r.use(x), r.use(w), *([] if bias is None else [r.use(bias)])]
    return r.emit("conv", operands, out.numel(), sizes, *more)


def _pooled(r: Writer, out: Tensor, given: Given, kind: str) -> int:
    x, kernel = given["self"], given["kernel_size"]

    def both(values):
        return [*values] * 2 if len(values) == 1 else [*values]

    planes = [prod(x.shape[:-2]), *x.shape[-2:], *out.shape[-2:]]
    stride = both(given["stride"] or kernel)
    more = [both(kernel), stride, both(given["padding"])]
    dilation = both(given.get("dilation", [1]))
    return r.emit("pool", [r.use(x)], out.numel(), kind, planes, *more, dilation)


@translates("max_pool2d_with_indices")
def _max_pool(r: Writer, func: Any, out: Any, given: Given) -> list[int]:
    return [_pooled(r, out[0], given, "max")]


@translates("avg_pool2d")
def _avg_pool(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    odd = given["ceil_mode"] or given["divisor_override"]
    must(not odd, "has ceil_mode or divisor_override")
    padded = given["count_include_pad"] or not any(given["padding"])
    return _pooled(r, out, given, "mean" if padded else "inside")


@translates("upsample_bilinear2d")
def _bilinear(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x = given.get("self", given.get("input"))
    corners = given["align_corners"]
    (h, w), (oh, ow) = x.shape[-2:], out.shape[-2:]
    planes = prod(x.shape[:-2])
    grow = torch.nn.functional.interpolate

    def weights(size, new):  # (new, size): what each new number takes of the old
        line = torch.eye(size).reshape(1, size, size, 1)
        mode = {"mode": "bilinear", "align_corners": corners}
        return r.use(grow(line, (new, 1), **mode).reshape(size, new).T)

    step = [r.use(x), weights(w, ow)]
    wide = r.emit("linear", step, planes * h * ow, 1, planes * h, w, ow)
    turn = [planes, ow, h], [h * ow, 1, ow], 0
    tall = r.emit("strided", [wide], planes * h * ow, *turn)
    step = [tall, weights(h, oh)]
    grown = r.emit("linear", step, planes * ow * oh, 1, planes * ow, h, oh)
    back = [planes, oh, ow], [oh * ow, 1, oh], 0
    return r.emit("strided", [grown], out.numel(), *back)


# ------------------------------------------------------------------- normalisation


def _affine(r: Writer, x: int, shape: torch.Size, *pair: Tensor | None) -> int:
    """Times the first of two tensors plus the second, channel by channel."""
    if pair == (None, None):
        return x
    channels, inner = shape[1], prod(shape[2:])
    scale, shift = (p if p is not None else torch.empty(0) for p in pair)
    scale = scale if scale.numel() else torch.ones(channels)
    shift = shift if shift.numel() else torch.zeros(channels)
    parts = [x, r.use(scale), r.use(shift)]
    return r.emit("affine", parts, prod(shape), channels, inner)


@translates("native_batch_norm")
def _batch_norm(r: Writer, func: Any, out: Any, given: Given) -> list[int]:
    x, weight, bias = given["input"], given["weight"], given["bias"]
    size, inner = x.numel(), prod(x.shape[2:])
    if given["training"]:  # by the moments of what is given: of a sample alone
        must(x.shape[0] == 1 and inner > 1, "normalises by its batch: call eval()")
        rows = [x.shape[1], inner, given["eps"]]
        plain = r.emit("rows", [r.use(x)], size, "norm", *rows)
        return [_affine(r, plain, x.shape, weight, bias)]
    mean, var = given["running_mean"].double(), given["running_var"].double()
    scale = (var + given["eps"]).rsqrt()
    scale = scale if weight is None else scale * weight.double()
    shift = -mean * scale if bias is None else bias.double() - mean * scale
    parts = [r.use(x), r.use(scale), r.use(shift)]
    return [r.emit("affine", parts, size, len(mean), inner)]


@translates("native_layer_norm")
def _layer_norm(r: Writer, func: Any, out: Any, given: Given) -> list[int]:
    x, width = given["input"], prod(given["normalized_shape"])
    rows = [x.numel() // width, width, given["eps"]]
    index = r.emit("rows", [r.use(x)], x.numel(), "norm", *rows)
    for kind, part in (("mul", given["weight"]), ("add", given["bias"])):
        if part is not None:
            operands = [index, spread(r, part, x.shape)]
            index = r.emit("two", operands, x.numel(), kind)
    return [index]


@translates("native_group_norm")
def _group_norm(r: Writer, func: Any, out: Any, given: Given) -> list[int]:
    x, groups = given["input"], given["N"] * given["group"]
    rows = [groups, x.numel() // groups, given["eps"]]
    plain = r.emit("rows", [r.use(x)], x.numel(), "norm", *rows)
    return [_affine(r, plain, x.shape, given["weight"], given["bias"])]


# ---------------------------------------------------------------------- row by row


def _rows(r: Writer, x: Tensor, dims: Any) -> tuple[int, int, int, list[int]]:
    """Bring dimensions to the end: the list, how many rows, how long, the order."""
    dims = range(x.dim()) if dims is None or dims == [] else dims
    last = sorted(d % x.dim() for d in dims) if x.dim() else []
    order = [d for d in range(x.dim()) if d not in last] + last
    width = prod(x.shape[d] for d in last)
    return arranged(r, x, order), x.numel() // max(width, 1), width, order


REDUCED = {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min", "prod": "prod"}
REDUCED |= {"argmax": "argmax", "argmin": "argmin", "logsumexp": "lse"}


@translates(*REDUCED)
def _reduce(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    dims = given.get("dim")
    dims = [dims] if isinstance(dims, int) else dims
    index, rows, width, _ = _rows(r, given["self"], dims)
    kind = REDUCED[func.overloadpacket.__name__]
    return r.emit("rows", [index], rows, kind, rows, width)


@translates("var", "std", "linalg_vector_norm")
def _spread(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    kind = func.overloadpacket.__name__
    index, rows, width, _ = _rows(r, given["self"], given["dim"])
    if kind == "linalg_vector_norm":
        must(given["ord"] == 2, "is not of order two")
        square = r.emit("two", [index, index], rows * width, "mul")
        found = r.emit("rows", [square], rows, "sum", rows, width)
    else:
        fewer = given.get("correction", 1)
        fewer = 1 if fewer is None else fewer
        found = r.emit("rows", [index], rows, "var", rows, width, fewer)
    return found if kind == "var" else r.emit("map", [found], rows, "sqrt")


@translates("max", "min")
def _most(r: Writer, func: Any, out: Any, given: Given) -> Any:
    kind = func.overloadpacket.__name__
    if "other" in given:
        return two(r, f"{kind}imum", given["self"], given["other"], out)
    dims = [given["dim"]] if "dim" in given else None
    index, rows, width, _ = _rows(r, given["self"], dims)
    first = r.emit("rows", [index], rows, kind, rows, width)
    if dims is None:
        return first
    return [first, r.emit("rows", [index], rows, f"arg{kind}", rows, width)]


@translates("_softmax", "_log_softmax", "cumsum")
def _along(r: Writer, func: Any, out: Tensor, given: Given) -> int:
    x, kind = given["self"], func.overloadpacket.__name__.strip("_")
    index, rows, width, order = _rows(r, x, [given["dim"]])
    found = r.emit("rows", [index], x.numel(), kind, rows, width)
    if order == sorted(order):
        return found
    shape = [x.shape[d] for d in order]
    back = torch.empty(shape).permute([order.index(d) for d in range(x.dim())])
    turn = [*back.shape], [*back.stride()], 0
    return r.emit("strided", [found], x.numel(), *turn)
