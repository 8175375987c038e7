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
VERDICTS_ABOUT = (
    "Two-level bootstrap over ten seeds and 156 test images; rules and hypotheses were written "
    "down first, in `notebooks/results/plan.md`. Trained again with ten other seeds, "
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
    record = json.loads(path.read_text())
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
    """The machine's verdicts on the hypotheses of ``results/plan.md``, from measured records."""
    from hqnn_utils.studies import verdicts

    first = verdicts.judge(verdicts.measured_conditions())
    again = verdicts.judge(verdicts.replicated_conditions())
    same = int((first["verdict"] == again["verdict"]).sum())
    about = f"{VERDICTS_ABOUT}{same} of {len(first)} verdicts come back."
    return "\n".join([*verdicts.verdict_lines(first), "", about])


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
        "Mean and standard deviation over seeds",
        summary(groups).to_string(),
    ]
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
