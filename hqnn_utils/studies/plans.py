"""The tables of settings that were measured for the course: data, not code.

Each is a JSON file beside the records, ``results/measured/plans/<name>.json``, and each family of
records can be made anew, or continued, with one line: ``python -m hqnn_utils.studies heads_28px``.
"""

from __future__ import annotations

from pathlib import Path

from hqnn_utils.records import load_json, measured_dir
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import read_json
from hqnn_utils.studies.settings import StudyError, grid

# Lie in the same folder: plan v1's hypotheses, which notebook 10 reads, and those of ``designs``.
NOT_A_TABLE = ("hypotheses", "hypotheses_v2")


def plans_dir() -> Path:
    """The folder of the course's own plans."""
    return measured_dir() / "plans"


def known_plans() -> list[str]:
    """Names of the course's own tables."""
    return sorted(p.stem for p in plans_dir().glob("*.json") if p.stem not in NOT_A_TABLE)


def load_plan(name: str) -> list[dict]:
    """One of the course's own tables by name. ValueError names the known ones."""
    return read_table(plan_path(name))


def plan_path(name: str) -> Path:
    """The file of one of the course's own tables; a name that ends in .json is a file's own."""
    if Path(name).suffix == ".json":
        return Path(name)
    return plans_dir() / f"{choose('plan', name, known_plans())}.json"


def read_table(path: str | Path) -> list[dict]:
    """A table of settings from JSON.

    The file holds a list of settings; or one object of lists, as for ``grid``; or
    ``{"about": ..., "grids": [...]}``, several such objects. Two further keys beside ``grids``
    shorten long plans: ``"common"`` is what all settings share, and ``"cross_validation"`` repeats
    every setting over all folds, see :func:`over_folds`. All of seed 0 comes first, then seed 1: a
    series that is cut short is complete for fewer seeds.

    The course's own tables carry a digest, and it must fit; so must that of yours, if it has one.

    Raises
    ------
    StudyError : a file that is missing, no JSON, changed since it was sealed, or of another form.
    """
    path = Path(path)
    content = _content(path)
    try:
        rows = _rows(content) if isinstance(content, dict) else list(content)
        return sorted(rows, key=lambda row: row.get("seed", 0))
    except (TypeError, ValueError, AttributeError) as error:
        raise StudyError(
            f"table {path} holds neither a list of settings nor grids of them ({error})"
        ) from None


def _content(path: Path):
    """What a table's file holds, without its digest."""
    try:
        content = read_json(path)
        sealed = isinstance(content, dict) and "digest" in content
        return load_json(path) if sealed or path.parent == plans_dir() else content
    except (OSError, ValueError) as error:
        raise StudyError(f"table {path} cannot be read ({error})") from None


def _rows(content: dict) -> list[dict]:
    grids = content.get("grids", [content])
    common = content.get("common", {})
    rows = [{**common, **row} for options in grids for row in grid(**options)]
    return over_folds(rows, **content.get("cross_validation", {}))


def over_folds(
    rows: list[dict],
    kind: str = "cross_validation",
    folds: int = 5,
    repetitions: int = 0,
    seeds: int = 1,
    first: int = 0,
    **options,
) -> list[dict]:
    """Every setting in every fold of every repetition; 0 repetitions leave the table as it is.

    Repetition r is the split with seed r. It is run with ``seeds`` seeds of training, the numbers
    r * seeds, r * seeds + 1 and so on, so that no seed comes twice.

    Parameters
    ----------
    kind : ``"cross_validation"``, or ``"inner"`` for choosing settings.
    first : number of the first repetition; above those of another plan, all splits are new ones.
    options : further options of the protocol.
    """
    if not repetitions:
        return rows
    return [
        {
            **row,
            "protocol": {"kind": kind, "folds": folds, "fold": fold, "seed": r, **options},
            "seed": r * seeds + k,
        }
        for r in range(first, first + repetitions)
        for k in range(seeds)
        for row in rows
        for fold in range(folds)
    ]


def keeps_test_only(path: str | Path) -> bool:
    """Whether a plan says ``"test_only": true``: its family keeps no history."""
    content = _content(Path(path))
    return isinstance(content, dict) and content.get("test_only", False)


checked(__name__)
