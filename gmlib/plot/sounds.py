"""Notes that are heard and seen: additive synthesis, an audio element, a piano roll."""

import base64
import html
import io
import wave
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from gmlib import checks
from gmlib.plot.figures import new
from gmlib.plot.pictures import data_uri
from gmlib.plot.style import COLOURS

RATE = 16_000  # samples a second
HARMONICS = 6
ROLL = 7.0, 1.7  # inches
RISE, FALL = 0.01, 0.06  # seconds in which a note comes and goes


class Note(NamedTuple):
    """A note: when it begins and how long it is, in seconds; MIDI pitch; loudness."""

    begin: float
    length: float
    pitch: float
    loudness: float = 1.0


def synthesised(notes: Sequence[Note], rate: int = RATE) -> np.ndarray:
    """Return the sum of harmonic tones, a wave in [−1, 1] of shape (samples,).

    A note of pitch m has the frequencies k · 440 · 2^((m − 69)/12), k = 1, 2, ..., 6,
    with amplitudes k^(−3/2) e^(−2 k t) at t seconds, and fades in and out.

    Parameters
    ----------
    notes : list of Note
    rate : int
        Samples a second.

    Raises
    ------
    ValueError
        If there are no notes, or one has no length.
    """
    rate, notes = checks.count("rate", rate), [Note(*note) for note in notes]
    if not notes or min(note.length for note in notes) <= 0:
        raise ValueError("there must be notes, each with a length above zero")
    end = max(note.begin + note.length for note in notes)
    heard = np.zeros(int(rate * end) + 1)
    for begin, length, pitch, loudness in notes:
        first = int(rate * begin)
        t = np.arange(min(int(rate * length), len(heard) - first)) / rate
        tone = np.zeros_like(t)
        for k in range(1, HARMONICS + 1):
            frequency = k * 440 * 2 ** ((pitch - 69) / 12)
            if frequency < rate / 2:
                tone += k**-1.5 * np.exp(-2 * k * t) * np.sin(2 * np.pi * frequency * t)
        fade = np.minimum(t / RISE, (length - t) / FALL).clip(0, 1)
        heard[first : first + len(t)] += loudness * fade * tone
    return heard / max(np.abs(heard).max(), 1e-9)


def encoded(heard: ArrayLike, rate: int = RATE) -> str:
    """Return a wave in [−1, 1] as the data URI of a sound.

    Ogg/Vorbis if the package soundfile is installed, about 2 kB a second; else WAV of
    eight bits, seven times as much.
    """
    heard = np.clip(np.asarray(heard, dtype=float), -1, 1)
    file = io.BytesIO()
    try:
        soundfile = import_module("soundfile")
    except (ImportError, OSError):  # not installed, or without its library
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(1)
            sound.setframerate(rate)
            sound.writeframes((127.5 + 127 * heard).round().astype(np.uint8).tobytes())
        kind = "wav"
    else:
        soundfile.write(file, 0.9 * heard, rate, format="OGG", subtype="VORBIS")
        kind = "ogg"
    return f"data:audio/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def piano_roll(
    notes: Sequence[Note], ax: Axes | None = None, colour: str = "model"
) -> Axes:
    """Draw notes as bars over time: loud ones in a colour, soft ones in grey.

    `colour` is a name of `COLOURS` or any colour.
    """
    ax = new(*ROLL)[1] if ax is None else ax
    shade = COLOURS.get(colour, colour)
    for begin, length, pitch, loudness in notes:
        place, size = (begin, pitch - 0.42), (0.94 * length, 0.84)
        paint = shade if loudness > 0.5 else COLOURS["grey"]
        ax.add_patch(Rectangle(place, *size, color=paint, lw=0))
    pitches = [note[2] for note in notes]
    end = max(note[0] + note[1] for note in notes)
    ax.set(xlim=(0, end), ylim=(min(pitches) - 1, max(pitches) + 1))
    ax.set(xlabel="seconds", ylabel="MIDI pitch")
    return ax


def sound(
    notes: Sequence[Note], *, title: str, alt: str, colour: str = "model"
) -> None:
    """Display notes to be heard: a player, a piano roll, and what is heard, in words.

    The sound lies in the page, and nothing plays unless it is asked to. The words are
    always there, also on paper and where a notebook is not trusted to play.

    Parameters
    ----------
    notes : list of Note
        Those of a loudness of at most a half are drawn in grey.
    title : str
        What stands above it, and names the player.
    alt : str
        What is heard, for those who cannot hear it.
    colour : str
        As in `piano_roll`.

    Raises
    ------
    ValueError
        If title or words are missing, or there are no notes.
    """
    if not title.strip() or not alt.strip():
        raise ValueError("say in title what it is, and in alt what is heard")
    source = encoded(synthesised(notes))
    figure, ax = new(*ROLL)
    piano_roll(notes, ax, colour)
    uri, w, h = data_uri(figure)
    name, words = html.escape(title), html.escape(alt)
    body = (
        f'<figure class="gm-figure gm-sound" style="margin:1em auto;max-width:{w // 2}'
        f'px"><p style="margin:0"><strong>{name}</strong></p>'
        f'<audio controls preload="none" aria-label="{name}" src="{source}" '
        'style="width:100%;height:2.5em"></audio>'
        '<div class="gm-scroll" style="overflow-x:auto">'
        f'<img src="{uri}" width="{w}" height="{h}" alt="Piano roll of what is heard: '
        'time to the right, pitch upwards, chords in grey." '
        'style="width:100%;min-width:480px;height:auto"></div>'
        f"<figcaption>Heard: {words}</figcaption></figure>"
    )
    text = f"[sound: {title}: {alt}]"
    display({"text/html": body, "text/plain": text}, raw=True)
