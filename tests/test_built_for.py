"""Nets that were made for a shape say so, and are plain networks all the same."""

import io
from copy import deepcopy

import pytest
import torch
from torch import nn

from gmlib import nets, runtime
from gmlib.architectures import critic, dense, generator
from gmlib.objectives import gradient_penalty

SEES_IMAGES = {
    "discriminator": lambda: nets.dcgan_discriminator(width=4, batch_norm=False),
    "encoder": lambda: nets.conv_encoder(3, width=4),
    "critic": lambda: critic(4, norm="layer"),
}
SEES_Z = {
    "generator": lambda: nets.dcgan_generator(8, width=4),
    "decoder": lambda: nets.conv_decoder(8, width=4),
    "other generator": lambda: generator(8, 4),
    "dense": lambda: dense([8, 4, 2]),
}


@pytest.mark.parametrize("make", SEES_IMAGES.values(), ids=SEES_IMAGES)
# 29 pixels go through the convolutions of a net for 28, and nobody would know.
@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((1, 32, 32), ": resize them: torch.nn.functional.interpolate(x, (28, 28))"),
        ((1, 29, 29), ": resize them: torch.nn.functional.interpolate(x, (28, 28))"),
        (
            (3, 28, 28),
            ": they have another number of channels: use x.mean(1, keepdim=True)",
        ),
        ((784,), ": they are flat: use x.unflatten(1, (1, 28, 28))"),
        (
            (28, 28, 1),
            ": these look like (n, h, w, c): use x.permute(0, 3, 1, 2)",
        ),
        (
            (32, 32, 1),
            ": these look like (n, h, w, c): use x.permute(0, 3, 1, 2)",
        ),
        ((28, 28), ": they lack the channel: use x[:, None]"),
        ((5, 3), ""),
    ],
)
def test_a_net_for_images_refuses_others_and_says_what_to_do(make, shape, advice):
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the words are next
        make()(torch.zeros(2, *shape))
    assert str(refused.value) == f"built for (1, 28, 28), got {shape}{advice}"


@pytest.mark.parametrize(
    ("advised", "x"),
    [
        (lambda x: x.permute(0, 3, 1, 2), torch.rand(2, 28, 28, 1)),
        (
            lambda x: torch.nn.functional.interpolate(x, (28, 28)),
            torch.rand(2, 1, 9, 9),
        ),
        (lambda x: x.mean(1, keepdim=True), torch.rand(2, 3, 28, 28)),
        (lambda x: x.unflatten(1, (1, 28, 28)), torch.rand(2, 784)),
        (lambda x: x[:, None], torch.rand(2, 28, 28)),
        (lambda x: x[None], torch.rand(1, 28, 28)),
        (lambda x: x.float() / 255, torch.zeros(2, 1, 28, 28, dtype=torch.uint8)),
        (torch.as_tensor, torch.rand(2, 1, 28, 28).numpy()),
    ],
)
def test_what_is_advised_works(advised, x):
    T = SEES_IMAGES["discriminator"]()
    with pytest.raises((ValueError, TypeError), match="built for"):
        T(x)
    assert T(advised(x)).isfinite().all()


def test_an_embedding_takes_integers():
    net = nets.built_for(nn.Sequential(nn.Embedding(5, 2)), 3)
    assert net(torch.zeros(4, 3, dtype=torch.long)).shape == (4, 3, 2)


@pytest.mark.parametrize("make", SEES_Z.values(), ids=SEES_Z)
@pytest.mark.parametrize("shape", [(9,), (8, 1, 1), ()])
def test_a_net_for_z_refuses_others(make, shape):
    with pytest.raises(ValueError, match=r"built for \(8,\), got \("):
        make()(torch.zeros(2, *shape))


def test_an_mlp_takes_any_shape_of_so_many_numbers():
    T = nets.mlp([784, 4, 1], shape=())
    for shape in [(784,), (1, 28, 28), (2, 392)]:
        assert T(torch.zeros(3, *shape)).shape == (3,)
    for shape in [(1, 32, 32), (1, 28, 27), ()]:
        with pytest.raises(ValueError, match=r"built for \(784,\), got \("):
            T(torch.zeros(3, *shape))
    with pytest.raises(ValueError, match=r"built for \(1,\), got \(\)"):
        nets.mlp([1, 2])(torch.zeros(3))


def test_parts_and_extensions_and_copies_say_it_too():
    T, G = SEES_IMAGES["discriminator"](), SEES_Z["generator"]()
    stored = io.BytesIO()
    torch.save(T, stored)
    stored.seek(0)
    spectral = deepcopy(T)
    nn.utils.parametrizations.spectral_norm(spectral[0])
    longer = nn.Sequential(*T, nn.Tanh())
    longer.add_module("last", nn.Identity())
    for net in (
        T[:-2], longer, nn.Sequential(T, nn.Tanh()), deepcopy(T), spectral,
        torch.load(stored, weights_only=False),
    ):  # fmt: skip
        assert len(net(torch.zeros(2, 1, 28, 28))) == 2
        with pytest.raises(ValueError, match="built for"):
            net(torch.zeros(2, 1, 32, 32))
    with pytest.raises(ValueError, match="built for"):
        G[:-1](torch.zeros(2, 7))
    features = T[:-2](torch.zeros(2, 1, 28, 28))
    assert torch.equal(T[-2:](features), T(torch.zeros(2, 1, 28, 28)))


@pytest.mark.parametrize("make", (SEES_IMAGES | SEES_Z).values())
def test_nothing_else_changes(make):
    net = make()
    assert type(net) is nn.Sequential
    assert "xpect" not in repr(net)
    keys = [f"{i}.{k}" for i, m in enumerate(net) for k in m.state_dict()]
    assert list(net.state_dict()) == keys
    nn.Sequential(*net).load_state_dict(net.state_dict())


def test_the_random_stream_is_that_of_the_layers():
    runtime.seed(3)
    layers = nn.Linear(5, 4), nn.Linear(4, 2)
    after = torch.rand(())
    runtime.seed(3)
    net = nets.mlp([5, 4, 2])
    assert torch.equal(net[1].weight, layers[0].weight)
    assert torch.equal(net[3].bias, layers[1].bias)
    assert torch.rand(()) == after


@pytest.mark.parametrize("make", (SEES_IMAGES | SEES_Z).values())
def test_the_check_reads_no_value(make):
    """So that a GPU is never waited for, and a CUDA graph can be captured: on the
    meta device there are no values to read."""
    net = make().to("meta")
    shape = (1, 28, 28) if isinstance(net[0], nn.Conv2d) else (8,)
    assert net(torch.empty(5, *shape, device="meta")).is_meta
    with pytest.raises(ValueError, match="built for"):
        net(torch.empty(5, *shape, 2, device="meta"))


def test_a_slope_can_be_differentiated_again():
    T = SEES_IMAGES["critic"]()
    x, y = torch.randn(2, 3, 1, 28, 28)
    gradient_penalty(T, x, y).backward()
    assert T[0].weight.grad.isfinite().all()
    like_last = x.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(T(like_last), T(x), atol=1e-5)


def test_gradients_of_each_sample_by_vmap():
    T = nets.mlp([4, 3, 1], "tanh", shape=())
    weights = dict(T.named_parameters())

    def value(w, x):
        return torch.func.functional_call(T, w, (x[None],)).sum()

    x = torch.randn(5, 4)
    each = torch.func.vmap(torch.func.grad(value), (None, 0))(weights, x)
    T(x).sum().backward()
    assert torch.allclose(each["1.weight"].sum(0), T[1].weight.grad, atol=1e-5)


def test_a_compiled_net_is_whole_and_refuses_too():
    """One graph, no break at the check; what was not built for is refused."""
    T = SEES_IMAGES["discriminator"]()
    x = torch.randn(3, 1, 28, 28)
    whole = torch.compile(T, backend="eager", fullgraph=True)
    assert torch.equal(whole(x), T(x))
    with pytest.raises(ValueError, match="built for"):
        torch.compile(T, backend="eager")(torch.zeros(3, 1, 32, 32))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_a_net_can_be_captured_in_a_cuda_graph():
    T, x = SEES_IMAGES["critic"]().cuda(), torch.randn(3, 1, 28, 28, device="cuda")
    expected = T(x)  # and warms up
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = T(x)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.allclose(found, expected, atol=1e-5)
