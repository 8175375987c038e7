"""Spelling, by codespell: usual misspellings everywhere, British forms in what is read.

codespell knows misspellings and has no dictionary, so that a technical word is never one. Its list
of British and American forms is turned round: the running text of this course is British. Code is
not asked for that; ``color=`` is matplotlib's.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from coursekit.comments import code_only
from coursekit.files import Tree, read
from coursekit.glossary import NOT_PROSE

# Right here: words of physics and names, beginnings of words that graders look for.
KNOWN = "aer,braket,ket,kets,nd,ot,te,"
KNOWN += "schedul,sensitiv,significan,combin,collaps,equivalen,memor,separat,varian,regist,delet"
KNOWN += ",caler"  # [sS]caler, in a pattern
# American only in part of their meanings, at home in British English too, or a name in torch.
BOTH = {
    "program",
    "programs",
    "meter",
    "meters",
    "practice",
    "license",
    "licenses",
    "disk",
    "disks",
}
BOTH |= {
    "check",
    "checks",
    "draft",
    "gray",
    "analog",
    "dialog",
    "tire",
    "tires",
    "curb",
    "story",
    "stories",
    "optimizer",
    "biased",
}
CODE = ("hqnn_utils", "tests", "notebooks/course.py", "notebooks/coursekit", "notebooks/book")
# References keep their authors' spelling, and so do links and an institute's name.
NOT_OURS = re.compile(
    r"^## References.*?(?=^## |\Z)|https?://\S+|<[^>]+>|Center for [A-Z]\w+", re.M | re.S
)


def gather(tree: Tree, out: Path) -> Path:
    """Write what is read, and what is code, into a folder: line for line, without formulas."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "prose").mkdir(parents=True)
    (out / "code").mkdir()
    pages = [tree.readme, *tree.notebooks.glob("*.md"), *(tree.root / ".github").glob("*.md")]
    pages += (tree.notebooks / "book").rglob("*.md")
    for page in pages:
        text = prose_of(page.read_text(encoding="utf-8"))
        (out / "prose" / page.name).write_text(text, encoding="utf-8")
    for entry in tree.course()["notebooks"]:
        cells = read(tree.path_of(entry)).cells
        text = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
        code = "\n\n".join(code_only(c.source) for c in cells if c.cell_type == "code")
        (out / "prose" / f"{entry['name']}.md").write_text(prose_of(text), encoding="utf-8")
        (out / "code" / f"{entry['name']}.py").write_text(code, encoding="utf-8")
    (out / "british.txt").write_text(british(), encoding="utf-8")
    return out


def prose_of(text: str) -> str:
    """Return the running text: no code, formulas, addresses or references."""
    return NOT_PROSE.sub(" ", NOT_OURS.sub(" ", text))


def british() -> str:
    """codespell's list of British words and their American forms, turned round."""
    found = importlib.util.find_spec("codespell_lib")
    if found is None:
        raise SystemExit("codespell is missing: run make spelling, which installs it")
    folder = Path(next(iter(found.submodule_search_locations))) / "data"
    listed = (folder / "dictionary_en-GB_to_en-US.txt").read_text(encoding="utf-8")
    pairs = (line.split("->") for line in listed.splitlines() if "->" in line)
    turned = {american.strip(", "): word for word, american in pairs if "," not in american}
    kept = {american: word for american, word in turned.items() if american not in BOTH}
    return "".join(f"{american}->{word}\n" for american, word in sorted(kept.items()))


def check(tree: Tree, out: Path) -> None:
    """Print what is misspelt; SystemExit if anything is."""
    made = gather(tree, out)
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words-list", KNOWN]
    code = [str(tree.root / name) for name in CODE] + [str(made / "code")]
    runs = [
        [*command, *code, "--skip", "test_spelling.py,*.json,*.css,*.svg,*.bib,__pycache__"],
        [*command, "-D", "-", "-D", str(made / "british.txt"), str(made / "prose")],
    ]
    if any([subprocess.run(run).returncode for run in runs]):
        raise SystemExit("misspelt words, see above: word ==> what is meant")
    print("nothing is misspelt")
