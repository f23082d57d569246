"""Networks of bars of a melody, given the bar before and a chord a beat.

They take one-hot tensors, see `one_hot_bars`; what they draw are tokens.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot, relu

from gmlib import checks, runtime

PITCHES, CHORDS, STEPS, BEATS = 22, 25, 8, 4
TOKENS = PITCHES + 1


def one_hot_bars(x: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens (n, 8), what sounded before (n, 8) and chords (n, 4) as one-hot
    vectors: (n, 8, 23), (n, 8, 22) and (n, 4, 25), floats."""
    sizes = TOKENS, PITCHES, CHORDS
    found = [one_hot(v, k).float() for v, k in zip((x, b, h), sizes, strict=True)]
    return found[0], found[1], found[2]


def roll(x: Tensor, last: Tensor) -> Tensor:
    """Return what sounds at each step, (n, 8, 22), of tokens that may be soft.

    r_s = (what begins at s) + (share held at s) · r_{s−1}: for one-hot tokens the
    one-hot pitch that sounds, for laws of independent tokens the law of that pitch.

    Parameters
    ----------
    x : Tensor, shape (n, 8, 23)
    last : Tensor, shape (n, 22)
        What sounded before; zeros if that is not to be known.
    """
    found = []
    for token in x.unbind(1):
        last = token[:, 1:] + token[:, :1] * last
        found.append(last)
    return torch.stack(found, 1)


def _pairs(v: Tensor) -> Tensor:
    """Put steps in a row side by side, two by two: (n, 2 s, c) → (n, s, 2 c)."""
    return v.reshape(len(v), -1, 2 * v.shape[2])


class BarGenerator(nn.Module):
    """MidiNet's generator, small: noise, the bar before and the chords → logits.

    As in Yang et al. 2017, section 4, layers double the steps, and at each resolution
    get the chords and what layers that halve the steps have made of the bar before.
    Those are convolutions over time with kernel and stride 2, written as linear maps
    of two steps to one and of one to two; pitches are channels.

    Parameters
    ----------
    z_dim, width : int

    Raises
    ------
    ValueError
        If one is no positive integer.
    """

    def __init__(self, z_dim: int = 32, width: int = 64) -> None:
        super().__init__()
        self.z_dim, w = checks.counts(z_dim=z_dim, width=width)
        self.before_4 = nn.Linear(2 * PITCHES, w)
        self.before_2 = nn.Linear(2 * w, w)
        known = STEPS * PITCHES + BEATS * CHORDS
        self.start = nn.Linear(self.z_dim + known, 2 * w)
        self.up_4 = nn.Linear(2 * w + 2 * CHORDS, 2 * w)
        self.up_8 = nn.Linear(2 * w + CHORDS, 2 * w)
        self.mixed = nn.Linear(w + PITCHES + CHORDS, w)
        self.out = nn.Linear(w, TOKENS)
        self.norms = nn.ModuleList(nn.BatchNorm1d(w) for _ in range(3))
        self.to(runtime.device())

    def forward(self, z: Tensor, b: Tensor, h: Tensor) -> Tensor:
        """Logits (n, 8, 23) for z (n, z_dim), b (n, 8, 22) and h (n, 4, 25)."""
        b_4 = leaky_relu(self.before_4(_pairs(b)), 0.2)
        b_2 = leaky_relu(self.before_2(_pairs(b_4)), 0.2)
        v = relu(self.start(torch.cat([z, b.flatten(1), h.flatten(1)], 1)))
        v = torch.cat([v.view(len(z), 2, -1), b_2, _pairs(h)], 2)
        v = self._normed(0, self.up_4(v), BEATS)
        v = self._normed(1, self.up_8(torch.cat([v, b_4, h], 2)), STEPS)
        steps = h[:, :, None].expand(-1, -1, STEPS // BEATS, -1).flatten(1, 2)
        v = self._normed(2, self.mixed(torch.cat([v, b, steps], 2)), STEPS)
        return self.out(v)

    def _normed(self, k: int, v: Tensor, steps: int) -> Tensor:
        """Normalise channels, so that there are so many steps: (n, steps, width)."""
        width = self.out.in_features
        return relu(self.norms[k](v.reshape(-1, width))).view(-1, steps, width)

    def draw(self, b: Tensor, h: Tensor) -> Tensor:
        """Draw bars of tokens (n, 8) after bars b (n, 8), over chords h (n, 4)."""
        _, b, h = one_hot_bars(b, b, h)
        z = torch.randn(len(b), self.z_dim, device=b.device)
        return drawn(self(z, b, h))


class BarDiscriminator(nn.Module):
    """The logit of a bar over its chords, with or without the bar before.

    It looks at two steps at once, then halves the steps twice: at the sixteen steps of
    both bars, in which the bar line is a place like others, or at the eight of one. It
    sees pitches that sound, and where they are held; of a bar that it does not see it
    does not know what is held.

    Parameters
    ----------
    sees_before : bool
    width : int

    Raises
    ------
    ValueError
        If the width is no positive integer.
    """

    def __init__(self, sees_before: bool, width: int = 64) -> None:
        super().__init__()
        (w,) = checks.counts(width=width)
        self.sees_before = bool(sees_before)
        self.first = nn.Linear(2 * (PITCHES + 1 + CHORDS), w)
        self.by_2, self.by_4 = nn.Linear(2 * w, w), nn.Linear(2 * w, w)
        steps = STEPS * (1 + self.sees_before)
        self.all = nn.Linear(w * steps // 4, 2 * w)
        self.out = nn.Linear(2 * w, 1)
        self.to(runtime.device())

    def features(self, x: Tensor, b: Tensor, h: Tensor) -> Tensor:
        """The first layer, (n, steps, width), of x (n, 8, 23), which may be soft."""
        last = b[:, -1] if self.sees_before else torch.zeros_like(b[:, -1])
        h = h[:, :, None].expand(-1, -1, STEPS // BEATS, -1).flatten(1, 2)
        seen = torch.cat([roll(x, last), x[:, :, :1], h], 2)
        if self.sees_before:
            unknown = b.new_zeros(len(b), STEPS, 1 + CHORDS)
            seen = torch.cat([torch.cat([b, unknown], 2), seen], 1)
        earlier = torch.cat([torch.zeros_like(seen[:, :1]), seen[:, :-1]], 1)
        return leaky_relu(self.first(torch.cat([earlier, seen], 2)), 0.2)

    def forward(self, x: Tensor, b: Tensor, h: Tensor) -> Tensor:
        """Logits (n,)."""
        v = self.features(x, b, h)
        for layer in (self.by_2, self.by_4):
            v = leaky_relu(layer(_pairs(v)), 0.2)
        return self.out(leaky_relu(self.all(v.flatten(1)), 0.2))[:, 0]


class NextNote(nn.Module):
    """An autoregressive network: the law of each token, given the eight steps before.

    It sees what sounded in them and where it began (in its own bar), the chord of this
    step and of the next beat, and the step. Three tenths of its units drop out in
    training.

    Parameters
    ----------
    width : int

    Raises
    ------
    ValueError
        If the width is no positive integer.
    """

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        (w,) = checks.counts(width=width)
        given = STEPS * TOKENS + 2 * CHORDS + STEPS
        layers: list[nn.Module] = []
        for i, o in ((given, w), (w, w)):
            layers += [nn.Linear(i, o), nn.ReLU(), nn.Dropout(0.3)]
        self.layers = nn.Sequential(*layers, nn.Linear(w, TOKENS))
        self.to(runtime.device())

    def forward(self, x: Tensor, b: Tensor, h: Tensor) -> Tensor:
        """Logits (n, 8, 23): those of step s depend on the steps of x before s."""
        begun = 1 - x[:, :, :1]
        past = torch.cat([torch.zeros_like(begun), begun], 1)
        seen = torch.cat([b, roll(x, b[:, -1])], 1)
        past = torch.cat([seen, past], 2)[:, :-1]  # (n, 15, 23)
        window = past.unfold(1, STEPS, 1).flatten(2)  # (n, 8, 184)
        coming = torch.cat([h[:, 1:], torch.zeros_like(h[:, :1])], 1)
        chords = torch.cat([h, coming], 2).repeat_interleave(STEPS // BEATS, 1)
        step = torch.eye(STEPS, device=x.device).expand(len(x), -1, -1)
        given = torch.cat([window, chords, step], 2).flatten(0, 1)
        return self.layers(given).view(len(x), STEPS, TOKENS)

    def log_prob(self, x: Tensor, b: Tensor, h: Tensor) -> Tensor:
        """log p(x | b, h) (n,), in nats, of one-hot bars."""
        return (self(x, b, h).log_softmax(2) * x).sum((1, 2))

    def draw(self, b: Tensor, h: Tensor) -> Tensor:
        """Draw bars of tokens (n, 8) after bars b (n, 8), over chords h (n, 4)."""
        x = torch.zeros_like(b)
        for step in range(STEPS):
            x[:, step] = drawn(self(*one_hot_bars(x, b, h)))[:, step]
        return x


def drawn(logits: Tensor) -> Tensor:
    """Draw tokens (n, 8) from their laws, given as logits (n, 8, 23)."""
    return logits.softmax(2).flatten(0, 1).multinomial(1).view(logits.shape[:2])
