"""Scores, intervals and paired tests. numpy in, numbers out; scikit-learn, SciPy and statsmodels do the work.

``y`` is 0 or 1 with 1 = malignant, ``p`` the predicted probability of 1.
"""

from __future__ import annotations

import numpy as np

from hqnn_utils.runtime import choose

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


def check_predictions(y, p) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(y, p)`` as arrays (N,), or raise ValueError: lengths, labels outside {0, 1}, NaN, p outside [0, 1]."""
    y, p = np.asarray(y), np.asarray(p, float)
    if y.ndim != 1 or y.shape != p.shape or len(y) == 0:
        raise ValueError(
            f"labels and probabilities must be vectors of one length, got {y.shape} and {p.shape}"
        )
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"labels must be 0 or 1, got {sorted(set(np.unique(y).tolist()) - {0, 1})[:5]}"
        )
    if not np.isfinite(p).all() or p.min() < 0 or p.max() > 1:
        raise ValueError("probabilities must be finite and between 0 and 1")
    return y.astype(int), p


def confusion(y, p, threshold: float = 0.5) -> dict[str, int]:
    """Counts ``{tn, fp, fn, tp}``; predicted malignant where ``p >= threshold``."""
    from sklearn.metrics import confusion_matrix

    y, p = check_predictions(y, p)
    return dict(
        zip(
            ("tn", "fp", "fn", "tp"),
            confusion_matrix(y, p >= threshold, labels=[0, 1]).ravel().tolist(),
        )
    )


def scores(y, p, threshold: float = 0.5) -> dict[str, float]:
    """The numbers of ``SCORES`` at a threshold. Undefined ones (AUC with one class, say) are NaN.

    Sensitivity is the recall of malignant, specificity the recall of benign or normal, precision the PPV.
    """
    from sklearn import metrics as sk

    y, p = check_predictions(y, p)
    hard, both = (p >= threshold).astype(int), len(np.unique(y)) == 2
    nan = float("nan")
    return {
        "accuracy": float(sk.accuracy_score(y, hard)),
        "balanced_accuracy": float(sk.balanced_accuracy_score(y, hard)) if both else nan,
        "sensitivity": float(sk.recall_score(y, hard, pos_label=1, zero_division=nan)),
        "specificity": float(sk.recall_score(y, hard, pos_label=0, zero_division=nan)),
        "precision": float(sk.precision_score(y, hard, zero_division=nan)),
        "f1": float(sk.f1_score(y, hard, zero_division=nan)),
        "auc": float(sk.roc_auc_score(y, p)) if both else nan,
        "brier": float(sk.brier_score_loss(y, p)),
    }


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion (statsmodels ``proportion_confint``)."""
    from statsmodels.stats.proportion import proportion_confint

    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"need 0 <= successes <= n and n >= 1, got {successes} of {n}")
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    return float(low), float(high)


def rank_auc(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """AUC along the last axis by mid-ranks (the Mann-Whitney statistic), for many resamples at once.

    ``y`` and ``p`` have the same shape (..., N). Rows with one class only give NaN.
    """
    from scipy.stats import rankdata

    ranks, positives = rankdata(p, axis=-1), np.asarray(y).sum(axis=-1)
    negatives = np.asarray(y).shape[-1] - positives
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((ranks * y).sum(axis=-1) - positives * (positives + 1) / 2) / (
            positives * negatives
        )


def _stratified_resamples(y: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Index array (n_resamples, N): each class resampled with replacement, so that every resample holds both."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(y == c), (n_resamples, (y == c).sum())) for c in np.unique(y)],
        axis=1,
    )


def auc_interval(
    y, p, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the AUC, images resampled within each class."""
    y, p = check_predictions(y, p)
    index = _stratified_resamples(y, n_resamples, seed)
    tail = (1 - level) / 2
    low, high = np.quantile(rank_auc(y[index], p[index]), [tail, 1 - tail])
    return float(low), float(high)


def intervals(
    y, p, threshold: float = 0.5, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Interval per score: Wilson for proportions with a fixed denominator, bootstrap for F1 and AUC.

    Precision is a proportion of the predicted positives, so its Wilson interval holds for the number predicted.
    """
    y, p = check_predictions(y, p)
    c, n = confusion(y, p, threshold), len(y)
    pairs = {
        "accuracy": (c["tp"] + c["tn"], n),
        "sensitivity": (c["tp"], c["tp"] + c["fn"]),
        "specificity": (c["tn"], c["tn"] + c["fp"]),
        "precision": (c["tp"], c["tp"] + c["fp"]),
    }
    found = {
        k: wilson_interval(a, b, level) if b else (float("nan"),) * 2 for k, (a, b) in pairs.items()
    }
    index = _stratified_resamples(y, n_resamples, seed)
    truth, hard = y[index], (p[index] >= threshold).astype(int)
    hits, called = (truth * hard).sum(1), truth.sum(1) + hard.sum(1)
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        found["f1"] = tuple(np.nanquantile(2 * hits / called, [tail, 1 - tail]).tolist())
    found["auc"] = auc_interval(y, p, level, n_resamples, seed)
    return found


def mcnemar_exact(y, p_a, p_b, threshold: float = 0.5) -> dict[str, float]:
    """Exact McNemar test of two classifiers on the same images (statsmodels).

    Returns ``only_a`` and ``only_b``, the images that only one of them gets right, and the two-sided ``p_value``.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    y, p_a = check_predictions(y, p_a)
    _, p_b = check_predictions(y, p_b)
    a, b = (p_a >= threshold) == y, (p_b >= threshold) == y
    table = [[int((a & b).sum()), int((a & ~b).sum())], [int((~a & b).sum()), int((~a & ~b).sum())]]
    return {
        "only_a": table[0][1],
        "only_b": table[1][0],
        "p_value": float(mcnemar(table, exact=True).pvalue),
    }


def auc_difference(
    y, p_a, p_b, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> dict[str, float]:
    """AUC of a minus AUC of b with a paired percentile bootstrap: both are resampled with the same images.

    Returns ``difference``, ``low``, ``high``. The interval covers the choice of test images only, not the luck of
    training: that needs several seeds.
    """
    y, p_a = check_predictions(y, p_a)
    _, p_b = check_predictions(y, p_b)
    index = _stratified_resamples(y, n_resamples, seed)
    differences = rank_auc(y[index], p_a[index]) - rank_auc(y[index], p_b[index])
    tail = (1 - level) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return {
        "difference": float(rank_auc(y, p_a) - rank_auc(y, p_b)),
        "low": float(low),
        "high": float(high),
    }


# ---------------------------------------------------------------- prevalence, thresholds, calibration


def predictive_values(
    sensitivity: float, specificity: float, prevalence: float
) -> dict[str, float]:
    """``{ppv, npv}`` at a stated prevalence, by Bayes' rule. All between 0 and 1; undefined ones are NaN."""
    for name, value in (
        ("sensitivity", sensitivity),
        ("specificity", specificity),
        ("prevalence", prevalence),
    ):
        if not 0 <= value <= 1:
            raise ValueError(
                f"{name} must lie between 0 and 1 (a fraction, not per cent), got {value}"
            )
    tp, fp = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    tn, fn = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return {
        "ppv": tp / (tp + fp) if tp + fp else float("nan"),
        "npv": tn / (tn + fn) if tn + fn else float("nan"),
    }


def choose_threshold(y, p, rule: str = "youden", target: float | None = None) -> float:
    """A threshold from **validation** predictions: lock it before the test set is seen.

    ``"youden"`` maximises sensitivity + specificity - 1; ``"sensitivity"`` takes the highest threshold that reaches
    ``target`` (a fraction). Candidates are the predicted values (scikit-learn ``roc_curve``).
    """
    from sklearn.metrics import roc_curve

    y, p = check_predictions(y, p)
    if len(np.unique(y)) < 2:
        raise ValueError("a threshold needs images of both classes")
    false_alarms, found, thresholds = roc_curve(y, p, drop_intermediate=False)
    if choose("rule", rule, ("youden", "sensitivity")) == "youden":
        return float(min(thresholds[np.argmax(found - false_alarms)], 1.0))
    if target is None or not 0 < target <= 1:
        raise ValueError(f"rule 'sensitivity' needs a target above 0 and at most 1, got {target}")
    return float(thresholds[np.argmax(found >= target - 1e-12)])


def reliability(y, p, n_bins: int = 10):
    """pandas table of a reliability diagram: per non-empty bin of equal width, ``predicted`` and ``observed`` mean and ``n``."""
    import pandas as pd

    y, p = check_predictions(y, p)
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins}")
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    table = pd.DataFrame({"predicted": p, "observed": y}).groupby(bins)
    return table.mean().assign(n=table.size()).rename_axis("bin")


def ece(y, p, n_bins: int = 10) -> float:
    """Expected calibration error: the mean gap of the reliability table, weighted by images (Guo et al., arXiv 1706.04599).

    Taken for the probability of malignant, not for the confidence in the predicted class.
    """
    table = reliability(y, p, n_bins)
    return float(np.average((table["observed"] - table["predicted"]).abs(), weights=table["n"]))


def ece_floor(p, n_bins: int = 10, n_resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """ECEs (n_resamples,) that a **perfectly calibrated** model with these probabilities would show: its bias at this size.

    Labels are drawn with exactly the stated probabilities (consistency resampling, Broecker and Smith, doi 10.1175/WAF993.1).
    """
    _, p = check_predictions(np.zeros(len(np.asarray(p)), int), p)
    rng, bins = np.random.default_rng(seed), np.minimum((p * n_bins).astype(int), n_bins - 1)
    gaps = (rng.random((n_resamples, len(p))) < p) - p
    return np.abs(gaps @ (bins[:, None] == np.arange(n_bins))).sum(axis=1) / len(p)


def apply_temperature(p, temperature: float) -> np.ndarray:
    """Probabilities with their logits divided by a temperature: above 1 less sure, below 1 surer. Ranks, and so the AUC, stay."""
    from scipy.special import expit, logit

    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    return expit(logit(np.clip(np.asarray(p, float), 1e-12, 1 - 1e-12)) / temperature)


def fit_temperature(y, p) -> float:
    """The temperature between 0.05 and 20 with the least log loss on **validation** predictions (Guo et al., arXiv 1706.04599)."""
    from scipy.optimize import minimize_scalar
    from sklearn.metrics import log_loss

    y, p = check_predictions(y, p)
    found = minimize_scalar(
        lambda t: log_loss(y, apply_temperature(p, np.exp(t)), labels=[0, 1]),
        bounds=np.log([0.05, 20]),
        method="bounded",
    )
    return float(np.exp(found.x))
