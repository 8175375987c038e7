"""The hypotheses of ``notebooks/results/plan.md`` and the machine that judges them.

Nobody edits a verdict by hand. The hypotheses are data, ``plans/hypotheses.json`` beside the
records: each names two settings, and settings, never displayed names, find the records.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from hqnn_utils.evaluation.comparison import holm, two_level_bootstrap, verdict
from hqnn_utils.evaluation.power import detectable_difference, power_for
from hqnn_utils.records import Record, measured
from hqnn_utils.studies.plans import plans_dir
from hqnn_utils.studies.tables import Groups, by_condition, condition, label, predictions


@dataclass(frozen=True)
class Hypothesis:
    """ "``a`` has a higher AUC than ``b``".

    ``a`` and ``b`` are settings: what they do not name has its default. ``asks`` says in words
    what the comparison is about.
    """

    name: str
    a: dict
    b: dict
    asks: str


def _read() -> dict:
    return json.loads((plans_dir() / "hypotheses.json").read_text(encoding="utf-8"))


_PLAN = _read()
MARGIN: float = _PLAN["margin"]  # two points: differences inside it count as no difference
HYPOTHESES = tuple(Hypothesis(**row) for row in _PLAN["hypotheses"])


def measured_conditions() -> Groups:
    """All conditions of notebook 10: the unchanged heads and the ablations, with ten seeds each."""
    return by_condition([record for name in _PLAN["families"] for record in measured(name)])


def replicated_conditions() -> Groups:
    """The conditions of the hypotheses, measured again with ten other seeds.

    That was done after the first verdicts were known.
    """
    return by_condition([record for name in _PLAN["replication"] for record in measured(name)])


def runs_of(groups: Groups, settings: dict) -> list[Record]:
    """The runs of a condition, found by its settings. ValueError names what is there."""
    wanted = condition(settings)
    for runs in groups.values():
        if condition(runs[0].settings) == wanted:
            return runs
    raise ValueError(f"no records of {label(settings)!r}; there are: {', '.join(groups)}")


def judge(
    groups: Groups, hypotheses=HYPOTHESES, score: str = "auc", keep=None, n_resamples: int = 10_000
):
    """pandas table, one row a hypothesis.

    Difference, intervals, p-values before and after Holm, power, and the verdict.

    Parameters
    ----------
    score : as in ``two_level_bootstrap``.
    keep : ids of the test images to use, by default all.

    Raises
    ------
    ValueError : a condition that has no records, or two conditions without the same seeds.
    """
    import pandas as pd

    rows = {}
    for h in hypotheses:
        a, b = _paired_runs(groups, h)
        (y, p_a), (_, p_b) = predictions(a, keep=keep), predictions(b, keep=keep)
        found = two_level_bootstrap(y, p_a, p_b, score=score, n_resamples=n_resamples)
        rows[h.name] = {"A": label(h.a), "B": label(h.b), **found}
    adjusted = holm({name: row["p_value"] for name, row in rows.items()})
    for name, row in rows.items():
        row["p_holm"] = adjusted[name]
        row["power_2_points"] = (
            power_for(MARGIN, row["error"]) if row["error"] > 0 else float("nan")
        )
        row["detectable"] = detectable_difference(row["error"])
        row["verdict"] = verdict(
            row["difference"], row["low90"], row["high90"], row["p_holm"], MARGIN
        )
    return pd.DataFrame(rows).T


def _paired_runs(groups: Groups, hypothesis: Hypothesis) -> tuple[list[Record], list[Record]]:
    """The runs of both sides of a hypothesis, of the same seeds."""
    try:
        a, b = runs_of(groups, hypothesis.a), runs_of(groups, hypothesis.b)
    except ValueError as error:
        raise ValueError(f"{hypothesis.name}: {error}") from None
    seeds_a, seeds_b = ([run.settings["seed"] for run in runs] for runs in (a, b))
    if seeds_a != seeds_b:
        raise ValueError(
            f"{hypothesis.name}: {label(hypothesis.a)!r} has seeds {seeds_a}, "
            f"{label(hypothesis.b)!r} has {seeds_b}: a paired test needs the same ones"
        )
    return a, b
