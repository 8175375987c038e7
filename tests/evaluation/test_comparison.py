"""Comparisons against statsmodels, SciPy, scikit-learn and by hand."""

import re

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from hqnn_utils.evaluation import comparison
from hqnn_utils.evaluation.metrics import rank_auc
from hqnn_utils.evaluation.resampling import stratified_resamples

# ---------------------------------------------------------------- the same images


def pair(seed=0, n=60):
    """Labels and the probabilities of two models, one better than the other, with ties."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(int)
    a, b = (
        (1 / (1 + np.exp(-rng.normal(size=n) - gain * (y - 0.5)))).round(2) for gain in (2, 0.5)
    )
    return y, a, b


# ---------------------------------------------------------------- several questions


def test_holm_by_hand_and_by_statsmodels():
    p = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5}
    found = comparison.holm(p)
    by_hand = {"a": 4 * 0.01, "b": 3 * 0.03, "c": 3 * 0.03, "d": 0.5}  # b: not below c
    assert found == pytest.approx(by_hand)
    judge = multipletests(list(p.values()), method="holm")[1]
    assert list(found.values()) == pytest.approx(judge.tolist())
    assert list(found) == list(p)
    assert comparison.holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert comparison.holm({"a": 0.0, "b": 1.0}) == {"a": 0.0, "b": 1.0}


@pytest.mark.parametrize("wrong", [{"a": 1.2}, {"b": 0.5, "a": -0.1}, {"a": float("nan")}])
def test_holm_refuses(wrong):
    message = re.escape(f"p_values['a'] must be a number from 0 to 1, got {wrong['a']}")
    with pytest.raises(ValueError, match=f"^{message}$"):
        comparison.holm(wrong)


# ---------------------------------------------------------------- several seeds


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_mean_interval_is_students(level):
    values = [0.90, 0.91, 0.93, 0.92, 0.89]
    found = comparison.mean_interval(values, level)
    low, high = stats.t.interval(level, 4, loc=np.mean(values), scale=stats.sem(values))
    assert found == pytest.approx((np.mean(values), low, high))
    assert all(type(number) is float for number in found)


def test_mean_interval_default_and_borders(recwarn):
    assert comparison.mean_interval([0.9, 0.8]) == comparison.mean_interval([0.9, 0.8], 0.95)
    mean, low, high = comparison.mean_interval([0.5])
    assert mean == 0.5
    assert np.isnan([low, high]).all()
    assert comparison.mean_interval([0.5, 0.5]) == (0.5, 0.5, 0.5)
    assert not recwarn.list
    for wrong in ([0.5, np.nan], [], [[0.5, 0.6]], 0.5, [np.inf]):
        with pytest.raises(ValueError, match=r"^need one finite value per seed$"):
            comparison.mean_interval(wrong)


@pytest.mark.parametrize("n", [2, 8])
def test_paired_seeds_is_the_exact_sign_flip_test(n):
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, n), rng.normal(0, 1, n)
    signs = np.array(np.meshgrid(*[[-1, 1]] * n)).reshape(n, -1).T
    flipped = np.abs((signs * (a - b)).mean(axis=1))
    p_value = (flipped >= abs((a - b).mean()) - 1e-12).mean()
    assert comparison.paired_seeds(a, b) == {
        "difference": pytest.approx((a - b).mean()),
        "ahead": (a > b).sum(),
        "n": n,
        "p_value": pytest.approx(p_value, abs=1e-9),
        "lowest_p": 2 / 2**n,
    }


def test_paired_seeds_by_hand():
    always = comparison.paired_seeds([1.0, 2, 3, 4, 5], [0.0, 0, 0, 0, 0])
    assert always["p_value"] == always["lowest_p"] == 0.0625, "five seeds cannot reach 0.05"
    assert always["ahead"] == 5
    turned = comparison.paired_seeds([0.0, 0, 1], [1.0, 1, 1])
    assert (turned["difference"], turned["ahead"]) == (pytest.approx(-2 / 3), 0)


def test_paired_seeds_is_exact_up_to_thirteen():
    ahead = comparison.paired_seeds(np.arange(1.0, 14), np.zeros(13))
    assert ahead["p_value"] == ahead["lowest_p"] == 2**-12


def test_paired_seeds_beyond_that_draws_ten_thousand_sign_flips():
    a, b = np.random.default_rng(1).normal(size=(2, 14))
    judge = stats.permutation_test(
        (a - b,),
        np.mean,
        permutation_type="samples",
        n_resamples=10_000,
        rng=np.random.default_rng(0),
    )
    assert comparison.paired_seeds(a, b)["p_value"] == judge.pvalue
    assert judge.pvalue > 0.01


@pytest.mark.parametrize(
    ("a", "b"), [([1, 2], [1, 2, 3]), ([1], [2]), ([[1, 2], [3, 4]], [[1, 2], [3, 4]])]
)
def test_paired_seeds_refuses(a, b):
    shapes = f"{np.shape(a)} and {np.shape(b)}"
    message = re.escape(f"need the same seeds, two or more, for both models, got {shapes}")
    with pytest.raises(ValueError, match=f"^{message}$"):
        comparison.paired_seeds(a, b)


# ---------------------------------------------------------------- seeds and images at once


def two_models(n_seeds=4, n=60, gap=0.3, seed=0):
    """Labels and the probabilities (seeds, images) of two models that see the same images."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(int)
    latent = rng.normal(size=(1, n)) + 1.2 * y
    a, b = (
        1 / (1 + np.exp(-(latent + shift * y + 0.5 * rng.normal(size=(n_seeds, n)))))
        for shift in (gap, 0.0)
    )
    return y, a.round(2), b.round(2)


@pytest.mark.parametrize(
    ("score", "threshold"), [("auc", 0.5), ("accuracy", 0.5), ("accuracy", 0.7)]
)
def test_two_levels_resample_by_resample(score, threshold):
    """The same draws, each judged by scikit-learn with the images' counts as weights."""

    def judge(p, weight):
        if score == "auc":
            return roc_auc_score(y, p, sample_weight=weight)
        return accuracy_score(y, p >= threshold, sample_weight=weight)

    y, a, b = two_models(n_seeds=3, n=24)
    n_resamples, rng = 25, np.random.default_rng(6)
    counts = [rng.multinomial(n, np.full(n, 1 / n), n_resamples) for n in (3, 8, 16)]
    gaps = []
    for seeds, positives, negatives in zip(*counts, strict=True):
        weight = np.zeros(24)
        weight[y == 1], weight[y == 0] = positives, negatives
        gain = [judge(i, weight) - judge(j, weight) for i, j in zip(a, b, strict=True)]
        gaps.append(np.dot(seeds, gain) / 3)
    gaps = np.array(gaps)
    low, low90, high90, high = np.quantile(gaps, [0.025, 0.05, 0.95, 0.975])
    on_one_side = min((gaps <= 1e-12).sum(), (gaps >= -1e-12).sum())
    whole = np.ones(24)
    gains = [judge(i, whole) - judge(j, whole) for i, j in zip(a, b, strict=True)]
    found = comparison.two_level_bootstrap(
        y, a, b, score=score, n_resamples=n_resamples, seed=6, threshold=threshold
    )
    assert found == pytest.approx(
        {
            "difference": np.mean(gains),
            "low": low,
            "high": high,
            "low90": low90,
            "high90": high90,
            "error": gaps.std(ddof=1),
            "p_value": min(1, 2 * (on_one_side + 1) / (n_resamples + 1)),
        },
        abs=1e-12,
    )
    assert all(type(value) is float for value in found.values())


def test_two_level_defaults():
    y, a, b = two_models(n_seeds=2, n=24)
    found = comparison.two_level_bootstrap(y, a, b)
    wanted = dict(score="auc", n_resamples=10_000, seed=0, threshold=0.5)
    assert found == comparison.two_level_bootstrap(y, a, b, **wanted)
    few = dict(score="accuracy", n_resamples=200)
    a[:, :5] = 0.5
    at_half = comparison.two_level_bootstrap(y, a, b, **few)
    assert at_half == comparison.two_level_bootstrap(y, a, b, threshold=0.5, **few)
    assert at_half != comparison.two_level_bootstrap(y, a, b, threshold=0.51, **few)


def test_two_levels_with_one_seed_are_the_image_bootstrap():
    y, a, b = two_models(n_seeds=1)
    ours = comparison.two_level_bootstrap(y, a[0], b[0])
    drawn = stratified_resamples(y, 4000, seed=0)
    gaps = rank_auc(y[drawn], a[0][drawn]) - rank_auc(y[drawn], b[0][drawn])
    assert ours["difference"] == pytest.approx(roc_auc_score(y, a[0]) - roc_auc_score(y, b[0]))
    for key, at in (("low", 0.025), ("high", 0.975)):
        assert ours[key] == pytest.approx(np.quantile(gaps, at), abs=0.015)


def test_two_level_p_values():
    y, a, b = two_models(n_seeds=6, gap=3.0)
    there, back = (
        comparison.two_level_bootstrap(y, *models, n_resamples=999) for models in ((a, b), (b, a))
    )
    assert there["p_value"] == back["p_value"] == 2 / 1000, "never 0"
    assert there["difference"] == -back["difference"] > 0
    assert comparison.two_level_bootstrap(y, a, a, n_resamples=50)["p_value"] == 1.0


def test_two_level_false_alarms():
    """Two models that differ by luck only: about one in twenty, somewhat more at small n."""
    alarms = []
    for seed in range(80):
        models = two_models(gap=0.0, n_seeds=6, seed=seed)
        alarms.append(comparison.two_level_bootstrap(*models, n_resamples=200)["p_value"] <= 0.05)
    assert np.mean(alarms) < 0.14


def test_two_level_bad_input():
    y, a, b = two_models()
    message = r"^both models need the same seeds and images, got \(4, 60\) and \(2, 60\)$"
    with pytest.raises(ValueError, match=message):
        comparison.two_level_bootstrap(y, a, b[:2])
    for one_class in (np.zeros(60, int), np.ones(60, int)):
        with pytest.raises(ValueError, match=r"^need images of both classes$"):
            comparison.two_level_bootstrap(one_class, a, b)
    with pytest.raises(ValueError, match=r"^unknown score 'f1'; known: auc, accuracy$"):
        comparison.two_level_bootstrap(y, a, b, score="f1")
    for row, model in ((0, a), (3, a), (3, b)):
        model = model.copy()
        model[row, 7] = 1.5
        for models in ((model, b), (a, model)):
            with pytest.raises(ValueError, match="between 0 and 1"):
                comparison.two_level_bootstrap(y, *models)
