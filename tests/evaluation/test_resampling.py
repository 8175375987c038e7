"""How images are drawn, and how an interval is read off."""

import numpy as np
import pytest

from hqnn_utils.evaluation.resampling import percentile_interval, stratified_resamples

Y = np.array([0, 1, 0, 0, 1, 0, 0])


def test_each_resample_holds_as_many_images_of_each_class():
    drawn = stratified_resamples(Y, 200, seed=0)
    assert drawn.shape == (200, 7)
    assert (Y[drawn].sum(axis=1) == 2).all()
    assert set(drawn.ravel()) == set(range(7)), "each image can be drawn"
    assert any(len(set(row)) < 7 for row in drawn), "with replacement"


def test_benign_images_are_drawn_first():
    """The order of the draws belongs to a seed: stored intervals were made with it."""
    rng = np.random.default_rng(3)
    benign = rng.choice([0, 2, 3, 5, 6], (4, 5))
    malignant = rng.choice([1, 4], (4, 2))
    found = stratified_resamples(Y, 4, seed=3)
    assert np.array_equal(found, np.hstack([benign, malignant]))


def test_resamples_follow_the_seed():
    assert np.array_equal(stratified_resamples(Y, 5, seed=1), stratified_resamples(Y, 5, seed=1))
    assert not np.array_equal(
        stratified_resamples(Y, 5, seed=1), stratified_resamples(Y, 5, seed=2)
    )


@pytest.mark.parametrize(("level", "ends"), [(0.9, (5, 95)), (0.95, (2.5, 97.5)), (0.5, (25, 75))])
def test_an_interval_holds_its_level(level, ends):
    values = np.arange(101.0)
    assert percentile_interval(values, level) == pytest.approx(ends)
    with_holes = np.concatenate([values, [np.nan, np.inf, np.nan]])
    assert percentile_interval(with_holes, level) == pytest.approx(ends), "undefined ones left out"


def test_an_interval_of_nothing_is_nan():
    found = percentile_interval(np.array([np.nan]), 0.95)
    assert len(found) == 2
    assert np.isnan(found).all()
    assert percentile_interval(np.array([0.5]), 0.95) == (0.5, 0.5)
