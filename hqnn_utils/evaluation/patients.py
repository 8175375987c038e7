"""Scores when several images come from one patient.

Images of one patient look alike, so they are right or wrong together: an interval that counts
them as independent is too narrow. Here **patients** are resampled, each with all its images.
"""

from __future__ import annotations

import numpy as np

from hqnn_utils.evaluation.metrics import check_predictions, rank_auc
from hqnn_utils.evaluation.resampling import percentile_interval

PATIENT_SCORES = (
    "image_accuracy",
    "recognition_rate",
    "patient_accuracy",
    "balanced_recognition_rate",
    "image_auc",
    "patient_auc",
)


def patient_scores(y, p, patients, threshold: float = 0.5) -> dict[str, float]:
    """The numbers of ``PATIENT_SCORES``. What needs both classes is NaN with one.

    ``recognition_rate`` is that of Spanhol et al. (doi 10.1109/TBME.2015.2496264): each patient's
    share of right images, averaged over patients, so that each patient counts once however many
    images there are. ``balanced_recognition_rate`` averages it within each class first.
    ``patient_accuracy`` and ``patient_auc`` take a patient's mean probability.

    Parameters
    ----------
    y, p, patients : label, probability of malignant and patient of each image, all (N,).

    Raises
    ------
    ValueError : different lengths, or a patient with both labels.
    """
    y, p, number = _number_patients(y, p, patients)
    everyone_once = np.arange(number.max() + 1)[None]
    found = _scores_of_drawn(y, p, number, everyone_once, threshold)
    return {name: float(value[0]) for name, value in found.items()}


def clustered_intervals(
    y,
    p,
    patients,
    threshold: float = 0.5,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """``(low, high)`` of each patient score: percentile bootstrap over patients.

    Their classes are resampled with them: the next ten patients may hold more malignant ones.
    With few patients such an interval is itself rough, and rather too narrow than too wide.
    Parameters and errors as in :func:`patient_scores`.
    """
    y, p, number = _number_patients(y, p, patients)
    drawn = _draw_patients(number, n_resamples, seed)
    found = _scores_of_drawn(y, p, number, drawn, threshold)
    return {name: percentile_interval(values, level) for name, values in found.items()}


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
    """``(difference, low, high)`` of each patient score, a minus b.

    Both models are resampled with the same patients. The interval holds the luck of the patients
    that were tested, not that of the training run. Parameters and errors as in
    :func:`patient_scores`.
    """
    y, p_a, number = _number_patients(y, p_a, patients)
    _, p_b = check_predictions(y, p_b)
    a, b = (patient_scores(y, p, patients, threshold) for p in (p_a, p_b))
    drawn = _draw_patients(number, n_resamples, seed)
    many_a, many_b = (_scores_of_drawn(y, p, number, drawn, threshold) for p in (p_a, p_b))
    found = {}
    for name in PATIENT_SCORES:
        low, high = percentile_interval(many_a[name] - many_b[name], level)
        found[name] = (a[name] - b[name], low, high)
    return found


def _number_patients(y, p, patients) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(y, p, number)``: the patient of each image as a number from 0, in the order of names."""
    y, p = check_predictions(y, p)
    patients = np.asarray(patients)
    if patients.shape != y.shape:
        raise ValueError(f"need one patient an image, got {patients.shape} for {y.shape}")
    names, number = np.unique(patients, return_inverse=True)
    malignant_share = np.bincount(number, weights=y) / np.bincount(number)
    mixed = names[(malignant_share > 0) & (malignant_share < 1)]
    if len(mixed):
        raise ValueError(
            f"a patient is benign or malignant, but {mixed[0]} has both labels: "
            "score such images without patients"
        )
    return y, p, number


def _draw_patients(number: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Patient numbers (n_resamples, patients), drawn with replacement."""
    n_patients = number.max() + 1
    return np.random.default_rng(seed).integers(0, n_patients, (n_resamples, n_patients))


def _scores_of_drawn(y, p, number, drawn: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """The scores (resamples,) of the patients in each row of ``drawn``, repeats allowed."""
    # First what each patient's images add up to ...
    images = np.bincount(number)
    right_images = np.bincount(number, weights=(p >= threshold) == y)
    label = (np.bincount(number, weights=y) > 0).astype(int)
    probability = np.bincount(number, weights=p) / images
    recognised = right_images / images
    called_right = (probability >= threshold) == label
    # ... then the patients that were drawn.
    rate, malignant = recognised[drawn], label[drawn] == 1
    rate_of_classes = _mean_of(rate, malignant) + _mean_of(rate, ~malignant)
    return {
        "image_accuracy": right_images[drawn].sum(axis=1) / images[drawn].sum(axis=1),
        "recognition_rate": rate.mean(axis=1),
        "patient_accuracy": called_right[drawn].mean(axis=1),
        "balanced_recognition_rate": rate_of_classes / 2,
        "image_auc": _weighted_auc(y, p, _times_drawn(drawn, len(images))[:, number]),
        "patient_auc": rank_auc(label[drawn], probability[drawn]),
    }


def _mean_of(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mean of the chosen values of each row; NaN where none is chosen."""
    with np.errstate(invalid="ignore"):
        return (values * chosen).sum(axis=1) / chosen.sum(axis=1)


def _times_drawn(drawn: np.ndarray, n_patients: int) -> np.ndarray:
    """How often each patient stands in each row, (resamples, patients)."""
    return np.stack([np.bincount(row, minlength=n_patients) for row in drawn])


def _weighted_auc(y: np.ndarray, p: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """AUC (resamples,) in which image i counts ``weight[:, i]`` times; NaN with one class.

    A positive wins against each negative with a lower probability, and half against an equal one.
    Wins are counted value by value of ``p``, so that no image needs to be copied.
    """
    order = np.argsort(p, kind="stable")
    y, weight = y[order], weight[:, order]
    _, starts = np.unique(p[order], return_index=True)
    positives = np.add.reduceat(weight * y, starts, axis=1)
    negatives = np.add.reduceat(weight * (1 - y), starts, axis=1)
    negatives_below = np.cumsum(negatives, axis=1) - negatives
    wins = (positives * (negatives_below + negatives / 2)).sum(axis=1)
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return wins / pairs
