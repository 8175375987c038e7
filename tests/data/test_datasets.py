"""What every dataset offers: parts, tensors, counts, what a record stores."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from hqnn_utils.data import (
    CLASS_NAMES,
    SPLITS,
    FeatureTable,
    ImageData,
    load_breastmnist,
    phantom_patients,
)
from hqnn_utils.runtime import provenance


@pytest.fixture
def images(medmnist_file):
    return load_breastmnist(source=medmnist_file)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return FeatureTable(
        measured=rng.normal(5, 3, (20, 3)),
        feature_names=("a", "b", "c"),
        labels=np.arange(20) % 2,
        split=np.repeat(SPLITS, [12, 4, 4]),
        ids=np.array([f"row/{i}" for i in range(20)]),
        name="toy",
        source="arrays",
        digest="0" * 64,
        class_names=("low", "high"),
    )


def test_parts_and_ids(images):
    test = images.part("test")
    assert len(test) == 8
    assert test.ids[3] == "test/3"
    assert (test.name, test.digest) == (images.name, images.digest)
    with pytest.raises(ValueError, match=r"^unknown split 'dev'; known: train, val, test$"):
        images.part("dev")


def test_take_by_mask_or_by_position_takes_every_array():
    data = phantom_patients(8, 0, patients=(3, 3), per_patient=2)
    rows = [7, 2, 5]
    taken = data.take(rows)
    for name in ("images", "labels", "split", "ids", "patients", "slides", "subtypes"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(data, name)[rows])
    np.testing.assert_array_equal(taken.magnifications, data.magnifications[rows])
    mask = data.labels == 1
    np.testing.assert_array_equal(data.take(mask).ids, data.ids[mask])


def test_masks_are_taken_too():
    images = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    data = ImageData(
        images=images,
        masks=images > 5,
        labels=np.array([0, 1, 0]),
        split=np.array(SPLITS),
        ids=np.array(["a", "b", "c"]),
        name="m",
        source="phantom",
        digest="d",
    )
    np.testing.assert_array_equal(data.take([2]).masks, [images[2] > 5])
    assert data.is_phantom
    assert data.banner == "PHANTOM (synthetic images): "


def test_image_tensors_lie_between_minus_one_and_one(images, medmnist_arrays):
    x, y = images.tensors("test")
    assert x.shape == (8, 1, 28, 28)
    np.testing.assert_allclose(
        x[:, 0].numpy(), medmnist_arrays["test_images"] / 127.5 - 1, atol=1e-6
    )
    assert y.tolist() == images.part("test").labels.tolist()
    x, y = images.tensors()
    assert x.shape == (26, 1, 28, 28)
    assert len(y) == 26
    y[0] = 9
    assert images.labels[0] != 9, "a copy"


def test_colour_comes_first_in_tensors():
    data = phantom_patients(8, 0, patients=(3, 3), per_patient=2)
    x, _ = data.tensors()
    assert x.shape == (12, 3, 8, 8)
    assert x.is_contiguous()
    np.testing.assert_allclose(x.numpy(), np.moveaxis(data.images, 3, 1) / 127.5 - 1, atol=1e-6)


def test_counts(images, table):
    found = images.counts()
    assert list(found.columns) == [*CLASS_NAMES, "total", "malignant share"]
    assert list(found.index) == ["train", "val", "test", "all"]
    assert found["total"].tolist() == [12, 6, 8, 26]
    assert found["malignant"].tolist() == [4, 2, 3, 9]
    assert found.loc["test", "malignant share"] == 0.375
    assert found.loc["all", "malignant share"] == 0.346
    assert list(table.counts().columns) == ["low", "high", "total", "high share"]
    assert table.take([0, 2]).counts()["high"].tolist() == [0, 0, 0, 0]


def test_what_a_record_stores(images, table):
    assert images.describe() == dict(
        name="mine", source="file", digest=images.digest, size=28, n=26, phantom=False
    )
    assert table.describe() == dict(
        name="toy", source="arrays", digest="0" * 64, size=3, n=20, phantom=False
    )
    assert provenance(data=images)["data"] == "mine, 28 px"
    assert provenance(data=table)["data"] == "toy, 3 features"


def test_another_split_keeps_the_rest(images):
    split = np.roll(images.split, 3)
    data = images.with_split(split, "rolled")
    np.testing.assert_array_equal(data.split, split)
    assert data.name == "rolled"
    assert data.images is images.images
    assert images.name == "mine"


def test_a_table_is_standardised_with_its_training_part(table):
    train = table.split == "train"
    expected = StandardScaler().fit(table.measured[train]).transform(table.measured)
    np.testing.assert_allclose(table.features, expected, atol=1e-6)
    assert table.features.dtype == np.float32
    assert (table.size, table.size_text, len(table)) == (3, "3 features", 20)


def test_another_split_of_a_table_standardises_anew(table):
    split = np.repeat(["test", "val", "train"], [4, 4, 12])
    data = table.with_split(split, "other")
    np.testing.assert_allclose(data.part("train").features.mean(axis=0), 0, atol=1e-6)
    back = data.with_split(table.split, "toy")
    np.testing.assert_array_equal(back.features, table.features)


def test_parts_of_a_table_keep_their_features(table):
    test = table.part("test")
    np.testing.assert_array_equal(test.features, table.features[16:])
    np.testing.assert_array_equal(test.measured, table.measured[16:])
    x, y = table.tensors("test")
    np.testing.assert_array_equal(x.numpy(), test.features)
    assert y.tolist() == test.labels.tolist()
    x, y = table.tensors()
    assert x.shape == (20, 3)
    x[0] = 9
    assert table.features[0, 0] != 9, "a copy"


def test_a_feature_that_never_changes_becomes_zero(table):
    measured = table.measured.copy()
    measured[:, 1] = 4.0
    flat = FeatureTable(
        **{
            **{name: getattr(table, name) for name in ("labels", "split", "ids", "name", "source")},
            "digest": "d",
            "feature_names": table.feature_names,
            "measured": measured,
        }
    )
    assert (flat.features[:, 1] == 0).all()
