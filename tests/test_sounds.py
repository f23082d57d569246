"""Notes that are heard: tones, files, what a lecture, the site and an export hold."""

import base64
import io
import sys
import wave

import gmsounds
import numpy as np
import pytest

from gmlib import plot


def test_a_tone_has_the_frequency_of_its_pitch():
    heard = plot.synthesised([plot.Note(0.0, 1.0, 69)])
    spectrum = np.abs(np.fft.rfft(heard))
    assert abs(spectrum.argmax() * 16_000 / len(heard) - 440) < 1.5
    octave = np.abs(np.fft.rfft(plot.synthesised([(0.0, 1.0, 81)])))
    assert abs(octave.argmax() * 16_000 / len(heard) - 880) < 1.5
    assert np.abs(heard).max() == pytest.approx(1)
    with pytest.raises(ValueError, match="there must be notes"):
        plot.synthesised([])


def test_without_soundfile_a_sound_is_a_wave_of_eight_bits(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    heard = np.sin(np.arange(1600) / 5)
    kind, _, text = plot.encoded(heard).partition(";base64,")
    assert kind == "data:audio/wav"
    with wave.open(io.BytesIO(base64.b64decode(text))) as file:
        assert file.getparams()[:4] == (1, 1, 16_000, 1600)
        back = np.frombuffer(file.readframes(1600), np.uint8)
    assert np.abs((back - 127.5) / 127 - heard).max() < 0.01


def test_with_soundfile_a_sound_is_small():
    soundfile = pytest.importorskip("soundfile")
    heard = plot.synthesised([(k / 2, 0.5, 60 + k) for k in range(20)])
    kind, _, text = plot.encoded(heard).partition(";base64,")
    assert kind == "data:audio/ogg"
    assert len(text) < 50_000
    back, rate = soundfile.read(io.BytesIO(base64.b64decode(text)))
    assert rate == 16_000
    assert np.corrcoef(back[: len(heard)], heard[: len(back)])[0, 1] > 0.9


@pytest.fixture
def heard(monkeypatch):
    """The HTML of a sound as a lecture shows it."""
    shown = []
    from gmlib.plot import sounds

    monkeypatch.setattr(sounds, "display", lambda data, raw: shown.append(data))
    notes = [plot.Note(0, 0.5, 60), plot.Note(0.5, 0.5, 64, 0.2)]
    plot.sound(notes, title="Two <notes>", alt="First C, then E.")
    return shown[0]


def test_a_sound_has_words_and_waits_to_be_played(heard):
    page = heard["text/html"]
    assert "Heard: First C, then E." in page
    assert "Two &lt;notes&gt;" in page
    assert 'preload="none"' in page
    assert "autoplay" not in page
    assert "First C, then E." in heard["text/plain"]
    with pytest.raises(ValueError, match="say in title"):
        plot.sound([plot.Note(0, 1, 60)], title="A", alt=" ")


def test_in_the_site_a_sound_is_a_file(heard, tmp_path):
    page = heard["text/html"]
    made = gmsounds.filed(page, "chapters/music", tmp_path)
    (file,) = (tmp_path / "_sounds").iterdir()
    assert f'src="../_sounds/{file.name}"' in made
    assert "data:audio" not in made
    assert file.read_bytes()[:4] in (b"OggS", b"RIFF")
    assert made == gmsounds.filed(made, "chapters/music", tmp_path)
    broken = page.replace(";base64,", ";base64,$")
    with pytest.raises(ValueError, match="base64"):
        gmsounds.filed(broken, "chapters/music", tmp_path)


def test_a_sound_survives_the_export(heard):
    from export import _shown
    from nbformat.v4 import new_output

    output = new_output("display_data", dict(heard))
    _shown(output, None)
    assert output["data"]["text/html"] == heard["text/html"]
