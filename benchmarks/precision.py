"""Is what comes out of bfloat16 as good? Judged quality over seeds, in pairs.

    python -m benchmarks.precision [--seeds 6] [--record]

Four games, each trained twice from the same weights with the same draws: in float32,
and with ``fast=("bf16",)``. What is trained is judged in float32. The difference is
taken within a seed; its standard error says how small a loss would have been seen.
--record writes data/speed/precision.csv.
"""

import argparse
import statistics
from functools import partial

import torch

from benchmarks import games, records
from benchmarks.quality import distance_of
from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import bernoulli, jensen_shannon, kl_divergence, normal
from gmlib.objectives import standard_normal as gaussian


def frechet(make, players, rounds, images, distance, fast):
    """Fréchet distance of a GAN of pictures to the test images; less is better."""
    G, T = make()
    p_data = images.map(data.to_tanh)
    fit(players(G, T), p_data, rounds, fast=fast, progress=False)
    return distance(G)


def bound(rounds, images, test, fast):
    """−ELBO of the test images in nats, of a VAE; less is better."""
    encoder, decoder = games.vae_networks()
    players = games.vae_players(encoder, decoder)
    fit(players, images, rounds, batch_size=128, fast=fast, progress=False)
    with runtime.evaluating(encoder, decoder):
        mean, log_var = encoder(test).chunk(2, dim=1)
        q = normal(mean, (0.5 * log_var).exp())
        draws = [bernoulli(decoder(q.sample())).log_prob(test) for _ in range(8)]
        return (
            (kl_divergence(q, gaussian(20)) - torch.stack(draws).mean(0)).mean().item()
        )


def astray(rounds, fast):
    """Share of samples far from the eight Gaussians of a ring, in %; less is better."""
    p_z, p_data = gaussian(2), data.ring()
    G = nets.mlp([2, 128, 128, 2])
    T = nets.mlp([2, 128, 128, 1], shape=())
    G_z = shared(lambda x: G(p_z.sample((len(x),))))
    quick = adam(1e-3, (0.5, 0.999))
    players = {
        "T": Player([T], lambda x: -jensen_shannon(T(x), T(G_z(x))), quick),
        "G": Player(
            [G], lambda x: -jensen_shannon(T(G_z(x)), T(x)), quick, average=0.99
        ),
    }
    fit(players, p_data, rounds, batch_size=256, fast=fast, progress=False)
    y = players["G"].averaged[0](p_z.sample((5000,)))
    return 100 * (1 - metrics.modes(y, p_data.centres, p_data.std).high_quality)


def trials():
    """Return {(game, measure): fast → number}."""
    images, test = data.images("train"), data.images("test").x[:2000]
    judge = metrics.judge(images.name)
    distance = distance_of(judge, judge.features(data.images("test").x))
    dcgan = partial(games.dcgan_networks, 28, 16)
    field = partial(games.gan_players, lr=2e-3)
    return {
        ("DCGAN 28x28", "FID"): partial(frechet, dcgan, field, 800, images, distance),
        ("WGAN-GP", "FID"): partial(
            frechet, games.mlp_networks, games.wgan_gp_players, 400, images, distance
        ),
        ("VAE 784-400-20", "−ELBO, nats"): partial(bound, 4000, images, test),
        ("GAN of the ring", "% astray"): partial(astray, 3000),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--record", action="store_true", help="write the CSV")
    asked = parser.parse_args(argv)
    rows, here = [], records.machine()
    for (game, measure), trial in trials().items():
        found = {"float32": [], "bf16": []}
        for seed in range(asked.seeds):
            for name, fast in (("float32", False), ("bf16", ("bf16",))):
                runtime.seed(seed)
                found[name].append(trial(fast=fast))
        worse = [b - a for a, b in zip(found["float32"], found["bf16"], strict=True)]
        spread = statistics.stdev(found["float32"]) if asked.seeds > 1 else 0.0
        error = statistics.stdev(worse) / asked.seeds**0.5 if asked.seeds > 1 else 0.0
        row = {"game": game, "measure": measure, "seeds": asked.seeds}
        row |= {name: statistics.fmean(values) for name, values in found.items()}
        row |= {"spread over seeds": spread}
        row |= {"bf16 worse by": statistics.fmean(worse), "standard error": error}
        rows.append(row | here)
        print(
            *(f"{k} {records.short(v)}" for k, v in row.items()), sep=", ", flush=True
        )
    if asked.record:
        records.record("precision", rows)
    return rows


if __name__ == "__main__":
    main()
