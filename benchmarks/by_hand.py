"""The same games as an expert writes them for speed, one loop a game, no engine.

Data as floats in memory, samples drawn once a round, convolutions in channels_last,
fused Adam, no gradients for the player that does not move, and the host reads nothing.
Each function takes networks, pictures and the size of a batch, and returns
``rounds → None``.
"""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import mse_loss, softplus


def adam(*modules, lr=2e-4, betas=(0.5, 0.999)):
    for m in modules:
        m.to(memory_format=torch.channels_last)
    parameters = [p for m in modules for p in m.parameters()]
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True)


def draw(pictures, n):
    return pictures[torch.randint(len(pictures), (n,), device=pictures.device)]


def move(optimizer, loss):
    optimizer.zero_grad()
    # No gradients but these: a penalty has made its inputs leaves as well.
    loss.backward(inputs=[p for g in optimizer.param_groups for p in g["params"]])
    optimizer.step()


def gan(G, D, pictures, n, z_dim=100, lr=2e-4):
    opt_D, opt_G = adam(D, lr=lr), adam(G, lr=lr)

    def train(rounds):
        for _ in range(rounds):
            x = draw(pictures, n)
            y = G(torch.randn(n, z_dim, device=x.device))
            D.requires_grad_(True)
            move(opt_D, softplus(-D(x)).mean() + softplus(D(y.detach())).mean())
            D.requires_grad_(False)
            move(opt_G, softplus(-D(y)).mean())

    return train


def wgan_gp(G, D, pictures, n, z_dim=100, steps=5):
    opt_D, opt_G = adam(D, lr=1e-4), adam(G, lr=1e-4)

    def train(rounds):
        for _ in range(rounds):
            D.requires_grad_(True)
            for step in range(steps):
                x = draw(pictures, n)
                with torch.set_grad_enabled(step == steps - 1):  # G moves on this one
                    y = G(torch.randn(n, z_dim, device=x.device))
                fake = y.detach()
                eps = torch.rand(n, 1, 1, 1, device=x.device)
                mixed = (eps * x + (1 - eps) * fake).requires_grad_()
                (slope,) = torch.autograd.grad(D(mixed).sum(), mixed, create_graph=True)
                penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
                move(opt_D, D(fake).mean() - D(x).mean() + 10 * penalty)
            D.requires_grad_(False)
            move(opt_G, -D(y).mean())

    return train


def vae(encoder, decoder, pictures, n):
    optimizer = adam(encoder, decoder, lr=1e-3, betas=(0.9, 0.999))

    def train(rounds):
        for _ in range(rounds):
            x = draw(pictures, n)
            mean, log_var = encoder(x).chunk(2, dim=1)
            z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
            rec = bce(decoder(z), x, reduction="sum")
            kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum()
            move(optimizer, (rec + kl) / n)

    return train


def ali(E, G, D, pictures, n, z_dim=100):
    opt_D, opt_EG = adam(D), adam(E, G)

    def train(rounds):
        for _ in range(rounds):
            x = draw(pictures, n)
            z = torch.randn(n, z_dim, device=x.device)
            mean, log_std = E(x).chunk(2, dim=1)
            z_hat = mean + log_std.exp() * torch.randn_like(mean)
            y = G(z)
            D.requires_grad_(True)
            real, fake = D(x, z_hat.detach()), D(y.detach(), z)
            move(opt_D, softplus(-real).mean() + softplus(fake).mean())
            D.requires_grad_(False)
            move(opt_EG, softplus(D(x, z_hat)).mean() + softplus(-D(y, z)).mean())

    return train


def avb(E, G, T, pictures, n, z_dim=100):
    opt_T, opt_EG = adam(T), adam(E, G)

    def train(rounds):
        for _ in range(rounds):
            x = draw(pictures, n)
            z = E(x, torch.randn(n, z_dim, device=x.device))
            prior = torch.randn_like(z)
            T.requires_grad_(True)
            t_q, t_p = T(x, z.detach()), T(x, prior)
            move(opt_T, softplus(-t_q).mean() + softplus(t_p).mean())
            T.requires_grad_(False)
            rec = 0.5 * mse_loss(G(z), x, reduction="sum") / n
            move(opt_EG, T(x, z).mean() + rec)

    return train
