"""Calibration against scikit-learn, by hand, and by undoing a known temperature."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from hqnn_utils.evaluation import calibration

RNG = np.random.default_rng(0)
P = RNG.random(300)
Y = (RNG.random(300) < P**2).astype(int)


@pytest.mark.parametrize("n_bins", [1, 4, 10])
def test_reliability_equals_scikit_learn(n_bins):
    table = calibration.reliability(Y, P, n_bins)
    observed, predicted = calibration_curve(Y, P, n_bins=n_bins)
    np.testing.assert_allclose(table["observed"], observed)
    np.testing.assert_allclose(table["predicted"], predicted)
    counted = np.histogram(P, bins=n_bins, range=(0, 1))[0]
    assert table["n"].tolist() == counted.tolist()
    gaps = np.abs(observed - predicted)
    assert calibration.ece(Y, P, n_bins) == pytest.approx(gaps @ counted / 300)


def test_reliability_by_hand():
    """An edge belongs to the bin above it, 1 to the last one; an empty bin has no row."""
    found = calibration.reliability([0, 1, 1, 0, 1], [0.0, 0.25, 0.3, 0.75, 1.0], 4)
    wanted = pd.DataFrame(
        {"predicted": [0.0, 0.275, 0.875], "observed": [0.0, 1.0, 0.5], "n": [1, 2, 2]},
        index=pd.Index([0, 1, 3], name="bin"),
    )
    pd.testing.assert_frame_equal(found, wanted)
    assert calibration.ece([0, 1, 1, 0, 1], [0.0, 0.25, 0.3, 0.75, 1.0], 4) == pytest.approx(
        (2 * 0.725 + 2 * 0.375) / 5
    )


def test_ten_bins_are_the_default():
    pd.testing.assert_frame_equal(calibration.reliability(Y, P), calibration.reliability(Y, P, 10))
    assert calibration.ece(Y, P) == calibration.ece(Y, P, 10)
    assert np.array_equal(calibration.ece_floor(P[:40]), calibration.ece_floor(P[:40], 10, 1000, 0))


def test_ece_by_hand():
    assert calibration.ece([0, 1], [0.0, 1.0]) == 0
    assert calibration.ece([0, 1, 0, 1], [1.0] * 4) == 0.5
    assert type(calibration.ece([0, 1], [0.0, 1.0])) is float


def test_bad_input():
    for function in (
        lambda n_bins: calibration.reliability(Y, P, n_bins),
        lambda n_bins: calibration.ece(Y, P, n_bins),
        lambda n_bins: calibration.ece_floor(P, n_bins),
    ):
        with pytest.raises(
            ValueError, match=r"^n_bins must be a whole number of at least 1, got 0$"
        ):
            function(0)
    for function in (calibration.reliability, calibration.ece, calibration.fit_temperature):
        with pytest.raises(ValueError, match="labels must be 0 or 1"):
            function([0, 3], [0.1, 0.2])
    with pytest.raises(ValueError, match="probabilities must be finite"):
        calibration.ece_floor([0.1, 1.2])


@pytest.mark.parametrize("n_bins", [3, 10])
def test_the_floor_is_the_ece_of_labels_drawn_from_the_probabilities(n_bins):
    p = np.append(P[:59], 1.0)
    labels = np.random.default_rng(7).random((20, 60)) < p
    wanted = [calibration.ece(row.astype(int), p, n_bins) for row in labels]
    found = calibration.ece_floor(p.tolist(), n_bins, n_resamples=20, seed=7)
    np.testing.assert_allclose(found, wanted)
    assert not np.allclose(found, calibration.ece_floor(p, n_bins, n_resamples=20, seed=8))


def test_the_floor_is_not_zero_and_falls_with_more_images():
    assert calibration.ece_floor(P[:156], n_resamples=200).mean() > 0.05
    assert calibration.ece_floor(np.tile(P, 60), n_resamples=5).mean() < 0.02


def test_temperature_divides_the_logits():
    found = calibration.apply_temperature([0.2, 0.5, 0.9], 2.5)
    np.testing.assert_allclose(found, expit(logit([0.2, 0.5, 0.9]) / 2.5))
    np.testing.assert_allclose(calibration.apply_temperature(P, 1.0), P)
    ends = calibration.apply_temperature([0, 1], 1.0)  # 0 and 1 have no finite logit
    np.testing.assert_allclose(logit(ends), [logit(1e-12), -logit(1e-12)], rtol=1e-4)
    for wrong in (0, -1.0, float("nan")):
        said = f"^temperature must be a finite number above 0, got {wrong}: 1 changes nothing$"
        with pytest.raises(ValueError, match=said):
            calibration.apply_temperature(P, wrong)
    assert calibration.apply_temperature(0.9, 0.5) == pytest.approx(expit(2 * logit(0.9)))


def test_the_fitted_temperature_has_the_least_log_loss():
    found = calibration.fit_temperature(Y, P)
    scaled = {t: log_loss(Y, expit(logit(P) / t)) for t in (0.98 * found, found, 1.02 * found)}
    assert min(scaled, key=scaled.get) == found
    judge = minimize_scalar(lambda t: log_loss(Y, expit(logit(P) / t)), bracket=(0.5, 2))
    assert found == pytest.approx(judge.x, rel=1e-3)
    assert type(found) is float


def test_a_fitted_temperature_undoes_a_known_one():
    p = np.tile(P, 10)
    labels = (np.random.default_rng(1).random(len(p)) < p).astype(int)  # p is calibrated for these
    too_sure = calibration.apply_temperature(p, 0.4)
    found = calibration.fit_temperature(labels, too_sure)
    assert found == pytest.approx(2.5, rel=0.1)
    cooled = calibration.apply_temperature(too_sure, found)
    assert calibration.ece(labels, cooled) < 0.5 * calibration.ece(labels, too_sure)
    assert np.array_equal(np.argsort(cooled), np.argsort(too_sure)), "the order stays"


def test_the_fitted_temperature_is_bounded():
    perfect, hopeless = [0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1]
    assert calibration.fit_temperature([0, 0, 1, 1], perfect) == pytest.approx(0.05, rel=0.02)
    assert calibration.fit_temperature([0, 0, 1, 1], hopeless) == pytest.approx(20, rel=0.02)
    assert calibration.fit_temperature([1, 1, 1], [0.4, 0.3, 0.2]) == pytest.approx(20, rel=0.02)
