"""The hypotheses of ``notebooks/results/plan.md`` and the machine that judges them. Nobody edits a verdict by hand."""

from __future__ import annotations

from dataclasses import dataclass

from hqnn_utils.evaluation.comparison import (
    detectable_difference,
    holm,
    power_for,
    two_level_bootstrap,
    verdict,
)
from hqnn_utils.studies.families import measured
from hqnn_utils.studies.tables import by_condition, predictions

MARGIN = 0.02  # two points: differences inside it count as no difference


@dataclass(frozen=True)
class Hypothesis:
    """ "``a`` has a higher AUC than ``b``": names of conditions as ``tables.label`` gives them."""

    name: str
    a: str
    b: str
    asks: str


HYPOTHESES = (
    Hypothesis(
        "H1", "study_hybrid", "linear", "the study's claim: the hybrid head beats the plain one"
    ),
    Hypothesis(
        "H2",
        "study_hybrid",
        "study_matched",
        "the circuit beats a classical map of the same size, in the study's head",
    ),
    Hypothesis("H3", "dressed", "matched", "the same without a way round the circuit"),
    Hypothesis("H4", "dressed", "mlp", "the circuit beats an ordinary small layer"),
    Hypothesis("H5", "dressed", "frozen", "training the circuit's angles matters"),
    Hypothesis("H6", "dressed", "dressed, entangler=none", "entanglement matters"),
    Hypothesis(
        "H7", "study_hybrid", "study_branch", "in the study's head, the circuit adds to its bypass"
    ),
    Hypothesis("H8", "dressed, reupload=True", "dressed", "repeating the encoding helps"),
    Hypothesis("H9", "dressed, n_layers=6", "dressed, n_layers=1", "depth helps"),
)


def measured_conditions() -> dict[str, list[dict]]:
    """All conditions of notebook 10: the unchanged heads and the ablations, each with its ten seeds."""
    return by_condition(measured("heads_28px") + measured("ablations_28px"))


def replicated_conditions() -> dict[str, list[dict]]:
    """The conditions of the hypotheses, measured again with ten other seeds after the first verdicts were known."""
    return by_condition(measured("replication_28px"))


def judge(
    groups: dict[str, list[dict]],
    hypotheses=HYPOTHESES,
    score: str = "auc",
    keep=None,
    n_resamples: int = 10_000,
):
    """pandas table: one row a hypothesis with difference, intervals, p-values before and after Holm, power, and the verdict.

    ``score`` and ``keep`` (ids of test images) as in ``two_level_bootstrap`` and ``tables.predictions``. ValueError names a condition that
    has no records, or two conditions without the same seeds.
    """
    import pandas as pd

    rows = {}
    for h in hypotheses:
        for name in (h.a, h.b):
            if name not in groups:
                raise ValueError(
                    f"{h.name} needs records of {name!r}; there are: {', '.join(groups)}"
                )
        seeds = [[r["settings"]["seed"] for r in groups[name]] for name in (h.a, h.b)]
        if seeds[0] != seeds[1]:
            raise ValueError(
                f"{h.name}: {h.a!r} has seeds {seeds[0]}, {h.b!r} has {seeds[1]}: a paired test needs the same ones"
            )
        (y, a), (_, b) = (predictions(groups[name], keep=keep) for name in (h.a, h.b))
        rows[h.name] = {
            "A": h.a,
            "B": h.b,
            **two_level_bootstrap(y, a, b, score=score, n_resamples=n_resamples),
        }
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


def verdict_lines(table) -> list[str]:
    """Markdown rows for README and notebook: hypothesis, difference in points with its 95 % interval, p after Holm, verdict."""
    asks = {h.name: h.asks for h in HYPOTHESES}
    lines = [
        "| | is it so that ... | A - B, points of AUC (95 %) | p (Holm) | power for 2 points | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for name, r in table.iterrows():
        points = f"{100 * r['difference']:+.1f} ({100 * r['low']:+.1f} to {100 * r['high']:+.1f})"
        lines.append(
            f"| {name} | {asks[name]} (`{r['A']}` against `{r['B']}`) | {points} | {r['p_holm']:.3f} | {r['power_2_points']:.0%} | **{r['verdict']}** |"
        )
    return lines
