"""Voices of a score in MusicXML: which note sounds when, bar by bar.

As much of the format as a chorale in four voices needs, by the standard library: no
slurs, no grace notes, no repeats.
"""

import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Note(NamedTuple):
    """A note of a bar: begin and end in quarters, MIDI pitch; tied to the one before.

    A rest has no pitch.
    """

    begin: Fraction
    end: Fraction
    pitch: int | None
    tied: bool

    def later(self, quarters: Fraction) -> "Note":
        """The note, so much later."""
        return self._replace(begin=self.begin + quarters, end=self.end + quarters)


class Measure(NamedTuple):
    """A bar of one voice: its notes, the fifths of its key, its metre (4, 4)."""

    notes: list[Note]
    fifths: int
    metre: tuple[int, int]

    @property
    def length(self) -> Fraction:
        """In quarters."""
        return max((note.end for note in self.notes), default=Fraction(0))


def voices(path: str | Path) -> dict[str, list[Measure]]:
    """Return the bars of each part of a score, packed (``.mxl``) or not, by its name.

    Raises
    ------
    ValueError
        If the file is no score in MusicXML, part by part.
    """
    path = Path(path)
    content = path.read_bytes()
    if path.suffix == ".mxl":
        with zipfile.ZipFile(path) as packed:
            names = [n for n in packed.namelist() if not n.startswith("META-INF")]
            content = packed.read(next(n for n in names if n.endswith("xml")))
    score = ET.fromstring(content)
    if score.tag != "score-partwise":
        raise ValueError(f"{path.name} is no score, part by part, but a {score.tag}")
    names = {
        part.get("id"): part.findtext("part-name", "").strip()
        for part in score.iter("score-part")
    }
    return {
        names.get(part.get("id"), "") or str(part.get("id")): list(_measures(part))
        for part in score.findall("part")
    }


def _measures(part: ET.Element) -> Iterator[Measure]:
    divisions, fifths, metre = 1, 0, (4, 4)
    for measure in part.findall("measure"):
        for attributes in measure.findall("attributes"):
            divisions = int(attributes.findtext("divisions", str(divisions)))
            fifths = int(attributes.findtext("key/fifths", str(fifths)))
            beats = attributes.findtext("time/beats")
            if beats is not None and beats.isdigit():
                metre = int(beats), int(attributes.findtext("time/beat-type", "4"))
        yield Measure(list(_notes(measure, divisions)), fifths, metre)


def _notes(measure: ET.Element, divisions: int) -> Iterator[Note]:
    now = Fraction(0)
    for part in measure:
        if part.tag not in ("note", "backup", "forward"):
            continue
        length = Fraction(int(part.findtext("duration", "0")), divisions)
        if part.tag != "note":
            now += length if part.tag == "forward" else -length
            continue
        if part.find("grace") is not None:
            continue
        begin = now - length if part.find("chord") is not None else now
        ties = [tie.get("type") for tie in part.findall("tie")]
        yield Note(begin, begin + length, _pitch(part), "stop" in ties)
        now = begin + length


def _pitch(note: ET.Element) -> int | None:
    pitch = note.find("pitch")
    if pitch is None:
        return None
    alter = round(float(pitch.findtext("alter", "0")))
    step, octave = pitch.findtext("step", "C"), int(pitch.findtext("octave", "4"))
    return 12 * (octave + 1) + SEMITONES[step] + alter
