"""What torch computes, as a list of plain steps that a page can repeat.

A function is run once on examples while every operation of torch is written down; what
does not depend on the inputs is a constant. So a figure may hold any network, and any
arithmetic on what networks give, as long as each operation has its counterpart in the
page (`steps.TRANSLATED`).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gmlib.plot.inpage.layers import TRANSLATED
from gmlib.plot.inpage.steps import Refused

LARGE = 1024  # numbers: fewer always travel whole


@dataclass
class Program:
    """Steps over numbered lists of numbers: some are given, some constant."""

    sizes: list[int] = field(default_factory=list)
    """How many numbers each list has; 0 for one that no step needs."""
    steps: list[list[Any]] = field(default_factory=list)
    """[kind, result, operands, whatever else the kind asks for]."""
    constants: dict[int, Tensor] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Of one sample of each input and output."""
    weights: set[int] = field(default_factory=set)
    """The constants that are large parameters of layers."""
    parameters: dict[int, Tensor] = field(default_factory=dict)
    """The large parameters of the layers that ran, by their place in memory."""

    def same(self, other: "Program") -> bool:
        """Whether another recording says the same."""
        mine, its = self.constants, other.constants
        return (
            (self.steps, self.outputs, self.shapes, [*mine])
            == (other.steps, other.outputs, other.shapes, [*its])
        ) and all(torch.equal(mine[i], its[i]) for i in mine)


class Recorder(TorchDispatchMode):
    """Write down what torch does with the tensors it was told of."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here; to skip it would import it, for ten seconds."""
        return False

    def __init__(self) -> None:
        super().__init__()
        self.program = Program()
        self.layers: list[str] = []  # whose forward is running
        self._of: dict[int, int | Refused] = {}  # id of a tensor: its list
        self._kept: list[Tensor] = []  # lest an id be used again
        self._same: dict[bytes, int] = {}

    def new(self, size: int) -> int:
        """A new list of so many numbers."""
        self.program.sizes.append(size)
        return len(self.program.sizes) - 1

    def follow(self, x: Tensor, index: int | Refused) -> None:
        """From now on `x` is what stands in list `index`, or cannot be had."""
        self._of[id(x)] = index
        self._kept.append(x)

    def moves(self, x: Any) -> bool:
        """Whether something depends on the inputs."""
        return isinstance(x, Tensor) and id(x) in self._of

    def use(self, x: Any) -> int:
        """The list in which a tensor or a number stands; raise `Refused`."""
        if self.moves(x):
            found = self._of[id(x)]
            if isinstance(found, Refused):
                raise found
            return found
        given = torch.as_tensor(x).detach()
        x = given.cpu().to(torch.float32).contiguous()
        key = hashlib.sha256(x.numpy().tobytes()).digest()
        if key not in self._same:
            self._same[key] = self.new(x.numel())
            self.program.constants[self._same[key]] = x
        if given.untyped_storage().data_ptr() in self.program.parameters:
            self.program.weights.add(self._same[key])
        return self._same[key]

    def emit(self, kind: str, operands: list[int], size: int, *more: Any) -> int:
        """Write a step down and return the list of its result."""
        result = self.new(size)
        self.program.steps.append([kind, result, operands, *more])
        return result

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if torch.Tag.nondeterministic_seeded in func.tags and name != "native_dropout":
            raise self._refusal(name, "draws at random: give the noise as an input")
        moving = any(self.moves(x) for x in tree_leaves((args, kwargs)))
        if moving and name != "_local_scalar_dense":
            self._translate(func, name, args, kwargs, found)
        return found

    def _translate(self, func, name, args, kwargs, found):
        given = {a.name: a.default_value for a in func._schema.arguments}
        given |= dict(zip(given, args, strict=False)) | kwargs
        results = [x for x in tree_leaves(found) if isinstance(x, Tensor)]
        changes = name.endswith("_") and not name.startswith("_")
        try:
            if changes and args[0]._is_view():
                raise self._refusal(name, "changes a part of a tensor in place")
            translate = TRANSLATED.get(name.rstrip("_") if changes else name)
            if translate is None:
                raise self._refusal(name, "has no counterpart in the page")
            indices: Any = translate(self, func, found, given)
        except Refused as refusal:
            named = refusal if refusal.said else self._refusal(name, str(refusal))
            indices = [named] * len(results)
        if isinstance(indices, int):
            indices = [indices]
        for x, index in zip(results, indices, strict=False):
            self.follow(x, index)

    def _refusal(self, name, why):
        layer = f"{self.layers[-1]}: " if self.layers else ""
        return Refused(f"{layer}torch's {name} {why}", said=True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Know which layer runs, and run every layer in evaluation mode."""
        trained: list[nn.Module] = []

        def before(layer, given):
            self.layers.append(type(layer).__name__)
            for p in layer.parameters(recurse=False):
                if p.numel() >= LARGE:
                    place = p.untyped_storage().data_ptr()
                    self.program.parameters[place] = p
            if layer.training:
                layer.training = False
                trained.append(layer)

        def after(layer, given, found):
            self.layers.pop()

        handles = [
            hooks.register_module_forward_pre_hook(before),
            hooks.register_module_forward_hook(after, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            for layer in trained:
                layer.training = True


def needed(program: Program) -> None:
    """Drop the steps and constants on which no output depends."""
    wanted, kept = set(program.outputs.values()), []
    for step in reversed(program.steps):
        if step[1] in wanted:
            wanted.update(step[2])
            kept.append(step)
    program.steps = kept[::-1]
    program.constants = {i: x for i, x in program.constants.items() if i in wanted}
    wanted.update(program.inputs.values())
    program.sizes = [s if i in wanted else 0 for i, s in enumerate(program.sizes)]


Networks = Mapping[str, tuple[Callable[..., Tensor], tuple[str, ...]]]


@contextmanager
def halved(program: Program) -> Iterator[None]:
    """Round the large parameters of the recorded layers to half precision."""
    kept = {place: p.detach().clone() for place, p in program.parameters.items()}
    try:
        for p in program.parameters.values():
            p.data.copy_(p.data.half())
        yield
    finally:
        for place, p in program.parameters.items():
            p.data.copy_(kept[place])


@torch.no_grad()
def answers(networks: Networks, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return torch's values of all that is given and computed, by their names."""
    values = dict(given)
    for name, (network, names) in networks.items():
        values[name] = network(*[values[n] for n in names])
        if not isinstance(values[name], Tensor):
            raise TypeError(
                f"network {name!r} must return a tensor, not a "
                f"{type(values[name]).__name__}: make a network of each part"
            )
    return values


def record(
    networks: Networks, given: Mapping[str, Tensor], shown: Sequence[str]
) -> tuple[Program, dict[str, Tensor]]:
    """Record what networks make of an example; return torch's answers to it as well.

    Parameters
    ----------
    networks : dict of (function, names of its arguments)
        Each name is one of an input, or of a network before it.
    given : dict of Tensor, shape (1, ...)
    shown : list of str
        The values that the page shows: nothing else is kept.

    Raises
    ------
    Refused
        A ValueError that names the layer, and what it asks of torch that has no
        counterpart in the page.
    """
    recorder = Recorder()
    with recorder.watching():
        for name, x in given.items():
            recorder.program.inputs[name] = recorder.new(x.numel())
            recorder.follow(x, recorder.program.inputs[name])
        with recorder:
            values = answers(networks, given)
    program = recorder.program
    for name in shown:
        program.outputs[name] = recorder.use(values[name])
    for name in {**given, **dict.fromkeys(shown)}:
        program.shapes[name] = tuple(values[name].shape[1:])
    needed(program)
    return program, values
