"""Calibration against scikit-learn and by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve

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
    for function in (calibration.reliability, calibration.ece):
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
