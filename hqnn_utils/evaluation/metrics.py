"""Scores of one classifier and their intervals: scikit-learn and statsmodels behind one call."""

from __future__ import annotations

import numpy as np

from hqnn_utils.evaluation.arguments import RULES
from hqnn_utils.evaluation.resampling import percentile_interval, stratified_resamples
from hqnn_utils.runtime.arguments import checked, numbers

SCORES = (
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "auc",
    "brier",
)


def _check_order(y, p) -> None:
    """ValueError for two pandas Series of the same images, each in an order of its own."""
    one, other = getattr(y, "index", None), getattr(p, "index", None)
    both = hasattr(one, "equals") and hasattr(other, "equals")
    if both and not one.equals(other) and set(one) == set(other):
        raise ValueError(
            "labels and probabilities name the same images in different order: give "
            "probabilities.reindex(labels.index)"
        )


def check_predictions(y, p) -> tuple[np.ndarray, np.ndarray]:
    """``(y, p)`` as arrays (N,), integers and floats.

    Raises
    ------
    ValueError : no images, different lengths, labels other than 0 and 1, probabilities that are
        not finite or outside 0 to 1.
    """
    numbers("labels", y)
    _check_order(y, p)
    y, p = np.asarray(y), numbers("probabilities", p)
    if y.ndim != 1 or y.shape != p.shape or len(y) == 0:
        raise ValueError(
            f"labels and probabilities must be vectors of one length, got {y.shape} and {p.shape}"
        )
    if not np.isin(y, (0, 1)).all():
        others = sorted(set(np.unique(y).tolist()) - {0, 1})
        raise ValueError(f"labels must be 0 or 1, got {others[:5]}")
    return y.astype(int), check_probabilities(p)


def check_probabilities(p) -> np.ndarray:
    """``p`` as an array of floats; ValueError for values that are not finite or outside 0 to 1."""
    p = numbers("probabilities", p)
    if wrong := p[~((p >= 0) & (p <= 1))].tolist():
        raise ValueError(f"probabilities must be finite and between 0 and 1, got {wrong[:5]}")
    return p


def confusion(y, p, threshold: float = 0.5) -> dict[str, int]:
    """Counts ``{tn, fp, fn, tp}``: true and false, negatives and positives (malignant)."""
    from sklearn.metrics import confusion_matrix

    y, p = check_predictions(y, p)
    (tn, fp), (fn, tp) = confusion_matrix(y, p >= threshold, labels=[0, 1]).tolist()
    return {"tn": tn, "fp": fp, "fn": fn, "tp": tp}


def scores(y, p, threshold: float = 0.5) -> dict[str, float]:
    """The numbers of ``SCORES`` at a threshold. What is not defined is NaN.

    Sensitivity is the recall of malignant, specificity the recall of benign or normal, precision
    the positive predictive value. AUC and balanced accuracy need images of both classes.
    """
    from sklearn import metrics as sk

    y, p = check_predictions(y, p)
    called = (p >= threshold).astype(int)
    both_classes = len(np.unique(y)) == 2
    nan = float("nan")
    found = {
        "accuracy": sk.accuracy_score(y, called),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called) if both_classes else nan,
        "sensitivity": sk.recall_score(y, called, pos_label=1, zero_division=nan),
        "specificity": sk.recall_score(y, called, pos_label=0, zero_division=nan),
        "precision": sk.precision_score(y, called, zero_division=nan),
        "f1": sk.f1_score(y, called, zero_division=nan),
        "auc": sk.roc_auc_score(y, p) if both_classes else nan,
        "brier": sk.brier_score_loss(y, p),
    }
    return {name: float(value) for name, value in found.items()}


def rank_auc(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """AUC along the last axis, by mid-ranks (the Mann-Whitney statistic).

    scikit-learn's ``roc_auc_score`` takes one data set at a time; a bootstrap has thousands.

    Parameters
    ----------
    y, p : labels and probabilities, both (..., N); labels (N,) serve all rows.

    Returns
    -------
    AUCs (...); NaN where a row holds one class only.
    """
    from scipy.stats import rankdata

    y, p = numbers("labels", y), numbers("probabilities", p)
    if y.ndim == 0 or y.shape not in (p.shape, p.shape[-1:]):
        raise ValueError(f"labels and probabilities must fit, got {y.shape} and {p.shape}")
    positives = y.sum(axis=-1)
    negatives = y.shape[-1] - positives
    rank_sum = (rankdata(p, axis=-1) * y).sum(axis=-1)
    lowest_rank_sum = positives * (positives + 1) / 2
    with np.errstate(invalid="ignore"):
        return (rank_sum - lowest_rank_sum) / (positives * negatives)


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """``(low, high)``, the Wilson score interval of a proportion (statsmodels).

    Raises
    ------
    ValueError : more successes than trials, or no trial.
    """
    from statsmodels.stats.proportion import proportion_confint

    if successes > n:
        raise ValueError(f"more successes than trials: {successes} of {n}")
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    return float(low), float(high)


def intervals(
    y, p, threshold: float = 0.5, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """``(low, high)`` of each score that has an interval here; NaN where the score is not defined.

    Proportions have Wilson's: accuracy, sensitivity, specificity, and precision (for the number
    of images called malignant). F1 and AUC have a percentile bootstrap of ``n_resamples``, images
    drawn within each class.
    """
    y, p = check_predictions(y, p)
    c = confusion(y, p, threshold)
    proportions = {
        "accuracy": (c["tp"] + c["tn"], len(y)),
        "sensitivity": (c["tp"], c["tp"] + c["fn"]),
        "specificity": (c["tn"], c["tn"] + c["fp"]),
        "precision": (c["tp"], c["tp"] + c["fp"]),
    }
    found = {}
    for name, (successes, n) in proportions.items():
        found[name] = wilson_interval(successes, n, level) if n else (float("nan"), float("nan"))
    drawn = stratified_resamples(y, n_resamples, seed)
    found["f1"] = percentile_interval(_f1(y[drawn], p[drawn] >= threshold), level)
    found["auc"] = percentile_interval(rank_auc(y[drawn], p[drawn]), level)
    return found


def _f1(y: np.ndarray, called: np.ndarray) -> np.ndarray:
    """F1 = 2 tp / (positives + called), along the last axis; NaN where nothing is either."""
    hits = (y * called).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return 2 * hits / (y.sum(axis=-1) + called.sum(axis=-1))


checked(__name__, RULES)
