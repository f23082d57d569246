"""Icons drawn for captions of two words: in one stage, in two, and what each adds.

Every cell has about as many seconds of one core: a round at 32 pixels costs more than
one at 16, and a round of the second stage more than either. A caption has four
pictures, one by each vendor, and 24 of the 128 captions are never seen in training. The
judge of words is trained apart, on all of them, at 16 pixels, so that it can judge both
stages alike.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.functional import avg_pool2d, interpolate, logsigmoid, one_hot

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import kl_divergence, normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

NOISE, CODE, WORDS = 32, 32, 24
KINDS = {  # stages; price of the code; does the second see the caption? pictures a pack
    "one stage": (1, None, True, 1),
    "two stages": (2, None, True, 1),
    "two, augmented": (2, 1 / 64, True, 1),
    "two, second blind": (2, None, False, 1),
    "two, packed": (2, None, True, 2),
}
alone = by_scale(smoke=2, cpu=2100, gpu=20_000)  # rounds at 32 pixels, in one stage
first, second = by_scale(smoke=(2, 2), cpu=(3200, 650), gpu=(20_000, 8000))
taught = by_scale(smoke=3, cpu=1500, gpu=1500)  # rounds of the judge
draws = by_scale(smoke=2, cpu=20, gpu=50)  # pictures a caption
grid = crossed(kind=list(KINDS), seed=range(by_scale(smoke=1, cpu=3, gpu=5)))


def words(t):
    """The words that a caption (n, 2) has, of 24: (n, 24)."""
    return one_hot(t, WORDS).sum(1).float()


def code_of(E, price, t):
    """A draw of the code (n, 32), and its price in nats (n,)."""
    if price is None:
        return E(words(t)), torch.zeros(len(t), device=t.device)
    mean, log_std = E(words(t)).chunk(2, 1)
    q = normal(mean, log_std.exp())
    return q.rsample(), kl_divergence(q, standard_normal(CODE))


def game(made, of_G, pixels, width, price, m, rounds):
    """Train the modules `of_G`, which draw `made(t)`: pictures and prices.

    The discriminator sees m pictures of one caption at once.
    """
    M = nets.dcgan_discriminator(3 * m, width, pixels)
    body, psi = M[:-2], M[-2:]
    A = nets.dcgan_init(nn.Linear(psi[0].in_features, WORDS)).to(runtime.device())
    drawn = shared(lambda t: made(t.repeat_interleave(m, 0)))

    def T(f, t):
        return (words(t) * A(f)).sum(1) + psi(f)

    def features(x):
        return body(x.reshape(-1, 3 * m, pixels, pixels))

    def L_T(x, t):
        f, f_g = features(x), features(drawn(t)[0])
        right, mismatched = logsigmoid(T(f, t)), logsigmoid(-T(f, t.roll(1, 0)))
        return -(right + (mismatched + logsigmoid(-T(f_g, t))) / 2).mean()

    def L_G(x, t):
        x_g, kl = drawn(t)
        return -logsigmoid(T(features(x_g), t)).mean() + (price or 0) * kl.mean()

    rate = adam(2e-3, (0.5, 0.999))
    players = {
        "T": Player([M, A], L_T, rate),
        "G": Player(of_G, L_G, rate, average=0.997),
    }
    fit(players, batches(pixels, m), rounds, batch_size=64 // m)
    return players["G"].averaged


def batches(pixels, m):
    """Captions, n at a time, with m pictures of each in (−1, 1)."""
    x, t = data.captions("train", pixels).parts
    x, t = data.to_tanh(x).reshape(-1, 4, 3, pixels, pixels), t[::4]

    def batch(n):
        i = torch.randint(len(t), (n,), device=t.device)
        vendor = torch.randint(4, (n, m), device=t.device)
        return x[i[:, None], vendor], t[i]

    return batch


def encoder(price):
    """From words to the code, or to its mean and the logarithm of its deviation."""
    return nn.Linear(WORDS, CODE * (1 if price is None else 2)).to(runtime.device())


def one_stage(price, pixels, width, m, rounds):
    """A generator at one size: captions → pictures and prices."""
    E, N = encoder(price), nets.dcgan_generator(NOISE + CODE, 3, width, pixels)

    def made(N, E, t):
        c, kl = code_of(E, price, t)
        return N(torch.cat([torch.randn(len(t), NOISE, device=t.device), c], 1)), kl

    own, T_width = [N, E], 16
    N, E = game(
        lambda t, N=N, E=E: made(N, E, t), own, pixels, T_width, price, m, rounds
    )
    return lambda t: made(N, E, t)


def next_stage(G, price, sees, m, rounds):
    """A second stage on the pictures of the first, which stays as it is."""
    E, S = encoder(price), nets.SecondStage(CODE if sees else 0)

    def made(S, E, t):
        c, kl = code_of(E, price, t)
        return (S(G(t)[0], c), kl) if sees else (S(G(t)[0]), 0 * kl)

    own = [S, E] if sees else [S]
    S, *rest = game(lambda t, S=S, E=E: made(S, E, t), own, 32, 16, price, m, rounds)
    E = rest[0] if sees else E
    return lambda s, t: S(s, code_of(E, price, t)[0]) if sees else S(s)


def trained_judge(x, t):
    """A classifier of colour and thing at 16 pixels, of all pictures x, captions t."""
    J = nets.on_device(metrics.judge_network((3, 16, 16), WORDS))

    def batch(n):
        i = torch.randint(len(x), (n,), device=x.device)
        left, up = torch.randint(-1, 2, (2,)).tolist()
        moved = x[i].roll((up, left), (2, 3))
        return (moved + 0.1 * torch.randn_like(moved)).clamp(0, 1), t[i]

    def loss(x, t):
        logits = J(x)
        return F.cross_entropy(logits[:, :8], t[:, 0]) + F.cross_entropy(
            logits[:, 8:], t[:, 1] - 8
        )

    fit({"J": Player([J], loss, adam(2e-3))}, batch, taught, batch_size=64)
    return J.eval().requires_grad_(False)


def read(J, x):
    """The colour and the thing that the judge sees: (n, 2), as captions are."""
    logits = torch.cat([J(part) for part in x.split(1000)])
    return torch.stack([logits[:, :8].argmax(1), 8 + logits[:, 8:].argmax(1)], 1)


def details(x):
    """The mean square of what is lost at half the size."""
    return (x - interpolate(avg_pool2d(x, 2), scale_factor=2)).square().mean()


def scored(J, x, t, truth, new, stem):
    """Scores of pictures (captions · draws, 3, 32, 32) in [0, 1], by captions."""
    right = (read(J, avg_pool2d(x, 2)) == t).float().view(-1, draws, 2)
    own = x.reshape(-1, draws, 3 * 32 * 32)
    apart = torch.cdist(own, truth.flatten(2)) / own.shape[2] ** 0.5
    near, style = apart.min(2)
    share = one_hot(style, 4).double().mean(1)
    styles = torch.special.entr(share).sum(1).exp()
    found = {}
    for word, at in (("seen", ~new), ("new", new)):
        colour, thing = right[at].mean((0, 1)).tolist()
        found |= {
            f"{stem}colour_{word}": colour,
            f"{stem}thing_{word}": thing,
            f"{stem}both_{word}": right[at].prod(2).mean().item(),
            f"{stem}near_{word}": near[at].mean().item(),
            f"{stem}styles_{word}": styles[at].mean().item(),
            f"{stem}variety_{word}": own[at].std(1).square().mean().sqrt().item(),
        }
    return found | {f"{stem}detail": details(x).item()}


def cell(kind, seed):
    """Train one or two stages; score their pictures by judge and by neighbours."""
    stages, price, sees, m = KINDS[kind]
    parts = [data.captions(split).parts for split in ("train", "test")]
    x_all, t_all = (torch.cat(column) for column in zip(*parts, strict=True))
    with runtime.forked_rng(0):
        J = trained_judge(avg_pool2d(x_all, 2), t_all)
    if stages == 1:
        G, S = one_stage(price, 32, 16, m, alone), None
    else:
        G = one_stage(price, 16, 32, m, first)
        S = next_stage(G, price, sees, m, second)
    captions, truth = t_all[::4], x_all.reshape(-1, 4, 3, 32, 32)
    new = torch.arange(len(captions), device=t_all.device) >= len(parts[0].x) // 4
    t = captions.repeat_interleave(draws, 0)
    with torch.no_grad():
        made = [G(part) for part in t.split(1000)]
        s, kl = (torch.cat(column) for column in zip(*made, strict=True))
        found = {"kl": kl.mean().item()}
        for word, part in zip(("seen", "new"), parts, strict=True):
            own = read(J, avg_pool2d(part.x, 2)) == part.caption
            found[f"judge_{word}"] = own.all(1).float().mean().item()
        final = s
        if S is not None:
            pairs = zip(s.split(1000), t.split(1000), strict=True)
            final = torch.cat([S(*pair) for pair in pairs])
            large = interpolate(s, scale_factor=2)
            found |= scored(J, (large + 1) / 2, t, truth, new, "first_")
        found |= scored(J, (final + 1) / 2, t, truth, new, "")
    rows = [s, final] if S is not None else [final]
    some = [*range(3, 104, 15), *range(105, 128, 4)]
    shown = [interpolate(x.reshape(-1, draws, *x.shape[1:])[some, 0], (32, 32))
             for x in rows]  # fmt: skip
    sheet = plot.tile((torch.cat(shown) + 1) / 2, len(some))
    strip = plot.data_uri(sheet, quality=70)[0] if seed == 0 else None
    found = {name: round(v, 4) for name, v in found.items() if math.isfinite(v)}
    return found | {"draws": draws, "strip": strip}
