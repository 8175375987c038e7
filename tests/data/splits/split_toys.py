"""Small datasets for the tests of splits."""

import numpy as np

from hqnn_utils.data import ImageData, make_table, phantom_patients


def noise_images(n=90, seed=0, **changes):
    """Random 12 x 12 images, a third of them malignant, none like another; 60/15/15."""
    rng = np.random.default_rng(seed)
    parts = [n * 4 // 6, n // 6, n - n * 4 // 6 - n // 6]
    content = dict(
        images=rng.integers(0, 256, (n, 12, 12), dtype=np.uint8),
        labels=(np.arange(n) % 3 == 0).astype(np.int64),
        split=np.repeat(["train", "val", "test"], parts),
        ids=np.array([f"image/{i}" for i in range(n)]),
        name="noise",
        source="file",
        digest="0" * 64,
    )
    return ImageData(**{**content, **changes})


def twin_images(n=90):
    """Images 1, 3, 5, ... repeat 0, 2, 4, ... and their labels."""
    single = noise_images(n)
    images, labels = single.images.copy(), single.labels.copy()
    images[1::2], labels[1::2] = images[::2], labels[::2]
    return noise_images(n, images=images, labels=labels, name="twins")


def pair_at(correlation):
    """Three 8 x 8 images; the first two have about this correlation, the third resembles none."""
    rng = np.random.default_rng(0)
    images = rng.normal(0, 1, (3, 64))
    _, first, second = np.linalg.qr(np.stack([np.ones(64), *images[:2]], axis=1))[0].T
    images[0] = 8 * first
    images[1] = 8 * (correlation * first + np.sqrt(1 - correlation**2) * second)
    pixels = np.clip(np.round(images * 30 + 128), 0, 255).astype(np.uint8).reshape(3, 8, 8)
    return noise_images(
        3,
        images=pixels,
        labels=np.array([0, 1, 1]),
        split=np.array(["train", "test", "test"]),
    )


def histology():
    """64 histology phantoms of 16 patients."""
    return phantom_patients(8, 0, patients=(7, 9), per_patient=4)


def table(n=100):
    """Random rows, a third of them malignant."""
    rng = np.random.default_rng(0)
    return make_table(rng.normal(3, 2, (n, 4)), np.arange(n) % 3 == 0, name="toy")
