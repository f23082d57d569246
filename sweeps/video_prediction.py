"""The next frame of digits that jump at random, by loss and by network; ten frames."""

import torch
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import kl_divergence, normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

rounds = by_scale(smoke=2, cpu=1500, gpu=10_000)
pasts, draws, runs = by_scale(smoke=(4, 3, 2), cpu=(64, 32, 16), gpu=(256, 32, 16))
seeds = range(by_scale(smoke=1, cpu=3, gpu=10))
STEPS, SIZE, JUMP, Z = 10, 32, 4, 2
KEPT = 0.99  # decay of the average of weights, which is judged
GOOD = 0.1  # of the energy of the last frame: the squared distance of a good draw
METHODS = [
    ("truth", "none"), ("copy last", "none"),
    ("MSE", "paint"), ("MSE", "move"), ("MSE", "drawn"), ("L1", "paint"),
    ("VAE", "paint"), ("VAE", "move"),
    ("GAN, no noise", "move"), ("GAN", "paint"), ("GAN", "move"), ("GAN", "drawn"),
]  # fmt: skip
grid = [
    {"loss": loss, "network": network, "turn": 1.0, "seed": seed}
    for loss, network in METHODS
    for seed in seeds
]
grid += crossed(loss=["MSE"], network=["move"], turn=[0.0, 0.5], seed=seeds)


def predictor(loss, network):
    """A network from the past, and z where the loss has one, to the next frame."""
    kind = nets.Painter if network == "paint" else nets.Mover
    return kind(z_dim=Z if loss in ("VAE", "GAN") and network != "drawn" else 0)


def regression(loss, F):
    """One player that descends squared or absolute error, summed over the frame."""

    def loss_F(past, future):
        apart = future - F(past)
        each = apart.square() if loss == "MSE" else apart.abs()
        return each.flatten(1).sum(1).mean()

    return {"F": Player([F], loss_F, adam(2e-3), average=KEPT)}


def vae(F, sigma):
    """A VAE of the next frame, given the past; the encoder sees both."""
    E, p_z = nets.torus_encoder(2 * Z, 3), standard_normal(Z)

    def loss_F(past, future):
        mean, log_std = E(torch.cat([past, future], 1)).chunk(2, 1)
        q = normal(mean, log_std.exp())
        rate = kl_divergence(q, p_z)
        log_p = normal(F(past, q.rsample()), sigma).log_prob(future)
        return (rate - log_p).mean(), {"rate": rate.mean()}

    return {"F": Player([F, E], loss_F, adam(2e-3), average=KEPT)}


def steepness(seen, past, future):
    """The logits t of the data, and E ‖∇t‖² in the next frame (R1)."""
    x = future.clone().requires_grad_()
    t = seen(past, x)
    (slope,) = torch.autograd.grad(t.sum(), x, create_graph=True)
    return t, slope.square().flatten(1).sum(1).mean()


def gan(F, gamma, lr):
    """A conditional GAN with R1; without noise where F takes none."""
    T, p_z = nets.torus_discriminator(3), standard_normal(Z)

    def next_frame(past):
        return F(past, p_z.sample((len(past),)) if F.z_dim else None)

    G = shared(next_frame)

    def seen(past, future):
        return T(torch.cat([past, future], 1))

    def loss_T(past, future):
        t, steep = steepness(seen, past, future)
        value = logsigmoid(t).mean() + logsigmoid(-seen(past, G(past))).mean()
        return gamma / 2 * steep - value

    def loss_F(past, future):
        return -logsigmoid(seen(past, G(past))).mean()

    usual = adam(lr, (0.5, 0.999))
    of_F = Player([F], loss_F, usual, average=KEPT)
    return {"T": Player([T], loss_T, usual), "F": of_F}


def drawn_gan(F, gamma, lr, slow, k=2):
    """The same game for a mover that draws its move: the score function for F."""
    T = nets.torus_discriminator(3)

    def seen(past, future):
        return T(torch.cat([past, future], 1))

    def loss_T(past, future):
        t, steep = steepness(seen, past, future)
        with torch.no_grad():
            x, _ = F.drawn(past)
        value = logsigmoid(t).mean() + logsigmoid(-seen(past, x)).mean()
        return gamma / 2 * steep - value

    def loss_F(past, future):
        x, log_p = F.drawn(past.repeat(k, 1, 1, 1))
        with torch.no_grad():
            gain = logsigmoid(seen(past.repeat(k, 1, 1, 1), x)).view(k, -1)
            gain = (gain - gain.mean(0)) * k / (k - 1)  # less those of the others
        return -(gain * log_p.view(k, -1)).mean()

    of_F = Player([F], loss_F, adam(slow, (0.5, 0.999)), average=KEPT)
    return {"T": Player([T], loss_T, adam(lr, (0.5, 0.999))), "F": of_F}


def true_draw(law):
    """Draws of the law itself."""

    def draw(past):
        j = torch.multinomial(law.chances(past), 1)[:, 0]
        return law.futures(past)[torch.arange(len(j), device=j.device), j, None]

    return draw


def trained(loss, network, law):
    """The averaged network, and the history of its training."""
    F = predictor(loss, network)
    if loss == "VAE":
        players = vae(F, sigma=1.0)
    elif not loss.startswith("GAN"):
        players = regression(loss, F)
    elif network == "drawn":
        players = drawn_gan(F, gamma=0.1, lr=2e-3, slow=2e-4)
    else:
        players = gan(F, gamma=0.1, lr=1e-3)
    history = fit(players, law, rounds, batch_size=32)
    return players["F"].averaged[0], history


def sampler(F, network):
    """A function past → next frame, drawn anew at each call."""

    @torch.no_grad()
    def draw(past):
        if network == "drawn":
            return F.drawn(past)[0]
        return F(
            past, torch.randn(len(past), Z, device=past.device) if F.z_dim else None
        )

    return draw


@torch.no_grad()
def law_error(F, law, past):
    """Total variation between the mover's weights and the chances, mean over pasts."""
    w, r = F.log_weights(past).exp(), F.wrap.r
    to = [(r + JUMP * a, r + JUMP * b) for a, b in ((0, 1), (-1, 0), (0, -1), (1, 0))]
    found = torch.stack([w[:, a, b] for a, b in to], 1)
    apart = (found - law.chances(past)).abs().sum(1) + 1 - found.sum(1)
    return (apart / 2).mean().item()


def lost(which, good, chances):
    """Mass of the truth that good draws miss, past by past: (n,); noise adds to it."""
    K = chances.shape[1]
    hit = torch.nn.functional.one_hot(which, K) * good[..., None]
    return (chances - hit.float().mean(0)).clamp(min=0).sum(1)


def one_frame(draw, law, film):
    """Scores of `draws` next frames for each past."""
    past, future = film.past, film.future[:, :1]
    x = torch.stack([draw(past) for _ in range(draws)])
    energy = past[:, -1].square().sum((1, 2))
    mean, floor = law.mean(past), law.futures(past) - law.mean(past)
    chances = law.chances(past)
    which, apart = metrics.nearest_future(x, law.futures(past))
    good = apart < GOOD * energy
    hit = torch.nn.functional.one_hot(which, 4) * good[..., None]
    return {
        "error_one": (x - future).square().mean().item(),
        "error_best": metrics.best_of(x[:8], future).mean().item(),
        "ink": (x.sum() / (draws * past[:, -1].sum())).item(),
        "floor": (chances * floor.square().mean((2, 3))).sum(1).mean().item(),
        "to_mean": (x.mean(0) - mean).square().mean().item(),
        "near": (apart / energy).mean().item(),
        "good": good.float().mean().item(),
        "met": (hit.amax(0) > 0).float().sum(1).mean().item(),
        "lost": lost(which, good, chances).mean().item(),
        "pick": (hit.float().mean((0, 1))).max().item(),
    }


def everywhere(last):
    """A frame at all places that jumps can reach, row by row: (n, 64, s, s)."""
    at = range(0, SIZE, JUMP)
    return torch.stack([last.roll((a, b), (1, 2)) for a in at for b in at], 1)


def walk(steps):
    """The law of the place after so many jumps, as `everywhere`: (64,)."""
    m = SIZE // JUMP
    p = torch.zeros(m, m, dtype=torch.float64)
    p[0, 0] = 1
    for _ in range(steps):
        p = (p.roll(1, 0) + p.roll(-1, 0) + p.roll(1, 1) + p.roll(-1, 1)) / 4
    return p.flatten().float()


def film_of(draw, past):
    """The frames that follow, each drawn from those before: (n, STEPS, s, s)."""
    frames = past
    for _ in range(STEPS):
        seen = frames[:, -past.shape[1] :].split(128)
        frames = torch.cat([frames, torch.cat([draw(part) for part in seen])], 1)
    return frames[:, past.shape[1] :]


def ten_frames(draw, past):
    """Scores of `runs` films of ten frames for each past; a text has ten numbers."""
    energy = past[:, -1].square().sum((1, 2))
    steep = metrics.gradient_energy(past[:, -1])
    many = past.repeat(runs, 1, 1, 1)
    films = film_of(draw, many).view(runs, len(past), STEPS, SIZE, SIZE)
    places, sharp, near = everywhere(past[:, -1]), [], []
    for t in range(STEPS):
        x, p = films[:, :, t], walk(t + 1).to(past.device)
        sharp.append((metrics.gradient_energy(x) / steep).mean().item())
        which, apart = metrics.nearest_future(x, places[:, p > 0])
        near.append((apart / energy).mean().item())
    good = apart < GOOD * energy
    which, good = which.reshape(-1, 1), good.reshape(-1, 1)  # of one past, as it were
    mean = (walk(STEPS).to(past.device)[:, None, None] * places).sum(1)
    return {
        "sharp": " ".join(f"{v:.4g}" for v in sharp),
        "nears": " ".join(f"{v:.4g}" for v in near),
        "good_ten": good.float().mean().item(),
        "lost_ten": lost(which, good, p[p > 0][None]).item(),
        "to_mean_ten": (films[:, :, -1].mean(0) - mean).square().mean().item(),
    }


def picture(x, columns):
    """Frames (n, s, s) as a sheet, a data URI of a lossy picture."""
    sheet = plot.tile(x[:, None].clamp(0, 1), columns)
    return plot.data_uri(sheet, quality=60)[0]


def cell(loss, network, turn, seed):
    """Train one predictor; score it one and ten frames ahead on new digits."""
    images = data.images("train")
    test = data.MovingDigits(data.images("test"), turn=turn)
    F, rate, error = None, None, None
    if network == "none":
        draw = true_draw(test) if loss == "truth" else lambda past: past[:, -1:]
    else:
        law = data.MovingDigits(images, turn=turn)
        F, history = trained(loss, network, law)
        draw = sampler(F, network)
        rate = history.smooth("F/rate", 50)[-1].item() if loss == "VAE" else None
    with runtime.forked_rng(10_000 + seed):
        film = test.sample((pasts,))
        found = one_frame(draw, test, film)
        if isinstance(F, nets.Mover) and not F.z_dim:
            error = law_error(F, test, film.past)
        if turn == 1.0:
            found |= ten_frames(draw, film.past)
    sheet = strip = None
    if seed == 0 and turn == 1.0:
        with runtime.forked_rng(0):
            past = test.sample((3,)).past
            rows = torch.cat([past[:, -1:], *(draw(past) for _ in range(6))], 1)
            sheet = picture(rows.flatten(0, 1), 7)
            strip = picture(film_of(draw, past[:1])[0], STEPS)
    return found | {
        "rounds": rounds, "rate": rate, "law_error": error, "data": images.name,
        "sheet": sheet, "film": strip,
    }  # fmt: skip
