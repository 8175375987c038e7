"""Result tables of the README and of ``make run``; every number comes from a record.

``hqnn_utils`` is imported inside the functions: badges and student versions need none of it.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

from coursekit.files import Tree

RESULTS_ABOUT = (
    "Mean ± standard deviation over seeds on the 156 official test images, threshold 0.5. "
    "`study_hybrid` is the study's head with its circuit, `study_matched` the same with a "
    "classical map of as many parameters; `dressed` and `matched` are such a pair without a "
    "bypass. The 64-pixel file is resampled from BUSI (a stand-in, not the official file)."
)
# Designs of plan v2 in the order of the README's columns; one that is not measured yet is left out.
VERDICT_COLUMNS = {
    "frozen_all_v2": "pretrained network, frozen; all 780 images",
    "frozen_official_v2": "pretrained network, frozen; official split",
    "small_cnn_official_v2": "small CNN; official split",
    "small_cnn_all_v2": "small CNN; all 780 images",
}
VERDICTS_ABOUT = (
    "Points of AUC with 95 % intervals. Rules and hypotheses were written down first, in "
    "`notebooks/results/plan_v2.md`; its first version, with the small CNN alone, is `plan.md`."
)


def _row(cells) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def bench_table(tree: Tree) -> str:
    """The study's circuit in the benchmark's record.

    Milliseconds per contender and size, and how much longer than ours.
    """
    path = tree.results / "benchmarks" / "quantum_layer_cpu.json"
    if not path.exists():
        return "No record yet: `make bench` makes it."
    record = json.loads(path.read_text(encoding="utf-8"))
    timings = record["timings"]["basic"]
    sizes = sorted(timings, key=lambda size: [int(number) for number in size.split(",")])
    smallest = timings[sizes[0]]
    lines = [
        _row(["ms, forward + backward; (times ours)", *sizes]),
        "|" + "---|" * (len(sizes) + 1),
    ]
    for name in sorted(smallest, key=lambda contender: smallest[contender]["ms"]):
        lines.append(_row([name, *(_bench_cell(timings[size][name]) for size in sizes)]))
    about = (
        f"Columns: qubits, layers, batch. float32, {record['threads']} threads, "
        f"{record['device']}, {record['date']}, medians; all contenders in one process."
    )
    return "\n".join([*lines, "", about])


def _bench_cell(found: dict) -> str:
    return f"{found['ms']:.3g} ({found['ratio']:.0f})" if "ms" in found else "–"


@lru_cache  # the measured families do not change while this runs
def results_table() -> str:
    """The measured records of notebook 08: one row a model, recomputed from its predictions."""
    from hqnn_utils.studies import measured
    from hqnn_utils.studies.tables import SHOWN, by_condition, summary

    families = ("heads_28px", "reach_28px", "large_64px")
    records = [record for family in families for record in measured(family)]
    groups = by_condition(records, _table_name)
    head = ["backbone", "head", "data", "weights", "seeds", *SHOWN]
    lines = [_row(head), "|" + "---|" * len(head)]
    for name, row in summary(groups).iterrows():
        weights = groups[name][0].settings["weights"] or "random"
        lines.append(_row([*name.split("|"), weights, *row]))
    return "\n".join([*lines, "", RESULTS_ABOUT])


def _table_name(record) -> str:
    """Backbone, head and data of a record, as cells of a row."""
    settings = record.settings
    mirrored = ", test images also mirrored" if settings["test_flips"] else ""
    data = f"{record.data['name']}, {record.data['size']} px"
    return "|".join([settings["backbone"] + mirrored, settings["head"], data])


@lru_cache
def verdict_table() -> str:
    """What the judge says of the nine claims of ``results/plan_v2.md``, from measured records.

    Designs whose runs are not complete are left out. A sentence, a table of claims by designs,
    and what the judge says where a circuit made the labels.
    """
    from hqnn_utils.studies.designs import judge_design

    names = [name for name in VERDICT_COLUMNS if _is_complete(name)]
    judged = {name: judge_design(name) for name in names}
    judged = {name: table[table["verdict"] != ""] for name, table in judged.items()}
    lines = [
        _row(["does ... add two points?", *(VERDICT_COLUMNS[name] for name in names)]),
        "|" + "---|" * (len(names) + 1),
    ]
    for claim, row in next(iter(judged.values())).iterrows():
        about = f"{claim}: {row['asks']} (`{row['A']}` against `{row['B']}`)"
        lines.append(_row([about, *(_verdict_cell(judged[name], claim) for name in names)]))
    first = judged[names[0]]["verdict"]
    return "\n".join(
        [
            f"{_counted(first)} ({VERDICT_COLUMNS[names[0]]}).",
            "",
            *lines,
            "",
            f"{VERDICTS_ABOUT} {_planted_sentence()}",
        ]
    )


def _is_complete(family: str) -> bool:
    """Whether every run that a family's plan asks for has its record."""
    from hqnn_utils.records import measured, measured_dir
    from hqnn_utils.studies import load_plan

    if not (measured_dir() / f"{family}.json").exists():
        return False
    return len(measured(family)) >= len(load_plan(family))


def _verdict_cell(table, claim: str) -> str:
    if claim not in table.index:
        return "–"
    row = table.loc[claim]
    gain, low, high = (100 * row[k] for k in ("difference", "low", "high"))
    return f"{gain:+.1f} ({low:+.1f} to {high:+.1f}) **{row['verdict']}**"


def _counted(verdicts) -> str:
    """How many claims got which verdict, as the beginning of a sentence."""
    order = (
        "supported",
        "equivalent within two points",
        "at least two points excluded",
        "undecided",
    )
    counts = ", ".join(f"{(verdicts == word).sum()} {word}" for word in order)
    return f"Of {len(verdicts)} claims that a circuit adds at least two points of AUC: {counts}"


def _planted_sentence() -> str:
    """What the judge says where a circuit must win: the positive control."""
    from hqnn_utils.studies.designs import judge_design

    planted = judge_design("planted_v2")["verdict"]
    supported = (planted == "supported").sum()
    return (
        f"Where a circuit made the labels, the same judge says *supported* in {supported} of "
        f"{len(planted)} comparisons, so it can say so."
    )


def report(folder: Path) -> str:
    """What ``make run`` prints about the records in a folder; empty where there are none."""
    from hqnn_utils.studies import load_all
    from hqnn_utils.studies.tables import by_condition, summary

    records = load_all(folder)
    if not records:
        return ""
    groups = by_condition(records, _name_without_seed)
    data = "; ".join(dict.fromkeys(_data_of(record) for record in records))
    lines = [
        f"Test scores of the first seed with 95 % intervals over test images. Data: {data}",
        interval_table(groups).to_string(),
    ]
    if any(len(runs) > 1 for runs in groups.values()):
        lines += ["Mean and standard deviation over seeds", summary(groups).to_string()]
    if any(record.data["phantom"] for record in records):
        lines.append(
            "PHANTOM: these are synthetic images, because BreastMNIST could not be had.\n"
            "With a network, or HQNN_DATA pointing at a folder that holds breastmnist.npz,\n"
            "the same command uses the real images."
        )
    return "\n\n".join(lines)


def _name_without_seed(record) -> str:
    """``00-small_cnn28-dressed-s3`` is a run of ``00-small_cnn28-dressed``."""
    return re.sub(r"-s\d+$", "", record.name)


def _data_of(record) -> str:
    data, images = record.data, len(record.predictions["test"]["labels"])
    phantom = "PHANTOM " if data["phantom"] else ""
    return f"{phantom}{data['name']}, {data['size']} px, {images} test images"


def interval_table(groups):
    """pandas table: each score of the first run of a condition with its interval over images."""
    import pandas as pd

    from hqnn_utils.evaluation.metrics import intervals, scores
    from hqnn_utils.studies.tables import SHOWN

    rows = {}
    for name, runs in groups.items():
        test = runs[0].predictions["test"]
        value = scores(test["labels"], test["probabilities"])
        span = intervals(test["labels"], test["probabilities"])
        rows[name] = {s: f"{value[s]:.3f} ({span[s][0]:.2f}-{span[s][1]:.2f})" for s in SHOWN}
    return pd.DataFrame(rows).T
