"""The training loops of most tutorials, as they stand there: what the
engine is measured against.

A DataLoader that decodes and transforms picture by picture, `.item()` after every
step, gradients that are thrown away, tensors in the default memory format, Adam as
it comes. Each function takes networks and batches and returns ``rounds → None``.
"""

import torch
from PIL import Image
from torch.nn.functional import binary_cross_entropy, mse_loss
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class Pictures(Dataset):
    """What torchvision's MNIST does with a picture: bytes, PIL, transforms."""

    def __init__(self, pictures, transform):
        self.pictures, self.transform = pictures, transform

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.pictures[i].numpy())), 0


def loader(pictures, batch_size, size=28, tanh=True):
    """Return a DataLoader of (N, 28, 28) bytes as floats of (1, size, size)."""
    steps = [transforms.Resize(size)] * (size != 28) + [transforms.ToTensor()]
    steps += [transforms.Normalize((0.5,), (0.5,))] * tanh
    dataset = Pictures(pictures, transforms.Compose(steps))
    return DataLoader(dataset, batch_size, shuffle=True, drop_last=True)


def stream(batches, device):
    """Go through a DataLoader for ever, shuffled anew each time; pictures only."""
    while True:
        for x, _ in batches:
            yield x.to(device)


def adam(*modules, lr=2e-4):
    parameters = [p for m in modules for p in m.parameters()]
    return torch.optim.Adam(parameters, lr=lr, betas=(0.5, 0.999))


def gan(G, D, batches, device, z_dim=100, lr=2e-4):
    """The DCGAN tutorial of PyTorch."""
    opt_D, opt_G = adam(D, lr=lr), adam(G, lr=lr)
    real = torch.ones(batches.batch_size, device=device)
    data = stream(batches, device)

    losses = []

    def train(rounds):
        for _ in range(rounds):
            x = next(data)
            D.zero_grad()
            loss_real = bce(D(x), real)
            loss_real.backward()
            y = G(torch.randn(len(x), z_dim, device=device))
            loss_fake = bce(D(y.detach()), 0 * real)
            loss_fake.backward()
            opt_D.step()
            G.zero_grad()
            loss_G = bce(D(y), real)
            loss_G.backward()
            opt_G.step()
            losses.append(((loss_real + loss_fake).item(), loss_G.item()))

    return train


def wgan_gp(G, D, batches, device, z_dim=100, steps=5):
    """Gulrajani et al. 2017, algorithm 1, as it is most often written."""
    opt_D, opt_G = adam(D, lr=1e-4), adam(G, lr=1e-4)
    data = stream(batches, device)

    losses = []

    def train(rounds):
        for _ in range(rounds):
            for _ in range(steps):
                x = next(data)
                y = G(torch.randn(len(x), z_dim, device=device)).detach()
                eps = torch.rand(len(x), 1, 1, 1, device=device)
                mixed = (eps * x + (1 - eps) * y).requires_grad_(True)
                d_mixed = D(mixed)
                (slope,) = torch.autograd.grad(
                    d_mixed, mixed, torch.ones_like(d_mixed), create_graph=True
                )
                norm = slope.view(len(x), -1).norm(2, dim=1)
                loss_D = D(y).mean() - D(x).mean() + 10 * ((norm - 1) ** 2).mean()
                opt_D.zero_grad()
                loss_D.backward()
                opt_D.step()
                losses.append(loss_D.item())
            loss_G = -D(G(torch.randn(len(x), z_dim, device=device))).mean()
            opt_G.zero_grad()
            loss_G.backward()
            opt_G.step()
            losses.append(loss_G.item())

    return train


def vae(encoder, decoder, batches, device):
    """The VAE of the PyTorch examples: a Bernoulli decoder, Adam at 1e-3."""
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    data = stream(batches, device)

    losses = []

    def train(rounds):
        for _ in range(rounds):
            x = next(data)
            optimizer.zero_grad()
            mean, log_var = encoder(x).chunk(2, dim=1)
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var)
            y = torch.sigmoid(decoder(z))
            rec = binary_cross_entropy(y, x, reduction="sum")
            kl = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
            loss = rec + kl
            loss.backward()
            losses.append(loss.item())
            optimizer.step()

    return train


def ali(E, G, D, batches, device, z_dim=100):
    """Dumoulin et al. 2017, algorithm 1: encoder and generator against D(x, z)."""
    opt_D, opt_EG = adam(D), adam(E, G)
    real = torch.ones(batches.batch_size, device=device)
    data = stream(batches, device)

    losses = []

    def train(rounds):
        for _ in range(rounds):
            x = next(data)
            z = torch.randn(len(x), z_dim, device=device)
            mean, log_std = E(x).chunk(2, dim=1)
            z_hat = mean + log_std.exp() * torch.randn_like(mean)
            x_hat = G(z)
            loss_D = bce(D(x, z_hat.detach()), real)
            loss_D = loss_D + bce(D(x_hat.detach(), z), 0 * real)
            opt_D.zero_grad()
            loss_D.backward()
            opt_D.step()
            loss_EG = bce(D(x, z_hat), 0 * real) + bce(D(x_hat, z), real)
            opt_EG.zero_grad()
            loss_EG.backward()
            opt_EG.step()
            losses.append((loss_D.item(), loss_EG.item()))

    return train


def avb(E, G, T, batches, device, z_dim=100):
    """Mescheder et al. 2017, algorithm 1, with a Gaussian decoder of unit noise."""
    opt_T, opt_EG = adam(T), adam(E, G)
    real = torch.ones(batches.batch_size, device=device)
    data = stream(batches, device)

    losses = []

    def train(rounds):
        for _ in range(rounds):
            x = next(data)
            z_q = E(x, torch.randn(len(x), z_dim, device=device))
            z_p = torch.randn(len(x), z_dim, device=device)
            loss_T = bce(T(x, z_q.detach()), real) + bce(T(x, z_p), 0 * real)
            opt_T.zero_grad()
            loss_T.backward()
            opt_T.step()
            rec = 0.5 * mse_loss(G(z_q), x, reduction="sum") / len(x)
            loss_EG = T(x, z_q).mean() + rec
            opt_EG.zero_grad()
            loss_EG.backward()
            opt_EG.step()
            losses.append((loss_EG.item(), loss_T.item()))

    return train
