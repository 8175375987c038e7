"""Scores and intervals against scikit-learn, statsmodels, SciPy and MedMNIST's own evaluator."""

import medmnist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from hqnn_utils.evaluation import metrics
from hqnn_utils.evaluation.resampling import stratified_resamples


def case(seed, n=156, positives=42, strength=1.5, digits=2):
    """Labels, and probabilities that know something about them, with ties."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) < positives).astype(int)
    p = 1 / (1 + np.exp(-(rng.normal(size=n) + strength * (y - 0.5))))
    return y, p.round(digits)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(4, 40), st.floats(0.05, 0.95), st.integers(0, 2))
def test_scores_equal_scikit_learn(seed, n, threshold, digits):
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, rng.integers(0, 2, n)]
    p = np.round(rng.random(n + 2), digits)  # few digits: many ties
    called, found = p >= threshold, metrics.scores(y, p, threshold)
    assert tuple(found) == metrics.SCORES
    assert all(type(value) is float for value in found.values())
    assert found["accuracy"] == sk.accuracy_score(y, called)
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, called))
    assert found["sensitivity"] == pytest.approx(sk.recall_score(y, called))
    assert found["specificity"] == pytest.approx(sk.recall_score(1 - y, ~called))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(y, p))
    assert found["auc"] == pytest.approx(float(metrics.rank_auc(y, p)))
    assert found["brier"] == pytest.approx(np.mean((p - y) ** 2))
    if called.any():
        assert found["precision"] == pytest.approx(sk.precision_score(y, called))
        assert found["f1"] == pytest.approx(sk.f1_score(y, called, zero_division=0))
    counts = metrics.confusion(y, p, threshold)
    wanted = dict(
        zip(("tn", "fp", "fn", "tp"), sk.confusion_matrix(y, called).ravel(), strict=True)
    )
    assert counts == wanted
    assert all(type(count) is int for count in counts.values())


def test_confusion_by_hand_and_a_tie_is_malignant():
    y, p = [1, 1, 1, 0, 0, 0, 0], [0.9, 0.5, 0.49, 0.5, 0.2, 0.1, 0.6]
    assert metrics.confusion(y, p) == {"tn": 2, "fp": 2, "fn": 1, "tp": 2}
    assert metrics.confusion(y, p, 0.6) == {"tn": 3, "fp": 1, "fn": 2, "tp": 1}
    assert metrics.scores(y, p)["accuracy"] == pytest.approx(4 / 7)
    assert metrics.scores(y, p, 0.6)["accuracy"] == pytest.approx(4 / 7)
    assert metrics.scores(y, p, 0.55)["sensitivity"] == pytest.approx(1 / 3)
    assert metrics.confusion([0, 0], [0.1, 0.2]) == {"tn": 2, "fp": 0, "fn": 0, "tp": 0}


def test_equals_medmnists_evaluator(tmp_path):
    """Labels turned round on purpose: neither AUC nor accuracy may care."""
    y, p = case(1)
    empty = {
        f"{split}_{kind}": np.zeros((2, 28, 28) if kind == "images" else (2, 1), np.uint8)
        for split in ("train", "val")
        for kind in ("images", "labels")
    }
    np.savez(
        tmp_path / "breastmnist.npz",
        **empty,
        test_images=np.zeros((156, 28, 28), np.uint8),
        test_labels=(1 - y)[:, None].astype(np.uint8),
    )
    evaluator = medmnist.Evaluator("breastmnist", "test", root=str(tmp_path))
    theirs, ours = evaluator.evaluate(np.c_[p, 1 - p]), metrics.scores(y, p)
    assert ours["auc"] == pytest.approx(theirs.AUC, abs=1e-12)
    assert ours["accuracy"] == pytest.approx(theirs.ACC, abs=1e-12)


def test_undefined_scores_are_nan_without_a_warning(recwarn):
    ill = metrics.scores([1, 1], [0.2, 0.3])
    undefined = {"auc", "balanced_accuracy", "specificity", "precision"}
    assert {name for name, value in ill.items() if np.isnan(value)} == undefined
    assert ill["sensitivity"] == ill["accuracy"] == ill["f1"] == 0
    well = metrics.scores([0, 0], [0.2, 0.3])
    undefined = {"auc", "balanced_accuracy", "sensitivity", "precision", "f1"}
    assert {name for name, value in well.items() if np.isnan(value)} == undefined
    assert not recwarn.list


def test_rank_auc_takes_many_rows_at_once():
    y, p = (
        np.stack(rows) for rows in zip(*[case(s, 30, 9, digits=1) for s in range(6)], strict=True)
    )
    found = metrics.rank_auc(y.reshape(2, 3, 30), p.reshape(2, 3, 30))
    wanted = [sk.roc_auc_score(labels, row) for labels, row in zip(y, p, strict=True)]
    np.testing.assert_allclose(found, np.reshape(wanted, (2, 3)))
    assert metrics.rank_auc([0, 1, 1], [0.2, 0.2, 0.3]) == 0.75
    one = metrics.rank_auc(y[0], p)
    np.testing.assert_allclose(one, [sk.roc_auc_score(y[0], row) for row in p])


@pytest.mark.parametrize("shape", [(), (29,), (2, 30), (3, 1)])
def test_rank_auc_needs_labels_for_each_row(shape):
    with pytest.raises(ValueError, match=r"^labels and probabilities must fit, got "):
        metrics.rank_auc(np.ones(shape), np.zeros((3, 30)))


def test_rank_auc_of_one_class_is_nan_without_a_warning(recwarn):
    found = metrics.rank_auc(np.array([[1, 1], [0, 0], [0, 1]]), np.array([[0.2, 0.3]] * 3))
    assert np.isnan(found[:2]).all()
    assert found[2] == 1
    assert not recwarn.list


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_wilson_is_scipys_at_every_level(level):
    found = stats.binomtest(38, 42).proportion_ci(level, method="wilson")
    assert metrics.wilson_interval(38, 42, level) == pytest.approx((found.low, found.high))
    assert all(type(end) is float for end in metrics.wilson_interval(38, 42, level))


def test_wilson_by_published_value_and_its_borders():
    low, high = metrics.wilson_interval(136, 156)
    assert (round(low, 3), round(high, 3)) == (0.81, 0.915)
    assert metrics.wilson_interval(0, 1)[0] == 0
    assert metrics.wilson_interval(1, 1)[1] == pytest.approx(1)
    for successes, n, message in (
        (5, 4, "^more successes than trials: 5 of 4$"),
        (-1, 4, "^successes must be a whole number of at least 0, got -1$"),
        (0, 0, "^n must be a whole number of at least 1, got 0$"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.wilson_interval(successes, n)


@pytest.mark.parametrize("threshold", [0.4, 0.5])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_intervals_one_by_one(threshold, level):
    """Wilson by SciPy; F1 and AUC with scikit-learn on each resample."""
    y, p = case(3, n=40, positives=12, digits=1)
    found = metrics.intervals(y, p, threshold, level, n_resamples=60, seed=5)
    called = p >= threshold
    for name, right in {
        "accuracy": called == y,
        "sensitivity": called[y == 1],
        "specificity": ~called[y == 0],
        "precision": y[called] == 1,
    }.items():
        judge = stats.binomtest(int(right.sum()), len(right)).proportion_ci(level, "wilson")
        assert found[name] == pytest.approx((judge.low, judge.high)), name
    f1, auc = [], []
    for drawn in stratified_resamples(y, 60, seed=5):
        f1.append(sk.f1_score(y[drawn], called[drawn]))
        auc.append(sk.roc_auc_score(y[drawn], p[drawn]))
    ends = [(1 - level) / 2, (1 + level) / 2]
    assert found["f1"] == pytest.approx(np.quantile(f1, ends))
    assert found["auc"] == pytest.approx(np.quantile(auc, ends))
    assert set(found) == {"accuracy", "sensitivity", "specificity", "precision", "f1", "auc"}


def test_defaults_of_intervals():
    y, p = case(4, n=30, positives=10)
    assert metrics.intervals(y, p) == metrics.intervals(y, p, 0.5, 0.95, 2000, 0)
    other = metrics.intervals(y, p, seed=1)
    assert other["auc"] != metrics.intervals(y, p)["auc"]
    assert metrics.intervals(y, p, n_resamples=1999)["auc"] != metrics.intervals(y, p)["auc"]


def test_undefined_intervals_are_nan_without_a_warning(recwarn):
    y = case(3)[0]
    nobody = metrics.intervals(y, np.zeros(156), n_resamples=20)
    assert np.isnan(nobody["precision"]).all()
    assert len(nobody["precision"]) == 2
    assert nobody["auc"] == (0.5, 0.5)
    well = metrics.intervals([0, 0], [0.2, 0.3], n_resamples=20)
    for name in ("sensitivity", "f1", "auc"):
        assert np.isnan(well[name]).all()
    assert not recwarn.list


def test_auc_interval_agrees_with_delong():
    """DeLong's standard error, from its structural components, as the judge."""
    y, p = case(2, digits=8)
    low, high = metrics.intervals(y, p)["auc"]
    positive, negative = p[y == 1], p[y == 0]
    wins = positive[:, None] > negative
    of_positive, of_negative = wins.mean(axis=1), wins.mean(axis=0)
    variance = of_positive.var(ddof=1) / len(positive) + of_negative.var(ddof=1) / len(negative)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.1)
    assert low < sk.roc_auc_score(y, p) < high


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.5], r"must be vectors of one length, got \(2,\) and \(1,\)$"),
        (
            [],
            [],
            r"^labels and probabilities must be vectors of one length, got \(0,\) and \(0,\)$",
        ),
        ([[0, 1]], [[0.5, 0.5]], r"one length, got \(1, 2\) and \(1, 2\)$"),
        ([0, 2], [0.1, 0.2], r"^labels must be 0 or 1, got \[2\]$"),
        ([0, 2, 3, 4, 5, 6, 7], [0.1] * 7, r"got \[2, 3, 4, 5, 6\]$"),
        ([0, 1], [0.1, np.nan], r"^probabilities must be finite and between 0 and 1, got \[nan\]$"),
        ([0, 1], [0.1, 1.2], r"^probabilities must be finite and between 0 and 1, got \[1.2\]$"),
        ([0, 1], [-0.1, 0.2], r"^probabilities must be finite and between 0 and 1, got \[-0.1\]$"),
    ],
)
@pytest.mark.parametrize(
    "function", [metrics.check_predictions, metrics.confusion, metrics.scores, metrics.intervals]
)
def test_bad_predictions_are_clear(function, y, p, message):
    with pytest.raises(ValueError, match=message):
        function(y, p)


def test_good_predictions_become_arrays():
    y, p = metrics.check_predictions([True, False], [0, 1])
    assert (y.tolist(), p.tolist()) == ([1, 0], [0.0, 1.0])
    assert y.dtype == int
    assert p.dtype == float


def test_one_vector_of_labels_for_many_rows():
    p = np.random.default_rng(0).random((3, 6))
    y = np.array([0, 1, 0, 1, 1, 0])
    assert metrics.rank_auc(y, p).tolist() == [metrics.rank_auc(y, row) for row in p]
    with pytest.raises(ValueError, match=r"must fit, got \(6,\) and \(6, 3\)$"):
        metrics.rank_auc(y, p.T)


@pytest.mark.parametrize(("score", "seed", "level"), [("auc", 0, 0.95), ("f1", 3, 0.8)])
def test_bootstrap_intervals_are_those_of_scipy(score, seed, level):
    """SciPy's bootstrap of two samples, the two classes, draws the very same images."""
    rng = np.random.default_rng(1)
    y = np.arange(60) % 3 // 2
    p = np.clip(0.3 * y + 0.7 * rng.random(60), 0, 1).round(2)
    judge = {"auc": sk.roc_auc_score, "f1": lambda y, p: sk.f1_score(y, p >= 0.5)}[score]

    def of_both(negatives, positives):
        labels = np.repeat([0, 1], [len(negatives), len(positives)])
        return judge(labels, np.concatenate([negatives, positives]))

    found = stats.bootstrap(
        (p[y == 0], p[y == 1]),
        of_both,
        n_resamples=200,
        method="percentile",
        confidence_level=level,
        vectorized=False,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    ours = metrics.intervals(y, p, level=level, n_resamples=200, seed=seed)[score]
    assert ours == pytest.approx((found.low, found.high), abs=1e-12)
