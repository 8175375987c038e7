"""Scores when several images come from one patient. numpy in, numbers out.

Images of one patient look alike, so they are right or wrong together: an interval that counts them as independent is too narrow.
"""

from __future__ import annotations

import numpy as np

from hqnn_utils.evaluation.metrics import check_predictions, rank_auc

PATIENT_SCORES = (
    "image_accuracy",
    "recognition_rate",
    "patient_accuracy",
    "balanced_recognition_rate",
    "image_auc",
    "patient_auc",
)


def _checked(y, p, patients) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(y, p, patient number)``; ValueError where lengths differ or one patient has both labels."""
    y, p = check_predictions(y, p)
    patients = np.asarray(patients)
    if patients.shape != y.shape:
        raise ValueError(f"need one patient an image, got {patients.shape} for {y.shape}")
    names, number = np.unique(patients, return_inverse=True)
    share = np.bincount(number, weights=y) / np.bincount(number)
    mixed = names[(share > 0) & (share < 1)]
    if len(mixed):
        raise ValueError(
            f"a patient is benign or malignant, but {mixed[0]} has both labels: score such images without patients"
        )
    return y, p, number


def patient_table(y, p, patients, threshold: float = 0.5):
    """pandas table, one row a patient: ``label``, ``images``, ``right`` (share of its images), mean ``probability``."""
    import pandas as pd

    y, p, _ = _checked(y, p, patients)
    rows = pd.DataFrame(
        {"patient": patients, "label": y, "right": (p >= threshold) == y, "probability": p}
    )
    return rows.groupby("patient").agg(
        label=("label", "first"),
        images=("label", "size"),
        right=("right", "mean"),
        probability=("probability", "mean"),
    )


def patient_scores(y, p, patients, threshold: float = 0.5) -> dict[str, float]:
    """The numbers of ``PATIENT_SCORES``.

    ``recognition_rate`` is Spanhol et al.'s (doi 10.1109/TBME.2015.2496264): each patient's share of right images, averaged over
    patients, so that each patient counts once however many images there are. ``balanced_recognition_rate`` averages it within each class first.
    ``patient_accuracy`` and ``patient_auc`` take a patient's mean probability. What needs both classes is NaN with one.
    """
    y, p, number = _checked(y, p, patients)
    return {
        k: float(v[0])
        for k, v in _scores(y, p, number, np.arange(number.max() + 1)[None], threshold).items()
    }


def _scores(y, p, number, drawn: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """The scores for each row of ``drawn`` (resamples, patients): patient numbers, repeats allowed."""
    n = np.bincount(number)
    right = np.bincount(number, weights=(p >= threshold) == y)
    label = (np.bincount(number, weights=y) > 0).astype(int)
    mean = np.bincount(number, weights=p) / n
    rate, called = (right / n)[drawn], (mean >= threshold) == label
    truth = label[drawn]
    with np.errstate(invalid="ignore", divide="ignore"):
        by_class = [(rate * (truth == c)).sum(1) / (truth == c).sum(1) for c in (0, 1)]
    return {
        "image_accuracy": right[drawn].sum(1) / n[drawn].sum(1),
        "recognition_rate": rate.mean(1),
        "patient_accuracy": called[drawn].mean(1),
        "balanced_recognition_rate": (by_class[0] + by_class[1]) / 2,
        "image_auc": _image_auc(y, p, number, drawn, n),
        "patient_auc": rank_auc(truth, mean[drawn]),
    }


def _image_auc(y, p, number, drawn, n) -> np.ndarray:
    """AUC over all images of the drawn patients; a patient drawn twice counts twice. By weighted mid-ranks, without copying images."""
    weight = np.stack([np.bincount(row, minlength=len(n)) for row in drawn])[:, number].astype(
        float
    )
    values, place = np.unique(p, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(values)))
    positive = np.add.reduceat((weight * y)[:, order], starts, axis=1)
    negative = np.add.reduceat((weight * (1 - y))[:, order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    with np.errstate(invalid="ignore", divide="ignore"):
        return (positive * (below + negative / 2)).sum(1) / (positive.sum(1) * negative.sum(1))


def _drawn(number: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Patient numbers (n_resamples, patients), drawn with replacement."""
    n = number.max() + 1
    return np.random.default_rng(seed).integers(0, n, (n_resamples, n))


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    values = values[np.isfinite(values)]  # a resample without one of the classes has no AUC
    tail = (1 - level) / 2
    return (
        tuple(np.quantile(values, [tail, 1 - tail]).tolist())
        if len(values)
        else (float("nan"),) * 2
    )


def clustered_intervals(
    y,
    p,
    patients,
    threshold: float = 0.5,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap interval of each patient score. **Patients** are resampled, each with all its images.

    Their classes are resampled with them: the next ten patients may hold more malignant ones. With few patients such an
    interval is itself rough, and rather too narrow than too wide.
    """
    y, p, number = _checked(y, p, patients)
    found = _scores(y, p, number, _drawn(number, n_resamples, seed), threshold)
    return {k: _ends(v, level) for k, v in found.items()}


def clustered_differences(
    y,
    p_a,
    p_b,
    patients,
    threshold: float = 0.5,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> dict[str, tuple[float, float, float]]:
    """``(difference, low, high)`` of each patient score, a minus b: both are resampled with the same patients.

    The interval holds the luck of the patients that were tested, not that of the training run.
    """
    y, p_a, number = _checked(y, p_a, patients)
    _, p_b, _ = _checked(y, p_b, patients)
    drawn = _drawn(number, n_resamples, seed)
    a, b = (_scores(y, p, number, drawn, threshold) for p in (p_a, p_b))
    here = [patient_scores(y, p, patients, threshold) for p in (p_a, p_b)]
    return {k: (here[0][k] - here[1][k], *_ends(a[k] - b[k], level)) for k in a}
