"""The README's table of speeds and the tables of ``make run``; all numbers come from records.

``hqnn_utils`` is imported inside the functions: badges and student versions need none of it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from coursekit.files import Tree


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
