"""Melodies that go on by themselves: a known law and Bach's chorales, seven ways.

A model gets the bar before and a chord a beat, and draws the next bar. It is judged on
bars that follow its own bars: the first bar of a tune and its chords are given. The
chorales are read from an installed music21; at scale smoke they are left out.
"""

from copy import deepcopy

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import jensen_shannon as V
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

GANS = ["GAN, pairs", "GAN, blind"]
KINDS = ["data", "Markov chain", "autoregressive", *GANS]
ON_LAW = ["ignores the bar before", "GAN, as published"]
BARS, Z, GAMMA = 5, 32, 0.3
rounds = by_scale(smoke=2, cpu=7000, gpu=40_000)  # of a GAN
updates = by_scale(smoke=2, cpu=4000, gpu=8000)  # of the autoregressive network
known = by_scale(smoke=200, cpu=3600, gpu=3600)  # pairs of bars to learn from
asked = by_scale(smoke=8, cpu=600, gpu=600)  # tunes to go on with
seeds = range(by_scale(smoke=1, cpu=5, gpu=5))
grid = crossed(source=["law"], kind=[*KINDS, *ON_LAW], seed=seeds)
grid += by_scale(
    smoke=[],
    cpu=crossed(source=["chorales"], kind=KINDS, seed=seeds),
    gpu=crossed(source=["chorales"], kind=KINDS, seed=seeds),
)


def on_law():
    """Pairs to learn from, tunes to go on with, others of their law; the law."""
    p = data.melodies()
    learnt = data.Aligned("the law", p.tunes(known, 2).pairs())
    return learnt, p.tunes(asked, BARS), p.tunes(asked, BARS), p


def on_chorales():
    """The same of the chorales: split by tune, the others being those learnt from."""
    learnt, to_test = data.chorales("train"), data.chorales("test").tunes(BARS)
    others = learnt.tunes(BARS)
    some = torch.randperm(len(others.chords))[: len(to_test.chords)]
    return learnt, to_test, data.Tune(*(part[some] for part in others)), None


def game(kind, G, T):
    """The players: two losses as in the lecture, or those of the published code."""
    p_z, published = standard_normal(Z), kind == "GAN, as published"
    made = shared(lambda b, h: G(p_z.sample((len(b),)), b, h).softmax(2))

    def steepness(x, b, h):
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(T(x, b, h).sum(), x, create_graph=True)
        return slope.square().sum((1, 2)).mean()

    def L_T(x, b, h):
        t, t_g = T(x, b, h), T(made(b, h), b, h)
        if published:  # labels of 0.9
            return cross_entropy(t, 0.9 + 0 * t) + cross_entropy(t_g, 0 * t_g)
        return -V(t, t_g) + GAMMA / 2 * steepness(x, b, h)

    def L_G(x, b, h):
        x_g = made(b, h)
        loss = -logsigmoid(T(x_g, b, h)).mean()
        if published:  # the means of features and of bars should match
            f, f_g = T.features(x, b, h).mean(0), T.features(x_g, b, h).mean(0)
            loss = loss + 0.1 / 2 * (f - f_g).square().sum()
            loss = loss + 0.01 / 2 * (x.mean(0) - x_g.mean(0)).square().sum()
        return loss

    steps, rate = 2 if published else 1, adam(1e-3, (0.5, 0.99))
    return {
        "T": Player([T], L_T, rate),
        "G": Player([G], L_G, rate, steps, average=0.998),
    }


def trained_gan(kind, learnt):
    """The averaged generator of a game."""
    G = nets.BarGenerator(Z)
    T = nets.BarDiscriminator(sees_before=kind == "GAN, pairs")
    players = game(kind, G, T)
    fit(players, lambda n: nets.one_hot_bars(*learnt.sample((n,))), rounds)
    return players["G"].averaged[0]


def trained_network(learnt):
    """An autoregressive network, stopped where a tenth of the pairs likes it best."""
    net, kept = nets.NextNote(), []
    mixed = torch.randperm(len(learnt))
    held = nets.one_hot_bars(*learnt.rows(mixed[: len(mixed) // 10]))
    rest = data.Aligned("rest", learnt.rows(mixed[len(mixed) // 10 :]))

    def look():
        kept.append(deepcopy(net.state_dict()))
        return net.log_prob(*held).mean()

    def L_q(x, b, h):
        return -net.log_prob(x, b, h).mean()

    history = fit(
        {"q": Player([net], L_q, adam(1e-3))},
        lambda n: nets.one_hot_bars(*rest.sample((n,))),
        updates,
        look=look,
        looks=13,
    )
    best = max(range(len(kept)), key=lambda i: history.snapshots[i][1].item())
    net.load_state_dict(kept[best])
    return net.eval()


def ignoring(p):
    """Draw bars from p(x | h): the right law over chords, blind to the bar before."""
    joint = torch.einsum("pc,cd->dp", p.stationary, p.changes[0])  # first chord, pitch

    def draw(b, h):
        other = joint[h[:, 0]].multinomial(1).expand(-1, b.shape[1])
        return p.draw(other, h)

    return draw


def trained(kind, learnt, p):
    """How a model draws a bar, and its log p(x | b, h) if it has one."""
    if kind in (*GANS, "GAN, as published"):
        return trained_gan(kind, learnt).draw, None
    if kind == "autoregressive":
        net = trained_network(learnt)
        return net.draw, lambda bars: net.log_prob(*nets.one_hot_bars(*bars))
    if kind == "Markov chain":
        q = data.StepLaw(data.smoothed(data.count_steps(learnt.parts)))
        return q.draw, q.log_prob
    if kind == "ignores the bar before":
        return ignoring(p), None
    return (p.draw, p.log_prob) if p else (None, None)


def cell(source, kind, seed):
    """Train a model, let it go on with tunes, and say how they differ from others."""
    learnt, tunes, others, p = on_law() if source == "law" else on_chorales()
    draw, log_prob = trained(kind, learnt, p)
    with torch.no_grad():
        made = metrics.continued(draw, tunes) if draw else others
        found = metrics.melody_scores(made, tunes)._asdict()
        real = others if source == "law" else tunes
        found["told_apart"] = metrics.listener_accuracy(made, real)
        bars = tunes.pairs()
        found["nats"] = -log_prob(bars).mean().item() if log_prob else None
    seen = set(map(tuple, learnt.parts.x.tolist()))
    drawn = (made if draw else tunes).tokens[:, 1:].flatten(0, 1).tolist()
    found["known"] = sum(tuple(x) in seen for x in drawn) / len(drawn)
    return {k: v if v is None else round(v, 5) for k, v in found.items()} | {
        "learnt": len(learnt),
        "tunes": len(tunes.chords),
    }
