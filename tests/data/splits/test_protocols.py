"""Each protocol does what it says, also the ones that are wrong on purpose."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hqnn_utils.data import load_breastmnist
from hqnn_utils.data.splits import apply_protocol, groups_of, shuffle_labels

DATA = load_breastmnist(16, "phantom")
# A copy with twins, so that there are near-duplicates to keep together: images 1, 3, 5, ... repeat 0, 2, 4, ...
IMAGES = DATA.images.copy()
IMAGES[1::2] = IMAGES[::2]
TWINS = replace(DATA, images=IMAGES, labels=np.repeat(DATA.labels[::2], 2))


def sides(data):
    groups = groups_of(data, 0.99)
    return max(len(set(data.split[groups == g])) for g in np.unique(groups))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), folds=st.integers(3, 7))
def test_cross_validation_tests_each_image_once_and_keeps_twins_together(seed, folds):
    tested = np.zeros(len(TWINS), int)
    for fold in range(folds):
        data = apply_protocol(
            TWINS, "cross_validation", folds=folds, fold=fold, seed=seed, threshold=0.99
        )
        assert sides(data) == 1
        assert list(data.ids) == list(TWINS.ids)
        assert set(data.split) == {"train", "val", "test"}
        tested += data.split == "test"
        assert abs(data.part("test").labels.mean() - TWINS.labels.mean()) < 0.12
    assert (tested == 1).all()


def test_grouped_and_official():
    assert apply_protocol(DATA) is DATA
    assert sides(apply_protocol(TWINS, "grouped", seed=2, threshold=0.99)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_random_split_is_blind_to_twins(seed):
    data = apply_protocol(TWINS, "random", seed=seed)
    assert [(data.split == s).sum() for s in ("train", "val", "test")] == [624, 78, 78]
    assert sides(data) > 1, "this is the fault that the laboratory shows"
    assert abs(data.part("test").labels.mean() - data.labels.mean()) < 0.02


def origin(ids):
    return np.array([i.split("_", 1)[1] for i in ids])


@pytest.mark.parametrize("by_original", [False, True])
def test_augmented_has_the_study_s_numbers(by_original):
    data = apply_protocol(DATA, "augmented", n=2000, seed=1, by_original=by_original)
    assert len(data) == 2000
    assert len(set(data.ids)) == 2000
    assert sum(i.startswith("orig_") for i in data.ids) == 780
    where = dict(zip(DATA.ids, DATA.labels))
    assert [where[i] for i in origin(data.ids)] == data.labels.tolist()
    test, rest = origin(data.ids[data.split == "test"]), set(origin(data.ids[data.split != "test"]))
    leaked = np.mean([i in rest for i in test])
    assert leaked == 0 if by_original else leaked > 0.5
    if not by_original:
        assert [(data.split == s).sum() for s in ("train", "val", "test")] == [1600, 200, 200]
    again = apply_protocol(DATA, "augmented", n=2000, seed=1, by_original=by_original)
    assert np.array_equal(again.images, data.images)
    assert data.digest != DATA.digest
    changed = (
        data.images[780:].astype(int)
        - DATA.images[[list(DATA.ids).index(i) for i in origin(data.ids[780:])]]
    )
    assert (np.abs(changed).reshape(1220, -1).max(axis=1) > 0).mean() > 0.99, (
        "copies are changed, not repeated"
    )


def test_shuffled_labels_keep_counts_and_the_test():
    data = shuffle_labels(DATA, 3)
    for name in ("train", "val"):
        assert data.part(name).labels.sum() == DATA.part(name).labels.sum()
        assert (data.part(name).labels != DATA.part(name).labels).any()
    assert np.array_equal(data.part("test").labels, DATA.part("test").labels)
    assert "SHUFFLED" in data.name


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(kind="fold"), "unknown protocol 'fold'; known: official, grouped"),
        (
            dict(kind="official", seed=1),
            "unknown option of protocol 'official' 'seed'; known: none",
        ),
        (dict(kind="cross_validation", folds=2), "at least 3 folds"),
        (dict(kind="cross_validation", folds=5, fold=5), "fold from 0 to folds - 1"),
        (dict(kind="augmented", n=700), "above the 780 images"),
    ],
)
def test_bad_protocols(arguments, message):
    with pytest.raises(ValueError, match=message):
        apply_protocol(DATA, **arguments)
