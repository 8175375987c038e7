"""Invented papers with planted faults for a class, and the key to each: what notebook 13 audits."""

from __future__ import annotations

from pathlib import Path

from coursekit.files import Tree, check_out, write_text

KEY = """\
# Key to the invented paper {number}

For those who teach: do not hand it out.

| fault | number that shows it | |
|---|---|---|
{rows}

In order: {in_order}.
"""


def write(tree: Tree, number: int, out: Path) -> list[Path]:
    """Write paper ``number`` into ``out/<number>``, and its key beside that folder.

    SystemExit for a number below 0.
    """
    from hqnn_utils.exercises.papers import FAULTS, make_paper, write_paper
    from hqnn_utils.exercises.papers.key import audit, evidence

    if number < 0:
        raise SystemExit(f"papers have numbers from 0 on, got {number}")
    folder, key = out / str(number), out / f"key-{number}.md"
    check_out(tree, out)
    paper = make_paper(number)
    write_paper(paper, folder)
    there, numbers = audit(paper), evidence(paper)
    rows = [
        f"| `{name}` | {numbers[name]:.4g} | {FAULTS[name].number}. {FAULTS[name].about} |"
        for name in FAULTS
        if name in there
    ]
    in_order = ", ".join(f"`{name}`" for name in FAULTS if name not in there)
    write_text(KEY.format(number=number, rows="\n".join(rows), in_order=in_order), key)
    return [folder, key]
