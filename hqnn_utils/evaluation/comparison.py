"""Several comparisons at once, several seeds, and the power a test had. SciPy and statsmodels do the work."""

from __future__ import annotations

import numpy as np


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's adjusted p-values under the same names (statsmodels ``multipletests``): each may be read against 0.05."""
    from statsmodels.stats.multitest import multipletests

    values = np.array(list(p_values.values()), float)
    if len(values) == 0 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"need p-values between 0 and 1, got {p_values}")
    return dict(zip(p_values, multipletests(values, method="holm")[1].tolist()))


def mean_interval(values, level: float = 0.95) -> tuple[float, float, float]:
    """``(mean, low, high)`` over seeds, Student's t. With one value the interval is NaN: one seed has no spread."""
    from scipy import stats

    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError("need one finite value per seed")
    mean, spread = (
        float(values.mean()),
        values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan,
    )
    if not spread > 0:
        return mean, *((mean, mean) if spread == 0 else (float("nan"),) * 2)
    low, high = stats.t.interval(level, len(values) - 1, loc=mean, scale=spread)
    return mean, float(low), float(high)


def paired_seeds(a, b) -> dict[str, float]:
    """Two models over the same seeds: mean difference a - b, how often a was ahead, and an exact two-sided sign-flip test.

    ``lowest_p`` is the smallest p-value this number of seeds can give, 2 / 2**n: five seeds never reach 0.05.
    The test is SciPy's ``permutation_test`` on the mean difference, exact up to 12 seeds.
    """
    from scipy.stats import permutation_test

    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(
            f"need the same seeds, two or more, for both models, got {a.shape} and {b.shape}"
        )
    found = permutation_test(
        (a - b,),
        lambda d, axis: np.mean(d, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**12 if len(a) <= 12 else 10_000,
        rng=np.random.default_rng(0),
    )
    return {
        "difference": float(np.mean(a - b)),
        "ahead": int((a > b).sum()),
        "n": len(a),
        "p_value": float(found.pvalue),
        "lowest_p": 2.0 ** (1 - len(a)),
    }


def mcnemar_power(n: int, gain: float, discordant: float, alpha: float = 0.05) -> float:
    """Chance that the exact two-sided McNemar test on ``n`` images comes out at or below ``alpha``.

    Parameters
    ----------
    gain : true difference of the two accuracies, e.g. 0.02 for two points.
    discordant : share of images that exactly one of the two models gets right, at least ``gain``.

    Exact: the number of discordant images is binomial (n, discordant); of these, model a is right in a binomial number with
    share (1 + gain / discordant) / 2. Both sums are carried out.
    """
    from scipy.stats import binom

    if n < 1 or not 0 <= abs(gain) <= discordant <= 1 or discordant == 0 or not 0 < alpha < 1:
        raise ValueError(
            f"need n >= 1, |gain| <= discordant <= 1 and 0 < alpha < 1, got n={n}, gain={gain}, discordant={discordant}, alpha={alpha}"
        )
    d = np.arange(n + 1)
    edge = binom.ppf(alpha / 2, d, 0.5)  # the smallest count whose lower tail reaches alpha / 2 ...
    edge = edge - (2 * binom.cdf(edge, d, 0.5) > alpha)  # ... and the largest that still rejects
    share = (1 + gain / discordant) / 2
    rejected = np.where(
        edge >= 0, binom.cdf(edge, d, share) + binom.sf(d - edge - 1, d, share), 0.0
    )
    return float(binom.pmf(d, n, discordant) @ rejected)


def images_needed(
    gain: float, discordant: float, power: float = 0.8, alpha: float = 0.05, largest: int = 200_000
) -> int:
    """Test images that the exact McNemar test needs to see ``gain`` with the given power, by bisection.

    Power has a saw-tooth in n; the answer is right to within one tooth (a few images). ValueError beyond ``largest``.
    """
    if not 0 < power < 1 or not gain > 0:
        raise ValueError(f"need a gain above 0 and a power between 0 and 1, got {gain} and {power}")
    low, high = 1, 64
    while mcnemar_power(high, gain, discordant, alpha) < power:
        low, high = high, 2 * high
        if high > largest:
            raise ValueError(
                f"more than {largest} images would be needed: the gain {gain} is too small"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle)
            if mcnemar_power(middle, gain, discordant, alpha) >= power
            else (middle, high)
        )
    return high


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
    """Mean difference a - b of two models trained with the same seeds and tested on the same images, with both kinds of luck.

    Each resample draws seeds with replacement and, within each class, images with replacement, the same for both models.

    Parameters
    ----------
    y : (N,) labels 0 or 1. p_a, p_b : (seeds, N) probabilities of 1, one row a seed.
    score : ``"auc"`` or ``"accuracy"`` (at ``threshold``).

    Returns
    -------
    ``difference``; ``low`` and ``high`` (95 % percentile interval); ``low90`` and ``high90`` (90 %, for equivalence);
    ``error``, the standard deviation over resamples; ``p_value``, two-sided: twice the smaller share of resamples on one side of 0,
    counted with one more resample on each side so that it is never 0.
    """
    from hqnn_utils.evaluation.metrics import check_predictions
    from hqnn_utils.runtime import choose

    choose("score", score, ("auc", "accuracy"))
    p_a, p_b = np.atleast_2d(np.asarray(p_a, float)), np.atleast_2d(np.asarray(p_b, float))
    if p_a.shape != p_b.shape:
        raise ValueError(
            f"both models need the same seeds and images, got {p_a.shape} and {p_b.shape}"
        )
    y, _ = check_predictions(y, p_a[0])
    for row in (*p_a, *p_b):
        check_predictions(y, row)
    ones, zeros, rng = np.flatnonzero(y == 1), np.flatnonzero(y == 0), np.random.default_rng(seed)
    if len(ones) == 0 or len(zeros) == 0:
        raise ValueError("need images of both classes")

    def draw(n: int) -> np.ndarray:  # how often each of n was drawn, as shares
        return rng.multinomial(n, np.full(n, 1 / n), size=n_resamples) / n

    seeds, positive, negative = draw(len(p_a)), draw(len(ones)), draw(len(zeros))
    if (
        score == "auc"
    ):  # an AUC is the share of pairs in the right order, so a resample only changes the weights of the pairs
        gain = _pairs(p_a, ones, zeros) - _pairs(p_b, ones, zeros)
        found = np.zeros(n_resamples)
        for number, table in enumerate(gain):
            found += seeds[:, number] * np.einsum("ri,ri->r", positive @ table, negative)
        difference = gain.mean()
    else:
        right = ((p_a >= threshold) == y).astype(float) - ((p_b >= threshold) == y)
        by_class = [
            np.einsum("rs,si,ri->r", seeds, right[:, index], share)
            for index, share in ((ones, positive), (zeros, negative))
        ]
        found = (len(ones) * by_class[0] + len(zeros) * by_class[1]) / len(y)
        difference = right.mean()
    low, low90, high90, high = np.quantile(found, [0.025, 0.05, 0.95, 0.975])
    below, above = (found <= 0).sum() + 1, (found >= 0).sum() + 1
    return {
        "difference": float(difference),
        "low": float(low),
        "high": float(high),
        "low90": float(low90),
        "high90": float(high90),
        "error": float(found.std(ddof=1)),
        "p_value": float(min(1.0, 2 * min(below, above) / (n_resamples + 1))),
    }


def _pairs(p: np.ndarray, ones: np.ndarray, zeros: np.ndarray) -> np.ndarray:
    """(seeds, positives, negatives): 1 where the positive has the higher probability, 1/2 for a tie, else 0."""
    a, b = p[:, ones, None], p[:, None, zeros]
    return (a > b) + 0.5 * (a == b)


def corrected_resampled_t(differences, test_to_train: float) -> dict[str, float]:
    """t-test on fold differences of a repeated cross-validation, corrected for the overlap of training sets.

    The variance of the mean is s^2 (1 / n + test / train) instead of s^2 / n (Nadeau and Bengio, doi 10.1023/A:1024068626366).

    Parameters
    ----------
    differences : one per fold and repetition. test_to_train : images in the test part over images in the training part of a fold.
    """
    from scipy import stats

    d = np.asarray(differences, float)
    if d.ndim != 1 or len(d) < 2 or not np.isfinite(d).all():
        raise ValueError("need two or more finite differences, one per fold")
    if not test_to_train > 0:
        raise ValueError(f"test_to_train must be positive, got {test_to_train}")
    error = float(np.sqrt(d.var(ddof=1) * (1 / len(d) + test_to_train)))
    mean, half = float(d.mean()), float(stats.t.ppf(0.975, len(d) - 1)) * error
    p_value = (
        float(2 * stats.t.sf(abs(mean) / error, len(d) - 1)) if error > 0 else float(mean == 0)
    )
    return {
        "difference": mean,
        "low": mean - half,
        "high": mean + half,
        "error": error,
        "p_value": p_value,
    }


def detectable_difference(error: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest true difference that a two-sided test with this standard error notices with the given power (normal approximation)."""
    from scipy.stats import norm

    if not error >= 0 or not 0 < power < 1 or not 0 < alpha < 1:
        raise ValueError(
            f"need error >= 0, power and alpha between 0 and 1, got {error}, {power}, {alpha}"
        )
    return float((norm.ppf(1 - alpha / 2) + norm.ppf(power)) * error)


def power_for(difference: float, error: float, alpha: float = 0.05) -> float:
    """Power of a two-sided test with this standard error against a true difference (normal approximation)."""
    from scipy.stats import norm

    if not error > 0:
        raise ValueError(f"need a standard error above 0, got {error}")
    edge = norm.ppf(1 - alpha / 2)
    return float(norm.sf(edge - difference / error) + norm.cdf(-edge - difference / error))


def verdict(
    difference: float,
    low90: float,
    high90: float,
    p_adjusted: float,
    margin: float = 0.02,
    alpha: float = 0.05,
) -> str:
    """``"supported"``, ``"refuted"`` or ``"undecided"`` for the claim "a is better than b", by rules stated beforehand.

    Supported: significant and a ahead. Refuted: significant and b ahead, or equivalent, the 90 % interval inside ``margin`` (two
    one-sided tests at 0.05). Undecided: anything else.
    """
    if p_adjusted <= alpha:
        return "supported" if difference > 0 else "refuted"
    return "refuted" if -margin < low90 and high90 < margin else "undecided"
