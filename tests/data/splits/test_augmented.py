"""Augmenting before the split: copies leak, unless they follow their original."""

import hashlib
import re

import numpy as np
import pytest
import torch
from split_toys import histology, noise_images, table
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as change

from hqnn_utils.data import CLASS_NAMES
from hqnn_utils.data.splits import apply_protocol
from hqnn_utils.data.splits.augmented import augmented
from hqnn_utils.data.splits.parts import stratified_parts

DATA = noise_images()


def originals(data):
    """Place of each image's original in DATA."""
    place = {name: i for i, name in enumerate(DATA.ids)}
    return np.array([place[name.split("_", 1)[1]] for name in data.ids])


@pytest.mark.parametrize("by_original", [False, True])
def test_numbers_ids_and_labels(by_original):
    data = apply_protocol(DATA, "augmented", n=250, seed=1, by_original=by_original)
    assert len(data) == 250
    assert list(data.ids[:90]) == [f"orig_{name}" for name in DATA.ids]
    assert all(re.match(rf"aug{k}_image/\d+$", name) for k, name in enumerate(data.ids[90:]))
    np.testing.assert_array_equal(data.labels, DATA.labels[originals(data)])
    np.testing.assert_array_equal(data.images[:90], DATA.images)
    assert data.images.dtype == np.uint8
    assert (data.source, data.masks, data.class_names) == ("file", None, CLASS_NAMES)


def test_copies_leak_unless_they_follow_their_original():
    leaky = augmented(DATA, 250, seed=1)
    assert leaky.name == "noise-AUGMENTED-BEFORE-SPLIT-s1"
    np.testing.assert_array_equal(leaky.split, stratified_parts(leaky.labels, 1))
    place = originals(leaky)
    assert np.isin(place[leaky.split == "test"], place[leaky.split != "test"]).mean() > 0.5
    fair = augmented(DATA, 250, seed=1, by_original=True)
    assert fair.name == "noise-augmented-by-original-s1"
    np.testing.assert_array_equal(fair.split, stratified_parts(DATA.labels, 1)[originals(fair)])
    np.testing.assert_array_equal(fair.images, leaky.images)
    np.testing.assert_array_equal(fair.ids, leaky.ids)


def test_defaults_are_the_study_s():
    data = augmented(DATA)
    assert len(data) == 2000
    assert data.name == "noise-AUGMENTED-BEFORE-SPLIT-s0"
    assert [(data.split == part).sum() for part in ("train", "val", "test")] == [1600, 200, 200]


def test_every_argument_and_the_content_make_another_digest():
    made = [
        augmented(DATA, 100),
        augmented(DATA, 101),
        augmented(DATA, 100, seed=1),
        augmented(DATA, 100, by_original=True),
        augmented(noise_images(digest="1" * 64), 100),
    ]
    assert len({data.digest for data in made}) == 5
    text = f"{DATA.digest}|augmented 100 0 False"
    assert made[0].digest == hashlib.sha256(text.encode()).hexdigest()
    assert not np.array_equal(made[0].images[90:], made[2].images[90:])


@pytest.mark.parametrize("data", [DATA, histology()], ids=["grey", "colour"])
def test_copies_are_changed_as_described(data):
    """Drawn again here from the same stream, step by step."""
    n = len(data) + 12
    made = augmented(data, n, seed=2)
    rng = np.random.default_rng([2, 1])
    copied = rng.integers(0, len(data), 12)
    for k, original in enumerate(copied):
        assert made.ids[len(data) + k] == f"aug{k}_{data.ids[original]}"
        x = torch.from_numpy(data.images[original].copy())
        x = x[None] if x.ndim == 2 else x.permute(2, 0, 1)
        if rng.random() < 0.5:
            x = torch.flip(x, [2])
        angle, scale = rng.uniform(-15, 15), rng.uniform(0.9, 1.1)
        x = change.affine(
            x, angle, [0, 0], scale, [0.0, 0.0], interpolation=InterpolationMode.BILINEAR
        )
        x = np.clip(
            np.round(x.numpy().astype(np.float32) * np.float32(rng.uniform(0.8, 1.2))), 0, 255
        )
        found = made.images[len(data) + k]
        found = found[None] if found.ndim == 2 else np.moveaxis(found, 2, 0)
        np.testing.assert_allclose(found.astype(float), x, atol=1)
        assert not np.array_equal(made.images[len(data) + k], data.images[original])


def test_class_names_are_kept_and_black_stays_black():
    data = noise_images(images=np.zeros((90, 12, 12), np.uint8), class_names=("no", "yes"))
    made = augmented(data, 100)
    assert made.class_names == ("no", "yes")
    assert not made.images.any()


def test_bad_arguments():
    for n in (89, 90):
        with pytest.raises(
            ValueError, match=f"^n must be above the 90 images that are there, got {n}$"
        ):
            augmented(DATA, n)
    assert len(augmented(DATA, 91)) == 91
    with pytest.raises(ValueError, match=r"^augmenting needs images, and toy-s0 is a table of"):
        augmented(table())
