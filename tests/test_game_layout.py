"""channels_last for networks that anyone wrote, and what it must not change."""

import pytest
import torch
from torch import nn

from gmlib import runtime
from gmlib.game import Player, adam, fit, shared

THERE = torch.channels_last


class Views(nn.Module):
    """A discriminator as it is often written, with a view of its last pictures."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.LeakyReLU())
        self.last = nn.Linear(8 * 16, 1)

    def forward(self, x):
        self.layout = self.model[0].weight.is_contiguous(memory_format=THERE)
        h = self.model(x)
        return self.last(h.view(len(h), -1)).view(-1)


class ViewsItsInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3 * 64, 1)

    def forward(self, x):
        return self.last(x.view(len(x), -1)).view(-1)


def in_a_loss():
    """A network of convolutions alone: the loss takes the view."""
    net = nn.Conv2d(3, 8, 3, 2, 1)
    return net, lambda x: net(x).view(len(x), -1).mean(1)


def plain():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Flatten(), nn.Linear(8 * 16, 1))
    return net, lambda x: net(x).flatten()


def normed(norm):
    """A weight that is computed in each forward is no parameter of its layer."""
    conv = norm(nn.Conv2d(3, 8, 3, 2, 1))
    net = nn.Sequential(conv, nn.Flatten(), nn.Linear(8 * 16, 1))
    return net, lambda x: net(x).flatten()


def by_class(kind):
    net = kind()
    return net, net


CRITICS = {
    "plain": plain,
    "a view in the network": lambda: by_class(Views),
    "a view of its input": lambda: by_class(ViewsItsInput),
    "a view in the loss": in_a_loss,
    "spectral norm": lambda: normed(nn.utils.parametrizations.spectral_norm),
    "spectral norm of old": lambda: normed(nn.utils.spectral_norm),
    "weight norm": lambda: normed(nn.utils.parametrizations.weight_norm),
}


def play(make, rounds, checkpoint=None, conv=nn.Conv2d):
    runtime.seed(0)
    G = nn.Sequential(
        nn.Linear(4, 48), nn.Unflatten(1, (3, 4, 4)), nn.Upsample(scale_factor=2),
        conv(3, 3, 3, 1, 1), nn.Tanh(),
    )  # fmt: skip
    T_net, T = make()
    G_z = shared(lambda x: G(torch.randn(len(x), 4)))
    players = {
        "T": Player([T_net], lambda x: T(G_z(x)).mean() - T(x).mean(), adam(1e-2)),
        "G": Player([G], lambda x: -T(G_z(x)).mean(), adam(1e-2), average=0.5),
    }
    data = lambda n: torch.randn(n, 3, 8, 8)  # noqa: E731
    runtime.seed(1)
    fit(players, data, rounds, batch_size=4, progress=False, checkpoint=checkpoint)
    return G, T_net, players


@pytest.mark.parametrize("critic", CRITICS)
def test_numbers_are_those_of_contiguous_pictures(critic, monkeypatch):
    G, T, players = play(CRITICS[critic], 4)
    averaged = [p.clone() for p in players["G"].averaged[0].parameters()]
    monkeypatch.setattr("gmlib.game.layout.KINDS", ())  # nothing is laid out anew
    H, S, others = play(CRITICS[critic], 4)
    kept = others["G"].averaged[0].parameters()
    pairs = [*zip(G.parameters(), H.parameters(), strict=True)]
    pairs += [*zip(T.parameters(), S.parameters(), strict=True)]
    pairs += [*zip(averaged, kept, strict=True)]
    for a, b in pairs:
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("critic", CRITICS)
def test_layouts_are_put_back(critic):
    G, T, players = play(CRITICS[critic], 2)
    for p in [*G.parameters(), *T.parameters()]:
        assert p.is_contiguous()
    for player in players.values():
        for p, state in player.optimizer.state.items():
            assert state["exp_avg"].stride() == p.stride()
        for m in player.modules[0].modules():
            hooks = [*m._forward_hooks.values(), *m._forward_pre_hooks.values()]
            assert not [h for h in hooks if "gmlib" in getattr(h, "__module__", "")]


def test_convolutions_run_with_channels_last_in_spite_of_a_view():
    _, T, _ = play(CRITICS["a view in the network"], 1)
    assert T.layout


def test_a_network_that_views_within_its_own_call_stays_contiguous(capsys):
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8, 3, 3, 3))
            self.conv = nn.Conv2d(3, 3, 3, 1, 1)

        def forward(self, x):
            w = self.weight.to(memory_format=THERE) if self.there() else self.weight
            h = nn.functional.conv2d(self.conv(x), w, stride=2, padding=1)
            return h.view(len(h), -1).mean(1)

        def there(self):
            return not self.conv.weight.is_contiguous()

    G, T, _ = play(lambda: by_class(Stubborn), 2)
    said = capsys.readouterr().out
    assert "a view forbids channels_last" in said
    assert all(p.is_contiguous() for m in (G, T) for p in m.parameters())


def test_training_in_pieces_and_from_a_checkpoint_is_bit_equal(tmp_path):
    whole, critic, _ = play(CRITICS["plain"], 6)
    path = tmp_path / "gan.safetensors"
    play(CRITICS["plain"], 3, path)
    G, T, _ = play(CRITICS["plain"], 6, path)
    for a, b in zip(
        [*whole.parameters(), *critic.parameters()],
        [*G.parameters(), *T.parameters()],
        strict=True,
    ):
        assert torch.equal(a, b)
