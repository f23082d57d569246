"""Speed of the engine against the textbook loop, with the same networks, in one run.

    python tools/bench.py [--seconds 4] [--repeats 5]

The textbook loop is the one of most tutorials: a DataLoader that decodes and transforms
picture by picture, `.item()` after every step, tensors in the default memory format,
Adam as it comes. Both train in turn, on the same device with the same number of
threads, and the median of the ratios counts. Speed does not depend on what is in the
pictures, so they are noise.
"""

import argparse
import os
import statistics
import time
from contextlib import redirect_stderr

import torch
from PIL import Image
from torch import nn
from torch.nn.functional import binary_cross_entropy, interpolate, logsigmoid
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import (
    bernoulli,
    jensen_shannon,
    kl_divergence,
    normal,
    standard_normal,
)

PICTURES = 10_000
Z = 64


class Pictures(Dataset):
    """What torchvision's MNIST does with a picture: bytes, PIL, transforms."""

    def __init__(self, pictures, transform):
        self.pictures, self.transform = pictures, transform

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.pictures[i].numpy())), 0


def loader(pictures, batch_size, *steps):
    """Return a DataLoader of pictures, each transformed by `steps` when it is read."""
    dataset = Pictures(pictures, transforms.Compose(steps))
    return DataLoader(dataset, batch_size, shuffle=True, drop_last=True)


def textbook_gan(G, D, batches, batch_size, device):
    """Return rounds -> None: a GAN as the tutorials train it."""
    opt_D = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    opt_G = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    real, fake = torch.ones(batch_size), torch.zeros(batch_size)
    real, fake = real.to(device), fake.to(device)

    def train(rounds):
        losses = []
        for _, (x, _) in zip(range(rounds), cycle_loader(batches), strict=False):
            x = x.to(device)
            D.zero_grad()
            loss_real = bce(D(x), real)
            loss_real.backward()
            y = G(torch.randn(batch_size, Z, device=device))
            loss_fake = bce(D(y.detach()), fake)
            loss_fake.backward()
            opt_D.step()
            G.zero_grad()
            loss_G = bce(D(y), real)
            loss_G.backward()
            opt_G.step()
            losses.append(((loss_real + loss_fake).item(), loss_G.item()))

    return train


def cycle_loader(batches):
    """Go through a DataLoader for ever, shuffled anew each time."""
    while True:
        yield from batches


def engine_gan(G, T, p_data, batch_size):
    """Return rounds -> None: the same game as a game."""
    p_z = standard_normal(Z)

    def L_T(x):
        return -jensen_shannon(T(x), T(G(p_z.sample((len(x),)))))

    def L_G(x):  # non-saturating: the term that moves G, as in the textbook
        return -logsigmoid(T(G(p_z.sample((len(x),))))).mean()

    players = {"T": Player([T], L_T), "G": Player([G], L_G)}

    def train(rounds):
        fit(players, p_data, rounds, batch_size=batch_size, progress=False)

    return train


class TextbookVAE(nn.Module):
    """The VAE of the PyTorch examples: 784-400-20, ReLU, sigmoid."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc21 = nn.Linear(784, 400), nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, x):
        h = torch.relu(self.fc1(x.view(-1, 784)))
        mean, log_var = self.fc21(h), self.fc22(h)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var)
        y = torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))
        return y, mean, log_var


def textbook_vae(batches, device):
    """Return rounds -> None: the loop of the PyTorch examples."""
    model = TextbookVAE().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def train(rounds):
        total = 0.0
        for _, (x, _) in zip(range(rounds), cycle_loader(batches), strict=False):
            x = x.to(device)
            optimizer.zero_grad()
            y, mean, log_var = model(x)
            rec = binary_cross_entropy(y, x.view(-1, 784), reduction="sum")
            kl = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
            loss = rec + kl
            loss.backward()
            total += loss.item()
            optimizer.step()

    return train


def engine_vae(p_data, batch_size):
    """Return rounds -> None: the same model as a game of one player."""
    encoder = nets.mlp([784, 400, 2 * 20])
    decoder = nets.mlp([20, 400, 784], shape=(1, 28, 28))
    p_z = standard_normal(20)

    def loss(x):
        mean, log_var = encoder(x).chunk(2, dim=1)
        q = normal(mean, (0.5 * log_var).exp())
        p = bernoulli(decoder(q.rsample()))
        return -(p.log_prob(x) - kl_divergence(q, p_z)).mean()

    players = {"VAE": Player([encoder, decoder], loss, adam(1e-3))}

    def train(rounds):
        fit(players, p_data, rounds, batch_size=batch_size, progress=False)

    return train


def games():
    """Yield (name, asked ratio, batch size, textbook, engine)."""
    device = runtime.device()
    pictures = torch.randint(256, (PICTURES, 28, 28), dtype=torch.uint8)
    large = interpolate(pictures[:, None].float(), size=32).to(torch.uint8)
    small_data = data.Empirical(pictures[:, None], transform=data.to_tanh)
    large_data = data.Empirical(large, transform=data.to_tanh)

    def mlp_nets():
        G = nn.Sequential(nets.mlp([Z, 256, 512, 784], shape=(1, 28, 28)), nn.Tanh())
        return G.to(device), nets.mlp([784, 512, 256, 1], "leaky", shape=())

    def conv_nets():
        return nets.dcgan_generator(Z, size=32), nets.dcgan_discriminator(size=32)

    n = 64
    to_tensor = transforms.ToTensor()
    to_tanh = transforms.Normalize((0.5,), (0.5,))
    resize = transforms.Resize(32)
    yield (
        "MLP GAN 784",
        2.0,
        n,
        textbook_gan(*mlp_nets(), loader(pictures, n, to_tensor, to_tanh), n, device),
        engine_gan(*mlp_nets(), small_data, n),
    )
    yield (
        "VAE 784-400-20",
        3.5,
        128,
        textbook_vae(loader(pictures, 128, to_tensor), device),
        engine_vae(data.Empirical(pictures[:, None]), 128),
    )
    yield (
        "DCGAN 32x32",
        1.7,
        n,
        textbook_gan(
            *conv_nets(), loader(pictures, n, resize, to_tensor, to_tanh), n, device
        ),
        engine_gan(*conv_nets(), large_data, n),
    )


def synchronize():
    if runtime.device().type == "cuda":
        torch.cuda.synchronize()


def seconds_of(train, rounds):
    """Return how long `rounds` rounds take."""
    synchronize()
    start = time.perf_counter()
    train(rounds)
    synchronize()
    return time.perf_counter() - start


def enough(train, seconds):
    """Return how many rounds take about `seconds`."""
    train(3)  # what is made at the first round is made here
    rounds = 8
    while (taken := seconds_of(train, rounds)) < seconds / 4:
        rounds *= 2
    return max(4, round(rounds * seconds / taken))


def measure(textbook, engine, batch_size, seconds, repeats):
    """Return images/s of both, by turns: two lists."""
    rounds = [enough(train, seconds) for train in (textbook, engine)]
    speeds = ([], [])
    for _ in range(repeats):
        for i, train in enumerate((textbook, engine)):
            taken = seconds_of(train, rounds[i])
            speeds[i].append(rounds[i] * batch_size / taken)
    return speeds


def matrix_peak(size=2048, repeats=12):
    """Return the speed of a large matrix product in FLOP/s: the best of several."""
    a = torch.randn(size, size, device=runtime.device())
    a @ a
    return max(2 * size**3 / seconds_of(lambda _: a @ a, 1) for _ in range(repeats))


def flops_of(train):
    """Return the floating-point operations of a round (products and convolutions)."""
    with FlopCounterMode(display=False) as counter:
        train(1)
    return counter.get_total_flops()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args(argv)
    runtime.seed(0)
    print(f"device {runtime.device()}, {torch.get_num_threads()} threads; images/s")
    print(f"{'':16} {'textbook':>9} {'engine':>9} {'ratio':>6}  (asked for on 2 cores)")
    results = {}
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        for name, wanted, n, textbook, engine in games():
            slow, quick = measure(textbook, engine, n, asked.seconds, asked.repeats)
            ratios = sorted(b / a for a, b in zip(slow, quick, strict=True))
            ratio = statistics.median(ratios)
            results[name] = ratio
            print(
                f"{name:16} {statistics.median(slow):9.0f}"
                f" {statistics.median(quick):9.0f} {ratio:6.2f}  ({wanted})"
                f"  {ratios[0]:.2f} to {ratios[-1]:.2f}",
                flush=True,
            )
    # The last game is the DCGAN: what share of the machine does it use?
    rounds = enough(engine, asked.seconds)
    shares = [
        flops_of(engine) * rounds / seconds_of(engine, rounds) / matrix_peak()
        for _ in range(3)
    ]
    share = statistics.median(shares)
    print(f"DCGAN: {share:.0%} of the speed of a large matrix product")
    return results


if __name__ == "__main__":
    main()
