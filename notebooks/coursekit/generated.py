"""Badges and install cells from ``course.yml``, tables and picture of the README from records.

``sync`` rewrites them all, folds solutions, gives figures their alt texts and adds the quiz.
``retarget`` sets the course's address first.
"""

from __future__ import annotations

import re
from pathlib import Path

from coursekit import answer, quizzes, tables
from coursekit.addresses import clean_address, clone_address, launch_links, remote_address
from coursekit.alt import write_alts
from coursekit.files import Tree, need_writable, read, tags, write, write_text
from coursekit.folding import fold

BADGES = {
    "Open in Colab": "https://colab.research.google.com/assets/colab-badge.svg",
    "Open in Kaggle": "https://kaggle.com/static/images/open-in-kaggle.svg",
    "View source": "https://img.shields.io/badge/view-source-lightgrey?logo=github",
}
HOSTED = '{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"} & os.environ.keys()'
# What a copy asks that does not know its own address yet. IPython takes a colon for a format.
ASKS = "This copy has no address. Paste its GitHub page "


def bootstrap_source(course: dict) -> str:
    """The install cell: it does something in Colab and Kaggle only.

    There it adds the course's helpers and touches no package that is there already. Where no
    address is set (a fork before its first push), it asks the reader for one.
    """
    address = clone_address(course)
    if address:
        then = f'%pip install --quiet "hqnn_utils @ {address}"'
    else:
        then = f"""%pip install -q "hqnn_utils @ git+{{input('{ASKS}')}}\""""
    about = "installs the course's helpers on Colab and Kaggle; elsewhere it does nothing"
    return f"import os  # {about}\n\nif {HOSTED}:\n    {then}"


def badges_source(course: dict, entry: dict, times: dict, branch: str = "") -> str:
    """Badges (GitHub addresses only), minutes as measured, needs, data.

    The badges open the notebook of ``branch``, without it that of the course's own branch.
    """
    lines = []
    if links := launch_links(course, entry, branch):
        badges = [f"[![{text}]({picture})]({links[text]})" for text, picture in BADGES.items()]
        lines += [" ".join(badges), ""]
    took = minutes(times.get(entry["name"], {}))
    lines.append(
        f"**Time** smoke {took['smoke']}, laptop {took['laptop']}, full {took['full']} "
        f"· **Before this** {entry['needs']} · **Data** {entry['data']}"
    )
    return "\n".join(lines)


def minutes(measured: dict) -> dict[str, str]:
    """Time per profile as text, ``not measured yet`` where there is no measurement."""

    def text(profile: str) -> str:
        seconds = measured.get(profile, {}).get("seconds")
        if seconds is None:
            return "not measured yet"
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"

    return {profile: text(profile) for profile in ("smoke", "laptop", "full")}


def course_table(course: dict, times: dict) -> str:
    """The README's table of notebooks."""
    rows = [
        "| notebook | question | smoke | laptop | full | before this |",
        "|---|---|---|---|---|---|",
    ]
    for entry in course["notebooks"]:
        name = entry["name"]
        link = f"[{name[:2]} {entry['title']}](notebooks/{name}.ipynb)"
        took = " | ".join(minutes(times.get(name, {})).values())
        # links in course.yml are written as seen from a notebook
        needs = re.sub(r"\]\((\d\d_)", r"](notebooks/\1", entry["needs"])
        rows.append(f"| {link} | {entry['question']} | {took} | {needs} |")
    about = (
        "Times were measured on two cores without a GPU; the full profile wants one. "
        "Stored outputs come from the laptop profile."
    )
    return "\n".join([*rows, "", about + memory_sentence(times)])


def memory_sentence(times: dict) -> str:
    """Which notebook takes the most memory, as far as it was measured; else nothing."""
    peaks = {
        name: found["laptop"]["peak_mib"]
        for name, found in times.items()
        if "peak_mib" in found.get("laptop", {})
    }
    if not peaks:
        return ""
    name = max(peaks, key=peaks.get)
    return f" The most memory, {peaks[name] / 1024:.1f} GiB, is taken by notebook {name[:2]}."


def replace_between(text: str, name: str, content: str) -> str:
    """Put ``content`` between the README's markers called ``name``."""
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.S)
    if not pattern.search(text):
        raise SystemExit(
            f"README.md lacks the markers <!-- {name}:start --> and <!-- {name}:end -->"
        )
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


def sync(tree: Tree, check: bool = False, entries: list[dict] | None = None) -> list[str]:
    """Rewrite everything generated and name what was stale.

    With ``check``, only name it; with ``entries`` of ``course.yml``, only in these notebooks and
    in the README.
    """
    course, times = tree.course(), tree.times()
    notebooks = _renewed_notebooks(tree, course, entries)
    old = tree.readme.read_text(encoding="utf-8")
    made = {
        tree.readme: _renewed_readme(tree, old, course, times),
        tree.results / answer.PICTURE: answer.picture(),
    }
    texts = {
        path: new
        for path, new in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != new
    }
    if not check:
        need_writable([*notebooks, *texts])
        _write_all(notebooks, texts)
    return [path.name for path in (*notebooks, *texts)]


def sync_notebooks(tree: Tree, check: bool = False, entries: list[dict] | None = None) -> list[str]:
    """The part of ``sync`` that reads no records: what is generated in notebooks."""
    stale = _renewed_notebooks(tree, tree.course(), entries)
    if not check:
        need_writable(stale)
        _write_all(stale, {})
    return [path.name for path in stale]


def _write_all(notebooks: dict, texts: dict[Path, str]) -> None:
    for path, notebook in notebooks.items():
        write(notebook, path)
    for path, text in texts.items():
        write_text(text, path)


def _renewed_notebooks(tree: Tree, course: dict, entries: list[dict] | None) -> dict:
    """Path -> notebook with all that is generated in it, for those that are stale."""
    times = tree.times()
    stale = {}
    for entry in course["notebooks"] if entries is None else entries:
        path = tree.path_of(entry)
        if not path.exists():
            raise SystemExit(f"course.yml names {path.name}, which does not exist")
        notebook = read(path)
        has_quiz = quizzes.quiz_path(tree, entry["name"][:2]).exists()
        placed = has_quiz and quizzes.place(notebook, entry["name"][:2])
        if _renew_cells(notebook, course, entry, times) or placed:
            stale[path] = notebook
    return stale


def _renew_cells(notebook, course: dict, entry: dict, times: dict) -> bool:
    """Rewrite what is generated in a notebook; True if that changed anything."""
    arranged = [fold(notebook), write_alts(notebook)]
    before = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        if "bootstrap" in tags(cell):
            cell.source = bootstrap_source(course)
        elif "badges" in tags(cell):
            cell.source = badges_source(course, entry, times)
    return any(arranged) or [cell.source for cell in notebook.cells] != before


def _renewed_readme(tree: Tree, text: str, course: dict, times: dict) -> str:
    made = {
        "course": course_table(course, times),
        "answer": answer.answer(tree),
        "bench": tables.bench_table(tree),
    }
    for name, content in made.items():
        text = replace_between(text, name, content)
    return text


def retarget(tree: Tree, repository: str | None) -> str:
    """Set the course's address (default: the git remote) and rewrite all that depends on it.

    No table of the README does, so this needs nothing but ``nbformat``, PyYAML and pillow.
    """
    address = clean_address(repository or remote_address(tree))
    old = tree.course_file.read_text(encoding="utf-8")
    new, found = re.subn(r"(?m)^repository: \S+", lambda _: f"repository: {address}", old)
    if found != 1:
        raise SystemExit(f"{tree.course_file} has {found} lines 'repository: ...', expected one")
    # All of it is made before any of it is written.
    notebooks = _renewed_notebooks(tree, tree.course() | {"repository": address}, None)
    need_writable([tree.course_file, *notebooks])
    _write_all(notebooks, {tree.course_file: new})
    return address


def own_address(tree: Tree, repository: str) -> str | None:
    """Retarget to the copy that this is, unless ``course.yml`` says ``own_address: false``.

    A workflow calls this on each push. Returns the new address, ``None`` where nothing was to do.
    """
    course = tree.course()
    if not course.get("own_address", True) or course["repository"] == clean_address(repository):
        return None
    return retarget(tree, repository)
