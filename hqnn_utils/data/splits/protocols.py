"""Ways to split (and to mis-split) a dataset. ``ImageData`` in, ``ImageData`` out; the ids keep the official place.

Some of these are wrong on purpose: the leakage laboratory measures how much a wrong protocol adds.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from hqnn_utils.data.images import ImageData
from hqnn_utils.runtime import choose


def official(data: ImageData) -> ImageData:
    """The split that the file has."""
    return data


def grouped(data: ImageData, seed: int = 0, threshold: float = 0.95) -> ImageData:
    """A new split of about 70/10/20, stratified, with no group of near-duplicates on two sides."""
    return data.grouped_split(threshold, seed)


def cross_validation(
    data: ImageData, folds: int = 5, fold: int = 0, seed: int = 0, threshold: float = 0.95
) -> ImageData:
    """One fold of a stratified cross-validation over all images that keeps near-duplicates together.

    Fold ``fold`` is the test part, the next one validation, the rest training. Over all folds each image is tested exactly once.
    scikit-learn's ``StratifiedGroupKFold``; another ``seed`` is another repetition.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if not (isinstance(folds, int) and folds >= 3 and 0 <= fold < folds):
        raise ValueError(
            f"need at least 3 folds and a fold from 0 to folds - 1, got folds={folds}, fold={fold}"
        )
    cut = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed).split(
        data.labels, data.labels, data.groups(threshold)
    )
    members = [test for _, test in cut]
    split = np.full(len(data), "train", dtype="<U5")
    split[members[(fold + 1) % folds]] = "val"
    split[members[fold]] = "test"
    return replace(data, split=split, name=f"{data.name}-cv{folds}.{fold}-s{seed}")


def random_split(data: ImageData, seed: int = 0) -> ImageData:
    """80/10/10 at random, stratified by class and blind to near-duplicates: what many notebooks do."""
    return replace(data, split=_at_random(data.labels, seed), name=f"{data.name}-random-s{seed}")


def augmented(
    data: ImageData, n: int = 2000, seed: int = 0, by_original: bool = False
) -> ImageData:
    """WRONG ON PURPOSE: augment to ``n`` images first, then split 80/10/10 at random, as the study's folder was made.

    Copies of one original fall on different sides. ``by_original=True`` splits the originals at random first and keeps every copy on
    its original's side: the same images without that leak. Ids are ``orig_<id>`` and ``aug<k>_<id>``.
    Copies are flipped, turned by up to 15 degrees, scaled by up to 10 % and changed in brightness by up to 20 % (our choice: the study
    does not say what it did).
    """
    if n <= len(data):
        raise ValueError(f"n must be above the {len(data)} images that are there, got {n}")
    rng = np.random.default_rng([seed, 1])
    source = np.concatenate([np.arange(len(data)), rng.integers(0, len(data), n - len(data))])
    extra = source[len(data) :]
    images = np.concatenate([data.images, _change(data.images[extra], rng)])
    ids = np.concatenate(
        [[f"orig_{i}" for i in data.ids], [f"aug{k}_{data.ids[i]}" for k, i in enumerate(extra)]]
    )
    labels = data.labels[source]
    split = _at_random(data.labels, seed)[source] if by_original else _at_random(labels, seed)
    digest = hashlib.sha256(
        f"{data.digest}|augmented {n} {seed} {by_original}".encode()
    ).hexdigest()
    kind = "augmented-by-original" if by_original else "AUGMENTED-BEFORE-SPLIT"
    return ImageData(images, labels, split, ids, f"{data.name}-{kind}-s{seed}", data.source, digest)


def _at_random(labels: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.model_selection import train_test_split

    index = np.arange(len(labels))
    train, rest = train_test_split(index, test_size=0.2, stratify=labels, random_state=seed)
    val, test = train_test_split(rest, test_size=0.5, stratify=labels[rest], random_state=seed)
    split = np.full(len(labels), "train", dtype="<U5")
    split[val], split[test] = "val", "test"
    return split


def _change(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random copy of each image, uint8 as given."""
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as change

    found = []
    for image in images:
        x = (
            torch.from_numpy(image.copy())[None]
            if image.ndim == 2
            else torch.from_numpy(image.copy()).permute(2, 0, 1)
        )
        if rng.random() < 0.5:
            x = x.flip(-1)
        x = change.affine(
            x,
            angle=float(rng.uniform(-15, 15)),
            translate=[0, 0],
            scale=float(rng.uniform(0.9, 1.1)),
            shear=[0.0, 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        x = (x.float() * float(rng.uniform(0.8, 1.2))).clamp(0, 255).round().to(torch.uint8)
        found.append(x[0].numpy() if image.ndim == 2 else x.permute(1, 2, 0).numpy())
    return np.stack(found)


PROTOCOLS = {
    "official": official,
    "grouped": grouped,
    "cross_validation": cross_validation,
    "random": random_split,
    "augmented": augmented,
}


def check_protocol(kind: str = "official", **options) -> None:
    """ValueError for an unknown protocol or option; the message names the known ones."""
    function = PROTOCOLS[choose("protocol", kind, PROTOCOLS)]
    known = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    for option in options:
        choose(f"option of protocol {kind!r}", option, known or ("none",))


def apply_protocol(data: ImageData, kind: str = "official", **options) -> ImageData:
    """A protocol by name, errors as in ``check_protocol``."""
    check_protocol(kind, **options)
    return PROTOCOLS[kind](data, **options)


def shuffle_labels(data: ImageData, seed: int = 0) -> ImageData:
    """Labels of training and validation permuted within their split; the test keeps the true ones. What is learned is then chance."""
    labels = data.labels.copy()
    for number, name in enumerate(("train", "val")):
        index = np.flatnonzero(data.split == name)
        labels[index] = labels[np.random.default_rng([seed, number]).permutation(index)]
    return replace(data, labels=labels, name=f"{data.name}-SHUFFLED-LABELS-s{seed}")
