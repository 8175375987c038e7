"""Can the probabilities be believed? Reliability and calibration error."""

from __future__ import annotations

import numpy as np

from hqnn_utils.evaluation.arguments import RULES
from hqnn_utils.evaluation.metrics import check_predictions, check_probabilities
from hqnn_utils.evaluation.resampling import need_room
from hqnn_utils.runtime.arguments import checked


def _bin_of(p: np.ndarray, n_bins: int) -> np.ndarray:
    """Number of the bin of equal width that holds each probability; 1 belongs to the last one."""
    return np.minimum((p * n_bins).astype(int), n_bins - 1)


def reliability(y, p, n_bins: int = 10):
    """pandas table of a reliability diagram.

    One row a bin that is not empty: mean ``predicted`` probability, ``observed`` share of
    malignant images, number of images ``n``.

    Raises
    ------
    ValueError : fewer than one bin; predictions that ``check_predictions`` refuses.
    """
    import pandas as pd

    y, p = check_predictions(y, p)
    groups = pd.DataFrame({"predicted": p, "observed": y}).groupby(_bin_of(p, n_bins))
    return groups.mean().assign(n=groups.size()).rename_axis("bin")


def ece(y, p, n_bins: int = 10) -> float:
    """Expected calibration error (Guo et al., arXiv 1706.04599).

    The distance between predicted and observed in the reliability table, averaged over images.
    Taken for the probability of malignant, not for the confidence in the predicted class.
    """
    table = reliability(y, p, n_bins)
    gap = (table["observed"] - table["predicted"]).abs()
    return float(np.average(gap, weights=table["n"]))


def ece_floor(p, n_bins: int = 10, n_resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """ECEs (n_resamples,) that a **perfectly calibrated** model with these probabilities shows.

    With few images they are well above 0: that is the bias of the ECE. Labels are drawn with
    exactly the stated probabilities (consistency resampling, Broecker and Smith,
    doi 10.1175/WAF993.1).
    """
    p = check_probabilities(p)
    _, p = check_predictions(np.zeros(p.shape), p)
    need_room(n_resamples, len(p))
    labels = np.random.default_rng(seed).random((n_resamples, len(p))) < p
    in_bin = _bin_of(p, n_bins)[:, None] == np.arange(n_bins)
    gap_of_bins = np.abs((labels - p) @ in_bin)
    return gap_of_bins.sum(axis=1) / len(p)


checked(__name__, RULES)
