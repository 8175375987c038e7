import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hqnn_utils.evaluation.metrics import rank_auc
from hqnn_utils.evaluation.patients import (
    PATIENT_SCORES,
    clustered_differences,
    clustered_intervals,
    patient_scores,
)

Y = np.array([1, 1, 1, 1, 0, 0, 1, 0])
P = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.6, 0.3, 0.4])
WHO = np.array(["a", "a", "a", "a", "b", "b", "c", "d"])


def test_by_hand():
    found = patient_scores(Y, P, WHO)
    assert tuple(found) == PATIENT_SCORES
    assert found["image_accuracy"] == pytest.approx(5 / 8)
    assert found["recognition_rate"] == pytest.approx((3 / 4 + 1 / 2 + 0 + 1) / 4)
    assert found["balanced_recognition_rate"] == pytest.approx(
        ((1 / 2 + 1) / 2 + (3 / 4 + 0) / 2) / 2
    )
    assert found["patient_accuracy"] == pytest.approx(3 / 4)  # means .65, .35, .3, .4: c is wrong
    assert found["patient_auc"] == pytest.approx(2 / 4)
    assert found["image_auc"] == pytest.approx(rank_auc(Y, P))


def test_refused():
    with pytest.raises(ValueError, match="one patient an image"):
        patient_scores(Y, P, WHO[:-1])
    with pytest.raises(ValueError, match="a has both labels"):
        patient_scores(1 - Y, P, np.array(["a"] * 8))


def test_one_class_gives_nan_and_not_an_error():
    found = patient_scores([1, 1, 1], [0.9, 0.2, 0.8], ["a", "a", "b"])
    assert found["recognition_rate"] == pytest.approx(0.75)
    assert np.isnan(found["patient_auc"])
    assert np.isnan(found["image_auc"])
    assert np.isnan(
        clustered_intervals([1, 1, 1], [0.9, 0.2, 0.8], ["a", "a", "b"], n_resamples=20)[
            "patient_auc"
        ]
    ).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_one_image_a_patient_is_the_ordinary_score(data):
    n = data.draw(st.integers(4, 30))
    y = np.array(
        data.draw(
            st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(
                lambda v: 0 < sum(v) < len(v)
            )
        )
    )
    p = np.array(
        data.draw(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), min_size=n, max_size=n))
    )
    found = patient_scores(y, p, np.arange(n))
    assert (
        found["image_accuracy"]
        == pytest.approx(found["recognition_rate"])
        == pytest.approx(((p >= 0.5) == y).mean())
    )
    assert (
        found["image_auc"]
        == pytest.approx(float(rank_auc(y, p)))
        == pytest.approx(found["patient_auc"])
    )


def test_auc_of_resampled_patients_is_the_auc_of_their_images():
    """The weighted AUC inside the bootstrap against images written out one by one."""
    from hqnn_utils.evaluation.patients import _number_patients, _times_drawn, _weighted_auc

    rng = np.random.default_rng(0)
    who = rng.integers(0, 9, 60)
    y, p = who % 2, rng.choice(np.linspace(0.05, 0.95, 12), 60)
    y, p, number = _number_patients(y, p, who)
    drawn = rng.integers(0, number.max() + 1, (25, number.max() + 1))
    found = _weighted_auc(y, p, _times_drawn(drawn, number.max() + 1)[:, number])
    for row, value in zip(drawn, found):
        index = np.concatenate([np.flatnonzero(number == k) for k in row])
        np.testing.assert_allclose(value, rank_auc(y[index], p[index]))


def test_intervals_by_patient_are_wider_when_images_agree():
    """Ten copies of each patient's image add no information: clustering sees that, counting images does not."""
    rng = np.random.default_rng(1)
    y = np.tile([0, 1], 15)
    p = np.clip(0.5 + 0.25 * (y - 0.5) + rng.normal(0, 0.25, 30), 0.01, 0.99)
    once = clustered_intervals(y, p, np.arange(30), n_resamples=500)
    copies = [np.repeat(v, 10) for v in (y, p, np.arange(30))]
    clustered, naive = (
        clustered_intervals(*copies, n_resamples=500),
        clustered_intervals(copies[0], copies[1], np.arange(300), n_resamples=500),
    )
    for score in PATIENT_SCORES:
        assert clustered[score] == pytest.approx(once[score]), score
    low, high = clustered["image_accuracy"]
    assert high - low > 2 * (naive["image_accuracy"][1] - naive["image_accuracy"][0])
    assert low <= patient_scores(*copies)["image_accuracy"] <= high


def test_interval_covers_the_truth_about_as_often_as_it_says():
    """200 simulated studies with 40 patients whose images agree: the 95 % interval holds the true rate in most."""
    rng, hits = np.random.default_rng(2), 0
    who, label = np.repeat(np.arange(40), 5), np.repeat(np.arange(40) % 2, 5)
    for study in range(200):
        skill = rng.beta(3, 1, 40)  # a patient's chance that an image is right; mean 0.75
        right = rng.random(200) < skill[who]
        p = np.where(right, label, 1 - label).astype(float)
        low, high = clustered_intervals(label, p, who, n_resamples=200, seed=study)[
            "recognition_rate"
        ]
        hits += low <= 0.75 <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_differences_are_paired():
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(20), 4)
    y, p = who % 2, rng.random(80)
    same = clustered_differences(y, p, p, who, n_resamples=50)
    assert all(v == (0.0, 0.0, 0.0) for v in same.values()), (
        "a model against itself differs by nothing, whoever is drawn"
    )
    better = np.clip(p + 0.3 * (2 * y - 1), 0, 1)
    found = clustered_differences(y, better, p, who, n_resamples=500)
    turned = clustered_differences(y, p, better, who, n_resamples=500)
    for score, (value, low, high) in found.items():
        assert low <= value <= high
        assert value == pytest.approx(
            patient_scores(y, better, who)[score] - patient_scores(y, p, who)[score]
        )
        assert turned[score] == pytest.approx((-value, -high, -low))
