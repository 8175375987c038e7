"""metrics against scikit-learn, statsmodels, SciPy and MedMNIST's own evaluator."""

import medmnist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from hqnn_utils.evaluation import calibration, comparison, metrics


def case(seed, n=156, positives=42, strength=1.5):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) < positives).astype(int)
    return y, 1 / (1 + np.exp(-(rng.normal(size=n) + strength * (y - 0.5))))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(4, 80), st.floats(0.05, 0.95), st.integers(0, 2))
def test_scores_equal_scikit_learn(seed, n, threshold, decimals):
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, rng.integers(0, 2, n)]
    p = np.round(rng.random(n + 2), decimals)  # few decimals: many ties
    hard, found = p >= threshold, metrics.scores(y, p, threshold)
    assert found["accuracy"] == sk.accuracy_score(y, hard)
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, hard))
    assert found["sensitivity"] == pytest.approx(sk.recall_score(y, hard))
    assert found["specificity"] == pytest.approx(sk.recall_score(1 - y, ~hard))
    assert (
        found["auc"]
        == pytest.approx(sk.roc_auc_score(y, p))
        == pytest.approx(float(metrics.rank_auc(y, p)))
    )
    assert found["brier"] == pytest.approx(np.mean((p - y) ** 2))
    if hard.any():
        assert found["precision"] == pytest.approx(sk.precision_score(y, hard))
        assert found["f1"] == pytest.approx(sk.f1_score(y, hard, zero_division=0))
    c = metrics.confusion(y, p, threshold)
    assert sum(c.values()) == n + 2
    assert c["tp"] + c["fn"] == y.sum()
    assert set(found) == set(metrics.SCORES)


def test_equals_medmnists_evaluator(tmp_path):
    """ACC and AUC of the official split, with the labels turned round on purpose: AUC must not care, accuracy neither."""
    y, p = case(1)
    raw = {
        f"{s}_{k}": np.zeros((2, 28, 28) if k == "images" else (2, 1), np.uint8)
        for s in ("train", "val")
        for k in ("images", "labels")
    }
    np.savez(
        tmp_path / "breastmnist.npz",
        **raw,
        test_images=np.zeros((156, 28, 28), np.uint8),
        test_labels=(1 - y)[:, None].astype(np.uint8),
    )
    theirs = medmnist.Evaluator("breastmnist", "test", root=str(tmp_path)).evaluate(np.c_[p, 1 - p])
    ours = metrics.scores(y, p)
    assert ours["auc"] == pytest.approx(theirs.AUC, abs=1e-12)
    assert ours["accuracy"] == pytest.approx(theirs.ACC, abs=1e-12)


def test_undefined_scores_are_nan():
    found = metrics.scores([1, 1], [0.2, 0.3])
    assert np.isnan(found["auc"])
    assert np.isnan(found["specificity"])
    assert np.isnan(found["precision"])
    assert found["sensitivity"] == 0
    assert np.isnan(metrics.rank_auc(np.ones(3, int), np.ones(3)))


def test_wilson_by_formula_and_published_value():
    low, high = metrics.wilson_interval(136, 156)
    assert (round(low, 3), round(high, 3)) == (0.81, 0.915)
    found = stats.binomtest(38, 42).proportion_ci(method="wilson")
    assert metrics.wilson_interval(38, 42) == pytest.approx((found.low, found.high))
    with pytest.raises(ValueError, match="5 of 4"):
        metrics.wilson_interval(5, 4)


def test_auc_interval_agrees_with_delong_and_is_repeatable():
    y, p = case(2)
    low, high = metrics.intervals(y, p, n_resamples=4000)["auc"]
    assert (low, high) == metrics.intervals(y, p, n_resamples=4000)["auc"]
    pos, neg = (
        p[y == 1],
        p[y == 0],
    )  # DeLong's standard error as the judge, from the structural components
    wins = (pos[:, None] > neg) + 0.5 * (pos[:, None] == neg)
    se = np.sqrt(wins.mean(1).var(ddof=1) / len(pos) + wins.mean(0).var(ddof=1) / len(neg))
    assert high - low == pytest.approx(2 * 1.96 * se, rel=0.1)
    assert low < sk.roc_auc_score(y, p) < high


def test_intervals_cover_their_scores():
    y, p = case(3)
    values, spans = metrics.scores(y, p), metrics.intervals(y, p, n_resamples=500)
    for name, (low, high) in spans.items():
        assert low <= values[name] <= high
    assert spans["sensitivity"] == metrics.wilson_interval(metrics.confusion(y, p)["tp"], 42)
    nobody = metrics.intervals(y, np.zeros(156), n_resamples=50)
    assert np.isnan(nobody["precision"]).all()
    assert nobody["auc"] == (0.5, 0.5)


def test_mcnemar_equals_the_binomial_test():
    y, a = case(4)
    _, b = case(5)
    found = comparison.mcnemar_exact(y, a, b)
    only_a = int((((a >= 0.5) == y) & ((b >= 0.5) != y)).sum())
    only_b = int((((a >= 0.5) != y) & ((b >= 0.5) == y)).sum())
    assert (found["only_a"], found["only_b"]) == (only_a, only_b)
    assert found["p_value"] == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert comparison.mcnemar_exact(y, a, a) == {"only_a": 0, "only_b": 0, "p_value": 1.0}


def test_paired_difference():
    y, a = case(6, strength=3)
    _, b = case(7, strength=0.0)
    found = comparison.auc_difference(y, a, b)
    assert found["difference"] == pytest.approx(sk.roc_auc_score(y, a) - sk.roc_auc_score(y, b))
    assert 0 < found["low"] < found["difference"] < found["high"]
    assert comparison.auc_difference(y, a, a) == {"difference": 0.0, "low": 0.0, "high": 0.0}
    close = np.clip(a + np.random.default_rng(0).normal(0, 0.01, len(a)), 0, 1)
    tight = comparison.auc_difference(y, a, close)
    alone = metrics.intervals(y, a)["auc"]
    assert tight["high"] - tight["low"] < 0.3 * (alone[1] - alone[0]), (
        "pairing removes what both models share"
    )


@pytest.mark.parametrize(
    "y, p, message",
    [
        ([0, 1], [0.5], "one length"),
        ([], [], "one length"),
        ([0, 2], [0.1, 0.2], r"0 or 1, got \[2\]"),
        ([0, 1], [0.1, np.nan], "finite"),
        ([0, 1], [0.1, 1.2], "between 0 and 1"),
    ],
)
def test_bad_predictions_are_clear(y, p, message):
    with pytest.raises(ValueError, match=message):
        metrics.scores(y, p)


def test_reliability_equals_scikit_learn():
    from sklearn.calibration import calibration_curve

    y, p = case(10, n=500, positives=200)
    table = calibration.reliability(y, p, 10)
    observed, predicted = calibration_curve(y, p, n_bins=10)
    np.testing.assert_allclose(table["observed"], observed)
    np.testing.assert_allclose(table["predicted"], predicted)
    assert table["n"].sum() == 500
    by_hand = sum(
        abs(y[b].mean() - p[b].mean()) * len(b) / 500
        for k in range(10)
        if len(b := np.flatnonzero(np.floor(p * 10) == k))
    )
    assert calibration.ece(y, p) == pytest.approx(by_hand)
    assert calibration.ece([0, 1], [0.0, 1.0]) == 0
    assert calibration.ece([0, 1, 0, 1], [1.0] * 4) == 0.5
    with pytest.raises(ValueError, match="n_bins"):
        calibration.ece(y, p, 0)


def test_ece_of_a_calibrated_model_is_not_zero():
    """The bias: simulated one label vector at a time with ``ece`` itself, and gone with many images."""
    rng = np.random.default_rng(0)
    p = rng.random(156)
    slow = np.mean([calibration.ece((rng.random(156) < p).astype(int), p) for _ in range(400)])
    fast = calibration.ece_floor(p, n_resamples=400)
    assert fast.mean() == pytest.approx(slow, abs=0.004)
    assert fast.mean() > 0.05
    assert calibration.ece_floor(rng.random(100_000), n_resamples=5).mean() < 0.01


def test_temperature_equals_scikit_learn_and_undoes_a_known_one():
    y, p = case(11, n=4000, positives=1500)
    true = calibration.apply_temperature(p, 1.0)
    np.testing.assert_allclose(true, p)
    labels = (np.random.default_rng(1).random(4000) < p).astype(
        int
    )  # p is calibrated for these labels
    too_sure = calibration.apply_temperature(p, 0.4)
    found = calibration.fit_temperature(labels, too_sure)
    assert found == pytest.approx(2.5, rel=0.1)
    fixed = calibration.apply_temperature(too_sure, found)
    assert calibration.ece(labels, fixed) < calibration.ece(labels, too_sure)
    assert np.argsort(fixed).tolist() == np.argsort(too_sure).tolist()
    sk_calibration = pytest.importorskip("sklearn.calibration")
    if not hasattr(sk_calibration, "_TemperatureScaling"):
        pytest.skip("temperature scaling came with scikit-learn 1.8")
    judge = sk_calibration._TemperatureScaling().fit(np.log(np.c_[1 - too_sure, too_sure]), labels)
    assert found == pytest.approx(1 / judge.beta_, rel=1e-3)
    with pytest.raises(ValueError, match="temperature must be positive"):
        calibration.apply_temperature(p, 0)


def test_temperature_of_perfect_validation_predictions_is_bounded():
    assert 0.049 < calibration.fit_temperature([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) < 0.06
