"""The laboratory's steps differ in what leaks, and in nothing else."""

import re

import numpy as np
import pytest
from split_toys import noise_images, table

from hqnn_utils.data.splits import apply_protocol, groups_of
from hqnn_utils.data.splits.augmented import changed_copies
from hqnn_utils.data.splits.leaks import _unrelated, leaking

DATA = noise_images(300)
# Images 0 and 1, 2 and 3 and so on up to 59 are twins, of one class each; the rest are single.
TWINS = np.repeat(np.arange(0, 60, 2), 2)
PAIRED = noise_images(
    300,
    images=np.concatenate([DATA.images[TWINS], DATA.images[60:]]),
    labels=np.concatenate([(TWINS % 4 == 0).astype(np.int64), DATA.labels[60:]]),
    name="paired",
)
STEPS = [
    ("none", 1.0),
    ("near_duplicates", 1.0),
    ("copies", 0.0),
    ("copies", 1 / 3),
    ("copies", 1.0),
]


def step(leak, share=1.0, seed=0, data=PAIRED):
    return apply_protocol(data, "leaking", leak=leak, share=share, seed=seed)


def ids(data, part):
    return set(data.ids[data.split == part])


@pytest.mark.parametrize(("leak", "share"), STEPS)
@pytest.mark.parametrize("seed", [0, 1, 5])
def test_sizes_classes_and_test_images_are_equal(leak, share, seed):
    one, apart = step(leak, share, seed), step("none", seed=seed)
    for part in ("test", "val"):
        assert ids(one, part) == ids(apart, part)
    for label in (0, 1):
        n = (PAIRED.labels == label).sum()
        counts = [
            ((one.split == p) & (one.labels == label)).sum() for p in ("test", "val", "train")
        ]
        assert counts == [round(n / 5), round(n / 10), round(n / 2)]
    np.testing.assert_array_equal(one.images, apart.images)
    np.testing.assert_array_equal(one.ids, apart.ids)
    assert one.digest == apart.digest


def test_what_is_known_of_the_test_images():
    groups = dict(zip(PAIRED.ids, groups_of(PAIRED), strict=True))
    apart, near, third, whole = (step(*one) for one in (STEPS[0], STEPS[1], STEPS[3], STEPS[4]))
    tested = {groups[i] for i in ids(apart, "test")}
    related = {i for i in PAIRED.ids if groups[i] in tested} - ids(apart, "test")
    assert related, "some twins are drawn apart"
    for data in (apart, near, third, whole):
        assert not related & ids(data, "val")
    assert not related & ids(apart, "train")
    assert related <= ids(near, "train")
    assert ids(near, "train") - related < ids(apart, "train"), "the others stay"
    copies = {i for i in ids(whole, "train") if i.startswith("copy_")}
    assert copies == {f"copy_{i}" for i in ids(apart, "test")}
    assert ids(whole, "train") - copies < ids(apart, "train")
    fewer = {i for i in ids(third, "train") if i.startswith("copy_")}
    assert fewer < copies
    n_test = [((apart.split == "test") & (apart.labels == label)).sum() for label in (0, 1)]
    assert len(fewer) == sum(round(n / 3) for n in n_test)


def test_copies_are_altered_copies_of_the_test_images():
    data = step("copies")
    places = place_of(data.ids[300:])
    assert {PAIRED.ids[i] for i in places} == ids(data, "test")
    np.testing.assert_array_equal(data.labels[300:], PAIRED.labels[places])
    assert not (data.images[300:] == PAIRED.images[places]).all(axis=(1, 2)).any()
    assert data.images.dtype == np.uint8


def place_of(names):
    places = {name: i for i, name in enumerate(PAIRED.ids)}
    return np.array([places[name.removeprefix("copy_")] for name in names])


def test_names_seeds_and_digests():
    assert step("none").name == "paired-nothing-leaks-s0"
    assert step("near_duplicates", seed=3).name == "paired-LEAK-near_duplicates-s3"
    assert step("copies", 1 / 3).name == "paired-LEAK-copies-0.33-s0"
    assert len({step("none", seed=s).digest for s in range(4)}) == 4
    assert ids(step("none", seed=1), "test") != ids(step("none", seed=2), "test")


def test_copies_come_from_the_seed():
    """Drawn again: the two classes are shuffled first, then the copies are altered."""
    rng = np.random.default_rng([7, 2])
    shuffled = [rng.permutation(np.flatnonzero(DATA.labels == label)) for label in (0, 1)]
    tested = np.concatenate([some[: round(len(some) / 5)] for some in shuffled])
    made = step("none", seed=7, data=DATA)
    np.testing.assert_array_equal(np.flatnonzero(made.split == "test"), np.sort(tested))
    np.testing.assert_array_equal(made.images[300:], changed_copies(DATA.images[tested], rng))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(leak="all"), "unknown leak 'all'; known: none, near_duplicates, copies"),
        (dict(share=1.5), "share is a part of the test images, 0 to 1, got 1.5"),
        (dict(threshold=2), "threshold is a correlation above 0 and at most 1, got 2"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        leaking(DATA, **arguments)


def test_too_few_unrelated_images_and_a_table():
    alike = noise_images(60, images=np.repeat(DATA.images[:2], 30, axis=0))
    with pytest.raises(ValueError, match=r"^noise: 0 of 40 images of a class are no near-dup"):
        leaking(alike)
    with pytest.raises(ValueError, match=r"^leaking copies needs images, and toy-s0 is a table"):
        leaking(table())


def test_defaults_leak_nothing():
    plain = leaking(PAIRED)
    chosen = leaking(PAIRED, leak="none", share=1.0, seed=0, threshold=0.95, pixels=None)
    assert plain.digest == chosen.digest
    assert plain.name == "paired-nothing-leaks-s0"
    np.testing.assert_array_equal(plain.split, chosen.split)
    whole, half = leaking(PAIRED, "copies"), leaking(PAIRED, "copies", 0.5)
    assert len(ids(whole, "train") & set(whole.ids[300:])) == len(ids(whole, "test"))
    assert ids(half, "train") != ids(whole, "train")


def test_a_step_keeps_where_its_images_come_from():
    named = noise_images(300, class_names=("healthy", "ill"), source="medmnist")
    made = leaking(named, "copies")
    assert made.source == "medmnist"
    assert made.class_names == ("healthy", "ill")
    others = noise_images(300, digest="1" * 64)
    digests = [
        leaking(DATA).digest,
        leaking(others).digest,
        leaking(DATA, threshold=0.9).digest,
        leaking(DATA, pixels=14).digest,
    ]
    assert len(set(digests)) == 4


def test_pixels_decide_what_is_alike():
    """Noise that differs pixel by pixel and agrees block by block: twins only when made small."""
    rng = np.random.default_rng(0)
    checks = np.indices((12, 12)).sum(axis=0) % 2 * 2.0 - 1
    blocks = rng.uniform(90, 160, (150, 6, 6)).repeat(2, axis=1).repeat(2, axis=2)
    twins = np.stack([blocks + 60 * checks, blocks - 60 * checks], axis=1).reshape(300, 12, 12)
    data = noise_images(300, images=twins.astype(np.uint8))
    whole, small = leaking(data, "near_duplicates"), leaking(data, "near_duplicates", pixels=6)
    assert whole.digest != small.digest
    assert ids(whole, "test") == ids(small, "test")
    assert ids(whole, "train") != ids(small, "train"), "small pictures have near-duplicates"


def test_room_for_validation_is_not_enough():
    """Forty of a class alike: what is left suffices for validation, not for training as well."""
    pictures = noise_images(100).images.copy()
    labels = np.arange(100) % 2
    pictures[np.flatnonzero(labels == 0)[:35]] = pictures[0]
    few = noise_images(100, images=pictures, labels=labels.astype(np.int64))
    with pytest.raises(ValueError, match=r"of 50 images of a class are no near-dup.* need 30$"):
        leaking(few)


def test_exactly_enough_unrelated_images_are_enough():
    """Of twenty, two for validation and ten for training; the others resemble a test image."""
    some, related = np.arange(20), np.zeros(20, bool)
    related[[1, 4, 5, 9, 12, 13, 16, 19]] = True
    val, train = _unrelated(some, related, DATA)
    assert (*val, *train) == (0, 2, 3, 6, 7, 8, 10, 11, 14, 15, 17, 18)
    assert len(val) == 2
    related[0] = True
    with pytest.raises(ValueError, match=r"^noise: 11 of 20 images .* test images, need 12$"):
        _unrelated(some, related, DATA)
