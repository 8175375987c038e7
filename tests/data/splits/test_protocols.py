"""Each protocol does what it says, also the ones that are wrong on purpose."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_toys import histology, noise_images, table, twin_images

from hqnn_utils.data.splits import (
    PROTOCOLS,
    apply_protocol,
    check_protocol,
    groups_of,
    resplit,
)
from hqnn_utils.data.splits.parts import group_folds, stratified_parts

TWINS, PATIENTS, TABLE, NOISE = twin_images(), histology(), table(), noise_images()
PARTS = ("train", "val", "test")


def sides(data):
    """The largest number of parts that one group lies in."""
    groups = groups_of(data, 0.99)
    return max(len(set(data.split[groups == group])) for group in np.unique(groups))


def sizes(data):
    return [int((data.split == part).sum()) for part in PARTS]


def test_the_official_split_is_the_one_that_came_with_the_data():
    for data in (TWINS, PATIENTS, TABLE):
        assert apply_protocol(data) is data
        assert apply_protocol(data, "official") is data


def test_groups_are_near_duplicates_patients_or_rows():
    assert list(groups_of(TWINS)) == [i // 2 for i in range(90)]
    assert len(set(groups_of(NOISE))) == 90
    by_patient = groups_of(PATIENTS)
    assert len(set(by_patient)) == 16
    assert all(len(set(PATIENTS.patients[by_patient == g])) == 1 for g in set(by_patient))
    assert list(groups_of(TABLE)) == list(range(100))


def test_the_threshold_decides_who_is_alike():
    rng = np.random.default_rng(0)
    images = NOISE.images.copy()
    images[1] = np.clip(images[0] + rng.normal(0, 30, (12, 12)), 0, 255)
    data = noise_images(images=images)
    correlation = np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1]
    assert 0.8 < correlation < 0.95
    assert groups_of(data)[0] != groups_of(data)[1], "0.95 where nothing is said"
    alike = groups_of(data, correlation)
    assert alike[0] == alike[1], "a pair exactly at the threshold belongs together"
    apart = groups_of(data, correlation + 1e-6)
    assert apart[0] != apart[1]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), folds=st.integers(3, 7))
def test_cross_validation_tests_each_image_once_and_keeps_twins_together(seed, folds):
    tested = np.zeros(len(TWINS), int)
    for fold in range(folds):
        data = apply_protocol(
            TWINS, "cross_validation", folds=folds, fold=fold, seed=seed, threshold=0.99
        )
        assert sides(data) == 1
        assert list(data.ids) == list(TWINS.ids)
        assert set(data.split) == set(PARTS)
        assert data.name == f"twins-cv{folds}.{fold}-s{seed}"
        tested += data.split == "test"
        assert abs(data.part("test").labels.mean() - TWINS.labels.mean()) < 0.15
    assert (tested == 1).all()


def test_cross_validation_is_made_of_group_folds():
    number = group_folds(TWINS.labels, groups_of(TWINS), 5, 0)
    data = apply_protocol(TWINS, "cross_validation")
    assert data.name == "twins-cv5.0-s0"
    np.testing.assert_array_equal(data.split == "test", number == 0)
    np.testing.assert_array_equal(data.split == "val", number == 1)
    last = apply_protocol(TWINS, "cross_validation", fold=4)
    np.testing.assert_array_equal(last.split == "test", number == 4)
    np.testing.assert_array_equal(last.split == "val", number == 0)


@pytest.mark.parametrize("folds", [3, 5])
def test_inner_splits_never_hold_a_test_example(folds):
    """They cross-validate within training and validation part, twins together."""
    outer = TWINS.ids[TWINS.split == "test"]
    tested = []
    for fold in range(folds):
        data = apply_protocol(TWINS, "inner", folds=folds, fold=fold, seed=3, threshold=0.99)
        assert not set(data.ids) & set(outer)
        assert set(data.split) == set(PARTS)
        assert sides(data) == 1
        assert data.name == f"twins-inner{folds}.{fold}-s3"
        tested += data.ids[data.split == "test"].tolist()
    assert sorted(tested) == sorted(TWINS.ids[TWINS.split != "test"])
    rest = TWINS.take(TWINS.split != "test")
    wanted = apply_protocol(rest, "cross_validation", folds=folds, fold=1, seed=3, threshold=0.99)
    assert list(
        apply_protocol(TWINS, "inner", folds=folds, fold=1, seed=3, threshold=0.99).split
    ) == list(wanted.split)


def test_inner_splits_have_the_defaults_of_a_cross_validation():
    plain = apply_protocol(TWINS, "inner")
    assert plain.name == "twins-inner5.0-s0"
    chosen = apply_protocol(TWINS, "inner", folds=5, fold=0, seed=0, threshold=0.95, pixels=None)
    assert list(plain.split) == list(chosen.split)


def test_large_images_are_grouped_as_small_ones():
    """Each image of 12 pixels becomes blocks of 2 x 2 with noise of its own in them."""
    rng = np.random.default_rng(0)
    blocks = np.kron(TWINS.images, np.ones((1, 2, 2)))
    fine = rng.normal(0, 60, blocks.shape)
    fine -= np.kron(fine.reshape(90, 12, 2, 12, 2).mean(axis=(2, 4)), np.ones((1, 2, 2)))
    large = noise_images(images=np.clip(blocks * 0.5 + 64 + fine, 0, 255).astype(np.uint8))
    assert len(set(groups_of(large))) == 90, "the noise hides the twins"
    assert list(groups_of(large, pixels=12)) == list(groups_of(TWINS))
    assert list(groups_of(TWINS, pixels=28)) == list(groups_of(TWINS)), "small ones stay"
    options = dict(folds=3, fold=1, seed=2)
    apart = apply_protocol(large, "cross_validation", **options)
    together = apply_protocol(large, "cross_validation", pixels=12, **options)
    assert list(apart.split) != list(together.split)
    assert all(together.split[0::2] == together.split[1::2])
    halves = large.with_split(np.repeat(["train", "test"], [60, 30]), "halves")
    within = apply_protocol(halves, "inner", pixels=12, **options)
    assert all(within.split[0::2] == within.split[1::2])
    assert list(within.split) != list(apply_protocol(halves, "inner", **options).split)
    colour = noise_images(images=np.repeat(large.images[..., None], 3, axis=3))
    assert list(groups_of(colour, pixels=12)) == list(groups_of(TWINS))


@pytest.mark.parametrize("kind", ["cross_validation", "grouped"])
def test_the_threshold_reaches_the_split(kind):
    """With one pair of images alike at 0.9 it is kept together at 0.8 for every seed."""
    images = NOISE.images.copy()
    for i in range(0, 90, 2):
        rng = np.random.default_rng(i)
        images[i + 1] = np.clip(images[i] + rng.normal(0, 30, (12, 12)), 0, 255)
    data = noise_images(images=images)

    def kept_together(threshold):
        split = apply_protocol(data, kind, seed=1, threshold=threshold).split
        return (split[::2] == split[1::2]).mean()

    assert kept_together(0.8) == 1
    assert kept_together(0.999) < 1
    low, default = (
        apply_protocol(data, kind, seed=1, threshold=0.95),
        apply_protocol(data, kind, seed=1),
    )
    np.testing.assert_array_equal(low.split, default.split)


@pytest.mark.parametrize("seed", range(3))
def test_grouped_is_70_10_20_with_no_group_on_two_sides(seed):
    data = apply_protocol(TWINS, "grouped", seed=seed, threshold=0.99)
    assert sides(data) == 1
    assert np.allclose(np.array(sizes(data)) / 90, [0.7, 0.1, 0.2], atol=0.05)
    assert data.name == f"twins-grouped0.99-s{seed}"
    number = group_folds(TWINS.labels, groups_of(TWINS), 10, seed)
    np.testing.assert_array_equal(data.split == "test", number <= 1)
    np.testing.assert_array_equal(data.split == "val", number == 2)


def test_grouped_defaults():
    assert apply_protocol(TWINS, "grouped").name == "twins-grouped0.95-s0"
    assert sides(apply_protocol(PATIENTS, "grouped")) == 1


@pytest.mark.parametrize("seed", range(3))
def test_random_split_is_blind_to_twins(seed):
    data = apply_protocol(TWINS, "random", seed=seed)
    assert sizes(data) == [72, 9, 9]
    assert sides(data) > 1, "this is the fault that the laboratory shows"
    assert data.name == f"twins-random-s{seed}"
    np.testing.assert_array_equal(data.split, stratified_parts(TWINS.labels, seed))


def test_random_defaults():
    assert apply_protocol(TWINS, "random").name == "twins-random-s0"


@pytest.mark.parametrize(("kind", "level"), [("by_patient", "patient"), ("by_image", "image")])
@pytest.mark.parametrize("options", [{}, {"seed": 4}, {"fold": 2}, {"fold": 1, "folds": 4}])
def test_patients_and_images_as_protocols(kind, level, options):
    data, expected = apply_protocol(PATIENTS, kind, **options), resplit(PATIENTS, level, **options)
    assert data.name == expected.name
    assert data.level == level
    np.testing.assert_array_equal(data.split, expected.split)
    assert bool(data.shared_patients) == (kind == "by_image")


def test_folds_by_patient_are_five():
    assert apply_protocol(PATIENTS, "by_patient", fold=0).name.endswith("-fold0of5")
    assert apply_protocol(PATIENTS, "by_image", fold=0).name.endswith("-fold0of5")


@pytest.mark.parametrize("kind", ["by_patient", "by_image"])
@pytest.mark.parametrize("data", [NOISE, TABLE], ids=["images", "table"])
def test_no_patients_no_split_by_patient(kind, data):
    message = (
        f"protocol {kind!r} needs a dataset with patients, such as breakhis; {data.name} has none"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        apply_protocol(data, kind)


def test_a_table_can_be_split_at_random_and_in_folds():
    random = apply_protocol(TABLE, "random", seed=3)
    assert sizes(random) == [80, 10, 10]
    tested = np.zeros(100, int)
    for fold in range(4):
        data = apply_protocol(TABLE, "cross_validation", folds=4, fold=fold)
        tested += data.split == "test"
        train = data.part("train").features
        np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-5)
    assert (tested == 1).all()
    np.testing.assert_array_equal(random.measured, TABLE.measured)


@pytest.mark.parametrize(
    ("kind", "purpose"),
    [
        ("grouped", "keeping near-duplicates together"),
        ("augmented", "augmenting"),
        ("leaking", "leaking copies"),
    ],
)
def test_a_table_has_no_near_duplicates_and_no_copies(kind, purpose):
    message = (
        f"{purpose} needs images, and toy-s0 is a table of features: "
        "use the protocol official, random or cross_validation"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        apply_protocol(TABLE, kind)


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan")])
def test_bad_thresholds(threshold):
    message = f"threshold is a correlation above 0 and at most 1, got {threshold}"
    for data in (NOISE, PATIENTS, TABLE):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            groups_of(data, threshold)
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            apply_protocol(data, "cross_validation", threshold=threshold)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        apply_protocol(NOISE, "grouped", threshold=threshold)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            dict(kind="fold"),
            "unknown protocol 'fold'; known: official, grouped, cross_validation, inner, "
            "random, augmented, leaking, by_patient, by_image",
        ),
        (
            dict(kind="official", seed=1),
            "unknown option of protocol 'official' 'seed'; known: none",
        ),
        (
            dict(kind="random", seed=1, fold=2),
            "unknown option of protocol 'random' 'fold'; known: seed",
        ),
        (
            dict(kind="by_patient", by="image"),
            "unknown option of protocol 'by_patient' 'by'; known: seed, fold, folds",
        ),
    ],
)
def test_unknown_protocols_and_options(arguments, message):
    for call in (check_protocol, lambda **given: apply_protocol(NOISE, **given)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call(**arguments)


@pytest.mark.parametrize(
    "arguments", [dict(folds=2), dict(folds=5, fold=5), dict(fold=-1), dict(folds=4.0)]
)
def test_folds_are_checked(arguments):
    with pytest.raises(ValueError, match=r"^need at least 3 folds and a fold from 0 to folds - 1"):
        apply_protocol(NOISE, "cross_validation", **arguments)


def test_known_protocols_pass_the_check():
    assert check_protocol() is None
    for kind in PROTOCOLS:
        assert check_protocol(kind) is None
    assert check_protocol("augmented", n=10, seed=1, by_original=True) is None
