"""Digits with few labels, or none: an adversarial autoencoder that writes a class."""

import torch
from torch.nn.functional import cross_entropy, one_hot, softplus

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import bernoulli, jensen_shannon, standard_normal
from gmlib.runtime import by_scale

rounds = by_scale(smoke=5, cpu=8000, gpu=60_000)  # 600 are an epoch
width = by_scale(smoke=20, cpu=200, gpu=1000)
seeds = range(by_scale(smoke=1, cpu=3, gpu=10))
grid = [
    {"method": method, "labels": labels, "classes": classes, "seed": seed}
    for seed in seeds
    for method, labels, classes in (
        ("labels alone", 100, 10),
        ("labels alone", 1000, 10),
        ("AAE", 100, 10),
        ("AAE", 1000, 10),
        ("AAE", 0, 30),
        ("k-means", 0, 30),
    )
]
V, d, noise = jensen_shannon, 10, 0.3
lloyd = by_scale(smoke=2, cpu=30, gpu=99)  # steps of k-means


def few(images, n):
    """n labelled images, n/10 of each class at random."""
    order = torch.randperm(len(images), device=images.y.device)
    i = torch.cat([order[images.y[order] == y][: n // 10] for y in range(10)])
    return data.Empirical(images.x[i], images.y[i], images.name)


def networks(classes):
    """Encoder to logits of y and to z, decoder, and a discriminator of each part."""
    E = nets.mlp([784, width, width, classes + d])
    P = nets.mlp([classes + d, width, width, 784], shape=(1, 28, 28))
    T_y = nets.mlp([classes, width, width, 1], shape=())
    T_z = nets.mlp([d, width, width, 1], shape=())
    return E, P, T_y, T_z


def game(E, P, T_y, T_z, classes, labels):
    """Four losses, of which the last needs labels."""
    p_z, quick = standard_normal(d), adam(5e-4, (0.5, 0.999))

    def encode(x):
        out = E(x + noise * torch.randn_like(x))
        return out[:, :classes].softmax(1), out[:, classes:]

    q = shared(encode)

    def p_y(n):
        y = torch.randint(classes, (n,), device=runtime.device())
        return one_hot(y, classes).float()

    def L_T(x, *few):
        y, z = q(x)
        n = len(x)
        return -V(T_y(y), T_y(p_y(n))) - V(T_z(z), T_z(p_z.sample((n,))))

    def L_q(x, *few):
        y, z = q(x)
        return softplus(T_y(y)).mean() + softplus(T_z(z)).mean()

    def L_pq(x, *few):
        y, z = q(x)
        return -bernoulli(P(torch.cat([y, z], 1))).log_prob(x).mean()

    def L_y(x, x_few, y_few):
        return cross_entropy(E(x_few + noise * torch.randn_like(x_few))[:, :10], y_few)

    players = {
        "T": Player([T_y, T_z], L_T, quick),
        "q": Player([E], L_q, quick),
        "pq": Player([E, P], L_pq, quick),
    }
    return players | ({"y": Player([E], L_y, quick)} if labels else {})


def alone(C, labelled):
    """The few labels, and nothing else, with the same noise on the pictures."""

    def L_y(x, y):
        return cross_entropy(C(x + noise * torch.randn_like(x)), y)

    fit(
        {"y": Player([C], L_y, adam(5e-4, (0.5, 0.999)))},
        lambda n: labelled.sample_pairs((n,)),
        rounds,
        batch_size=100,
    )


def clusters(x, k, steps):
    """Lloyd's algorithm from k of the points: the k centres."""
    x = x.flatten(1)
    centres = x[torch.randperm(len(x), device=x.device)[:k]]
    for _ in range(steps):
        near = torch.cdist(x, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, near, x)
        mass = torch.bincount(near, minlength=k)[:, None]
        centres = torch.where(mass > 0, sums / mass.clamp(min=1), centres)
    return centres


def errors_by_majority(named, y_named, test, y_test, classes):
    """Errors if a cluster stands for the commonest digit of the images that name it."""
    counts = torch.zeros(classes, 10, device=y_named.device)
    ones = torch.ones(len(named), device=y_named.device)
    counts.index_put_((named, y_named), ones, accumulate=True)
    return int((counts.argmax(1)[test] != y_test).sum())


def cell(method, labels, classes, seed):
    """Train on a few labels or none, count errors on the test images."""
    images, test = data.images("train"), data.images("test")
    some = slice(0, by_scale(smoke=500, cpu=10_000, gpu=10_000))  # they name clusters
    E, P, T_y, T_z = networks(classes)  # first: a seed has one choice of labels
    labelled = few(images, labels) if labels else None
    if method == "k-means":
        centres = clusters(images.x, classes, lloyd)

        def write(x):
            return torch.cdist(x.flatten(1), centres).argmin(1)

    else:

        def write(x):
            return E(x)[:, :classes].argmax(1)

    def batch(n):
        own = labelled.sample_pairs((n,)) if labels else ()
        return images.sample((n,)), *own

    if method == "labels alone":
        E = nets.mlp([784, width, width, 10])
        alone(E, labelled)
    elif method == "AAE":
        players = game(E, P, T_y, T_z, classes, labels)
        fit(players, batch, rounds, batch_size=100)
    with runtime.evaluating(E):
        said = write(test.x)
        if labels:
            errors = int((said != test.y).sum())
        else:
            named = write(images.x[some])
            errors = errors_by_majority(named, images.y[some], said, test.y, classes)
    return {
        "errors": errors,
        "tested": len(test),
        "used": len(said.unique()),
        "rounds": lloyd if method == "k-means" else rounds,
        "data": images.name,
    }
