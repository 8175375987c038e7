"""Floor 1: several comparisons at once, several seeds, and the power a test had. SciPy and statsmodels do the work."""

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
    mean, spread = float(values.mean()), values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
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
        raise ValueError(f"need the same seeds, two or more, for both models, got {a.shape} and {b.shape}")
    found = permutation_test((a - b,), lambda d, axis: np.mean(d, axis=axis), permutation_type="samples", vectorized=True,
                             n_resamples=2**12 if len(a) <= 12 else 10_000, rng=np.random.default_rng(0))  # fmt: skip
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
        raise ValueError(f"need n >= 1, |gain| <= discordant <= 1 and 0 < alpha < 1, got n={n}, gain={gain}, discordant={discordant}, alpha={alpha}")
    d = np.arange(n + 1)
    edge = binom.ppf(alpha / 2, d, 0.5)  # the smallest count whose lower tail reaches alpha / 2 ...
    edge = edge - (2 * binom.cdf(edge, d, 0.5) > alpha)  # ... and the largest that still rejects
    share = (1 + gain / discordant) / 2
    rejected = np.where(edge >= 0, binom.cdf(edge, d, share) + binom.sf(d - edge - 1, d, share), 0.0)
    return float(binom.pmf(d, n, discordant) @ rejected)


def images_needed(gain: float, discordant: float, power: float = 0.8, alpha: float = 0.05, largest: int = 200_000) -> int:
    """Test images that the exact McNemar test needs to see ``gain`` with the given power, by bisection.

    Power has a saw-tooth in n; the answer is right to within one tooth (a few images). ValueError beyond ``largest``.
    """
    if not 0 < power < 1 or not gain > 0:
        raise ValueError(f"need a gain above 0 and a power between 0 and 1, got {gain} and {power}")
    low, high = 1, 64
    while mcnemar_power(high, gain, discordant, alpha) < power:
        low, high = high, 2 * high
        if high > largest:
            raise ValueError(f"more than {largest} images would be needed: the gain {gain} is too small")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if mcnemar_power(middle, gain, discordant, alpha) >= power else (middle, high)
    return high
