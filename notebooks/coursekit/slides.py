"""A deck of slides for each notebook, from the cells that are tagged for it. ``make slides``.

A cell is on a slide if its metadata say so, as in Jupyter's own slide editor:
``slideshow.slide_type`` is ``slide`` (a new one) or ``fragment`` (on the same slide, one click
later). All other cells are left out.

A slide is no page of a book. A long text is cut: its heading, formulas, lists, tables and
``**Predict.**`` stay whole, other paragraphs keep their first sentence and those that explain a
new word. The full text stands in the speaker's notes (key S). Of a code cell it shows what came
out, and the code where that is short and draws nothing.

reveal.js and MathJax lie beside the decks (``scripts``).
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from coursekit.alt import write_alts
from coursekit.comments import code_only
from coursekit.figures import figures
from coursekit.files import Tree, made_anew, read, tags, write
from coursekit.quizzes import TITLE
from coursekit.scripts import MATHJAX, copy_mathjax, copy_reveal

HERE = Path(__file__).resolve().parent
FEWEST, MOST = 10, 20  # slides of a deck
WORDS = 120  # on a slide, apart from headings, formulas and predictions
LINES = 14  # of code on a slide
SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z(*`])")
HEADING = re.compile(r"^(#+) (.*)$", re.M)
WHOLE = ("#", "|", "- ", "* ", "1. ", "> ", "$$", "![", "**")
NO_SLIDE = (
    "What this does not show",
    "References",
    "Provenance",
    "Predicted and seen",
    TITLE,
)


def slide_type(cell) -> str:
    """``slide``, ``fragment`` or nothing."""
    found = cell.metadata.get("slideshow", {}).get("slide_type", "")
    return found if found in ("slide", "fragment") else ""


def count_slides(notebook) -> int:
    """Slides of a notebook's deck."""
    return sum(slide_type(cell) == "slide" for cell in notebook.cells)


def suggest(notebook) -> None:
    """Tag a notebook that has no slides yet; an author goes on from there.

    Title, objectives, the beginning of each section and the summary; then, as many as fit,
    predictions and the first figure of each section.
    """
    must, predictions, drawn = [], [], []
    section_has_figure = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"^##? ", cell.source, re.M):
            section_has_figure = False
            if on_a_slide(cell.source):
                must.append(cell)
        elif cell.cell_type == "markdown" and "**Predict.**" in cell.source:
            predictions.append(cell)
        elif figures(cell) and not section_has_figure:
            section_has_figure = True
            drawn.append(cell)
    for cell in [*must, *drawn, *predictions][:MOST]:
        cell.metadata["slideshow"] = {"slide_type": "slide"}


def tag(tree: Tree, numbers: list[str]) -> None:
    """Suggest slides for notebooks, by their numbers; one that has slides stays as it is."""
    for entry in tree.course()["notebooks"]:
        notebook = read(tree.path_of(entry))
        if entry["name"][:2] in numbers and not count_slides(notebook):
            suggest(notebook)
            write(notebook, tree.path_of(entry))
            print(f"{entry['name']}: {count_slides(notebook)} slides")


def deck(notebook):
    """Return the notebook of a deck: what its slides show, and the speaker's notes."""
    write_alts(notebook)
    cells, section = [], ""
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        begun = section  # what a text belongs to that stands before a heading in its cell
        if cell.cell_type == "markdown":
            headings = [text for marks, text in HEADING.findall(cell.source) if len(marks) <= 2]
            section = headings[-1] if headings else section
        kind = slide_type(cell)
        if not kind:
            continue
        text = on_a_slide(cell.source) if cell.cell_type == "markdown" else ""
        if kind == "slide" and not text.startswith("#"):
            cells.append(_text(f"### {begun}", kind))
            kind = "-"
        if text:
            short = condensed(text)
            cells.append(_text(short, kind))
            if re.fullmatch("#.*", short) and following and following.get("outputs"):
                cells.append(_shown(following, "-"))  # a heading over what the next cell prints
            if short != cell.source.strip():
                cells.append(_text(cell.source, "notes"))
        else:
            cells.append(_shown(cell, kind))
    made = nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)
    made.metadata.pop("widgets", None)
    return made


def _text(source: str, kind: str):
    cell = nbformat.v4.new_markdown_cell(source)
    cell.metadata["slideshow"] = {"slide_type": kind}
    return cell


def _shown(cell, kind: str):
    """A code cell as a slide shows it."""
    cell.source = code_only(cell.source).replace("# NBVAL_CHECK_OUTPUT\n", "")
    short = len(cell.source.splitlines()) <= LINES and "hide-input" not in tags(cell)
    if figures(cell):
        cell.outputs = figures(cell)
        short = False
    cell.metadata = {"slideshow": {"slide_type": kind}, "hqnn_code": bool(short)}
    return cell


def on_a_slide(source: str) -> str:
    """Return the last section of a text that belongs on a slide, without its exercise."""
    parts = re.split(r"(?m)^(?=##? )", source)
    titles = [part.split("\n")[0].lstrip("# ").strip() for part in parts]
    fit = [p for p, t in zip(parts, titles, strict=True) if p.strip() and t not in NO_SLIDE]
    text = fit[-1].strip() if fit else ""
    without, *exercises = re.split(r"(?m)^### (?=Exercise)", text)
    if exercises and len(without.strip().splitlines()) <= 1:  # the section is its exercise
        without = f"{without.strip()}\n\n{exercises[0].splitlines()[0]}"
    return without.strip()


def condensed(text: str) -> str:
    """Return what of a text stands on a slide."""
    if len(text.split()) <= WORDS:
        return text
    kept, words = [], 0
    for block in re.split(r"\n\s*\n", text):
        shown = block if block.lstrip().startswith(WHOLE) else _main_sentences(block)
        if words + len(shown.split()) > WORDS:
            shown = _fitting(block, WORDS - words)
        always = block.lstrip().startswith(("#", "$$", "**Predict.**"))
        length = len(shown.split())
        if shown and (always or words + length <= WORDS):
            kept.append(shown)
            words += 0 if always else length
    return "\n\n".join(kept)


def _fitting(block: str, words: int) -> str:
    """What of a block fits: items of a list with their first sentence, rows, sentences."""
    if block.lstrip().startswith(("- ", "* ", "1. ")):
        items = re.split(r"\n(?=[-*] |\d+\. )", block)
        parts, joint = [SENTENCE_END.split(item)[0] for item in items], "\n"
    elif block.lstrip().startswith("|"):
        parts, joint = block.splitlines(), "\n"
    else:
        parts, joint = SENTENCE_END.split(block), " "
    while parts and len(" ".join(parts).split()) > words:
        parts.pop()
    return joint.join(parts)


def _main_sentences(paragraph: str) -> str:
    first, *others = SENTENCE_END.split(paragraph)
    return " ".join([first, *(one for one in others if one.count("**") % 2 == 0 and "**" in one)])


def to_slides(notebook, path: Path, title: str) -> Path:
    """Write the deck of a notebook; ``reveal`` and ``mathjax`` lie beside it."""
    from nbconvert import SlidesExporter

    exporter = SlidesExporter(
        template_name="deck",
        extra_template_basedirs=[str(HERE)],
        reveal_url_prefix="reveal",
        reveal_theme="white",
        reveal_number="c/t",
        reveal_width="1280",
        reveal_height="720",
        reveal_transition="none",
    )
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    resources = {"metadata": {"name": title}, "mathjax": f"mathjax/{Path(MATHJAX).name}"}
    body, _ = exporter.from_notebook_node(deck(notebook), resources=resources)
    path.write_text(body, encoding="utf-8")
    return path


def build(tree: Tree, out: Path) -> Path:
    """Build the decks of all notebooks that have slides, and a page that lists them."""
    with made_anew(tree, out) as new:
        _build(tree, new)
    return out / "index.html"


def _build(tree: Tree, out: Path) -> None:
    copy_reveal(out / "reveal")
    copy_mathjax(out / "mathjax")
    rows = []
    for entry in tree.course()["notebooks"]:
        notebook = read(tree.path_of(entry))
        if slides := count_slides(notebook):
            title = f"{entry['name'][:2]} · {entry['title']}"
            made = to_slides(notebook, out / f"{entry['name']}.html", title)
            rows.append(f'<li><a href="{made.name}">{title}</a>, {slides} slides</li>')
            print(f"{made.name}: {slides} slides")
    page = (HERE / "deck" / "list.html").read_text(encoding="utf-8")
    (out / "index.html").write_text(page.replace("ROWS", "\n".join(rows)), encoding="utf-8")
