"""Fewer training examples and shuffled labels leave the rest alone."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from split_toys import histology, noise_images, table

from hqnn_utils.data.splits import limit_train, shuffle_labels


@pytest.mark.parametrize("data", [noise_images(), table(), histology()], ids=lambda d: d.name)
def test_limit_keeps_validation_test_and_order(data):
    if data.name.startswith("histology"):
        data = data.with_split(np.repeat(["train", "val", "test"], [40, 12, 12]), "histology")
    small = limit_train(data, 20, seed=1)
    assert (small.split == "train").sum() == 20
    for part in ("val", "test"):
        assert list(small.part(part).ids) == list(data.part(part).ids)
    place = {name: i for i, name in enumerate(data.ids)}
    order = [place[name] for name in small.ids]
    assert order == sorted(order)
    assert abs(small.part("train").labels.mean() - data.part("train").labels.mean()) < 0.05
    assert small.name == data.name


def test_limit_is_scikit_learns_stratified_draw():
    data = noise_images()
    train = np.flatnonzero(data.split == "train")
    for seed in (0, 5):
        kept, _ = train_test_split(
            train, train_size=17, stratify=data.labels[train], random_state=seed
        )
        small = limit_train(data, 17, seed)
        np.testing.assert_array_equal(small.part("train").ids, data.ids[np.sort(kept)])
    np.testing.assert_array_equal(limit_train(data, 17).ids, limit_train(data, 17, 0).ids)


def test_limit_changes_nothing_where_there_is_nothing_to_leave_out():
    data = noise_images()
    assert limit_train(data, None) is data
    assert limit_train(data, 60) is data
    assert limit_train(data, 61) is data
    assert len(limit_train(data, 57)) == 87


def test_limit_leaves_the_features_of_a_table_as_they_were():
    """Statistics of the whole training part, as a study gives its inputs to the model."""
    data = table()
    small = limit_train(data, 20)
    rows = np.isin(data.ids, small.ids)
    np.testing.assert_array_equal(small.features, data.features[rows])


def test_shuffled_labels_keep_counts_and_the_test():
    data = noise_images(300)
    shuffled = shuffle_labels(data, 3)
    for part in ("train", "val"):
        before, after = data.part(part).labels, shuffled.part(part).labels
        assert after.sum() == before.sum()
        assert (after != before).any()
    np.testing.assert_array_equal(shuffled.part("test").labels, data.part("test").labels)
    np.testing.assert_array_equal(shuffled.images, data.images)
    assert shuffled.name == "noise-SHUFFLED-LABELS-s3"
    assert data.labels.sum() == 100, "the labels that were given are left alone"


def test_each_part_is_shuffled_by_a_stream_of_its_own():
    data = noise_images(300)
    for seed in (0, 4):
        expected = data.labels.copy()
        for number, part in enumerate(("train", "val")):
            index = np.flatnonzero(data.split == part)
            order = np.random.default_rng([seed, number]).permutation(len(index))
            expected[index] = data.labels[index][order]
        np.testing.assert_array_equal(shuffle_labels(data, seed).labels, expected)
    assert shuffle_labels(data).name == "noise-SHUFFLED-LABELS-s0"
