"""The breast phantom: BreastMNIST's numbers, the same bytes for ever, masks that mark lesions."""

import hashlib

import numpy as np
import pytest

from hqnn_utils.data import load_breastmnist
from hqnn_utils.data.phantoms import breast
from hqnn_utils.data.phantoms.breast import COUNTS, breast_phantom


def test_counts_are_breastmnists():
    made = breast_phantom(28, 0)
    for split, (malignant, other) in COUNTS.items():
        labels = made["labels"][made["split"] == split]
        assert (labels.sum(), (labels == 0).sum()) == (malignant, other)
    assert len(made["labels"]) == 780
    assert made["images"].dtype == np.uint8
    assert made["images"].shape == (780, 28, 28)
    assert made["masks"].shape == (780, 28, 28)
    assert made["masks"].dtype == bool


def test_bytes_are_what_they_were():
    """A changed generator changes every phantom record: raise this digest on purpose only."""
    made = breast_phantom(28, 0)
    content = (
        made["images"].tobytes() + made["labels"].tobytes() + np.packbits(made["masks"]).tobytes()
    )
    assert (
        hashlib.sha256(content).hexdigest()
        == "e94d4092c1c1a8b31b359dede23f414154fafc73bb3f2c53d99ab611f28e9a02"
    )


def test_each_image_follows_from_seed_part_and_index_alone():
    """Drawn again one by one, in another order: the same bytes."""
    made = breast_phantom(28, 0)
    for number, index, row in ((2, 155, 779), (0, 3, 3), (1, 0, 546), (2, 0, 624)):
        malignant = bool(made["labels"][row])
        assert breast._is_malignant(0, number)[index] == malignant
        image, mask = breast._draw(28, (0, number, index), malignant)
        np.testing.assert_array_equal(image, made["images"][row])
        np.testing.assert_array_equal(mask, made["masks"][row])
        other, _ = breast._draw(28, (1, number, index), malignant)
        assert not np.array_equal(other, image), "another seed is another image"


def test_another_seed_puts_the_classes_in_another_order():
    orders = [breast._is_malignant(seed, 0) for seed in (0, 1)]
    assert not np.array_equal(*orders)
    assert [order.sum() for order in orders] == [147, 147]


def test_masks_mark_lesions():
    made = breast_phantom(28, 0)
    area = made["masks"].mean(axis=(1, 2))
    assert (area[made["labels"] == 1] > 0).all(), "every malignant phantom has a lesion"
    without = (area[made["labels"] == 0] == 0).mean()
    assert 0.15 < without < 0.33, "about 23 % of the others show none"
    lesions = zip(made["images"], made["masks"], strict=True)
    inside = [image[m].mean() - image[~m].mean() for image, m in lesions if m.sum() > 5]
    assert np.mean(np.array(inside) < 0) > 0.9, "lesions are darker than their surroundings"


@pytest.mark.parametrize("size", [56, 112])
def test_same_anatomy_at_another_size(size):
    """Each reduced to 28 pixels is nearly the image drawn at 28 pixels."""
    made, times = breast_phantom(28, 0), size // 28
    for row in range(0, 546, 25):
        large, _ = breast._draw(size, (0, 0, row), bool(made["labels"][row]))
        reduced = large.reshape(28, times, 28, times).mean(axis=(1, 3))
        assert np.corrcoef(made["images"][row].ravel(), reduced.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(
    ("size", "canvas"), [(8, 128), (128, 128), (129, 256), (256, 256), (257, 512), (512, 512)]
)
def test_small_images_are_drawn_on_small_canvases(size, canvas):
    assert breast._canvas(size) == canvas


def test_read_only_and_size_checked():
    for array in breast_phantom(28, 0).values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    for size in (7, 513):
        with pytest.raises(
            ValueError, match=f"^phantom size must lie between 8 and 512 pixels, got {size}$"
        ):
            breast_phantom(size, 0)


def test_learnable_but_not_trivial():
    """Logistic regression on the pixels: clearly better than chance, clearly not perfect."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load_breastmnist(28, source="phantom")
    x = data.images.reshape(len(data), -1).astype(float)
    train, test = data.split == "train", data.split == "test"
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=2000))
    model.fit(x[train], data.labels[train])
    auc = roc_auc_score(data.labels[test], model.predict_proba(x[test])[:, 1])
    assert 0.75 < auc < 0.90
