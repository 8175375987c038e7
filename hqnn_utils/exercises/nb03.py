"""Checks of the exercises in notebook 03."""

from __future__ import annotations

import numpy as np

from . import Verdict, number


def _trainable(answer, *, n_features) -> Verdict:
    return number(
        answer,
        2 * n_features + 2,
        0.1,
        f"{2 * n_features + 2}: two weights a feature and two biases",
        {
            2 * n_features: "the two biases learn too",
            n_features: "there are two classes",
            n_features + 1: "there are two classes",
        },
    )


def _seeds(answer, *, values) -> Verdict:
    from hqnn_utils.evaluation.comparison import mean_interval

    values = np.asarray(values, float)
    mean, low, high = mean_interval(values)
    half, normal = (high - low) / 2, 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return number(
        answer,
        half,
        2e-4,
        f"the mean is {mean:.3f} plus or minus {half:.3f}",
        {
            values.std(ddof=1): "that is the spread of single runs; the mean of n runs varies less",
            values.std(ddof=1)
            / np.sqrt(
                len(values)
            ): "that is the standard error: multiply it by Student's t for n - 1",
            normal: "with few seeds use Student's t, not 1.96",
            high - low: "that is the whole width: give half of it",
        },
    )


def _clean(answer, *, labels, probabilities, keep) -> Verdict:
    from hqnn_utils.evaluation.metrics import rank_auc

    labels, probabilities, keep = (
        np.asarray(labels),
        np.asarray(probabilities, float),
        np.asarray(keep, bool),
    )
    truth = float(rank_auc(labels[keep], probabilities[keep]))
    return number(
        answer,
        truth,
        5e-4,
        f"AUC {truth:.3f} on the {int(keep.sum())} images without a near-duplicate",
        {
            float(
                rank_auc(labels, probabilities)
            ): "that is the AUC on all test images: leave the near-duplicates out"
        },
    )


CHECKS = {"03.trainable": _trainable, "03.seeds": _seeds, "03.clean": _clean}
