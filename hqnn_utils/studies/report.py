"""The report on a study of one's own: verdicts by the course's rules, controls, leaks, in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hqnn_utils.data.splits import apply_protocol, audit_split
from hqnn_utils.evaluation.claims import ESTIMANDS, MARGIN, SUPPORTED
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.studies.designs import Design, aucs_of, chances_table, distances, judge_design
from hqnn_utils.studies.own import Done
from hqnn_utils.studies.tables import whatever_the_split


@dataclass(frozen=True)
class Report:
    """What is to be said, as tables; ``text`` is all of it in Markdown.

    Attributes
    ----------
    done : the study.
    verdicts : pandas table of ``designs.judge_design``, a row a comparison.
    levels : mean test AUC of each condition with its interval over runs.
    moved : how far the parts of each condition moved in training.
    chances : what the rules could say, by the error that the plan expected.
    leaks : ``splits.audit_split`` of the first split that was used.
    shuffled : as ``levels``, of the first condition with shuffled labels.
    planted : ``verdicts`` of the primary comparison on labels of a circuit.
    """

    done: Done
    verdicts: object
    levels: object
    moved: object
    chances: object
    leaks: object
    shuffled: object
    planted: object

    @property
    def verdict(self) -> str:
        """The word for the primary comparison."""
        return self.verdicts.loc["primary", "verdict"]

    @property
    def chance_holds(self) -> bool:
        """Whether the interval of the runs with shuffled labels holds 0.5."""
        row = self.shuffled.iloc[0]
        return bool(row["low"] <= 0.5 <= row["high"])

    @property
    def judge_can_say_so(self) -> bool:
        """Whether the judge says "supported" on labels that a circuit made."""
        return bool(self.planted.loc["primary", "verdict"] == SUPPORTED)

    @property
    def text(self) -> str:
        """The report in Markdown."""
        return "\n".join(_lines(self))


def make_report(done: Done, n_resamples: int = 10_000) -> Report:
    """Judge what ``own.carry_out`` has made.

    Parameters
    ----------
    done : the study.
    n_resamples : of the bootstrap over seeds and images, where images are asked about.

    Raises
    ------
    ValueError : runs that are not paired, or too few of them.
    """
    margin = done.plan.margin
    verdicts = judge_design(done.design, done.records, n_resamples=n_resamples, margin=margin)
    planted = judge_design(_on_planted(done), done.planted, n_resamples=n_resamples)
    for table in (verdicts, planted):
        table["verdict"] = [_with_margin(word, margin) for word in table["verdict"]]
    conditions = done.design.conditions
    names = {whatever_the_split(settings): name for name, settings in conditions.items()}
    groups = {name: [] for name in done.plan.names}
    for record in done.records:
        groups[names[whatever_the_split(record.settings)]].append(record)
    return Report(
        done=done,
        verdicts=verdicts,
        levels=_named(aucs_of, groups),
        moved=_named(distances, groups),
        chances=_chances(done),
        leaks=audit_split(_first_split(done)),
        shuffled=_named(aucs_of, {f"{done.plan.names[0]}, shuffled labels": done.shuffled}),
        planted=planted,
    )


def _named(table_of, groups: dict):
    """One row a condition under the plan's name for it."""
    import pandas as pd

    rows = {name: table_of(records).iloc[0] for name, records in groups.items()}
    return pd.DataFrame(rows).T


def _chances(done: Done):
    """For each claim and true difference the probability of each word, by the plan's own margin."""
    margin = done.plan.margin
    table = chances_table(done.design, (0.0, margin, 2.5 * margin), margin)
    return table.rename(columns=lambda word: _with_margin(word, margin))


def _first_split(done: Done):
    return apply_protocol(done.data, **done.settings.protocols(0, done.data)[0])


def _on_planted(done: Done) -> Design:
    """The primary comparison, on the records with planted labels."""
    a, b = done.plan.primary
    stored = [record.settings for record in done.planted[:2]]  # seed 0 of A, then of B
    bare = [{k: v for k, v in s.items() if k not in ("seed", "protocol")} for s in stored]
    return replace(
        done.design,
        estimand="images",
        conditions=dict(zip((a, b), bare, strict=True)),
        claims=done.design.claims[:1],
        expected_errors={},
        degrees=None,
    )


def _with_margin(word: str, margin: float) -> str:
    """A verdict names its margin."""
    return word if margin == MARGIN else word.replace("two points", f"{100 * margin:g} points")


# --------------------------------------------------------------------------------- in words


def _lines(report: Report) -> list[str]:
    done, plan = report.done, report.done.plan
    data, settings = done.data, done.settings
    a, b = plan.primary
    return [
        f"# {data.banner}{plan.question}",
        "",
        f"**Plan.** {done.kept!r}. {_on_changes(done)}",
        "",
        f"**Asked.** Does `{a}` add at least {100 * plan.margin:g} points of AUC to `{b}`? "
        f"Of whom: {ESTIMANDS[settings.estimand]}.",
        "",
        f"**Data.** {data.name} ({data.source}, digest {data.digest[:12]}): "
        + ", ".join(f"{(data.split == part).sum()} {part}" for part in ("train", "val", "test"))
        + f". Circuit {settings.circuit.label()} in the head `{settings.head}`.",
        "",
        f"**Verdict.** {verdict_sentence(report)}",
        "",
        "| comparison | A - B, points (95 %) | p (Holm) | power at 2 / 5 points | verdict |",
        "|---|---|---|---|---|",
        *_rows(report.verdicts),
        "",
        f"**Levels.** {_levels(report.levels)}",
        "",
        f"**Tuning.** {_tuning(done)}",
        "",
        f"**Controls of the study.** {_controls(report)}",
        "",
        f"**Leaks.** {_leaks(report)}",
        "",
        f"**What was said before.** If supported: {plan.if_supported} If excluded or equivalent: "
        f"{plan.if_excluded}",
    ]


def _on_changes(done: Done) -> str:
    if done.kept.was_changed:
        return "IT WAS CHANGED AFTER RUNS HAD BEEN MADE: read what follows as exploration."
    return "No run had been made when it was last changed."


def verdict_sentence(report: Report) -> str:
    """The primary verdict in a sentence, with its bounds and what it rests on."""
    row, plan = report.verdicts.loc["primary"], report.done.plan
    a, b = plan.primary
    gain, low, high = (100 * row[key] for key in ("difference", "low", "high"))
    found = (
        f"`{a}` minus `{b}`: {gain:+.1f} points of AUC (95 % {low:+.1f} to {high:+.1f}, "
        f"{row['runs']} pairs of runs). By the rule of the plan: **{row['verdict']}**."
    )
    ceiling = 100 * (1 - report.levels.loc[b, "auc"])
    if ceiling < 100 * plan.margin and row["verdict"] != SUPPORTED:
        found += (
            f" `{b}` alone leaves {ceiling:.1f} points up to a perfect AUC, less than the margin: "
            "on these data nothing could have added that much."
        )
    return found


def _rows(table) -> list[str]:
    lines = []
    for name, row in table.iterrows():
        gain, low, high = (100 * row[key] for key in ("difference", "low", "high"))
        power = f"{row['power_2_points']:.0%} / {row['power_5_points']:.0%}"
        lines.append(
            f"| {name}: `{row['A']}` against `{row['B']}` | {gain:+.1f} ({low:+.1f} to {high:+.1f})"
            f" | {row['p_better_holm']:.3f} | {power} | **{row['verdict']}** |"
        )
    return lines


def _levels(levels) -> str:
    return "; ".join(
        f"{name} {row['auc']:.3f} ({row['low']:.3f} to {row['high']:.3f} over "
        f"{row['runs']:.0f} runs)"
        for name, row in levels.iterrows()
    )


def _tuning(done: Done) -> str:
    if done.tuning is None:
        return f"none: every condition had the rate {done.settings.rates[0]:g}."
    tried = done.tuning.groupby("contestant").size()
    splits = done.tuning["splits"].iloc[0]
    return (
        f"{tried.iloc[0]} learning rates for each of {len(tried)} conditions, judged on {splits} "
        "inner folds of training and validation part; the test part had no share in it."
    )


def _controls(report: Report) -> str:
    row = report.shuffled.iloc[0]
    chance = (
        f"With shuffled labels the AUC is {row['auc']:.3f} ({row['low']:.3f} to "
        f"{row['high']:.3f}), "
    )
    chance += "chance." if report.chance_holds else "NOT CHANCE: look for a leak or a fault first."
    judged = report.planted.loc["primary"]
    able = f' On labels of a circuit the judge says "{judged["verdict"]}" '
    able += f"({100 * judged['difference']:+.1f} points)"
    if report.judge_can_say_so:
        return f'{chance}{able}: it can say "supported".'
    return f'{chance}{able}: IT WAS NOT SEEN TO SAY "supported", so its "no" counts for little.'


def _leaks(report: Report) -> str:
    parts = []
    for name, row in report.leaks.iterrows():
        if row["test examples"] != row["test examples"]:  # not known
            parts.append(f"{name}: {row['about']}")
        else:
            parts.append(f"{name}: {row['test examples']:.0f} test examples ({row['share']:.0%})")
    return "; ".join(parts) + "."


checked(__name__)
