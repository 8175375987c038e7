"""The README's table of speeds and the tables of ``make run``; all numbers come from records.

``hqnn_utils`` is imported inside the functions: badges and student versions need none of it.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from coursekit.files import Tree, read_sealed_json


def _row(cells) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


FOLDED = "<details><summary>All contenders, both families of circuits, in milliseconds</summary>"
CLASSES = {
    "layer": "a torch layer, autograd included",
    "arrays": "arrays in, gradients out (no autograd)",
}
FAMILIES = {"basic": "the study's circuit", "strong": "a general circuit"}


def bench_table(tree: Tree) -> str:
    """The benchmark's record: a table for each family of circuits, and the weakest ratios.

    Milliseconds per contender and size, how many times ours of the same class that is, and the
    first call.
    """
    path = tree.results / "benchmarks" / "quantum_layer_cpu.json"
    if not path.exists():
        return "No record yet: `make bench` makes it."
    record = read_sealed_json(path)
    if "by_threads" not in record:
        return _first_table(record)
    lines = [_weakest(record["by_threads"]), "", FOLDED, ""]
    for family, columns in record["by_threads"]["2"].items():
        lines += [*_bench_family(FAMILIES[family], columns), ""]
    return "\n".join([*lines, _bench_about(record), "", "</details>"])


def _bench_family(name: str, columns: dict) -> list[str]:
    """The table of one family; contenders in the order of the smallest circuit, class by class."""
    sizes = sorted(columns, key=lambda size: [int(number) for number in size.split(",")])
    smallest = columns[sizes[0]]
    lines = []
    for kind in (None, *CLASSES):
        members = [n for n, cell in smallest.items() if _class_of(columns, n) == kind]
        if not members:
            continue
        what = f"{name}, {CLASSES[kind]}" if kind else name
        lines += [
            _row([f"{what}: ms, forward + backward (times ours)", *sizes, "first call, s"]),
            "|" + "---|" * (len(sizes) + 2),
        ]
        for contender in sorted(members, key=lambda n: smallest[n].get("ms", math.inf)):
            cells = [columns[size][contender] for size in sizes]
            firsts = [cell["first_s"] for cell in cells if "first_s" in cell]
            span = f"{min(firsts):.2g} to {max(firsts):.2g}" if firsts else "–"
            lines.append(_row([contender, *map(_bench_cell, cells), span]))
        lines.append("")
    return lines[:-1]


def _class_of(columns: dict, contender: str) -> str | None:
    """None in a record that was measured before there were classes."""
    return next(iter(columns.values()))[contender].get("class")


def _bench_cell(found: dict) -> str:
    if "ms" in found:
        return f"{found['ms']:.3g} ({_times(found['ratio'])})"
    return found["skipped"] if found["skipped"].startswith("not ready") else "–"


def _times(ratio: float) -> str:
    """Two digits where they matter."""
    return f"{ratio:.0f}" if ratio >= 9.5 else f"{ratio:.1f}"


def _weakest(by_threads: dict) -> str:
    """Sentences about the contenders that come nearest, whatever the family, size and threads: in
    each class, and across the classes.
    """
    cells = [
        (cell, f"{contender}; {FAMILIES[family]}, {size}, {_threads(threads)}")
        for threads, families in by_threads.items()
        for family, columns in families.items()
        for size, found in columns.items()
        for contender, cell in found.items()
        if "ratio" in cell and cell["ratio"] != 1
    ]
    below = "below 1 it is faster than ours."
    if not any("class" in cell for cell, _ in cells):  # measured before there were classes
        return f"Weakest ratio: {_nearest(cells, 'ratio')}; {below}"
    lines = [
        f"Weakest ratio, {words}: {_nearest(here, 'ratio')}."
        for kind, words in CLASSES.items()
        if (here := [(cell, where) for cell, where in cells if cell["class"] == kind])
    ]
    others = [(cell, where) for cell, where in cells if cell["class"] == "arrays"]
    if others:
        lines.append(
            f"Across the classes, our torch layer against a peer without torch: "
            f"{_nearest(others, 'across')}; {below}"
        )
    return "\n\n".join(lines)


def _nearest(cells: list, key: str) -> str:
    cell, where = min(cells, key=lambda found: found[0][key])
    return f"{_times(cell[key])} ({where})"


def _threads(number: str) -> str:
    return f"{number} {'thread' if number == '1' else 'threads'}"


def _bench_about(record: dict) -> str:
    warm = record["warm_up"]
    return (
        f"Columns: qubits, layers, batch. float32, 2 threads, {record['device']}, "
        f"{record['date']}, medians, contenders in turn. Peers inside JAX do not cross to torch "
        f"and back. A first call builds, compiles and runs once; ours takes "
        f"{warm['ran here before']:.2g} s in a fresh process, and {warm['never ran here']:.2g} s "
        f"on a machine where it never ran. Load average before: {record['load_average'][0]:.1f}."
    )


def _first_table(record: dict) -> str:
    """Of a record that was measured before compiled peers and general circuits took part."""
    timings = record["timings"]["basic"]
    sizes = sorted(timings, key=lambda size: [int(number) for number in size.split(",")])
    smallest = timings[sizes[0]]
    lines = [
        _row(["ms, forward + backward; (times ours)", *sizes]),
        "|" + "---|" * (len(sizes) + 1),
    ]
    for name in sorted(smallest, key=lambda contender: smallest[contender]["ms"]):
        found = [timings[size][name] for size in sizes]
        cells = [f"{f['ms']:.3g} ({f['ratio']:.0f})" if "ms" in f else "–" for f in found]
        lines.append(_row([name, *cells]))
    about = (
        f"Columns: qubits, layers, batch. float32, {record['threads']} threads, "
        f"{record['device']}, {record['date']}, medians; all contenders in one process."
    )
    return "\n".join([*lines, "", about])


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
