"""The book: the notebooks as a website, from their stored outputs. ``make book`` calls this.

``gather`` lays the pages of the book into one folder: the notebooks with what a page of a website
needs (folds with words, alt texts, addresses to launch from), the glossary, the pages in
``notebooks/book/pages``, and tables from the README. ``build`` gives that folder to Sphinx, with
every warning an error. Nothing is executed. MathJax comes with the site (``scripts``), and so do
the slides.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from coursekit import instructor, quizzes, slides
from coursekit.addresses import launch_links
from coursekit.comments import code_only
from coursekit.files import Tree, made_anew, read, renewed, tags
from coursekit.folding import fold
from coursekit.generated import minutes
from coursekit.scripts import copy_mathjax

ALT_KEY = "hqnn_alts"
PROMPTS = {
    "solution": ("Solution (try first)", "Hide the solution"),
    "hide-input": ("How it is drawn", "Hide how it is drawn"),
    "bootstrap": ("Install cell for Colab and Kaggle", "Hide the install cell"),
}
NOT_STORED = "*This cell draws images of the data. Run the notebook to see them.*"
PICTURE = re.compile(r"!\[[^\]]+\]\((results/[^)]+)\)")
# Between the outputs of a cell docutils allows no line across the page.
LINE_ACROSS = re.compile(r"^\*{3,}$", re.M)
PLACE = re.compile(r"^\{\{ (?P<kind>[a-z]+)(?P<names>(?: [a-z]+)*) \}\}$", re.M)


def gather(tree: Tree, out: Path) -> Path:
    """Write the sources of the book into a folder, which is emptied first."""
    renewed(tree, out)
    course, times = tree.course(), tree.times()
    for entry in course["notebooks"]:
        path = tree.path_of(entry)
        page = page_of(read(path), course, entry, times)
        page.cells = [
            quizzes.page_cell(tree, cell) if quizzes.asks(cell) else cell for cell in page.cells
        ]
        (out / path.name).write_text(nbformat.writes(page), encoding="utf-8")
    glossary = tree.glossary.read_text(encoding="utf-8")
    (out / "glossary.md").write_text(linked_glossary(glossary, course), encoding="utf-8")
    readme = tree.readme.read_text(encoding="utf-8")
    for page in sorted((tree.notebooks / "book" / "pages").glob("*.md")):
        text = filled(page.read_text(encoding="utf-8"), tree, course, readme)
        (out / page.name).write_text(text, encoding="utf-8")
    for name, text in taken_along(tree).items():
        (out / name).write_text(text, encoding="utf-8")
    instructor.write_pages(tree, course, out)
    for page in out.glob("*.md"):
        for picture in PICTURE.findall(page.read_text(encoding="utf-8")):
            (out / picture).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tree.notebooks / picture, out / picture)
    return out


def page_of(notebook, course: dict, entry: dict, times: dict):
    """Turn a notebook into a page of the book: badges become links, folds get words."""
    fold(notebook)
    cells = []
    for cell in notebook.cells:
        if "badges" in tags(cell):
            cell.source = opening(course, entry, times)
        if cell.cell_type == "code":
            _prepare(cell)
        cells.append(cell)
        if "draws-images" in tags(cell):
            cells.append(_note(cell.id))
    notebook.cells = cells
    notebook.metadata.pop("hqnn", None)
    return notebook


def opening(course: dict, entry: dict, times: dict) -> str:
    """Links to launch the notebook (none without an address), measured times, needs, data."""
    took = minutes(times.get(entry["name"], {}))
    measured = ", ".join(
        f"{profile} {text}" for profile, text in took.items() if text != "not measured yet"
    )
    about = f"**Time** {measured or 'not measured yet'} · **Before this** {entry['needs']}"
    links = " · ".join(f"[{text}]({url})" for text, url in launch_links(course, entry).items())
    return "\n\n".join(filter(None, [links, f"{about} · **Data** {entry['data']}"]))


def _prepare(cell) -> None:
    """Give a code cell its folds, without the comments that speak to pages, and its alt texts."""
    cell.source = code_only(cell.source).replace("# NBVAL_CHECK_OUTPUT\n", "")
    known = tags(cell)
    for tag, (show, hide) in PROMPTS.items():
        if tag in known:
            cell.metadata["mystnb"] = {"code_prompt_show": show, "code_prompt_hide": hide}
            break
    if "bootstrap" in known:
        cell.metadata["tags"] = [*known, "hide-input"]
    for output in cell.outputs:
        if "text/markdown" in output.get("data", {}):
            text = output["data"]["text/markdown"]
            output["data"]["text/markdown"] = LINE_ACROSS.sub("<hr>", text)
    alts = [o.metadata.get("image/png", {}).get("alt", "") for o in cell.outputs if _draws(o)]
    if alts:
        cell.metadata.setdefault("mystnb", {})[ALT_KEY] = alts


def _draws(output) -> bool:
    return "image/png" in output.get("data", {})


def _note(cell_id: str):
    return nbformat.v4.new_markdown_cell(NOT_STORED, id=f"{cell_id}-note"[:64])


def linked_glossary(text: str, course: dict) -> str:
    """Return the glossary with its notebook numbers as links, where such a notebook exists."""
    pages = {entry["name"][:2]: f"{entry['name']}.ipynb" for entry in course["notebooks"]}

    def link(match: re.Match) -> str:
        number = match["number"]
        return f"{match['word']}([{number}]({pages[number]})" if number in pages else match[0]

    return re.sub(r"(?m)^(?P<word>- \*\*[^*]+\*\* )\((?P<number>\d\d)", link, text)


def filled(page: str, tree: Tree, course: dict, readme: str) -> str:
    """Return a page with its places ``{{ readme results }}`` or ``{{ toctree }}`` filled in."""

    def content(match: re.Match) -> str:
        if match["kind"] == "readme":
            return marked(readme, *match["names"].split())
        if match["kind"] == "course":
            return contents(course)
        if match["kind"] == "toctree":
            return _toctree(tree, course)
        raise SystemExit(f"a page of the book asks for {match[0]}, which nobody fills in")

    return PLACE.sub(content, page)


def marked(readme: str, *names: str) -> str:
    """Return what stands between markers of the README, its links as seen from the notebooks.

    The first of the names that the README has.
    """
    for name in names:
        found = re.search(rf"<!-- {name}:start -->\n(.*?)\n<!-- {name}:end -->", readme, re.S)
        if found:
            return _from_notebooks(found[1])
    raise SystemExit(f"README.md has no markers <!-- {names[0]}:start --> and :end")


def _from_notebooks(text: str) -> str:
    return text.replace("](notebooks/", "](")


def contents(course: dict) -> str:
    """The notebooks and their questions as a table."""
    rows = [
        f"| [{entry['name'][:2]} {entry['title']}]({entry['name']}.ipynb) | {entry['question']} |"
        for entry in course["notebooks"]
    ]
    return "\n".join(["| notebook | question |", "|---|---|", *rows])


def _toctree(tree: Tree, course: dict) -> str:
    """The table of contents, in parts."""
    parts = {
        "The course": [entry["name"] for entry in course["notebooks"]],
        "Look up": ["glossary", "results", "times"],
        "Teach it": instructor.page_names(tree, course),
        "Take part": ["contributing", "AUTHORING", "changelog", "conduct", "licence"],
    }
    blocks = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```"])
        for caption, names in parts.items()
        if names
    ]
    return "\n\n".join(blocks)


def taken_along(tree: Tree) -> dict[str, str]:
    """Pages that stand elsewhere in the repository: file name in the book, text."""
    sources = {
        "AUTHORING.md": tree.notebooks / "AUTHORING.md",
        "contributing.md": tree.root / ".github" / "CONTRIBUTING.md",
        "conduct.md": tree.root / ".github" / "CODE_OF_CONDUCT.md",
        "changelog.md": tree.notebooks / "CHANGELOG.md",
        "licence.md": tree.notebooks / "LICENCE.md",
    }
    moved = {
        "(../notebooks/CHANGELOG.md)": "(changelog.md)",
        "(../notebooks/LICENCE.md)": "(licence.md)",
        "(../notebooks/": "(",
        "(CODE_OF_CONDUCT.md)": "(conduct.md)",
        "(../LICENSE)": "(https://www.apache.org/licenses/LICENSE-2.0)",
        "(CC-BY-4.0.txt)": "(https://creativecommons.org/licenses/by/4.0/legalcode.en)",
    }
    pages = {}
    for name, path in sources.items():
        text = path.read_text(encoding="utf-8")
        for before, after in moved.items():
            text = text.replace(before, after)
        pages[name] = text
    return pages


def build(tree: Tree, out: Path) -> Path:
    """Build the website into a folder; a warning is an error."""
    source = gather(tree, out.parent / f"{out.name}-source")
    static = source / "_static" / "mathjax"
    copy_mathjax(static)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-c", str(tree.notebooks / "book"), "-d", str(out.parent / f"{out.name}-doctrees")]
    with made_anew(tree, out) as new:
        done = subprocess.run([*command, str(source), str(new)])
        if done.returncode:
            raise SystemExit("the book was not built: see the warnings above")
        slides.build(tree, new / "slides")
    return out / "index.html"
