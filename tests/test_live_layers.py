"""What the page computes is what torch computes: layer by layer, in a browser."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib import metrics, nets
from gmlib.plot.inpage import inputs
from gmlib.plot.inpage.figure import packed_program, page_file
from gmlib.plot.inpage.recorder import record

ROW, MAPS = (1, 8), (1, 4, 8, 8)
LAYERS = [
    (ROW, nn.Linear(8, 5)), (ROW, nn.Linear(8, 5, bias=False)), (ROW, nn.ReLU()),
    (ROW, nn.ReLU(inplace=True)), (ROW, nn.LeakyReLU(0.2)), (ROW, nn.ELU(0.7)),
    (ROW, nn.CELU(0.7)), (ROW, nn.SELU()), (ROW, nn.Tanh()), (ROW, nn.Sigmoid()),
    (ROW, nn.Softplus(2, 3)), (ROW, nn.GELU()), (ROW, nn.GELU("tanh")),
    (ROW, nn.SiLU()), (ROW, nn.Mish()), (ROW, nn.Softsign()), (ROW, nn.LogSigmoid()),
    (ROW, nn.Hardtanh()), (ROW, nn.ReLU6()), (ROW, nn.Hardswish()),
    (ROW, nn.Hardsigmoid()), (ROW, nn.Threshold(0.1, 2.0)), (ROW, nn.PReLU()),
    (ROW, nn.Softmax(1)), (ROW, nn.LogSoftmax(1)), (ROW, nn.LayerNorm(8)),
    (ROW, nn.GroupNorm(2, 8)), (ROW, nn.BatchNorm1d(8)), (ROW, nn.Dropout()),
    (ROW, nn.Unflatten(1, (2, 4))), (ROW, nn.Identity()), (ROW, nets.GaussianNoise(1)),
    (ROW, nets.mlp([8, 16, 3], "leaky", batch_norm=True)),
    (ROW, nets.dcgan_generator(8, width=8)),
    (ROW, nets.dcgan_generator(8, 3, width=4, size=32)),
    (ROW, nets.conv_decoder(8, width=8)),
    (ROW, nets.VirtualBatchNorm(nets.mlp([8, 6, 2], batch_norm=True),
                                torch.linspace(-1, 1, 40).reshape(5, 8))),
    ((1, 1, 28, 28), nets.dcgan_discriminator(width=8)),
    ((1, 1, 28, 28), nets.conv_encoder(3, width=8)),
    (MAPS, nn.Conv2d(4, 6, 3, 2, 1)), (MAPS, nn.Conv2d(4, 6, 3, padding="same")),
    (MAPS, nn.Conv2d(4, 6, (3, 2), (1, 2), (2, 0), dilation=2, groups=2)),
    (MAPS, nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")),
    (MAPS, nn.ConvTranspose2d(4, 6, 4, 2, 1)),
    (MAPS, nn.ConvTranspose2d(4, 2, 3, 2, 1, 1, groups=2, dilation=2)),
    (MAPS, nn.MaxPool2d(2)), (MAPS, nn.MaxPool2d(3, 2, 1)),
    (MAPS, nn.MaxPool2d(3, 2, ceil_mode=True)), (MAPS, nn.AvgPool2d(3, 2, 1)),
    (MAPS, nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
    (MAPS, nn.AdaptiveAvgPool2d(1)), (MAPS, nn.Upsample(scale_factor=2)),
    (MAPS, nn.Upsample(size=(7, 5))),
    (MAPS, nn.Upsample(scale_factor=2, mode="bilinear")),
    (MAPS, nn.Upsample(size=(11, 5), mode="bilinear", align_corners=True)),
    (MAPS, nn.PixelShuffle(2)), (MAPS, nn.ZeroPad2d((1, 2, 0, 1))),
    (MAPS, nn.BatchNorm2d(4)), (MAPS, nn.InstanceNorm2d(4, affine=True)),
    (MAPS, nn.GroupNorm(2, 4)), (MAPS, nn.Flatten()), (MAPS, nn.Softmax2d()),
    ((1, 4, 9), nn.Conv1d(4, 3, 3, 2, 1)), ((1, 4, 9), nn.ConvTranspose1d(4, 3, 3, 2)),
]  # fmt: skip


def normal(of, mean, sd):
    return of(torch.distributions.Normal(mean, sd))


FUNCTIONS = {
    "chunk": lambda x: x.chunk(2, 1)[1], "split": lambda x: x.split([3, 5], 1)[1],
    "cat": lambda x: torch.cat([x, -x, x[:, :3]], 1),
    "stack": lambda x: torch.stack([x, 2 - x], 2),
    "turned": lambda x: x.view(1, 4, 2).transpose(1, 2).flatten(1),
    "turned and joined": lambda x: torch.cat([x, x], 0).T.reshape(-1),
    "picked": lambda x: x[:, [5, 0, 5]], "flipped": lambda x: x.flip(1),
    "repeated": lambda x: x.repeat(2, 3), "class": lambda x: torch.eye(8)[x.argmax(1)],
    "powers": lambda x: x**2 + x.exp() ** 0.5 + 1 / (x + 9) + 2 ** x,
    "sums": lambda x: x.view(1, 2, 4).sum(1) + x.mean() + x.prod(1, keepdim=True),
    "most": lambda x: x.max(1).values + x.view(1, 2, 4).amin((1, 2)),
    "spreads": lambda x: x.var(1) + x.std(1, correction=0) + x.norm(dim=1),
    "logsumexp": lambda x: x.logsumexp(1) + x.view(1, 2, 4).softmax(1).sum(),
    "running": lambda x: x.cumsum(1), "normalised": lambda x: F.normalize(x),
    "where": lambda x: torch.where(x > 0, x, -2 * x) + (x <= 0.5).float(),
    "bounds": lambda x: x.clamp(-0.5, 0.5) + torch.maximum(x, -x) + x.clamp(min=0),
    "rounded": lambda x: x.long().float() + x.round() + x.floor() + (10 * x).trunc(),
    "waves": lambda x: x.sin() + x.cos() + torch.atan2(x, x + 9) + x.erf() + x.sign(),
    "products": lambda x: x @ torch.arange(16.0).view(8, 2) + x[0] @ x[0],
    "two that move": lambda x: torch.einsum("bi,bj->bij", x, x) @ x.view(1, 8, 1),
    "a plane": lambda x: torch.linspace(0, 1, 9)[:, None] * x + x[:, :1],
    "way": lambda x: torch.lerp(x, -x, 0.3),
    "Bernoulli": lambda x: F.binary_cross_entropy_with_logits(
        20 * x, (x > 0).float(), reduction="none").sum(1),
    "squares": lambda x: F.mse_loss(x, 2 * x),
    "law": lambda x: normal(lambda q: q.log_prob(torch.ones(8)), x, x.exp()),
    "KL": lambda x: normal(lambda q: torch.distributions.kl_divergence(
        q, torch.distributions.Normal(0.0, 1.0)).sum(1), x, x.exp()),
}  # fmt: skip


def lively(network):
    """Give a layer weights and moments that are none of the defaults."""
    for layer in network.modules():
        if getattr(layer, "running_mean", None) is not None:
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
        for p in layer.parameters(recurse=False):
            if p.dim() == 1:
                p.data.normal_()
    return network


@pytest.fixture(scope="module")
def page(browser):
    """A page with the scripts of a figure."""
    page = browser.new_page()
    code = page_file("parts.js") + page_file("forward.js")
    code += """window.tried = (program, x) => {
      const { values, run } = build(program);
      values[program.inputs.x].set(x);
      run();
      return [...values[program.outputs.y]];
    }"""
    page.add_script_tag(content=code)
    yield page
    page.close()


@pytest.fixture(scope="module")
def computed(page):
    """What a page answers to an input of a program."""
    return lambda *given: page.evaluate("([p, x]) => tried(p, x)", given)


def assert_same(computed, function, x):
    steps = {"y": (function, ("x",))}
    program, _ = record(steps, {"x": torch.ones_like(x)}, ["y"])
    _, values = record(steps, {"x": x}, ["y"])
    found = computed(packed_program(program, False), x.reshape(-1).tolist())
    expected = values["y"].detach().reshape(-1).tolist()
    assert found == pytest.approx(expected, rel=2e-5, abs=2e-5)


@pytest.mark.parametrize(("shape", "layer"), LAYERS, ids=lambda v: str(v)[:40])
def test_a_layer_in_the_page_is_torchs(computed, shape, layer):
    for p in layer.parameters():
        torch.nn.init.normal_(p, 0, 0.3)
    layer = lively(layer)
    training = layer.training
    x = torch.randn(shape)
    assert_same(computed, layer, x)
    assert layer.training == training, "as it was given"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arithmetic_in_the_page_is_torchs(computed, name):
    assert_same(computed, FUNCTIONS[name], torch.randn(1, 8))


def test_an_embedding_and_a_judge(computed):
    assert_same(computed, nn.Embedding(5, 3), torch.tensor([3]))
    judge = metrics.judge("mnist")
    assert_same(
        computed, lambda x: judge.network(x).softmax(1), torch.rand(1, 1, 28, 28)
    )


class Company(nn.Module):
    """A layer of a reader's own that asks for more than the page can do."""

    def forward(self, x):
        return torch.linalg.qr(x).Q + x.sort(1).values


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            nn.Sequential(nn.Linear(8, 8), Company()),
            "Company: torch's .* has no counter",
        ),
        (lambda x: x.sort(1).values, "torch's sort has no counterpart in the page"),
        (lambda x: x + torch.randn(8), "torch's randn draws at random"),
        (lambda x: x[:, :2].relu_(), "relu_ changes a part of a tensor in place"),
        (nn.LSTM(8, 8), "LSTM: torch's .* has no counterpart"),
    ],
)
def test_what_the_page_cannot_do_is_named(function, words):
    first = (lambda x: function(x)[0]) if isinstance(function, nn.LSTM) else function
    with pytest.raises(ValueError, match=words):
        record({"y": (first, ("x",))}, {"x": torch.randn(1, 8)}, ["y"])


def test_what_is_not_shown_need_not_have_a_counterpart():
    steps = {"a": (lambda x: x.sort(1).values, ("x",)), "y": (torch.tanh, ("x",))}
    program, _ = record(steps, {"x": torch.randn(1, 8)}, ["y"])
    assert [step[0] for step in program.steps] == ["map"]


def test_numbers_are_written_as_people_read_them(page):
    """Neither a minus before nought, nor a word of the language's."""
    text = page.evaluate(
        "() => [-0.001, -1.5, 2, 1 / 0, -1 / 0, 0 / 0].map(x => written(x))"
    )
    assert text == ["0.00", "−1.50", "2.00", "∞", "−∞", "undefined"]


def test_the_name_of_a_class_in_pieces_stands_in_a_piece():
    left, right = np.random.default_rng(0).normal(0, 0.3, (2, 50, 2))
    pieces = np.concatenate([left - 3, right + 3])
    assert np.abs(np.median(pieces, 0)).max() < 2, "the median stands in neither"
    assert np.abs(np.abs(inputs.crowded(pieces)) - 3).max() < 0.5
    assert (inputs.crowded(pieces[:1]) == pieces[0]).all()
