"""Two models on the same images, several seeds, several questions at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hqnn_utils.evaluation.arguments import RULES
from hqnn_utils.evaluation.metrics import check_predictions
from hqnn_utils.evaluation.resampling import need_room
from hqnn_utils.runtime.arguments import checked, numbers
from hqnn_utils.runtime.words import between, by_name

# ---------------------------------------------------------------- several questions


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's adjusted p-values under the same names (statsmodels).

    Each may be read against 0.05, however many questions were asked.

    Raises
    ------
    ValueError : no p-values, or one outside 0 to 1.
    """
    from statsmodels.stats.multitest import multipletests

    by_name(between(0, 1), least=1)("p_values", p_values)
    _, adjusted, _, _ = multipletests(list(p_values.values()), method="holm")
    return dict(zip(p_values, adjusted.tolist(), strict=True))


# ---------------------------------------------------------------- several seeds


def mean_interval(values, level: float = 0.95) -> tuple[float, float, float]:
    """``(mean, low, high)`` over seeds: Student's interval (SciPy ``ttest_1samp``).

    With one value the interval is NaN: one seed has no spread.

    Raises
    ------
    ValueError : no value, or one that is not finite.
    """
    from scipy.stats import ttest_1samp

    values = numbers("values", values)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError("need one finite value per seed")
    mean = float(values.mean())
    if len(values) == 1:
        return mean, float("nan"), float("nan")
    if np.ptp(values) == 0:  # SciPy gives the same, and warns
        return mean, mean, mean
    interval = ttest_1samp(values, popmean=0).confidence_interval(level)
    return mean, float(interval.low), float(interval.high)


def paired_seeds(a, b) -> dict[str, float]:
    """Scores of two models over the same seeds, compared by an exact two-sided sign-flip test.

    The test is SciPy's ``permutation_test`` on the mean difference, exact up to 13 seeds.

    Parameters
    ----------
    a, b : one score a seed, the same seeds in the same order.

    Returns
    -------
    ``difference``, the mean of a - b; ``ahead``, the number of the ``n`` seeds in which a is
    larger; ``p_value``; ``lowest_p``, the smallest p-value that this number of seeds can give,
    2 / 2**n: five seeds never reach 0.05.

    Raises
    ------
    ValueError : different numbers of seeds, or fewer than two.
    """
    from scipy.stats import permutation_test

    a, b = numbers("a", a), numbers("b", b)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(
            f"need the same seeds, two or more, for both models, got {a.shape} and {b.shape}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("need a finite score for each seed: leave out seeds without one")
    found = permutation_test(
        (a - b,),
        np.mean,
        permutation_type="samples",
        n_resamples=10_000,  # above 2**13: SciPy takes all sign flips up to 13 seeds
        rng=np.random.default_rng(0),
    )
    return {
        "difference": float(np.mean(a - b)),
        "ahead": int((a > b).sum()),
        "n": len(a),
        "p_value": float(found.pvalue),
        "lowest_p": 2.0 ** (1 - len(a)),
    }


# ---------------------------------------------------------------- seeds and images at once


def two_level_bootstrap(
    y,
    p_a,
    p_b,
    *,
    score: str = "auc",
    n_resamples: int = 10_000,
    seed: int = 0,
    threshold: float = 0.5,
) -> dict[str, float]:
    """Mean difference a - b of two models, with the luck of training and that of the test images.

    Each resample draws seeds with replacement and, within each class, images with replacement,
    the same for both models.

    Parameters
    ----------
    y : labels (N,).
    p_a, p_b : probabilities (seeds, N), one row a seed, the same seeds for both models.
    score : ``"auc"`` or ``"accuracy"`` (at ``threshold``).

    Returns
    -------
    ``difference``; ``low`` and ``high``, the 95 % percentile interval; ``low90`` and ``high90``,
    the 90 % one, for equivalence; ``error``, the standard deviation over resamples; ``p_value``,
    two-sided: twice the smaller share of resamples on one side of 0, counted with one more
    resample on each side so that it is never 0.

    Raises
    ------
    ValueError : an unknown score, different seeds or images, one class only.
    """
    gain, resampled = two_level_resamples(
        y, p_a, p_b, score=score, n_resamples=n_resamples, seed=seed, threshold=threshold
    )
    low, low90, high90, high = np.quantile(resampled, [0.025, 0.05, 0.95, 0.975])
    return {
        "difference": gain,
        "low": float(low),
        "high": float(high),
        "low90": float(low90),
        "high90": float(high90),
        "error": float(resampled.std(ddof=1)),
        "p_value": _two_sided_p(resampled),
    }


def two_level_resamples(
    y,
    p_a,
    p_b,
    *,
    score: str = "auc",
    n_resamples: int = 10_000,
    seed: int = 0,
    threshold: float = 0.5,
) -> tuple[float, np.ndarray]:
    """The mean difference a - b itself, and in each resample of seeds and images (n_resamples,).

    Arguments and errors as in :func:`two_level_bootstrap`.
    """
    y, p_a, p_b = _same_seeds_and_images(y, p_a, p_b)
    drawn = _draw_seeds_and_images(y, len(p_a), n_resamples, seed)
    if score == "auc":
        gain, resampled = _auc_gain(y, p_a, p_b, drawn)
    else:
        gain, resampled = _accuracy_gain(y, p_a, p_b, threshold, drawn)
    return float(gain), resampled


def _same_seeds_and_images(y, p_a, p_b) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p_a, p_b = np.atleast_2d(numbers("p_a", p_a)), np.atleast_2d(numbers("p_b", p_b))
    if p_a.shape != p_b.shape:
        raise ValueError(
            f"both models need the same seeds and images, got {p_a.shape} and {p_b.shape}"
        )
    for row in (*p_a, *p_b):
        labels, _ = check_predictions(y, row)
    if len(np.unique(labels)) < 2:
        raise ValueError("need images of both classes")
    return labels, p_a, p_b


@dataclass(frozen=True)
class _Drawn:
    """How often each seed and each image was drawn, as shares: every row sums to 1.

    Attributes
    ----------
    seeds : (n_resamples, seeds). positives, negatives : (n_resamples, images of the class).
    """

    seeds: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray


def _draw_seeds_and_images(y: np.ndarray, n_seeds: int, n_resamples: int, seed: int) -> _Drawn:
    need_room(n_resamples, len(y) + n_seeds)
    rng = np.random.default_rng(seed)

    def draw(n: int) -> np.ndarray:
        return rng.multinomial(n, np.full(n, 1 / n), size=n_resamples) / n

    positives = int(y.sum())
    return _Drawn(draw(n_seeds), draw(positives), draw(len(y) - positives))


def _auc_gain(y, p_a, p_b, drawn: _Drawn) -> tuple[float, np.ndarray]:
    """Mean AUC of a minus that of b, on the images themselves and in each resample.

    An AUC is the share of pairs (malignant, benign) in the right order. So a resample changes
    only the weights of the pairs, and no AUC needs to be computed again.
    """
    gain = _pairs_in_order(y, p_a) - _pairs_in_order(y, p_b)
    resampled = np.zeros(len(drawn.seeds))
    for seed, table in enumerate(gain):
        auc_gain = np.einsum("ri,ri->r", drawn.positives @ table, drawn.negatives)
        resampled += drawn.seeds[:, seed] * auc_gain
    return gain.mean(), resampled


def _pairs_in_order(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(seeds, positives, negatives): 1 where the positive is ahead, 1/2 for a tie, else 0."""
    positive, negative = p[:, y == 1, None], p[:, None, y == 0]
    return (positive > negative) + 0.5 * (positive == negative)


def _accuracy_gain(y, p_a, p_b, threshold: float, drawn: _Drawn) -> tuple[float, np.ndarray]:
    """Mean accuracy of a minus that of b, on the images themselves and in each resample."""
    right_a, right_b = (p_a >= threshold) == y, (p_b >= threshold) == y
    gain = right_a.astype(float) - right_b
    of_positives = np.einsum("rs,si,ri->r", drawn.seeds, gain[:, y == 1], drawn.positives)
    of_negatives = np.einsum("rs,si,ri->r", drawn.seeds, gain[:, y == 0], drawn.negatives)
    n_positives, n_negatives = (y == 1).sum(), (y == 0).sum()
    resampled = (n_positives * of_positives + n_negatives * of_negatives) / len(y)
    return gain.mean(), resampled


def _two_sided_p(resampled: np.ndarray) -> float:
    below, above = (resampled <= 0).sum() + 1, (resampled >= 0).sum() + 1
    return float(min(1.0, 2 * min(below, above) / (len(resampled) + 1)))


checked(__name__, RULES)
