"""Folds by patient: whole patients, both classes in every fold, and the laboratory's other kind."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_toys import histology

from hqnn_utils.data import SPLITS
from hqnn_utils.data.splits import apply_protocol, assign_folds, resplit
from hqnn_utils.data.splits.patients import LEVELS
from hqnn_utils.runtime import DataError

PATIENTS = histology()

# One row a patient: malignant or not, number of images.
people = st.lists(st.tuples(st.booleans(), st.integers(1, 12)), min_size=8, max_size=60).filter(
    lambda rows: 3 <= sum(malignant for malignant, _ in rows) <= len(rows) - 3
)


@settings(max_examples=100, deadline=None)
@given(people, st.integers(3, 6), st.integers(0, 2**32 - 1))
def test_folds_keep_patients_whole_and_classes_balanced(rows, folds, seed):
    labels = np.concatenate([[int(malignant)] * n for malignant, n in rows])
    patients = np.concatenate([[f"14-{i}"] * n for i, (_, n) in enumerate(rows)])
    malignant = sum(malignant for malignant, _ in rows)
    if min(malignant, len(rows) - malignant) < folds:
        with pytest.raises(DataError, match="too few patients"):
            assign_folds(labels, patients, folds, seed)
        return
    number = assign_folds(labels, patients, folds, seed)
    assert number.shape == labels.shape
    assert set(number) == set(range(folds)), "every image in one fold, no fold empty"
    for patient in set(patients):
        assert len(set(number[patients == patient])) == 1
    for value in (0, 1):
        sizes = np.bincount(number[labels == value], minlength=folds)
        largest = max(n for m, n in rows if m == value)
        assert sizes.min() > 0, "both classes in every fold"
        assert sizes.max() - sizes.min() <= largest


def dealt(labels, groups, folds, seed):
    """The rule of the docstring, by plain loops."""
    rng = np.random.default_rng(seed)
    names = sorted(set(groups))
    images = {name: sum(g == name for g in groups) for name in names}
    is_malignant = {
        name: any(label for label, g in zip(labels, groups, strict=True) if g == name)
        for name in names
    }
    fold_of, all_images = {}, [0] * folds
    for value in (True, False):
        mine = rng.permutation([i for i, name in enumerate(names) if is_malignant[name] == value])
        of_class = [0] * folds
        for one in mine:
            fold = min(range(folds), key=lambda k: (of_class[k], all_images[k], k))
            fold_of[names[one]] = fold
            of_class[fold] += images[names[one]]
            all_images[fold] += images[names[one]]
    return [fold_of[g] for g in groups]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=8, max_size=20), st.integers(0, 1000))
def test_groups_are_dealt_to_the_fold_with_the_fewest_images(sizes, seed):
    groups = np.repeat([f"14-{i:02d}" for i in range(len(sizes))], sizes)
    labels = np.repeat(np.arange(len(sizes)) % 2, sizes)
    np.testing.assert_array_equal(
        assign_folds(labels, groups, 4, seed), dealt(labels, groups, 4, seed)
    )


def test_a_patient_with_both_classes_counts_as_malignant():
    groups = np.repeat([f"14-{i}" for i in range(6)], 2)
    labels = np.array([0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    number = assign_folds(labels, groups, 3)
    np.testing.assert_array_equal(number, dealt(labels, groups, 3, 0))
    assert sorted(number[:6:2]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "name"), [([1, 1, 0, 0, 0], "malignant"), ([1, 1, 1, 0, 0], "benign")]
)
@pytest.mark.parametrize(("unit", "options"), [("patient", {}), ("image", {"unit": "image"})])
def test_too_few_of_a_class(labels, name, unit, options):
    message = (
        f"too few {unit}s: class {name} has 2, and 3 folds need 3 or more. "
        "Use fewer folds=, magnification='all', or more of the archive"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        assign_folds(np.array(labels), np.arange(5), 3, **options)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 7))
def test_over_all_folds_each_image_is_tested_once_and_no_patient_shared(seed, folds):
    tested = np.zeros(len(PATIENTS), int)
    for fold in range(folds):
        data = resplit(PATIENTS, "patient", seed, fold, folds)
        sides = [set(data.part(part).patients) for part in SPLITS]
        assert not (sides[0] & sides[1])
        assert not (sides[0] & sides[2])
        assert not (sides[1] & sides[2])
        assert data.shared_patients == []
        assert all(len(set(data.part(part).labels)) == 2 for part in SPLITS)
        tested += data.split == "test"
    assert (tested == 1).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4))
def test_image_split_leaks_and_says_so_everywhere(seed, fold):
    data = resplit(PATIENTS, "image", seed, fold)
    assert (
        data.banner == "PHANTOM (synthetic images): IMAGE-LEVEL SPLIT (one patient on both sides): "
    )
    assert data.name == f"histology-phantom-seed0-by-IMAGE-LEAKS-s{seed}-fold{fold}of5"
    assert data.describe()["split_by"] == "image"
    assert data.shared_patients
    assert data.describe()["patients_on_two_sides"] == len(data.shared_patients)
    assert "IMAGE-LEVEL SPLIT" in data.part("test").banner, "a part of it does not forget"
    shares = [data.part(part).labels.mean() for part in SPLITS]
    assert max(shares) - min(shares) < 0.15
    again = resplit(data, "patient", seed)
    assert again.banner == "PHANTOM (synthetic images): ", "split again by patient it is clean"
    assert again.name == f"histology-phantom-seed0-by-patient-s{seed}"
    assert again.level == "patient"


def test_same_parts_either_way():
    """Both kinds of split have parts of about the same size: a comparison compares nothing else."""
    sizes = {by: [len(resplit(PATIENTS, by, 1).part(part)) for part in SPLITS] for by in LEVELS}
    assert max(abs(a - b) for a, b in zip(*sizes.values(), strict=True)) <= 8
    assert sizes["image"][0] == pytest.approx(0.6 * len(PATIENTS), abs=2)


def test_parts_are_folds():
    number = assign_folds(PATIENTS.labels, PATIENTS.patients, 5, 0)
    data = resplit(PATIENTS)
    assert data.name == "histology-phantom-seed0-by-patient-s0"
    np.testing.assert_array_equal(data.split == "test", number == 0)
    np.testing.assert_array_equal(data.split == "val", number == 1)
    by_image = assign_folds(PATIENTS.labels, PATIENTS.ids, 4, 3)
    data = resplit(PATIENTS, "image", seed=3, fold=3, folds=4)
    assert data.name.endswith("-s3-fold3of4")
    np.testing.assert_array_equal(data.split == "test", by_image == 3)
    np.testing.assert_array_equal(data.split == "val", by_image == 0)


def test_seeds_give_other_splits_and_no_fold_means_the_first():
    splits = [resplit(PATIENTS, "patient", seed).split.tolist() for seed in range(5)]
    assert len({tuple(split) for split in splits}) == 5
    assert splits[2] == resplit(PATIENTS, "patient", 2, fold=0).split.tolist()
    assert resplit(PATIENTS, "patient", 2, fold=1).name.endswith("-by-patient-s2-fold1of5")


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"^unknown split 'slide'; known: patient, image$"):
        resplit(PATIENTS, "slide")
    for options in ({"folds": 2}, {"fold": 5}, {"fold": -1}):
        with pytest.raises(ValueError, match=r"^need at least 3 folds and a fold from 0"):
            resplit(PATIENTS, **options)
    with pytest.raises(DataError, match=r"^too few images: class malignant has 36, and 40 folds"):
        resplit(PATIENTS, "image", folds=40)
    with pytest.raises(DataError, match=r"^too few patients: class malignant has 9, and 10 folds"):
        resplit(PATIENTS, folds=10)


def test_a_split_that_leaks_is_noticed_whoever_made_it():
    assert apply_protocol(PATIENTS, "cross_validation", folds=3).shared_patients == []
    assert "IMAGE-LEVEL SPLIT" in apply_protocol(PATIENTS, "random").banner
