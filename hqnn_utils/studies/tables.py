"""From records to tables. Every number is recomputed from the predictions that a record holds."""

from __future__ import annotations

import json

import numpy as np

from hqnn_utils.evaluation.comparison import mean_interval
from hqnn_utils.evaluation.metrics import scores, wilson_interval

SHOWN = ("accuracy", "precision", "sensitivity", "specificity", "f1", "auc")


def condition(record: dict) -> str:
    """Everything that was chosen except the seed: two runs of one condition differ in their seed only."""
    settings = {k: v for k, v in record["settings"].items() if k != "seed"}
    protocol = {k: v for k, v in settings.get("protocol", {}).items() if k not in ("seed", "fold")}
    return json.dumps({**settings, "protocol": protocol}, sort_keys=True)


def label(record: dict) -> str:
    """Short name of a condition: head, and what differs from the usual circuit, labels and protocol."""
    s = record["settings"]
    parts = [s["head"]] + [f"{k}={v}" for k, v in s.get("spec", {}).items()]
    protocol = s.get("protocol", {})
    parts += (
        [protocol["kind"] + (" by original" if protocol.get("by_original") else "")]
        if protocol.get("kind", "official") != "official"
        else []
    )
    return ", ".join(parts + ["shuffled labels"] * (s.get("labels") == "shuffled"))


def by_condition(records: list[dict], name=label) -> dict[str, list[dict]]:
    """Records grouped by condition and ordered by seed. ValueError where ``name`` gives two conditions the same name."""
    groups, meaning = {}, {}
    for record in records:
        key = name(record)
        if meaning.setdefault(key, condition(record)) != condition(record):
            raise ValueError(
                f"two conditions are called {key!r}: pass a name= that tells them apart"
            )
        groups.setdefault(key, []).append(record)
    return {key: sorted(runs, key=lambda r: r["settings"]["seed"]) for key, runs in groups.items()}


def predictions(runs: list[dict], split: str = "test", keep=None) -> tuple[np.ndarray, np.ndarray]:
    """``(y, p)`` with y (N,) and p (seeds, N) of runs that were tested on the same images; ``keep`` holds the ids to use.

    ValueError where the runs were tested on different images.
    """
    parts = [r["predictions"][split] for r in runs]
    if any(
        part["ids"] != parts[0]["ids"] or part["labels"] != parts[0]["labels"] for part in parts
    ):
        raise ValueError("these runs were tested on different images: compare them run by run")
    chosen = (
        np.ones(len(parts[0]["ids"]), bool)
        if keep is None
        else np.isin(parts[0]["ids"], list(keep))
    )
    return np.array(parts[0]["labels"])[chosen], np.array(
        [part["probabilities"] for part in parts], float
    )[:, chosen]


def run_scores(runs: list[dict], keep=None, split: str = "test") -> dict[str, list[float]]:
    """Each score per run, at threshold 0.5."""
    found = []
    for run in runs:
        y, p = predictions([run], split, keep)
        found.append(scores(y, p[0]))
    return {s: [f[s] for f in found] for s in found[0]}


def summary(groups: dict[str, list[dict]], keep=None, shown=SHOWN):
    """pandas table: one row a condition with its number of seeds, and mean ± standard deviation over seeds of each score."""
    import pandas as pd

    rows = {}
    for name, runs in groups.items():
        found = run_scores(runs, keep)
        rows[name] = {"seeds": len(runs)} | {
            s: f"{np.nanmean(found[s]):.3f}"
            + (f" ± {np.nanstd(found[s], ddof=1):.3f}" if len(runs) > 1 else "")
            for s in shown
        }
    return pd.DataFrame(rows).T


def interval_table(groups: dict[str, list[dict]], keep=None, shown=("auc", "accuracy")):
    """pandas table: mean over seeds and its 95 % interval (Student's t over seeds: not the luck of the test images)."""
    import pandas as pd

    rows = {}
    for name, runs in groups.items():
        found = run_scores(runs, keep)
        rows[name] = {"seeds": len(runs)}
        for s in shown:
            mean, low, high = mean_interval(found[s])
            rows[name][s] = (
                f"{mean:.3f} ({low:.3f} to {high:.3f})" if len(runs) > 1 else f"{mean:.3f}"
            )
    return pd.DataFrame(rows).T


def ensemble(groups: dict[str, list[dict]], keep=None):
    """pandas table of seed ensembles: the probabilities of all seeds are averaged, then scored once; accuracy with its Wilson interval."""
    import pandas as pd

    rows = {}
    for name, runs in groups.items():
        y, p = predictions(runs, keep=keep)
        found = scores(y, p.mean(axis=0))
        low, high = wilson_interval(round(found["accuracy"] * len(y)), len(y))
        rows[name] = {
            "seeds averaged": len(runs),
            "accuracy": f"{found['accuracy']:.3f} ({low:.3f} to {high:.3f})",
            **{s: f"{found[s]:.3f}" for s in ("sensitivity", "specificity", "auc")},
        }
    return pd.DataFrame(rows).T
