"""Checks of the exercises in notebook 03."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _trainable(answer, *, n_features) -> Verdict:
    truth = 2 * n_features + 2
    hints = {
        2 * n_features: "the two biases learn too",
        n_features: "there are two classes",
        n_features + 1: "there are two classes",
    }
    return number(
        answer, truth, f"{truth}: two weights a feature and two biases", hints.items(), whole=True
    )


def _seeds(answer, *, values) -> Verdict:
    from scipy.stats import sem

    from hqnn_utils.evaluation.comparison import mean_interval

    mean, low, high = mean_interval(values)
    half = (high - low) / 2
    hints = {
        np.std(values, ddof=1): "that is the spread of single runs; the mean of n runs varies less",
        sem(values): "that is the standard error: multiply it by Student's t for n - 1",
        1.96 * sem(values): "with few seeds use Student's t, not 1.96",
        high - low: "that is the whole width: give half of it",
    }
    return number(
        answer,
        half,
        f"the mean is {mean:.3f} plus or minus {half:.3f}",
        hints.items(),
        tolerance=2e-4,
    )


def _clean(answer, *, labels, probabilities, keep) -> Verdict:
    from sklearn.metrics import roc_auc_score

    labels, probabilities = np.asarray(labels), np.asarray(probabilities, float)
    keep = np.asarray(keep, bool)
    truth = float(roc_auc_score(labels[keep], probabilities[keep]))
    on_all = float(roc_auc_score(labels, probabilities))
    hints = {on_all: "that is the AUC on all test images: leave the near-duplicates out"}
    right = f"AUC {truth:.3f} on the {int(keep.sum())} images without a near-duplicate"
    return number(answer, truth, right, hints.items(), tolerance=5e-4)


EXERCISES = {
    "03.trainable": Exercise(_trainable, "read"),
    "03.seeds": Exercise(_seeds, "read"),
    "03.clean": Exercise(_clean, "read"),
}
