"""The tables of settings that were measured for the course: data, not code.

Each is a JSON file beside the records, ``results/measured/plans/<name>.json``, and each family of
records can be made anew, or continued, with one line: ``python -m hqnn_utils.studies heads_28px``.
"""

from __future__ import annotations

import json
from pathlib import Path

from hqnn_utils.records import measured_dir
from hqnn_utils.runtime import choose
from hqnn_utils.studies.settings import StudyError, grid

NOT_A_TABLE = "hypotheses"  # lies in the same folder, see ``verdicts``


def plans_dir() -> Path:
    """The folder of the course's own plans."""
    return measured_dir() / "plans"


def known_plans() -> list[str]:
    """Names of the course's own tables."""
    return sorted(p.stem for p in plans_dir().glob("*.json") if p.stem != NOT_A_TABLE)


def load_plan(name: str) -> list[dict]:
    """One of the course's own tables by name. ValueError names the known ones."""
    return read_table(plans_dir() / f"{choose('plan', name, known_plans())}.json")


def read_table(path: str | Path) -> list[dict]:
    """A table of settings from JSON.

    The file holds a list of settings; or one object of lists, as for ``grid``; or
    ``{"about": ..., "grids": [...]}``, several such objects. All of seed 0 comes first, then
    seed 1: a series that is cut short is complete for fewer seeds.

    Raises
    ------
    StudyError : a file that is missing, no JSON, or of another form.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"table {path} cannot be read ({error})") from None
    if isinstance(content, dict):
        grids = content.get("grids", [content])
        content = [row for options in grids for row in grid(**options)]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise StudyError(f"table {path} holds neither a list of settings nor grids of them")
    return sorted(content, key=lambda row: row.get("seed", 0))
