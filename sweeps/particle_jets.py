"""GANs of jet pictures: LAGAN, a DCGAN, dense networks; and shares of a total, twice.

All have the data, the batch and the latents in common, and about equally many CPU
seconds: the rounds of each were set from its seconds a round. The rate and the weight
of R1 of the shares were chosen in short trials; those of the others were not.
"""

import base64
import time

import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import logsigmoid, one_hot, relu

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import jensen_shannon as V
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

KINDS = ["LAGAN", "DCGAN", "dense", "shares", "shares, T sees y"]
Z, BATCH = 64, 64
EPS, GAMMA = 0.05, 0.005  # flipped labels; weight of R1
# Of equal cost, some 210 CPU seconds on one core of a machine that is busy: 268, 129,
# 24 and (both games of shares) 14 ms a round were measured beside each other.
PLAY = {"LAGAN": 800, "DCGAN": 1660, "dense": 8800, "shares": 15_000,
        "shares, T sees y": 15_000}  # fmt: skip
SHARES = KINDS[3:]
part = by_scale(smoke=0.001, cpu=1, gpu=5)  # of these rounds
judged = by_scale(smoke=100, cpu=2000, gpu=2000)  # jets a class
grid = crossed(kind=KINDS, seed=range(by_scale(smoke=1, cpu=3, gpu=5)))
p_z = standard_normal(Z)


class Shares(nn.Module):
    """A total momentum, and shares of it: pictures in GeV."""

    def __init__(self):
        super().__init__()
        self.N = nets.mlp([Z + 2, 128, 256, 626], "leaky")

    def forward(self, z, y):
        a, t = self.N(torch.cat([z, one_hot(y, 2)], 1)).split([625, 1], 1)
        share = relu(a) / relu(a).sum(1, keepdim=True).clamp(min=1e-6)
        return (275 * torch.exp(0.1 * t) * share).view(-1, 1, 25, 25)


class Embedded(nn.Module):
    """A network of z times the class's embedding, number by number: pictures in GeV."""

    def __init__(self, kind):
        super().__init__()
        self.emb = nn.Embedding(2, Z).to(runtime.device())
        if kind == "dense":
            self.N = nets.mlp([Z, 256, 512, 625], "leaky", shape=(1, 25, 25))
        else:
            self.N = nets.lagan_generator(Z, local=kind == "LAGAN")

    def forward(self, z, y):
        return 100 * relu(self.N(z * self.emb(y)))


class Judge(nn.Module):
    """Two logits of a picture in the scale of the networks: data, and W."""

    def __init__(self, kind):
        super().__init__()
        own = nets.MinibatchDiscrimination(128, 20, 10)
        if kind in SHARES:
            body = nn.Sequential(nets.mlp([628, 256, 128], "leaky"), nn.LeakyReLU(0.2))
        elif kind == "dense":
            body = nn.Sequential(nets.mlp([625, 256, 128], "leaky"), own)
        else:
            body = nets.lagan_features(local=kind == "LAGAN")
        wide = {"LAGAN": 92, "DCGAN": 308, "dense": 148}.get(kind, 128)
        self.body, self.head = body, nets.mlp([wide, 2])

    def forward(self, u):
        return self.head(self.body(u)).unbind(1)


def seen(kind, x, y):
    """Pictures in GeV as the judge sees them; with the class, if it does."""
    if kind not in SHARES:
        return x / 100
    total = x.flatten(1).sum(1, keepdim=True).clamp(min=1e-3)
    wish = one_hot(y, 2) * (kind == "shares, T sees y")
    return torch.cat([(10 * x).flatten(1).log1p(), 10 * (total / 275).log(), wish], 1)


def game(kind):
    """The players of a kind."""
    G = Shares() if kind in SHARES else Embedded(kind)
    T = Judge(kind).to(runtime.device())

    def drawn(x, y):
        own = torch.randint_like(y, 2)
        return G(p_z.sample((len(x),)), own), own

    made = shared(drawn)

    def named(c, y):
        """The class term, -log c(y|x); a T that sees y needs none."""
        return 0 if kind == "shares, T sees y" else bce(c, y.to(c.dtype))

    def L_T(x, y):
        x_g, y_g = made(x, y)
        u = seen(kind, x, y).requires_grad_(kind in SHARES)
        (t, c), (t_g, c_g) = T(u), T(seen(kind, x_g, y_g))
        loss = named(c, y) + named(c_g, y_g)
        loss = loss - (1 - EPS) * V(t, t_g) - EPS * V(t_g, t)
        if kind in SHARES:
            (slope,) = torch.autograd.grad(t.sum(), u, create_graph=True)
            loss = loss + GAMMA / 2 * slope[:, :-2].square().sum(1).mean()  # not by y
        return loss

    def L_G(x, y):
        x_g, y_g = made(x, y)
        t_g, c_g = T(seen(kind, x_g, y_g))
        return -logsigmoid(t_g).mean() + named(c_g, y_g)

    rate = adam(1e-3 if kind in SHARES else 5e-4, (0.5, 0.999))
    return {
        "T": Player([T], L_T, rate),
        "G": Player([G], L_G, rate, average=0.995),
    }


@torch.no_grad()
def pictures(G, n):
    """n jets of QCD, then n of a W, as a detector would see them."""
    y = torch.arange(2, device=runtime.device()).repeat_interleave(n)
    with runtime.evaluating(G):
        x = torch.cat([G(p_z.sample((len(k),)), k) for k in y.split(100)])
    return metrics.detected(x).cpu()


def spread(jets, n):
    """n jets; lit pixels lie anywhere within their step: what is rounded is told."""
    x, y = jets.sample_pairs((n,))
    return x + 0.01 * (torch.rand_like(x) - 0.5) * (x > 0), y


def w1(a, b):
    """W1 of two samples of one size, in their unit."""
    return (a.sort().values - b.sort().values).abs().mean().item()


def numbers(values, digits=4):
    return " ".join(f"{v:.{digits}g}" for v in values)


def packed(x):
    """A mean picture as text: half precision, base64."""
    return base64.b64encode(x.half().numpy().tobytes()).decode()


def trees(x, y):
    """A forest of small trees, its seed fixed."""
    return HistGradientBoostingClassifier(max_iter=80, random_state=0).fit(x, y)


def observed(x):
    """Observables as columns (n, 5)."""
    return torch.stack([*metrics.jet_observables(x)], 1)


def distances(o, real):
    """W1 of mass, pt, tau21 and pixels for each class."""
    names, n = metrics.Observables._fields[:4], len(o) // 2
    return {
        f"w1_{name}_{cls}": w1(o[part, k], real[part, k])
        for k, name in enumerate(names)
        for cls, part in (("QCD", slice(0, n)), ("W", slice(n, 2 * n)))
    }


def tests(x, o, real_x, real, other):
    """Who tells generated jets from real ones, and what the classes' taggers score."""
    n = len(o) // 2
    y = torch.arange(2).repeat_interleave(n).numpy()
    some = torch.randperm(2 * n)
    a, b = some[:n], some[n:]

    def labelled(i):
        rows = torch.cat([real[i], o[i]]).numpy()
        return rows, torch.arange(2).repeat_interleave(len(i)).numpy()

    teller = trees(*labelled(a))
    tagger, own = trees(other.numpy(), y), trees(o.numpy(), y)
    return {
        "told_trees": teller.score(*labelled(b)),
        "told_neighbours": metrics.two_sample_test(real_x, x)[0],
        "auc_simulated": roc_auc_score(y, tagger.predict_proba(real.numpy())[:, 1]),
        "auc_tagger": roc_auc_score(y, tagger.predict_proba(o.numpy())[:, 1]),
        "auc_trained_on_own": roc_auc_score(y, own.predict_proba(real.numpy())[:, 1]),
    }


def shapes(x, o):
    """Histograms, correlations and mean pictures, as text."""
    n, found = len(o) // 2, {}
    for cls, i in (("QCD", slice(0, n)), ("W", slice(n, 2 * n))):
        bars = torch.histc(o[i, 0].float(), 40, 0, 200) / n
        found[f"mass_{cls}"] = numbers(bars.tolist())
        c = torch.corrcoef(o[i, :4].T).nan_to_num()
        found[f"corr_{cls}"] = numbers([c[0, 2], c[0, 3]], 3)
        found[f"mean_{cls}"] = packed(x[i].mean(0))
    lit = x[x > 0].log10()
    found["spectrum"] = numbers((torch.histc(lit, 18, -2, 2.5) / len(x)).tolist())
    return found


def halves(test, n):
    """Two sets of n jets a class of the test part: pictures and observables."""
    rows = [torch.where(test.y.cpu() == k)[0] for k in range(2)]
    n = min(n, min(map(len, rows)) // 2)
    for part in (slice(0, n), slice(n, 2 * n)):
        x = test.x.cpu()[torch.cat([r[part] for r in rows])]
        yield x, observed(x)


def cell(kind, seed):
    """Train one game; what its jets are worth, half-way and at the end."""
    rounds = max(2, round(part * PLAY[kind]))
    (real_x, real), (_, other) = halves(data.jets("test"), judged)
    n, jets, players = len(real) // 2, data.jets("train"), game(kind)

    def look():
        G = players["G"]  # and the average of its weights
        return pictures(G.modules[0], n), pictures(G.averaged[0], n)

    began = time.process_time()
    history = fit(
        players,
        lambda size: spread(jets, size),
        rounds,
        batch_size=BATCH,
        look=look,
        looks=[rounds // 2, rounds],
    )
    spent = time.process_time() - began
    (half, _), (x, mean_x) = (snapshot for _, snapshot in history.snapshots)
    o, strip = observed(x), None
    before, averaged = (distances(observed(jets), real) for jets in (half, mean_x))
    if seed == 0:
        some = log_picture(torch.cat([x[n : n + 10], x[:10]]))
        strip = plot.data_uri(plot.tile(some, 10), quality=70)[0]
    found = distances(o, real) | tests(x, o, real_x, real, other)
    found["w1_mass_W_half"] = before["w1_mass_W"]
    found |= {f"{k}_averaged": averaged[k] for k in ("w1_mass_W", "w1_pt_W")}
    return {
        "rounds": rounds,
        "cpu_s": round(spent, 1),
        **{k: round(v, 4) for k, v in found.items()},
        **shapes(x, o),
        "strip": strip,
    }


def log_picture(x):
    """Momenta from 0.01 to 300 GeV as shades from 1, bright, to 0: dark is much."""
    return 1 - ((x.clamp(min=1e-2).log10() + 2) / 4.48).clamp(0, 1)
