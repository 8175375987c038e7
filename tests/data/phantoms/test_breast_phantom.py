import hashlib

import numpy as np
import pytest

from hqnn_utils.data import load_breastmnist
from hqnn_utils.data.phantoms.breast import COUNTS, breast_phantom


def test_counts_are_breastmnists():
    made = breast_phantom(28, 0)
    for split, (malignant, other) in COUNTS.items():
        labels = made["labels"][made["split"] == split]
        assert (labels.sum(), (labels == 0).sum()) == (malignant, other)
    assert len(made["labels"]) == 780
    assert made["images"].dtype == np.uint8
    assert made["images"].shape == (780, 28, 28)


def test_bit_reproducible():
    first = breast_phantom(28, 3)
    breast_phantom.cache_clear()
    again = breast_phantom(28, 3)
    assert first["images"] is not again["images"]
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert not np.array_equal(first["images"], breast_phantom(28, 4)["images"])


def test_bytes_are_what_they_were():
    """A changed generator changes every phantom record: raise this digest on purpose only."""
    made = breast_phantom(28, 0)
    found = hashlib.sha256(
        made["images"].tobytes() + made["labels"].tobytes() + np.packbits(made["masks"]).tobytes()
    ).hexdigest()
    assert found == "e94d4092c1c1a8b31b359dede23f414154fafc73bb3f2c53d99ab611f28e9a02"


def test_masks_mark_lesions():
    made = breast_phantom(28, 0)
    area = made["masks"].mean(axis=(1, 2))
    assert (area[made["labels"] == 1] > 0).all(), "every malignant phantom has a lesion"
    without = (area[made["labels"] == 0] == 0).mean()
    assert 0.15 < without < 0.33, "about 23 % of the others show none"
    inside = [
        im[m].mean() - im[~m].mean() for im, m in zip(made["images"], made["masks"]) if m.sum() > 5
    ]
    assert np.mean(np.array(inside) < 0) > 0.9, "lesions are darker than their surroundings"


def test_same_anatomy_at_another_size():
    small, large = breast_phantom(28, 0), breast_phantom(56, 0)
    halved = large["images"].reshape(780, 28, 2, 28, 2).mean(axis=(2, 4))
    correlation = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(small["images"], halved)]
    assert min(correlation) > 0.98


def test_read_only_and_size_checked():
    with pytest.raises(ValueError):
        breast_phantom(28, 0)["images"][0, 0, 0] = 1
    with pytest.raises(ValueError, match="between 8 and 512"):
        breast_phantom(4, 0)


def test_learnable_but_not_trivial():
    """Logistic regression on the pixels: clearly better than chance, clearly not perfect."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load_breastmnist(28, source="phantom")
    x = data.images.reshape(len(data), -1).astype(float)
    train, test = data.split == "train", data.split == "test"
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=2000)).fit(
        x[train], data.labels[train]
    )
    auc = roc_auc_score(data.labels[test], model.predict_proba(x[test])[:, 1])
    assert 0.75 < auc < 0.90
