"""WRONG ON PURPOSE: the same test images, and more and more of what is known of them in training.

The leakage laboratory at equal sizes. A step of it differs from another one in nothing but some
training images: the test images, the number of training images and their classes stay.
"""

from __future__ import annotations

import hashlib

import numpy as np

from hqnn_utils.data.datasets import Dataset, ImageData
from hqnn_utils.data.options import RULES
from hqnn_utils.data.splits.augmented import changed_copies
from hqnn_utils.data.splits.duplicates import duplicate_groups, need_images
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import a

LEAKS = ("none", "near_duplicates", "copies")
# Shares of the images of each class. With near-duplicates apart there are not many more for
# training: the groups of the test images are large.
TEST, VAL, TRAIN = 1 / 5, 1 / 10, 1 / 2


def leaking(
    data: ImageData,
    leak: str = "none",
    share: float = 1.0,
    seed: int = 0,
    threshold: float = 0.95,
    pixels: int | None = None,
) -> ImageData:
    """A fifth of the images for the test, a tenth for validation, half of them for training.

    Test images are drawn at random within each class, and so are validation and training images
    from those that are no near-duplicates of a test image. Then ``leak`` exchanges some training
    images for others of the same class:

    ``"none"``             for no other: nothing about the test images is known
    ``"near_duplicates"``  for all near-duplicates of the test images
    ``"copies"``           for one altered copy each of a ``share`` of the test images

    A seed's test images, validation images and the training images that stay are the same
    whatever the leak. Copies are altered as in ``augmented``.

    Returns
    -------
    All images and one copy of each test image, in the same order whatever the leak, so that
    features need be computed once; those without a part in this step have the split "unused".
    Ids of copies are ``copy_<id>``.

    Raises
    ------
    ValueError : no images, an unknown leak, a share outside 0 to 1, or too few images that are not
        near-duplicates of test images.
    """
    need_images(data, "leaking copies")
    choose("leak", leak, LEAKS)
    if not 0 <= share <= 1:
        raise ValueError(f"share is a part of the test images, 0 to 1, got {share}")
    groups = duplicate_groups(data, threshold, pixels)
    rng = np.random.default_rng([seed, 2])
    shuffled = [rng.permutation(np.flatnonzero(data.labels == label)) for label in (0, 1)]
    test = [some[: _part(some, TEST)] for some in shuffled]
    copies_of = np.concatenate(test)
    related = np.isin(groups, groups[copies_of])
    split = np.full(len(data) + len(copies_of), "unused")
    split[copies_of] = "test"
    for label, some in enumerate(shuffled):
        val, train = _unrelated(some, related, data)
        split[val] = "val"
        known = _known(leak, share, some, test[label], related)
        if leak == "copies":  # they stand behind the images, in the order of the test images
            known = len(data) + np.flatnonzero(np.isin(copies_of, known))
        split[train[: len(train) - len(known)]] = "train"
        split[known] = "train"
    images = np.concatenate([data.images, changed_copies(data.images[copies_of], rng)])
    content = f"{data.digest}|copies of test images {seed} {threshold} {pixels}"
    return ImageData(
        images=images,
        labels=np.concatenate([data.labels, data.labels[copies_of]]),
        split=split,
        ids=np.concatenate([data.ids, [f"copy_{i}" for i in data.ids[copies_of]]]),
        name=f"{data.name}-{_words(leak, share)}-s{seed}",
        source=data.source,
        digest=hashlib.sha256(content.encode()).hexdigest(),
        class_names=data.class_names,
    )


def _part(some: np.ndarray, share: float) -> int:
    return round(share * len(some))


def _unrelated(some: np.ndarray, related: np.ndarray, data) -> tuple[np.ndarray, np.ndarray]:
    """Validation and training images of a class, none of them a near-duplicate of a test image."""
    free = some[~related[some]]
    n_val, n_train = _part(some, VAL), _part(some, TRAIN)
    if len(free) < n_val + n_train:
        raise ValueError(
            f"{data.name}: {len(free)} of {len(some)} images of a class are no near-duplicates of "
            f"test images, need {n_val + n_train}"
        )
    return free[:n_val], free[n_val : n_val + n_train]


def _known(leak: str, share: float, some, test, related) -> np.ndarray:
    """Which images of a class enter the training part; for copies, of which test images."""
    if leak == "near_duplicates":
        return some[related[some] & ~np.isin(some, test)]
    return test[: _part(test, share)] if leak == "copies" else test[:0]


def _words(leak: str, share: float) -> str:
    if leak == "none":
        return "nothing-leaks"
    return f"LEAK-{leak}" + (f"-{share:.2f}" if leak == "copies" else "")


# A table of features is refused in words of its own.
checked(__name__, {"data": a(Dataset), "threshold": RULES["threshold"]})
