"""From records to tables. Every number is recomputed from the predictions that a record holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

import numpy as np

from hqnn_utils.evaluation.metrics import scores
from hqnn_utils.records import Record
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.studies.settings import DEFAULTS, with_defaults

SHOWN = ("accuracy", "precision", "sensitivity", "specificity", "f1", "auc")
Groups = dict[str, list[Record]]  # name of a condition -> its runs, ordered by seed


def condition(settings: dict) -> str:
    """Everything that was chosen except the seed, as text that can be compared.

    Two runs of one condition differ in their seed only. What a setting does not name has its
    default; the seed and the fold of a protocol are left out too.
    """
    whole = with_defaults(settings)
    whole.pop("seed", None)
    if "protocol" in whole:
        protocol = whole["protocol"].items()
        whole["protocol"] = {k: v for k, v in protocol if k not in ("seed", "fold")}
    return json.dumps(whole, sort_keys=True)


def whatever_the_split(settings: dict) -> str:
    """``condition`` without the protocol: conditions of a design do not say how it splits."""
    return condition({**settings, "protocol": DEFAULTS["protocol"]})


def head_and_circuit(settings: dict) -> str:
    """The head and what is chosen of its circuit, whatever its rates: ``"dressed, n_qubits=6"``."""
    whole = with_defaults(settings)
    return ", ".join([whole["head"], *(f"{k}={v}" for k, v in whole["spec"].items())])


def label(settings: dict) -> str:
    """Short name of a condition for readers: head, and what differs from the usual run.

    It is for display only: conditions are joined by ``condition``. A classifier that is no run of
    ours shows its head, or whatever its record holds instead.
    """
    whole = with_defaults(settings)
    if "head" not in whole:
        return ", ".join(f"{k}={v}" for k, v in whole.items() if k != "seed")
    parts = [whole["head"]] + [f"{k}={v}" for k, v in whole.get("spec", {}).items()]
    protocol = whole.get("protocol", DEFAULTS["protocol"])
    if protocol["kind"] != "official":
        parts.append(protocol["kind"] + (" by original" if protocol.get("by_original") else ""))
    if whole.get("labels") == "shuffled":
        parts.append("shuffled labels")
    return ", ".join(parts)


def label_of_record(record: Record) -> str:
    """``label`` of a record's settings."""
    return label(record.settings)


def by_condition(records: list[Record], name: Callable[[Record], str] = label_of_record) -> Groups:
    """Records grouped by condition and ordered by seed.

    ValueError where ``name`` gives two conditions the same name.
    """
    groups: Groups = {}
    for record in records:
        runs = groups.setdefault(name(record), [])
        if runs and condition(runs[0].settings) != condition(record.settings):
            raise ValueError(
                f"two conditions are called {name(record)!r}: pass a name= that tells them apart"
            )
        runs.append(record)
    return {key: sorted(runs, key=_seed) for key, runs in groups.items()}


def _seed(record: Record) -> int:
    return record.settings.get("seed", 0)


def predictions(
    runs: list[Record], split: str = "test", keep: Collection[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """``(y, p)``, y (N,) and p (seeds, N), of runs that were tested on the same images.

    ``keep`` holds the ids to use. ValueError where the runs were tested on different images.
    """
    parts = [run.predictions[split] for run in runs]
    first = parts[0]
    if any((p["ids"], p["labels"]) != (first["ids"], first["labels"]) for p in parts):
        raise ValueError("these runs were tested on different images: compare them run by run")
    y = np.array(first["labels"])
    p = np.array([part["probabilities"] for part in parts], float)
    if keep is None:
        return y, p
    chosen = np.isin(first["ids"], list(keep))
    return y[chosen], p[:, chosen]


def run_scores(
    runs: list[Record], keep: Collection[str] | None = None, split: str = "test"
) -> dict[str, list[float]]:
    """Each score per run, at threshold 0.5."""
    found = []
    for run in runs:
        y, p = predictions([run], split, keep)
        found.append(scores(y, p[0]))
    return {name: [f[name] for f in found] for name in found[0]}


def mean_and_spread(values: list[float]) -> str:
    """Mean over seeds and, for more than one, their standard deviation; NaN are left out."""
    mean = f"{np.nanmean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {np.nanstd(values, ddof=1):.3f}"


def summary(groups: Groups, keep: Collection[str] | None = None, shown=SHOWN):
    """pandas table: one row a condition with its number of seeds, and mean ± SD of each score."""
    import pandas as pd

    rows = {}
    for name, runs in groups.items():
        found = run_scores(runs, keep)
        rows[name] = {"seeds": len(runs), **{s: mean_and_spread(found[s]) for s in shown}}
    return pd.DataFrame(rows).T


checked(__name__)
