"""Comparisons and power against statsmodels, SciPy, simulation and by hand."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from hqnn_utils import comparison


def test_holm_by_hand_and_by_statsmodels():
    p = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5}
    found = comparison.holm(p)
    assert found == pytest.approx({"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.5})  # 4 x .01, 3 x .03, max(.09, 2 x .04), .5
    assert list(found.values()) == pytest.approx(multipletests(list(p.values()), method="holm")[1].tolist())
    for wrong in ({}, {"a": 1.2}, {"a": float("nan")}):
        with pytest.raises(ValueError, match="p-values between 0 and 1"):
            comparison.holm(wrong)


def test_mean_interval_is_students():
    values = [0.90, 0.91, 0.93, 0.92, 0.89]
    mean, low, high = comparison.mean_interval(values)
    found = stats.ttest_1samp(values, 0).confidence_interval()
    assert (mean, low, high) == pytest.approx((np.mean(values), found.low, found.high))
    assert np.isnan(comparison.mean_interval([0.5])[1:]).all() and comparison.mean_interval([0.5, 0.5]) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="one finite value per seed"):
        comparison.mean_interval([0.5, np.nan])


def test_paired_seeds_is_the_exact_sign_flip_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, 8), rng.normal(0, 1, 8)
    found = comparison.paired_seeds(a, b)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1).T
    flipped = (signs * (a - b)).mean(axis=1)
    assert found["p_value"] == pytest.approx((np.abs(flipped) >= abs((a - b).mean()) - 1e-12).mean(), abs=1e-9)
    assert found["difference"] == pytest.approx((a - b).mean()) and found["ahead"] == (a > b).sum()
    always = comparison.paired_seeds([1.0, 2, 3, 4, 5], [0.0, 0, 0, 0, 0])
    assert always["p_value"] == always["lowest_p"] == 0.0625, "five seeds cannot reach 0.05"
    with pytest.raises(ValueError, match="the same seeds"):
        comparison.paired_seeds([1, 2], [1, 2, 3])


@pytest.mark.parametrize("n, gain, discordant", [(156, 0.026, 0.12), (156, 0.05, 0.12), (40, 0.1, 0.3), (780, 0.026, 0.12)])
def test_power_agrees_with_simulation(n, gain, discordant):
    rng = np.random.default_rng(0)
    only_a, only_b, _ = rng.multinomial(n, [(discordant + gain) / 2, (discordant - gain) / 2, 1 - discordant], 4000).T
    p = [stats.binomtest(int(a), int(a + b)).pvalue if a + b else 1.0 for a, b in zip(only_a, only_b)]
    assert comparison.mcnemar_power(n, gain, discordant) == pytest.approx(np.mean(np.array(p) <= 0.05), abs=0.025)


def test_power_by_the_long_sum():
    """Every table of a small test set enumerated, with SciPy's exact binomial test as the judge."""
    n, gain, discordant = 12, 0.2, 0.6
    total = 0.0
    for a in range(n + 1):
        for b in range(n + 1 - a):
            if a + b and stats.binomtest(a, a + b).pvalue <= 0.05:
                total += stats.multinomial.pmf([a, b, n - a - b], n, [0.4, 0.2, 0.4])
    assert comparison.mcnemar_power(n, gain, discordant) == pytest.approx(total, abs=1e-12)


def test_power_keeps_its_level_and_grows():
    assert comparison.mcnemar_power(156, 0.0, 0.12) <= 0.05, "with no true difference the test errs at most at its level"
    assert comparison.mcnemar_power(5, 0.1, 0.2) == 0.0, "five images cannot reject"
    assert comparison.mcnemar_power(400, -0.04, 0.1) == pytest.approx(comparison.mcnemar_power(400, 0.04, 0.1))
    grown = [comparison.mcnemar_power(n, 0.04, 0.12) for n in (100, 400, 1600)]
    assert grown == sorted(grown) and grown[-1] > 0.95


def test_images_needed_agrees_with_the_textbook_formula():
    """Connor (1987), the normal approximation; the exact test needs somewhat more."""
    for gain, discordant in ((0.02, 0.12), (0.05, 0.12), (0.05, 0.3)):
        z_a, z_b = stats.norm.ppf(0.975), stats.norm.ppf(0.8)
        textbook = (z_a * np.sqrt(discordant) + z_b * np.sqrt(discordant - gain**2)) ** 2 / gain**2
        found = comparison.images_needed(gain, discordant)
        assert textbook < found < 1.15 * textbook
        assert comparison.mcnemar_power(found, gain, discordant) >= 0.8


@pytest.mark.parametrize("arguments", [(0, 0.02, 0.1), (156, 0.2, 0.1), (156, 0.0, 0.0), (156, 0.02, 1.5), (156, 0.02, 0.1, 0.0)])
def test_bad_power_arguments(arguments):
    with pytest.raises(ValueError, match="need n >= 1"):
        comparison.mcnemar_power(*arguments)


def test_bad_size_arguments():
    with pytest.raises(ValueError, match="gain above 0"):
        comparison.images_needed(0.0, 0.1)
    with pytest.raises(ValueError, match="the gain 0.0005 is too small"):
        comparison.images_needed(0.0005, 0.5)
