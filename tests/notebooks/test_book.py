"""The sources of the book as they are gathered; what is built from them is tested in tests/book."""

import re

import nbformat
import pytest
from coursekit.addresses import launch_links
from coursekit.alt import write_alts
from coursekit.book import ALT_KEY, filled, gather, linked_glossary, marked, page_of
from coursekit.files import HERE, read, tags
from coursekit.quizzes import asks

ENTRY = dict(name="00_start_here", title="Start", question="Why?", needs="nothing", data="none")
COURSE = dict(repository=None, branch="main", notebooks=[ENTRY])
FORK = COURSE | {"repository": "someone/course"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return gather(HERE, tmp_path_factory.mktemp("book") / "source")


def cell(source, *tagged, outputs=()):
    made = nbformat.v4.new_code_cell(source, outputs=list(outputs))
    made.metadata["tags"] = list(tagged)
    return made


def page(*cells, course=COURSE):
    return page_of(nbformat.v4.new_notebook(cells=list(cells)), course, ENTRY, {}).cells


def test_every_notebook_is_a_page_and_valid(sources):
    for entry in HERE.course()["notebooks"]:
        made = read(sources / f"{entry['name']}.ipynb")
        nbformat.validate(made)
        stored = read(HERE.path_of(entry))
        asked = [c for c in stored.cells if asks(c)]
        shown = [c for c in made.cells if "hqnn-quiz" in c.source]
        assert [c.id for c in shown] == [c.id for c in asked]
        assert all(c.source.count("<fieldset>") == 6 for c in shown)
        outputs = [c.outputs for c in stored.cells if c.cell_type == "code" and not asks(c)]
        for data in (o.data for cell in outputs for o in cell if "data" in o):
            if data.get("text/markdown", "").startswith("***\n"):
                data["text/markdown"] = "<hr>" + data["text/markdown"].strip("*") + "<hr>"
        assert [c.outputs for c in made.cells if c.cell_type == "code"] == outputs


def test_the_sources_of_the_course_stay_as_they_are(tmp_path):
    before = {path: path.read_bytes() for path in HERE.notebooks.glob("*.*")}
    (gather(HERE, tmp_path / "source") / "old.md").write_text("left over")
    made = gather(HERE, tmp_path / "source")
    assert not (made / "old.md").exists()
    assert {path: path.read_bytes() for path in HERE.notebooks.glob("*.*")} == before


def test_pages_have_no_place_left_and_every_page_is_in_the_contents(sources):
    index = (sources / "index.md").read_text()
    for made in sources.glob("*.md"):
        assert "{{" not in made.read_text(), made.name
        assert made.name == "index.md" or re.search(rf"^{made.stem}$", index, re.M), made.name
    assert index.count("```{toctree}") >= 3


def test_pictures_of_pages_lie_where_the_pages_look(sources):
    found = [
        picture
        for made in sources.glob("*.md")
        for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", made.read_text())
    ]
    assert found
    assert all((sources / picture).exists() for picture in found)


def test_tables_come_from_the_readme(sources):
    readme = HERE.readme.read_text()
    results = (sources / "results.md").read_text()
    assert marked(readme, "bench") in results
    assert marked(readme, "answer", "verdicts") in results
    assert "](00_start_here.ipynb)" in marked(readme, "course")
    with pytest.raises(SystemExit, match="no markers <!-- riddles:start -->"):
        marked(readme, "riddles")


def test_a_place_that_nobody_fills_is_named():
    with pytest.raises(SystemExit, match=r"asks for \{\{ weather \}\}, which nobody fills in"):
        filled("# Page\n\n{{ weather }}\n", HERE, COURSE, "")


def test_solutions_and_drawing_code_are_folded_with_words():
    solution, drawing = page(
        cell("# @title Solution\nx = 1\ncheck('00.x', x)", "solution"),
        cell("def draw(): ...", "hide-input"),
    )
    assert "hide-cell" in tags(solution)
    assert solution.metadata["mystnb"]["code_prompt_show"] == "Solution (try first)"
    assert solution.source.startswith("x = 1")
    assert drawing.metadata["mystnb"]["code_prompt_show"] == "How it is drawn"


def test_alt_texts_come_along_in_the_order_of_the_figures():
    first, second = (nbformat.v4.new_output("display_data", {"image/png": p}) for p in "ab")
    words = nbformat.v4.new_output("stream", name="stdout", text="between")
    source = "# alt: A curve that falls.\n# alt: A curve that\n#   rises.\ndraw()"
    made = nbformat.v4.new_notebook(cells=[cell(source, outputs=[first, words, second])])
    write_alts(made)
    (drawn,) = page_of(made, COURSE, ENTRY, {}).cells
    assert drawn.metadata["mystnb"][ALT_KEY] == ["A curve that falls.", "A curve that rises."]
    assert drawn.source == "draw()"


def test_lines_across_a_printed_text_are_html():
    """docutils wants them between sections, and an output is none."""
    text = "***\n\n**A text.**\n\n***"
    shown = nbformat.v4.new_output("execute_result", {"text/markdown": text}, execution_count=1)
    (cell,) = page(nbformat.v4.new_code_cell("quoted(text)", outputs=[shown]))
    assert cell.outputs[0].data["text/markdown"] == "<hr>\n\n**A text.**\n\n<hr>"


def test_a_cell_whose_images_are_not_stored_says_so():
    _, note = page(cell("plots.show(images)", "draws-images"))
    assert note.cell_type == "markdown"
    assert "Run the notebook to see them" in note.source


def test_launch_links_only_where_an_address_is_set():
    badge = nbformat.v4.new_markdown_cell("badges")
    badge.metadata["tags"] = ["badges"]
    (opening,) = page(badge)
    assert "](http" not in opening.source
    (opening,) = page(badge, course=FORK)
    there = "github/someone/course/blob/main/notebooks/00_start_here.ipynb"
    assert f"[Open in Colab](https://colab.research.google.com/{there})" in opening.source
    assert set(launch_links(FORK, ENTRY)) == {
        "Open in Colab",
        "Open in Kaggle",
        "Open in Binder",
        "View source",
    }
    elsewhere = COURSE | {"repository": "https://git.university.example/a/b"}
    assert launch_links(elsewhere, ENTRY) == {}, "these services open GitHub only"


def test_the_glossary_links_to_the_notebook_that_introduces_a_word():
    line = "- **head** (00; heads): The part.\n- **other** (77): Not written yet."
    made = linked_glossary(line, COURSE)
    assert "- **head** ([00](00_start_here.ipynb); heads): The part." in made
    assert "- **other** (77): Not written yet." in made
