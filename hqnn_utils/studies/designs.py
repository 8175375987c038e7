"""Plan v2: designs, their hypotheses, and the judge of ``notebooks/results/plan_v2.md``.

A *design* is one way to ask the hypotheses: a backbone, a split, a number of runs. Its conditions
are settings by short names, its hypotheses pairs of such names. All of it is data,
``plans/hypotheses_v2.json`` beside the records; settings find the records, never displayed names.
``python -m hqnn_utils.studies.designs frozen_all_v2`` shows a design's verdicts as markdown.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, field

import numpy as np

from hqnn_utils.evaluation.claims import (
    ESTIMANDS,
    MARGIN,
    SUPPORTED,
    VERDICTS,
    Gap,
    on_other_images,
    on_other_training_sets,
    verdict_chances,
    verdicts_of,
)
from hqnn_utils.evaluation.comparison import mean_interval
from hqnn_utils.evaluation.metrics import rank_auc
from hqnn_utils.records import Record, load_json, measured, measured_dir
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.studies.plans import load_plan, plans_dir
from hqnn_utils.studies.settings import with_defaults
from hqnn_utils.studies.tables import head_and_circuit, predictions, whatever_the_split

__all__ = [
    "BREAST_IMAGES",
    "DESIGNS",
    "MARGIN",
    "Claim",
    "Design",
    "answer_in_words",
    "aucs_of",
    "chances_table",
    "design_lines",
    "distances",
    "fold_gaps",
    "is_complete",
    "judge_design",
]

FEWEST_RUNS = 5  # below that nothing is judged
# The designs that ask about breast images, the main table first; no controls, no replications.
BREAST_IMAGES = (
    "frozen_all_v2",
    "frozen_official_v2",
    "small_cnn_all_v2",
    "small_cnn_official_v2",
    "finetuned_official_v2",
)


@dataclass(frozen=True)
class Claim:
    """ "``a`` adds at least two points of AUC to ``b``", both names of conditions of a design."""

    name: str
    a: str
    b: str
    asks: str


@dataclass(frozen=True)
class Design:
    """One way to ask.

    Attributes
    ----------
    family : name of its records and of its table of settings. about : in words.
    estimand : a key of ``claims.ESTIMANDS``.
    conditions : name -> settings that are the same in all runs of the condition.
    claims : the family of hypotheses over which Holm's correction goes.
    others : further comparisons, reported beside the claims and not part of the family.
    expected_errors : standard error of each claim that was expected before the runs, in AUC; from
        this the plan's chances are computed.
    degrees : degrees of freedom of these errors; ``None`` for a bootstrap.
    """

    family: str
    about: str
    estimand: str
    conditions: dict[str, dict]
    claims: tuple[Claim, ...]
    others: tuple[Claim, ...] = ()
    expected_errors: dict[str, float] = field(default_factory=dict)
    degrees: int | None = None

    def chances(self, true: float, margin: float = MARGIN, n_studies: int = 4000):
        """What the rules can say in this design, as ``claims.verdict_chances``."""
        degrees = np.inf if self.degrees is None else self.degrees
        return verdict_chances(
            self.expected_errors, true, degrees=degrees, margin=margin, n_studies=n_studies
        )


def _read() -> dict[str, Design]:
    content = load_json(plans_dir() / "hypotheses_v2.json")
    sets = {name: tuple(Claim(**row) for row in rows) for name, rows in content["claims"].items()}
    found = {}
    for row in content["designs"]:
        common = row.pop("common", {})
        conditions = {name: {**common, **own} for name, own in row.pop("conditions").items()}
        claims, others = sets[row.pop("claims")], sets[row.pop("others", "none")]
        design = Design(conditions=conditions, claims=claims, others=others, **row)
        choose("estimand", design.estimand, ESTIMANDS)
        found[design.family] = design
    return found


DESIGNS: dict[str, Design] = _read()


def is_complete(family: str) -> bool:
    """Whether every run that a family's plan asks for has its record."""
    if not (measured_dir() / f"{family}.json").exists():
        return False
    return len(measured(family)) >= len(load_plan(family))


def judge_design(
    design: Design | str,
    records: list[Record] | None = None,
    keep=None,
    score: str = "auc",
    n_resamples: int = 10_000,
    margin: float = MARGIN,
):
    """pandas table of a design: one row a claim, then those of ``others`` without a verdict.

    Columns: the two conditions, number of runs, all of ``claims.Gap``, the p-values after Holm, the
    verdict, and ``power_2_points`` and ``power_5_points``: how often "supported" would be said with
    errors like these, Holm's correction included, if the true difference were that large. The
    table's ``attrs`` hold the design's name and its estimand in words.

    Parameters
    ----------
    design : a design or its name in ``DESIGNS``.
    records : its records, by default those that were measured for the course.
    keep : ids of test images to use, by default all; for designs on the official split.
    score : ``"auc"``, the primary endpoint, or ``"accuracy"`` at 0.5.
    n_resamples : of the bootstrap, for designs on the official split.
    margin : differences inside it count as none. The words of the verdicts say "two points"
        whatever it is.

    Raises
    ------
    ValueError : an unknown design, a condition without records, runs that are not paired.
    RecordError : nothing measured yet.
    """
    import pandas as pd

    if isinstance(design, str):
        design = DESIGNS[choose("design", design, DESIGNS)]
    runs = _runs_by_condition(measured(design.family) if records is None else records)
    claims = {c.name: c for c in (*design.claims, *design.others)}
    paired = {name: _paired(design, claim, runs) for name, claim in claims.items()}
    gaps = {
        name: _gap(design, pair, keep, score, n_resamples, margin) for name, pair in paired.items()
    }
    judged = verdicts_of({c.name: gaps[c.name] for c in design.claims}, margin)
    powers = {
        f"power_{points}_points": _power(design, gaps, points / 100, margin) for points in (2, 5)
    }
    rows = {}
    for name, claim in claims.items():
        about = {"A": claim.a, "B": claim.b, "asks": claim.asks, "runs": len(paired[name][0])}
        none = {"p_better_holm": np.nan, "p_less_holm": np.nan, "verdict": ""}
        power = {key: found.get(name, np.nan) for key, found in powers.items()}
        rows[name] = {**about, **asdict(gaps[name]), **judged.get(name, none), **power}
    table = pd.DataFrame(rows).T
    table.attrs = {"design": design.family, "estimand": ESTIMANDS[design.estimand]}
    return table


def _power(design: Design, gaps: dict[str, Gap], true: float, margin: float) -> dict[str, float]:
    """Chance of "supported" for each claim, with the errors that were found."""
    errors = {claim.name: max(gaps[claim.name].error, 1e-9) for claim in design.claims}
    degrees = np.inf if design.degrees is None else design.degrees
    chances = verdict_chances(errors, true, degrees=degrees, margin=margin, n_studies=2000)
    return chances[SUPPORTED].to_dict()


def _runs_by_condition(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(whatever_the_split(record.settings), []).append(record)
    return found


def _place(record: Record) -> tuple:
    """What two runs must share to be a pair: the split and the seed."""
    protocol = with_defaults(record.settings)["protocol"]
    return protocol.get("seed", 0), protocol.get("fold", 0), record.settings["seed"]


def _paired(design: Design, claim: Claim, runs: dict) -> tuple[list[Record], list[Record]]:
    """The runs of both sides that have a partner, in one order.

    A series that was cut short is judged by the pairs that are there.
    """
    sides = []
    for name in (claim.a, claim.b):
        settings = design.conditions[
            choose(f"condition of {design.family}", name, design.conditions)
        ]
        found = runs.get(whatever_the_split(settings))
        if not found:
            raise ValueError(f"{claim.name}: no records of {name!r} in {design.family}")
        sides.append({_place(record): record for record in found})
    shared = sorted(sides[0].keys() & sides[1].keys())
    if len(shared) < FEWEST_RUNS:
        raise ValueError(
            f"{claim.name}: {len(shared)} pairs of runs of {claim.a!r} and {claim.b!r}, "
            f"need {FEWEST_RUNS}"
        )
    return [sides[0][place] for place in shared], [sides[1][place] for place in shared]


def _gap(
    design: Design,
    pair: tuple[list[Record], list[Record]],
    keep,
    score: str,
    n_resamples: int,
    margin: float,
) -> Gap:
    if design.estimand == "images":
        (y, p_a), (_, p_b) = (predictions(side, keep=keep) for side in pair)
        return on_other_images(y, p_a, p_b, score=score, margin=margin, n_resamples=n_resamples)
    return on_other_training_sets(fold_gaps(*pair, score=score), margin=margin)


def fold_gaps(a: list[Record], b: list[Record], score: str = "auc") -> np.ndarray:
    """Score of a minus that of b in every fold of every repetition, (n,).

    Where a fold was run with several seeds, their mean: the same test images are one fold.
    """
    by_fold: dict[tuple, list[float]] = {}
    for one, other in zip(a, b, strict=True):
        first, second = one.predictions["test"], other.predictions["test"]
        if (first["ids"], first["labels"]) != (second["ids"], second["labels"]):
            raise ValueError(f"{one.name} and {other.name} were tested on different images")
        gap = _score(first, score) - _score(second, score)
        by_fold.setdefault(_place(one)[:2], []).append(gap)
    return np.array([np.mean(gaps) for gaps in by_fold.values()])


def _score(part: dict, score: str) -> float:
    choose("score", score, ("auc", "accuracy"))
    y, p = np.array(part["labels"]), np.array(part["probabilities"], float)
    return float(rank_auc(y, p) if score == "auc" else ((p >= 0.5) == y).mean())


def aucs_of(records: list[Record]):
    """pandas table: for each condition the runs, their mean test AUC, its 95 % interval over runs
    (Student), and how many did not learn (AUC below 0.6).

    For the negative control, whose intervals must hold 0.5, and to see networks that collapsed.
    """
    import pandas as pd

    rows: dict[str, list[float]] = {}
    for record in records:
        auc = _score(record.predictions["test"], "auc")
        rows.setdefault(head_and_circuit(record.settings), []).append(auc)
    return pd.DataFrame(
        {
            name: {
                "runs": len(aucs),
                **dict(zip(("auc", "low", "high"), mean_interval(aucs), strict=True)),
                "did not learn": sum(auc < 0.6 for auc in aucs),
            }
            for name, aucs in rows.items()
        }
    ).T


def chances_table(design: Design, true=(0.0, 0.02, 0.05), margin: float = MARGIN):
    """pandas table: for each claim and true difference, the probability of each verdict."""
    import pandas as pd

    parts = {f"{100 * t:+g}": design.chances(t, margin) for t in true}
    table = pd.concat(parts, names=["true difference, points", "claim"]).swaplevel()
    return table.sort_index(level=0, sort_remaining=False)


def distances(records: list[Record]):
    """pandas table: how far each part of each condition moved from its start, mean over runs.

    ``circuit`` in radian an angle (root mean square), the other parts as a share of their start's
    length. Records from before distances were kept are left out.
    """
    import pandas as pd

    rows: dict[str, dict[str, list[float]]] = {}
    for record in records:
        moved = record.scores.get("fit", {}).get("moved", {})
        name = head_and_circuit(record.settings)
        for part, found in moved.items():
            value = found["rms"] if part == "circuit" else found["share"]
            rows.setdefault(name, {}).setdefault(part, []).append(value)
    means = {name: {part: np.mean(v) for part, v in parts.items()} for name, parts in rows.items()}
    table = pd.DataFrame(means).T
    return table.reindex(columns=[p for p in ("backbone", "head", "circuit") if p in table])


def design_lines(table) -> list[str]:
    """Markdown rows: claim, difference in points with its bounds, p-values, P(...), verdict."""
    lines = [
        "| | adds A two points to B? | A - B, points of AUC (95 %) | below, 95 % sure "
        "| p (raw) | p (Holm) | P(worse / same / better) | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in table.iterrows():
        gain, low, high, upper = (100 * row[k] for k in ("difference", "low", "high", "upper"))
        holm = f"{row['p_better_holm']:.3f}" if row["verdict"] else "–"
        reading = " / ".join(f"{100 * row[k]:.0f}" for k in ("worse", "same", "better"))
        lines.append(
            f"| {name} | {row['asks']} (`{row['A']}` against `{row['B']}`) "
            f"| {gain:+.1f} ({low:+.1f} to {high:+.1f}) | {upper:+.1f} "
            f"| {row['p_better']:.3f} | {holm} | {reading} | **{row['verdict'] or 'not judged'}** |"
        )
    return lines


def answer_in_words(judged: dict) -> str:
    """The answer of the course in one sentence.

    Parameters
    ----------
    judged : tables of ``judge_design`` by name; of the designs in ``BREAST_IMAGES`` those that are
        complete, the main table among them, and ``planted_v2``.
    """
    tables = {name: judged[name] for name in BREAST_IMAGES if name in judged}
    won = [f"{c} in {name}" for name, t in tables.items() for c in t.index[_said(t, SUPPORTED)]]
    main, planted = tables[BREAST_IMAGES[0]], judged["planted_v2"]
    first = "no circuit" if not won else f"a circuit ({', '.join(won)})"
    known = ", ".join(f"{_said(main, word).sum()} {word}" for word in VERDICTS if word != SUPPORTED)
    asked = [pair for table in tables.values() for pair in _asked(table)]
    return (
        f"In {len(asked)} planned comparisons on breast images ({len(set(asked))} questions, "
        f"asked in {len(tables)} tables of the same images), {first} was found to add to the AUC "
        f"of a classifier (main table: {known}), while the same judge says so in "
        f"{_said(planted, SUPPORTED).sum()} of {len(_asked(planted))} comparisons "
        "where a circuit had made the labels."
    )


def _said(table, word: str):
    """Which claims of a table got a word."""
    return table["verdict"] == word


def _asked(table) -> list[tuple[str, str]]:
    """The pairs (A, B) of a table that were judged; the others are only reported."""
    judged = table[table["verdict"] != ""]
    return list(zip(judged["A"], judged["B"], strict=True))


def main(arguments: list[str] | None = None) -> None:
    """Print the verdicts of a design, the mean AUC of its conditions and how far they moved."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("design", choices=list(DESIGNS))
    name = parser.parse_args(arguments).design
    table, records = judge_design(name), measured(name)
    print(f"{DESIGNS[name].about}\n{table.attrs['estimand']}\n")
    print("\n".join(design_lines(table)), "\n")
    print(aucs_of(records).round(3).to_string(), "\n")
    print(distances(records).round(3).to_string())


checked(__name__)


if __name__ == "__main__":
    main()
