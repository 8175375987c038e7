"""Comparisons and power against statsmodels, SciPy, simulation and by hand."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from hqnn_utils.evaluation import comparison, power


def test_holm_by_hand_and_by_statsmodels():
    p = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5}
    found = comparison.holm(p)
    assert found == pytest.approx(
        {"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.5}
    )  # 4 x .01, 3 x .03, max(.09, 2 x .04), .5
    assert list(found.values()) == pytest.approx(
        multipletests(list(p.values()), method="holm")[1].tolist()
    )
    for wrong in ({}, {"a": 1.2}, {"a": float("nan")}):
        with pytest.raises(ValueError, match="p-values between 0 and 1"):
            comparison.holm(wrong)


def test_mean_interval_is_students():
    values = [0.90, 0.91, 0.93, 0.92, 0.89]
    mean, low, high = comparison.mean_interval(values)
    found = stats.ttest_1samp(values, 0).confidence_interval()
    assert (mean, low, high) == pytest.approx((np.mean(values), found.low, found.high))
    assert np.isnan(comparison.mean_interval([0.5])[1:]).all()
    assert comparison.mean_interval([0.5, 0.5]) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="one finite value per seed"):
        comparison.mean_interval([0.5, np.nan])


def test_paired_seeds_is_the_exact_sign_flip_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, 8), rng.normal(0, 1, 8)
    found = comparison.paired_seeds(a, b)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1).T
    flipped = (signs * (a - b)).mean(axis=1)
    assert found["p_value"] == pytest.approx(
        (np.abs(flipped) >= abs((a - b).mean()) - 1e-12).mean(), abs=1e-9
    )
    assert found["difference"] == pytest.approx((a - b).mean())
    assert found["ahead"] == (a > b).sum()
    always = comparison.paired_seeds([1.0, 2, 3, 4, 5], [0.0, 0, 0, 0, 0])
    assert always["p_value"] == always["lowest_p"] == 0.0625, "five seeds cannot reach 0.05"
    with pytest.raises(ValueError, match="the same seeds"):
        comparison.paired_seeds([1, 2], [1, 2, 3])


@pytest.mark.parametrize(
    "n, gain, discordant",
    [(156, 0.026, 0.12), (156, 0.05, 0.12), (40, 0.1, 0.3), (780, 0.026, 0.12)],
)
def test_power_agrees_with_simulation(n, gain, discordant):
    rng = np.random.default_rng(0)
    only_a, only_b, _ = rng.multinomial(
        n, [(discordant + gain) / 2, (discordant - gain) / 2, 1 - discordant], 4000
    ).T
    p = [
        stats.binomtest(int(a), int(a + b)).pvalue if a + b else 1.0 for a, b in zip(only_a, only_b)
    ]
    assert power.mcnemar_power(n, gain, discordant) == pytest.approx(
        np.mean(np.array(p) <= 0.05), abs=0.025
    )


def test_power_by_the_long_sum():
    """Every table of a small test set enumerated, with SciPy's exact binomial test as the judge."""
    n, gain, discordant = 12, 0.2, 0.6
    total = 0.0
    for a in range(n + 1):
        for b in range(n + 1 - a):
            if a + b and stats.binomtest(a, a + b).pvalue <= 0.05:
                total += stats.multinomial.pmf([a, b, n - a - b], n, [0.4, 0.2, 0.4])
    assert power.mcnemar_power(n, gain, discordant) == pytest.approx(total, abs=1e-12)


def test_power_keeps_its_level_and_grows():
    assert power.mcnemar_power(156, 0.0, 0.12) <= 0.05, (
        "with no true difference the test errs at most at its level"
    )
    assert power.mcnemar_power(5, 0.1, 0.2) == 0.0, "five images cannot reject"
    assert power.mcnemar_power(400, -0.04, 0.1) == pytest.approx(
        power.mcnemar_power(400, 0.04, 0.1)
    )
    grown = [power.mcnemar_power(n, 0.04, 0.12) for n in (100, 400, 1600)]
    assert grown == sorted(grown)
    assert grown[-1] > 0.95


def test_images_needed_agrees_with_the_textbook_formula():
    """Connor (1987), the normal approximation; the exact test needs somewhat more."""
    for gain, discordant in ((0.02, 0.12), (0.05, 0.12), (0.05, 0.3)):
        z_a, z_b = stats.norm.ppf(0.975), stats.norm.ppf(0.8)
        textbook = (z_a * np.sqrt(discordant) + z_b * np.sqrt(discordant - gain**2)) ** 2 / gain**2
        found = power.images_needed(gain, discordant)
        assert textbook < found < 1.15 * textbook
        assert power.mcnemar_power(found, gain, discordant) >= 0.8


@pytest.mark.parametrize(
    "arguments",
    [(0, 0.02, 0.1), (156, 0.2, 0.1), (156, 0.0, 0.0), (156, 0.02, 1.5), (156, 0.02, 0.1, 0.0)],
)
def test_bad_power_arguments(arguments):
    with pytest.raises(ValueError, match="need n >= 1"):
        power.mcnemar_power(*arguments)


def test_bad_size_arguments():
    with pytest.raises(ValueError, match="gain above 0"):
        power.images_needed(0.0, 0.1)
    with pytest.raises(ValueError, match="the gain 0.0005 is too small"):
        power.images_needed(0.0005, 0.5)


def two_models(n_seeds=4, n=60, gap=0.3, seed=0):
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(int)
    latent = rng.normal(size=(1, n)) + 1.2 * y
    a, b = (
        1 / (1 + np.exp(-(latent + shift * y + 0.5 * rng.normal(size=(n_seeds, n)))))
        for shift in (gap, 0.0)
    )
    return y, a, b


@pytest.mark.parametrize("score", ["auc", "accuracy"])
def test_two_level_difference_is_scikit_learns(score):
    from sklearn.metrics import accuracy_score, roc_auc_score

    y, a, b = two_models()
    judge = roc_auc_score if score == "auc" else (lambda t, p: accuracy_score(t, p >= 0.5))
    wanted = np.mean([judge(y, i) - judge(y, j) for i, j in zip(a, b)])
    assert comparison.two_level_bootstrap(y, a, b, score=score, n_resamples=50)[
        "difference"
    ] == pytest.approx(wanted, abs=1e-12)


def test_two_level_bootstrap_against_drawing_by_hand():
    """The same scheme with explicit copies of images and seeds and scikit-learn's AUC: same spread and quantiles."""
    from sklearn.metrics import roc_auc_score

    y, a, b = two_models()
    a[:, ::7] = a[:, :1]  # ties
    rng, found = np.random.default_rng(5), []
    for _ in range(300):
        index = np.concatenate([rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in (0, 1)])
        seeds = rng.integers(0, len(a), len(a))
        found.append(
            np.mean(
                [
                    roc_auc_score(y[index], a[s, index]) - roc_auc_score(y[index], b[s, index])
                    for s in seeds
                ]
            )
        )
    ours = comparison.two_level_bootstrap(y, a, b, n_resamples=20_000)
    assert ours["error"] == pytest.approx(np.std(found), rel=0.15)
    assert [ours["low"], ours["high"]] == pytest.approx(
        np.quantile(found, [0.025, 0.975]), abs=0.02
    )
    assert ours["low"] < ours["low90"] < ours["difference"] < ours["high90"] < ours["high"]


def test_two_level_with_one_seed_is_the_image_bootstrap():
    from hqnn_utils.evaluation.comparison import auc_difference

    y, a, b = two_models(n_seeds=1)
    ours, images = (
        comparison.two_level_bootstrap(y, a, b),
        auc_difference(y, a[0], b[0], n_resamples=10_000),
    )
    assert ours["low"] == pytest.approx(images["low"], abs=0.01)
    assert ours["high"] == pytest.approx(images["high"], abs=0.01)


def test_two_level_p_values():
    y, a, b = two_models(n_seeds=10, n=300, gap=2.0)
    assert comparison.two_level_bootstrap(y, a, b)["p_value"] < 0.001
    assert comparison.two_level_bootstrap(y, a, a)["p_value"] == 1.0
    swapped = comparison.two_level_bootstrap(y, b, a)
    assert swapped["difference"] == pytest.approx(
        -comparison.two_level_bootstrap(y, a, b)["difference"]
    )
    assert swapped["p_value"] < 0.001


def test_two_level_false_alarms():
    """Two models that differ by luck only: about one interval in twenty excludes 0 (bootstrap at small n is a little liberal)."""
    alarms = [
        comparison.two_level_bootstrap(
            *two_models(gap=0.0, n=156, n_seeds=10, seed=s), n_resamples=400
        )["p_value"]
        <= 0.05
        for s in range(200)
    ]
    assert np.mean(alarms) < 0.12


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_detectable_difference_and_power_are_inverse(wanted):
    from statsmodels.stats.power import NormalIndPower

    found = power.detectable_difference(0.01, wanted)
    assert power.power_for(found, 0.01) == pytest.approx(wanted, abs=0.001)
    judge = NormalIndPower(ddof=0).power(
        found / 0.01, nobs1=1, alpha=0.05, ratio=0
    )  # ratio 0: one sample
    assert power.power_for(found, 0.01) == pytest.approx(judge, abs=1e-6)


def test_verdicts_follow_the_rules():
    assert comparison.verdict(0.03, 0.01, 0.05, 0.01) == "supported"
    assert comparison.verdict(-0.03, -0.05, -0.01, 0.01) == "refuted"
    assert comparison.verdict(0.001, -0.012, 0.015, 0.9) == "refuted", (
        "equivalent within two points"
    )
    assert comparison.verdict(0.01, -0.012, 0.035, 0.3) == "undecided"
    assert comparison.verdict(0.01, 0.001, 0.019, 0.04) == "supported", "significance goes first"


def test_two_level_bad_input():
    y, a, b = two_models()
    with pytest.raises(ValueError, match="same seeds and images"):
        comparison.two_level_bootstrap(y, a, b[:2])
    with pytest.raises(ValueError, match="both classes"):
        comparison.two_level_bootstrap(np.zeros(60, int), a, b)
    with pytest.raises(ValueError, match="unknown score 'f1'"):
        comparison.two_level_bootstrap(y, a, b, score="f1")
