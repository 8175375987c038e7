"""Slides: which cells are on them, and what of a cell; the decks themselves: tests/book."""

import nbformat
import pytest
from coursekit.files import HERE, code_digest, read
from coursekit.slides import (
    FEWEST,
    MOST,
    WORDS,
    condensed,
    count_slides,
    deck,
    on_a_slide,
    slide_type,
    suggest,
)

TAGGED = [e for e in HERE.course()["notebooks"] if count_slides(read(HERE.path_of(e)))]


def text(source, kind="slide"):
    cell = nbformat.v4.new_markdown_cell(source)
    if kind:
        cell.metadata["slideshow"] = {"slide_type": kind}
    return cell


def code(source, kind="slide", outputs=()):
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs))
    cell.metadata["slideshow"] = {"slide_type": kind}
    return cell


def made(*cells):
    return deck(nbformat.v4.new_notebook(cells=list(cells))).cells


FIGURE = nbformat.v4.new_output("display_data", {"image/png": "AAAA"})
PRINTED = nbformat.v4.new_output("stream", name="stdout", text="0.9\n")


def test_some_notebooks_have_slides():
    assert len(TAGGED) >= 5


@pytest.mark.parametrize("entry", TAGGED, ids=lambda e: e["name"])
def test_a_deck_has_ten_to_twenty_slides_and_ends_with_the_summary(entry):
    notebook = read(HERE.path_of(entry))
    assert FEWEST <= count_slides(notebook) <= MOST
    slides = [c for c in deck(notebook).cells if slide_type(c)]
    assert slides[0].source.startswith("# ")
    assert any("## Summary" in c.source for c in slides)
    assert all("### Exercise" not in c.source for c in slides), "an exercise is no slide"


def test_only_tagged_cells_are_on_slides():
    shown = made(text("# Title"), text("Left out.", kind=""), text("## 1 · A section"))
    assert [c.source for c in shown] == ["# Title", "## 1 · A section"]


def test_a_figure_stands_under_the_heading_of_its_section():
    section = text("Before.\n\n## 2 · Noise\n\nWords.", kind="")
    heading, figure = made(section, code("# alt: A falling curve.\nx = 1", outputs=[FIGURE]))
    assert heading.source == "### 2 · Noise"
    assert slide_type(heading) == "slide"
    assert not slide_type(figure)
    assert figure.metadata["hqnn_code"] is False, "a figure is shown without its code"


def test_a_text_before_a_heading_in_its_cell_belongs_to_the_section_before():
    both = text("Each call costs time.\n\n## Predicted and seen")
    _, heading, words = made(text("## 9 · The price"), both)[:3]
    assert heading.source == "### 9 · The price"
    assert words.source == "Each call costs time."


def test_short_code_is_shown_and_long_code_is_not():
    section = text("## 1 · A section")
    short, long = "x = 1", "\n".join(f"x{i} = {i}" for i in range(30))
    assert made(section, code(short, outputs=[PRINTED]))[-1].metadata["hqnn_code"] is True
    assert made(section, code(long, outputs=[PRINTED]))[-1].metadata["hqnn_code"] is False


def test_a_long_text_is_cut_and_stands_in_the_notes():
    long = (
        "## 3 · Shots\n\nFirst one. "
        + "And so on. " * 100
        + "A **shot** is one run. Then more.\n\n"
    )
    long += "$$x = 1$$\n\n**Predict.** How many? Choose."
    slide, notes = made(text(long))
    assert slide.source.split("\n\n") == [
        "## 3 · Shots",
        "First one. A **shot** is one run.",
        "$$x = 1$$",
        "**Predict.** How many? Choose.",
    ]
    assert notes.source == long
    assert notes.metadata["slideshow"]["slide_type"] == "notes"
    assert len(condensed(long).split()) <= WORDS


def test_of_a_long_list_the_items_that_fit_are_shown_with_their_first_sentence():
    items = [f"- Number {i} says this. " + "More of it. " * 20 for i in range(30)]
    shown = condensed("## Summary\n\n" + "\n".join(items)).splitlines()
    assert shown[2] == "- Number 0 says this."
    assert 10 < len(shown) < 32


@pytest.mark.parametrize("entry", TAGGED, ids=lambda e: e["name"])
def test_no_slide_is_a_heading_alone(entry):
    cells = deck(read(HERE.path_of(entry))).cells
    starts = [i for i, c in enumerate(cells) if slide_type(c) == "slide"]
    for start, end in zip(starts, [*starts[1:], len(cells)], strict=True):
        shown = [c for c in cells[start:end] if c.metadata["slideshow"]["slide_type"] != "notes"]
        lines = [line for c in shown for line in c.source.splitlines() if line.strip()]
        assert len(shown) > 1 or len(lines) > 1, lines


def test_exercises_references_and_the_end_of_the_section_before_stay_out():
    assert on_a_slide("Words before.\n\n## 1 · New\n\nText.") == "## 1 · New\n\nText."
    assert on_a_slide("## 1 · New\n\nText.\n\n### Exercise 1 (read): x\n\nDo.") == (
        "## 1 · New\n\nText."
    )
    ending = "## What this does not show\n\n- x\n\n## Summary\n\nAll.\n\n## References\n\n- y"
    assert on_a_slide(ending) == "## Summary\n\nAll."
    assert on_a_slide("## References\n\n- y") == ""


def test_a_suggestion_fits_and_changes_no_code():
    notebook = read(HERE.path_of(TAGGED[0]))
    for cell in notebook.cells:
        cell.metadata.pop("slideshow", None)
    before = code_digest(notebook)
    suggest(notebook)
    assert FEWEST <= count_slides(notebook) <= MOST
    assert code_digest(notebook) == before
