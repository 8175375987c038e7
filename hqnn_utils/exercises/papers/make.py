"""An invented paper from a number: images, runs, and the numbers that the paper states of them.

Each number gives another paper, with other faults. What a fault needs in order to be seen (a
threshold that differs, an interval that is clearly too narrow) is checked, and the draw repeated
until it is so; so is the opposite for faults that the paper shall not have.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from hqnn_utils.evaluation.comparison import two_level_resamples
from hqnn_utils.evaluation.metrics import rank_auc, wilson_interval
from hqnn_utils.evaluation.resampling import stratified_resamples
from hqnn_utils.exercises.papers import key
from hqnn_utils.exercises.papers.catalogue import FAULTS
from hqnn_utils.exercises.papers.paper import MODELS, Paper
from hqnn_utils.exercises.papers.prose import text_of
from hqnn_utils.records import Record
from hqnn_utils.runtime import choose

PARTS = {"train": 300, "val": 120, "test": 160}
TESTS = (  # of the AUC in groups of patients; who belongs to them is not told
    "dense breasts",
    "small lesions",
    "the older device",
    "women under 45",
    "women over 65",
    "first examinations",
    "lesions with calcifications",
    "the second examiner",
)
MOST_DRAWS = 400


def faults_of(number: int) -> tuple[str, ...]:
    """The faults of the paper of a number: six to eight of those in ``FAULTS``."""
    rng = np.random.default_rng([number, 1])
    names = list(FAULTS)
    chosen = rng.choice(len(names), int(rng.integers(6, 9)), replace=False)
    return tuple(names[i] for i in sorted(chosen))


def make_paper(number: int, faults: Collection[str] | None = None) -> Paper:
    """An invented paper.

    Parameters
    ----------
    number : another number is another paper.
    faults : names in ``FAULTS``; by default those of ``faults_of``. Without any the paper is clean.

    Raises
    ------
    ValueError : an unknown fault.
    """
    planted = set(faults_of(number) if faults is None else faults)
    for name in planted:
        choose("fault", name, FAULTS)
    for draw in range(MOST_DRAWS):
        rng = np.random.default_rng([number, 2, draw])
        paper = _drawn(number, planted, rng)
        if not _can_be_told(paper, planted):
            continue
        paper = _with_interval(paper, runs="interval" not in planted)
        if _is_far(paper, "interval" in planted) and key.audit(paper) == planted:
            return replace(paper, text=text_of(paper))
    raise ValueError(f"no paper {number} with {sorted(planted)}: take another number")


def _drawn(number: int, planted: set[str], rng: np.random.Generator) -> Paper:
    images = _images(planted, rng)
    records = _records(number, planted, images, rng)
    paper = Paper(number, "", {}, records, images, _tuning(planted, rng), _tests(planted, rng))
    return replace(paper, claims=_claims(paper, planted, rng))


# --------------------------------------------------------------------------------- images


def _images(planted: set[str], rng: np.random.Generator):
    """Images with labels, patients (one to three images each) and fingerprints."""
    import pandas as pd

    share = rng.uniform(0.14, 0.17) if "majority" in planted else rng.uniform(0.38, 0.44)
    tables, first = [], 100
    for part, n in PARTS.items():
        labels = rng.permutation(np.arange(n) < round(share * n)).astype(int)
        patients = np.empty(n, int)
        for label in (0, 1):
            members = np.flatnonzero(labels == label)
            sizes = rng.integers(1, 4, len(members))
            mine = first + np.repeat(np.arange(len(sizes)), sizes)[: len(members)]
            patients[members] = mine
            first = int(mine.max()) + 1
        ids = [f"{part}/{i}" for i in range(n)]
        tables.append(pd.DataFrame(dict(id=ids, part=part, label=labels, patient=patients)))
    images = pd.concat(tables, ignore_index=True)
    marks = rng.choice(16**8, len(images), replace=False)
    images["fingerprint"] = [f"{mark:08x}" for mark in marks]
    train = images.index[images["part"] == "train"]
    images.loc[train[1], "fingerprint"] = images.loc[train[0], "fingerprint"]  # a decoy
    if "patients" in planted:
        _share(images, "patient", int(rng.integers(14, 40)), rng)
    if "copies" in planted:
        _share(images, "fingerprint", int(rng.integers(6, 20)), rng)
    return images


def _share(images, column: str, n: int, rng: np.random.Generator) -> None:
    """Give ``n`` test images what training images of their class have in a column."""
    for i in rng.choice(images.index[images["part"] == "test"], n, replace=False):
        alike = (images["part"] == "train") & (images["label"] == images.loc[i, "label"])
        images.loc[i, column] = images.loc[rng.choice(images.index[alike]), column]


# ----------------------------------------------------------------------------------- runs


@dataclass(frozen=True)
class _Model:
    """How well a model separates the classes, in standard deviations, and how much runs differ."""

    quality: float
    spread: float


def _records(number: int, planted: set[str], images, rng) -> tuple[Record, ...]:
    """Runs of both models. Images are hard for both alike; runs differ in quality and in noise."""
    n_runs, base = int(rng.integers(5, 8)), 0.75 if "majority" in planted else 1.7
    more = 0.15 if "interval" in planted else 0.0
    models = {"hybrid": _Model(base + 0.05, 0.3 + more), "control": _Model(base, 0.2 + more)}
    slope, shift = rng.uniform(1.2, 1.7), rng.uniform(0.3, 0.7)
    hardness = {part: rng.normal(0, 0.75, n) for part, n in PARTS.items()}
    still = "circuit" in planted
    records = []
    for model, of in models.items():
        qualities = of.quality + of.spread * rng.normal(size=n_runs)
        if model == "hybrid":
            qualities[rng.integers(n_runs)] = qualities.min() - 0.4  # a run that failed: a decoy
        for seed, quality in enumerate(qualities):
            predictions = {
                part: _prediction(images, part, quality, hardness[part], slope, shift, rng)
                for part in ("val", "test")
            }
            fit = {"moved": {"head": {"share": round(float(rng.uniform(0.3, 0.9)), 4)}}}
            if model == "hybrid":
                rms = rng.uniform(0.002, 0.03) if still else rng.uniform(0.4, 1.1)
                fit["moved"]["circuit"] = {"rms": round(float(rms), 4)}
            records.append(
                Record(
                    f"invented-{number}-{model}-s{seed}",
                    settings={"model": model, "seed": seed},
                    data={"name": f"INVENTED-{number}", "source": "invented", "phantom": True},
                    scores={"fit": fit},
                    predictions=predictions,
                )
            )
    return tuple(records)


def _prediction(images, part: str, quality, hardness, slope, shift, rng) -> dict:
    mine = images[images["part"] == part]
    y = mine["label"].to_numpy()
    score = quality * (y - 0.5) + hardness + rng.normal(0, 0.65, len(y))
    p = 1 / (1 + np.exp(-slope * (score + shift)))
    p = np.round(np.clip(p, 0.001, 0.998), 3) + 0.0004  # never on a threshold
    return {"ids": mine["id"].tolist(), "labels": y.tolist(), "probabilities": p.round(4).tolist()}


# --------------------------------------------------------------------- tuning, tests, claims


def _tuning(planted: set[str], rng: np.random.Generator):
    import pandas as pd

    rates, decays = (0.0003, 0.001, 0.003, 0.01), (0.0, 0.001, 0.1)
    everything = [(rate, decay) for rate in rates for decay in decays]
    few = int(rng.integers(2, 5))
    rows = []
    for model in MODELS:
        tried = everything if model == "hybrid" or "tuning" not in planted else everything[:few]
        for rate, decay in tried:
            val = round(float(rng.uniform(0.70, 0.86)), 3)
            rows.append(dict(model=model, learning_rate=rate, weight_decay=decay, val_auc=val))
    return pd.DataFrame(rows)


def _tests(planted: set[str], rng: np.random.Generator):
    """Eight p-values, one of them small; with the fault not small enough for eight."""
    import pandas as pd

    p = rng.uniform(0.09, 0.95, len(TESTS))
    low, high = (0.011, 0.045) if "holm" in planted else (0.0004, 0.004)
    p[rng.integers(len(TESTS))] = rng.uniform(low, high)
    return pd.DataFrame({"test": TESTS, "p": np.round(p, 4)})


def _claims(paper: Paper, planted: set[str], rng: np.random.Generator) -> dict:
    """What the paper states, with its faults."""
    auc = {model: key.aucs(paper, model) for model in MODELS}
    stated = {model: float(values.mean()) for model, values in auc.items()}
    if "best_run" in planted:
        stated["hybrid"] = float(auc["hybrid"].max())
    if "number" in planted:
        stated["control"] -= float(rng.uniform(0.015, 0.03))
    threshold = key.best_threshold(paper, "test" if "threshold" in planted else "val")
    place = int(np.flatnonzero(threshold == key.THRESHOLDS)[0])
    accuracy = {model: float(key.accuracies(paper, model, "test")[place]) for model in MODELS}
    found = {
        "runs": len(paper.records) // 2,
        "auc": {model: round(value, 3) for model, value in stated.items()},
        "accuracy": {model: round(value, 3) for model, value in accuracy.items()},
        "threshold": threshold,
    }
    both = key.sensitivity_and_specificity(replace(paper, claims=found))
    first, second = reversed(both) if "polarity" in planted else both
    return {
        **found,
        "sensitivity": round(first, 3),
        "specificity": round(second, 3),
        "significant": [paper.tests["test"][int(paper.tests["p"].argmin())]],
    }


def _with_interval(paper: Paper, runs: bool) -> Paper:
    """With a 95 % interval of the difference of AUC: over runs and images, or images alone."""
    y, a = paper.runs("hybrid")
    _, b = paper.runs("control")
    if runs:
        _, resampled = two_level_resamples(y, a, b, n_resamples=4000)
    else:
        drawn = stratified_resamples(y, 600, seed=0)
        aucs = [[rank_auc(y[drawn], p[drawn]) for p in side] for side in (a, b)]
        resampled = np.mean(aucs[0], axis=0) - np.mean(aucs[1], axis=0)
    low, high = np.quantile(resampled, [0.025, 0.975]).round(3).tolist()
    return replace(paper, claims={**paper.claims, "interval": (low, high)})


# ------------------------------------------------------------------- can the faults be seen?


def _can_be_told(paper: Paper, planted: set[str]) -> bool:
    """Whether each fault that is there can be seen, and none that is not; all but the interval."""
    said, hybrid = paper.claims, key.aucs(paper, "hybrid")
    control = key.aucs(paper, "control")
    both = key.sensitivity_and_specificity(paper)
    at_val, at_test = (key.best_threshold(paper, part) for part in ("val", "test"))
    accuracy = key.accuracies(paper, "hybrid", "test")
    gained = accuracy.max() - accuracy[at_val == key.THRESHOLDS].item()
    second, best = np.sort(key.accuracies(paper, "hybrid", "val"))[-2:]
    smallest = min(key.corrected(paper).values())
    return all(
        [
            abs(both[0] - both[1]) > 0.08,  # else an exchange could not be seen
            hybrid.max() - hybrid.mean() > 0.015,
            abs(said["auc"]["control"] - control.max()) > 0.004,
            "threshold" not in planted or (at_val != at_test and gained > 0.008),
            best - second > 0.0005,  # the threshold of validation is one, without a tie
            _majority_is_clear(paper, "majority" in planted),
            smallest > 0.08 if "holm" in planted else smallest < 0.04,
        ]
    )


def _majority_is_clear(paper: Paper, useless: bool) -> bool:
    """Whether the stated accuracy is clearly above the larger class, or clearly not."""
    n = PARTS["test"]
    low, _ = wilson_interval(round(paper.claims["accuracy"]["hybrid"] * n), n)
    above = low - key.majority(paper)
    return above < -0.01 if useless else above > 0.03


def _is_far(paper: Paper, too_narrow: bool) -> bool:
    """Whether the stated width is far from the border between right and too narrow."""
    low, high = paper.claims["interval"]
    ratio = (high - low) / key.two_level_width(paper)
    return ratio < key.NARROW - 0.1 if too_narrow else ratio > key.NARROW + 0.08
