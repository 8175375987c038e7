"""What a test can notice: its power, and the images it needs."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from hqnn_utils.evaluation.arguments import RULES
from hqnn_utils.runtime.arguments import checked


def mcnemar_power(n: int, gain: float, discordant: float, alpha: float = 0.05) -> float:
    """Chance that the exact two-sided McNemar test on ``n`` images comes out at most ``alpha``.

    Parameters
    ----------
    gain : true difference of the two accuracies, 0.02 for two points.
    discordant : share of images that exactly one of the two models gets right, at least ``gain``.

    Raises
    ------
    ValueError : numbers that cannot be, such as a gain above the share of discordant images.

    Notes
    -----
    Exact: the number of discordant images is binomial (n, discordant); of these, model a is right
    in a binomial number with share (1 + gain / discordant) / 2. Both sums are carried out.
    """
    from scipy.stats import binom

    if abs(gain) > discordant or not discordant:
        raise ValueError(
            "need |gain| <= discordant and discordant above 0, "
            f"got gain={gain}, discordant={discordant}"
        )
    images = np.arange(n + 1)  # how many are discordant
    # The smallest number of wins whose lower tail reaches alpha / 2, and the largest that rejects.
    reached = binom.ppf(alpha / 2, images, 0.5)
    rejects = reached - (binom.cdf(reached, images, 0.5) > alpha / 2)
    share_of_a = (1 + gain / discordant) / 2
    few_wins = binom.cdf(rejects, images, share_of_a)
    many_wins = binom.sf(images - rejects - 1, images, share_of_a)
    rejected = np.where(rejects >= 0, few_wins + many_wins, 0.0)
    return float(binom.pmf(images, n, discordant) @ rejected)


def images_needed(
    gain: float, discordant: float, power: float = 0.8, alpha: float = 0.05, largest: int = 200_000
) -> int:
    """Test images that the exact McNemar test needs to see ``gain`` with the given power.

    ``gain``, ``discordant`` and ``alpha`` as in :func:`mcnemar_power`. By bisection: power has a
    saw-tooth in n, and the answer is right to within one tooth (a few images).

    Raises
    ------
    ValueError : a gain that is not above 0, a power outside 0 to 1, or more than ``largest``
        images.
    """
    if not gain > 0:
        raise ValueError(f"need a gain above 0, got {gain}")

    def power_of(n: int) -> float:
        return mcnemar_power(n, gain, discordant, alpha)

    too_few, enough = 0, 64
    while power_of(enough) < power:
        too_few, enough = enough, 2 * enough
        if enough > largest:
            raise ValueError(
                f"more than {largest} images would be needed: the gain {gain} is too small"
            )
    between = range(too_few + 1, enough)
    return between.start + bisect_left(between, power, key=power_of)


def power_for(difference: float, error: float, alpha: float = 0.05) -> float:
    """Power of a two-sided test with this standard error against a true difference.

    Normal approximation (statsmodels ``normal_power``).

    Raises
    ------
    ValueError : an error that is not above 0.
    """
    from statsmodels.stats.power import normal_power

    return float(normal_power(difference, nobs=1, alpha=alpha, sigma=error))


checked(__name__, RULES)
