"""Scores by patient: by hand, against images written out one by one, and by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from hqnn_utils.evaluation.patients import (
    PATIENT_SCORES,
    clustered_differences,
    clustered_intervals,
    patient_scores,
)

Y = np.array([1, 1, 1, 1, 0, 0, 1, 0])
P = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.6, 0.3, 0.4])
WHO = np.array(["a", "a", "a", "a", "b", "b", "c", "d"])


def hospital(seed=0, n=36, patients=7):
    """Labels, two models with ties, and patients in no order; odd patients are malignant."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.arange(n) % patients)
    a, b = rng.choice(np.linspace(0, 1, 11), (2, n))
    return who % 2, a, b, who


def by_writing_out(y, p, who, chosen, threshold):
    """The scores of the chosen patients, repeats allowed, image by image."""
    index = [np.flatnonzero(who == patient) for patient in chosen]
    images = np.concatenate(index)
    rates = np.array([((p[i] >= threshold) == y[i]).mean() for i in index])
    means, labels = np.array([p[i].mean() for i in index]), np.array([y[i][0] for i in index])
    both = len(set(labels)) == 2
    nan = float("nan")
    return {
        "image_accuracy": ((p[images] >= threshold) == y[images]).mean(),
        "recognition_rate": rates.mean(),
        "patient_accuracy": ((means >= threshold) == labels).mean(),
        "balanced_recognition_rate": (rates[labels == 0].mean() + rates[labels == 1].mean()) / 2
        if both
        else nan,
        "image_auc": roc_auc_score(y[images], p[images]) if both else nan,
        "patient_auc": roc_auc_score(labels, means) if both else nan,
    }


def test_by_hand():
    found = patient_scores(Y, P, WHO)
    assert tuple(found) == PATIENT_SCORES
    assert found == pytest.approx(
        {
            "image_accuracy": 5 / 8,
            "recognition_rate": (3 / 4 + 1 / 2 + 0 + 1) / 4,
            "patient_accuracy": 3 / 4,  # means .65, .35, .3, .4: c is wrong
            "balanced_recognition_rate": ((1 / 2 + 1) / 2 + (3 / 4 + 0) / 2) / 2,
            "image_auc": roc_auc_score(Y, P),
            "patient_auc": 2 / 4,
        }
    )
    assert all(type(value) is float for value in found.values())


def test_a_probability_at_the_threshold_is_malignant():
    found = patient_scores([1, 1, 0], [0.5, 0.5, 0.4], ["a", "a", "b"])
    assert found["image_accuracy"] == found["patient_accuracy"] == 1
    turned = patient_scores([0, 0, 1], [0.5, 0.5, 0.4], ["a", "a", "b"])
    assert turned["image_accuracy"] == turned["patient_accuracy"] == 0
    above = patient_scores([1, 1, 0], [0.5, 0.5, 0.5], ["a", "a", "b"], threshold=0.51)
    assert above["image_accuracy"] == pytest.approx(1 / 3)
    assert above["recognition_rate"] == 0.5


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_scores_and_intervals_against_images_written_out(threshold):
    y, p, _, who = hospital(patients=4)
    found = patient_scores(y, p, who, threshold)
    assert found == pytest.approx(by_writing_out(y, p, who, range(4), threshold))
    drawn = np.random.default_rng(4).integers(0, 4, (40, 4))
    rows = [by_writing_out(y, p, who, chosen, threshold) for chosen in drawn]
    assert any(np.isnan(row["image_auc"]) for row in rows), "a resample with one class"
    for level in (0.9, 0.95):
        spans = clustered_intervals(y, p, who, threshold, level, n_resamples=40, seed=4)
        assert tuple(spans) == PATIENT_SCORES
        for name, span in spans.items():
            wanted = np.nanquantile([row[name] for row in rows], [(1 - level) / 2, (1 + level) / 2])
            assert span == pytest.approx(tuple(wanted)), name


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_differences_against_images_written_out(threshold):
    y, a, b, who = hospital(1)
    drawn = np.random.default_rng(4).integers(0, 7, (30, 7))
    rows = [
        [by_writing_out(y, p, who, chosen, threshold) for p in (a, b)]
        for chosen in (range(7), *drawn)
    ]
    for level in (0.9, 0.95):
        found = clustered_differences(y, a, b, who, threshold, level, n_resamples=30, seed=4)
        assert tuple(found) == PATIENT_SCORES
        for name, values in found.items():
            difference, *gaps = (of_a[name] - of_b[name] for of_a, of_b in rows)
            low, high = np.nanquantile(gaps, [(1 - level) / 2, (1 + level) / 2])
            assert values == pytest.approx((difference, low, high)), name


def test_defaults():
    y, a, b, who = hospital()
    assert patient_scores(y, a, who) == patient_scores(y, a, who, 0.5)
    spans = clustered_intervals(y, a, who)
    assert spans == clustered_intervals(y, a, who, 0.5, 0.95, 2000, 0)
    assert spans != clustered_intervals(y, a, who, n_resamples=1999)
    assert spans != clustered_intervals(y, a, who, seed=1)
    gaps = clustered_differences(y, a, b, who)
    assert gaps == clustered_differences(y, a, b, who, 0.5, 0.95, 2000, 0)
    assert gaps != clustered_differences(y, a, b, who, n_resamples=1999)
    assert gaps != clustered_differences(y, a, b, who, seed=1)


def test_names_of_patients_do_not_matter():
    y, a, _, who = hospital()
    names = np.array([f"patient {k}" for k in who])
    assert clustered_intervals(y, a, names) == clustered_intervals(y, a, who)


@pytest.mark.parametrize(
    "function",
    [
        lambda y, p, who: patient_scores(y, p, who),
        lambda y, p, who: clustered_intervals(y, p, who),
        lambda y, p, who: clustered_differences(y, p, p, who),
    ],
)
def test_refused(function):
    with pytest.raises(ValueError, match=r"^need one patient an image, got \(7,\) for \(8,\)$"):
        function(Y, P, WHO[:-1])
    message = (
        "^a patient is benign or malignant, but b has both labels: "
        "score such images without patients$"
    )
    with pytest.raises(ValueError, match=message):
        function([1, 0, 1], [0.1, 0.2, 0.3], ["b", "b", "a"])
    with pytest.raises(ValueError, match="probabilities must be finite"):
        function(Y, P + 1, WHO)


def test_the_second_model_is_checked_too():
    with pytest.raises(ValueError, match="probabilities must be finite"):
        clustered_differences(Y, P, P + 1, WHO)


def test_one_class_gives_nan_and_not_an_error(recwarn):
    one_class = ([1, 1, 1], [0.9, 0.2, 0.8], ["a", "a", "b"])
    found = patient_scores(*one_class)
    assert found["recognition_rate"] == pytest.approx(0.75)
    spans = clustered_intervals(*one_class, n_resamples=20)
    for name in ("patient_auc", "image_auc", "balanced_recognition_rate"):
        assert np.isnan(found[name])
        assert np.isnan(spans[name]).all()
    assert not recwarn.list


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])),
        min_size=4,
        max_size=20,
    ).filter(lambda images: len({label for label, _ in images}) == 2)
)
def test_one_image_a_patient_is_the_ordinary_score(images):
    y, p = (np.array(column) for column in zip(*images, strict=True))
    found = patient_scores(y, p, np.arange(len(y)))
    accuracy = pytest.approx(((p >= 0.5) == y).mean())
    assert found["image_accuracy"] == accuracy
    assert found["recognition_rate"] == accuracy
    assert found["patient_accuracy"] == accuracy
    assert found["image_auc"] == found["patient_auc"] == pytest.approx(roc_auc_score(y, p))


def test_copies_of_an_image_add_no_information():
    """Clustering sees that, counting images does not."""
    rng = np.random.default_rng(1)
    y = np.tile([0, 1], 15)
    p = np.clip(0.5 + 0.25 * (y - 0.5) + rng.normal(0, 0.25, 30), 0.01, 0.99)
    once = clustered_intervals(y, p, np.arange(30), n_resamples=200)
    y, p, who = (np.repeat(values, 10) for values in (y, p, np.arange(30)))
    clustered = clustered_intervals(y, p, who, n_resamples=200)
    counting_images = clustered_intervals(y, p, np.arange(300), n_resamples=200)
    for score in PATIENT_SCORES:
        assert clustered[score] == pytest.approx(once[score]), score
    narrow = np.diff(counting_images["image_accuracy"])
    assert np.diff(clustered["image_accuracy"]) > 2 * narrow


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    """Simulated studies with 40 patients whose images agree."""
    rng, hits = np.random.default_rng(2), []
    who, label = np.repeat(np.arange(40), 5), np.repeat(np.arange(40) % 2, 5)
    for study in range(60):
        skill = rng.beta(3, 1, 40)  # a patient's chance that an image is right; mean 0.75
        right = rng.random(200) < skill[who]
        p = np.where(right, label, 1 - label).astype(float)
        spans = clustered_intervals(label, p, who, n_resamples=100, seed=study)
        low, high = spans["recognition_rate"]
        hits.append(low <= 0.75 <= high)
    assert 0.85 <= np.mean(hits) <= 0.99


def test_differences_are_paired():
    y, a, b, who = hospital()
    same = clustered_differences(y, a, a, who, n_resamples=50)
    assert all(values == (0.0, 0.0, 0.0) for values in same.values()), "whoever is drawn"
    there = clustered_differences(y, a, b, who, n_resamples=50)
    back = clustered_differences(y, b, a, who, n_resamples=50)
    for score, (value, low, high) in there.items():
        assert back[score] == pytest.approx((-value, -high, -low))
