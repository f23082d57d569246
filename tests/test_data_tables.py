"""Published figures: whole, and those of the papers."""

import math
import re

from gmlib import data


def test_published_figures_are_whole(request):
    place = data.folder() / "published"
    topics = sorted(path.stem for path in place.glob("*.csv"))
    assert {"vae", "gan"} <= set(topics)
    bibliography = request.config.rootpath / "references.bib"
    keys = set(re.findall(r"^@\w+\{([^,]+),", bibliography.read_text(), re.MULTILINE))
    seen = set()
    for topic in topics:
        rows = data.published(topic)
        assert rows, topic
        for row in rows:
            assert row.id not in seen, f"{row.id} stands twice"
            seen.add(row.id)
            assert math.isfinite(row.value)
            assert row.spread is None or row.spread > 0
            assert row.status in ("verified", "recomputed", "unverified")
            assert row.source in keys or row.status == "recomputed", row
            assert row.quantity, row
            assert row.unit, row
            assert row.setting, row


def test_published_figures_are_those_of_the_papers():
    vae = {row.id: row for row in data.published("vae")}
    assert vae["vae-1-k1"].value == -86.76
    assert vae["iwae-2-k50"].value == -82.90
    assert "50" in vae["vae-1-k1"].setting
    gan = {row.id: row for row in data.published("gan")}
    assert gan["parzen-mnist-gan"][2:4] == (225.0, 2.0)
    perfect = gan["ring-perfect-quality"]
    assert perfect.value == round(100 * (1 - math.exp(-4.5)), 1)
