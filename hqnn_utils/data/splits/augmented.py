"""WRONG ON PURPOSE: augment first and split afterwards, as some studies do.

The leakage laboratory measures how much this adds.
"""

from __future__ import annotations

import hashlib

import numpy as np

from hqnn_utils.data.datasets import Dataset, ImageData
from hqnn_utils.data.options import RULES
from hqnn_utils.data.splits.duplicates import need_images
from hqnn_utils.data.splits.parts import stratified_parts
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import a

# Ranges of the random changes: our choice, the study does not say what it did.
DEGREES = 15
SCALES = (0.9, 1.1)
BRIGHTNESS = (0.8, 1.2)


def augmented(
    data: ImageData, n: int = 2000, seed: int = 0, by_original: bool = False
) -> ImageData:
    """WRONG ON PURPOSE: augment to ``n`` images, then split 80/10/10 at random.

    So was the study's folder made. Copies of one original fall on different sides. Copies are
    flipped, turned by up to 15 degrees, scaled by up to 10 % and changed in brightness by up to
    20 %. Ids are ``orig_<id>`` and ``aug<k>_<id>``.

    Parameters
    ----------
    n : number of images afterwards, more than there are.
    seed : of the copies and of the split.
    by_original : split the originals at random first and keep every copy on its original's side:
        the same images without that leak.

    Raises
    ------
    ValueError : ``n`` is no more than the number of images, or there are no images.
    """
    need_images(data, "augmenting")
    if n <= len(data):
        raise ValueError(f"n must be above the {len(data)} images that are there, got {n}")
    rng = np.random.default_rng([seed, 1])
    copied = rng.integers(0, len(data), n - len(data))
    original = np.concatenate([np.arange(len(data)), copied])  # of each image, copies included
    ids = [f"orig_{i}" for i in data.ids]
    ids += [f"aug{k}_{i}" for k, i in enumerate(data.ids[copied])]
    labels = data.labels[original]
    if by_original:
        kind, split = "augmented-by-original", stratified_parts(data.labels, seed)[original]
    else:
        kind, split = "AUGMENTED-BEFORE-SPLIT", stratified_parts(labels, seed)
    content = f"{data.digest}|augmented {n} {seed} {by_original}"
    return ImageData(
        images=np.concatenate([data.images, changed_copies(data.images[copied], rng)]),
        labels=labels,
        split=split,
        ids=np.array(ids),
        name=f"{data.name}-{kind}-s{seed}",
        source=data.source,
        digest=hashlib.sha256(content.encode()).hexdigest(),
        class_names=data.class_names,
    )


def changed_copies(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random copy of each image, uint8 as given."""
    return np.stack([_changed_copy(image, rng) for image in images])


def _changed_copy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flipped or not, turned, scaled and brightened; (H, W) or (H, W, 3)."""
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as change

    is_grey = image.ndim == 2
    x = torch.from_numpy(image.copy())
    x = x[None] if is_grey else x.permute(2, 0, 1)
    if rng.random() < 0.5:
        x = x.flip(-1)
    x = change.affine(
        x,
        angle=float(rng.uniform(-DEGREES, DEGREES)),
        translate=[0, 0],
        scale=float(rng.uniform(*SCALES)),
        shear=[0.0, 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    x = (x.float() * float(rng.uniform(*BRIGHTNESS))).clamp(0, 255).round().to(torch.uint8)
    return x[0].numpy() if is_grey else x.permute(1, 2, 0).numpy()


# A table of features is refused in words of its own.
checked(__name__, {"data": a(Dataset), "threshold": RULES["threshold"]})
