"""The README's answer is made from records and is the same on every machine."""

import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from coursekit import answer
from coursekit.files import HERE

from hqnn_utils.studies.designs import BREAST_IMAGES, answer_in_words

SVG = "{http://www.w3.org/2000/svg}"


def judged(**verdicts):
    """A judge's table: for each claim difference and bounds in points, and the word."""
    rows = {}
    for name, (gain, lower, upper, word) in verdicts.items():
        points = dict(difference=gain / 100, lower=lower / 100, upper=upper / 100)
        rows[name] = {"A": "a", "B": "b", "asks": "is it <so>?", **points, "verdict": word}
    return pd.DataFrame(rows).T


MAIN = judged(
    H1=(0.5, -1.0, 1.0, "equivalent within two points"),
    H2=(3.0, -12.0, 9.5, "undecided"),
    O1=(9.0, 8.0, 9.0, ""),
)
MAIN.loc["H2", "A"], MAIN.loc["O1", "B"] = "c", "not judged"
OTHER = judged(H1=(3.0, 2.5, 3.5, "supported"))
PLANTED = judged(P1=(9, 8, 9, "supported"), P2=(0, -9, 9, "undecided"))


@pytest.fixture
def tables(monkeypatch):
    found = {"frozen_all_v2": MAIN, "small_cnn_official_v2": OTHER, "planted_v2": PLANTED}
    monkeypatch.setattr(answer, "judged", lambda: found)
    return found


def test_one_sentence(tables):
    assert answer_in_words(tables) == (
        "In 3 planned comparisons on breast images (2 questions, asked in 2 tables of the same "
        "images), a circuit (H1 in small_cnn_official_v2) was found to add to the AUC of a "
        "classifier (main table: 1 equivalent within two points, 0 at least two points excluded, "
        "1 undecided), while the same judge says so in 1 of 2 comparisons where a circuit had made "
        "the labels."
    )
    del tables["small_cnn_official_v2"]
    assert "(2 questions, asked in 1 tables of the same images), no circuit was" in answer_in_words(
        tables
    )


def test_one_table_that_decides(tables):
    head, _, first, second = answer.table()
    assert head.count("|") == 5
    assert head.endswith("| verdict | small CNN; official split |")
    about = "(`a` against `b`)"
    assert (
        first == f"| H1: is it <so>? {about} | +0.5 (-1.0 to +1.0) | **equivalent** | supported |"
    )
    assert "(`c` against `b`)" in second
    assert second.endswith("| +3.0 (-12.0 to +9.5) | **undecided** | not asked |")


def test_one_picture(tables):
    drawn = ET.fromstring(answer.picture())
    assert drawn.find(f"{SVG}title").text == answer.alt_text()
    texts = [t.text for t in drawn.iter(f"{SVG}text")]
    assert "H1  a − b" in texts
    assert texts.count("equivalent") == 1, "the main table's word, not the others'"
    assert "supported" not in texts
    arrows = [p.get("points") for p in drawn.iter(f"{SVG}polygon")]
    assert len(arrows) == 2, "H2 runs out of the picture on both sides"
    width = float(drawn.get("width"))
    numbers = re.findall(r'(?:x1|x2|cx)="([\d.-]+)"', answer.picture())
    assert all(0 <= float(x) <= width for x in numbers)
    zero, edge = answer._x(0), answer._x(99)
    assert zero - answer._x(-2) == 2 * answer.SCALE
    assert edge == answer._x(answer.EDGE)
    bars = [line for line in drawn.iter(f"{SVG}line") if line.get("stroke-width") == "4"]
    assert [float(bars[0].get(x)) for x in ("x1", "x2")] == [answer._x(-1), answer._x(1)]


def test_a_bar_beyond_the_picture_has_one_arrow():
    row = judged(H1=(9.0, 8.5, 9.5, "supported")).loc["H1"]
    (arrow,) = [part for part in answer._bar(row, 10, "red", True) if "polygon" in part]
    assert f'points="{answer._x(99):g},' in arrow


def test_the_alt_text_counts(tables):
    assert answer.alt_text() == (
        "Differences of AUC for 2 claims, a bar for each of 2 tables, over a grey band of two "
        "points on either side of zero. In the main table 1 bars lie inside the band and 0 to the "
        "right of it."
    )


def test_what_is_shown_is_what_is_asked_of_breast_images():
    assert next(iter(answer.SHOWN)) == BREAST_IMAGES[0]
    assert set(answer.SHOWN) <= set(BREAST_IMAGES)


def test_the_readme_shows_the_stored_picture():
    text = HERE.readme.read_text(encoding="utf-8")
    ((alt, path),) = re.findall(r"!\[([^]]+)\]\((notebooks/results/[\w.]+)\)", text)
    stored = (HERE.root / path).read_text(encoding="utf-8")
    assert ET.fromstring(stored).find(f"{SVG}title").text == alt
    assert len(stored) < 30_000
