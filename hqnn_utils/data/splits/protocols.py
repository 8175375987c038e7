"""Ways to split (and to mis-split) a dataset, by name. The ids keep the place each example had.

Some of these are wrong on purpose: the leakage laboratory measures how much a wrong protocol adds.
"""

from __future__ import annotations

import inspect

import numpy as np

from hqnn_utils.data.datasets import Dataset, FeatureTable, ImageData
from hqnn_utils.data.options import RULES, check_folds, check_options
from hqnn_utils.data.splits.augmented import augmented
from hqnn_utils.data.splits.duplicates import duplicate_groups, need_images
from hqnn_utils.data.splits.leaks import leaking
from hqnn_utils.data.splits.parts import group_folds, parts_of_fold, stratified_parts
from hqnn_utils.data.splits.patients import resplit
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import a


def groups_of(data: Dataset, threshold: float = 0.95, pixels: int | None = None) -> np.ndarray:
    """Group number (N,) of each example: what must not be on two sides of a split.

    Where patients are known, the patient: all of a patient's images belong together, alike or not.
    For other images, near-duplicates with a correlation of ``threshold`` or more, and
    near-duplicates of those. In a table of features each row is a group of its own.

    ``pixels`` shrinks the images first, for comparing only. Large images hold detail, two frames of
    one lesion correlate less in it, and fewer near-duplicates reach the threshold: with
    ``pixels=28`` images of every size are grouped as those of 28 pixels are.
    """
    if hasattr(data, "patients"):
        return np.unique(data.patients, return_inverse=True)[1]
    if isinstance(data, FeatureTable):
        return np.arange(len(data))
    return duplicate_groups(data, threshold, pixels)


def official(data: Dataset) -> Dataset:
    """The split that the dataset came with."""
    return data


def grouped(data: ImageData, seed: int = 0, threshold: float = 0.95) -> ImageData:
    """A new split of about 70/10/20, stratified, with no group of near-duplicates on two sides.

    Of ten folds that keep groups together (see ``groups_of``), two are the test part and one is
    validation.
    """
    need_images(data, "keeping near-duplicates together")
    number = group_folds(data.labels, groups_of(data, threshold), 10, seed)
    part_of_fold = np.array(["test", "test", "val"] + ["train"] * 7)
    return data.with_split(part_of_fold[number], f"{data.name}-grouped{threshold:g}-s{seed}")


def cross_validation(
    data: Dataset,
    folds: int = 5,
    fold: int = 0,
    seed: int = 0,
    threshold: float = 0.95,
    pixels: int | None = None,
) -> Dataset:
    """One fold of a stratified cross-validation over all examples that keeps groups together.

    Fold ``fold`` is the test part, the next one validation, the rest training. Over all folds each
    example is tested exactly once. Another ``seed`` is another repetition. ``threshold`` and
    ``pixels`` as in ``groups_of``.
    """
    check_folds(folds, fold)
    number = group_folds(data.labels, groups_of(data, threshold, pixels), folds, seed)
    split = parts_of_fold(number, fold, folds)
    return data.with_split(split, f"{data.name}-cv{folds}.{fold}-s{seed}")


def inner(
    data: Dataset,
    folds: int = 5,
    fold: int = 0,
    seed: int = 0,
    threshold: float = 0.95,
    pixels: int | None = None,
) -> Dataset:
    """For choosing settings: a cross-validation *within* training and validation part.

    The test part is taken out before anything else happens: no choice can see it. Of the rest, fold
    ``fold`` is the test part, on which a setting is judged; otherwise as ``cross_validation``. The
    official validation part is small (78 images of BreastMNIST); repeated inner splits judge a
    setting on every image of both parts.
    """
    rest = data.take(data.split != "test")
    found = cross_validation(rest, folds, fold, seed, threshold, pixels)
    return found.with_split(found.split, f"{data.name}-inner{folds}.{fold}-s{seed}")


def random_split(data: Dataset, seed: int = 0) -> Dataset:
    """80/10/10 at random, stratified by class and blind to groups: what many notebooks do."""
    return data.with_split(stratified_parts(data.labels, seed), f"{data.name}-random-s{seed}")


def by_patient(data, seed: int = 0, fold: int | None = None, folds: int = 5):
    """One of ``folds`` by patient, see ``resplit``."""
    _need_patients(data, "by_patient")
    return resplit(data, "patient", seed, fold, folds)


def by_image(data, seed: int = 0, fold: int | None = None, folds: int = 5):
    """WRONG ON PURPOSE: one of ``folds`` by image, a patient may be on both sides."""
    _need_patients(data, "by_image")
    return resplit(data, "image", seed, fold, folds)


def _need_patients(data: Dataset, kind: str) -> None:
    if not hasattr(data, "patients"):
        raise ValueError(
            f"protocol {kind!r} needs a dataset with patients, such as breakhis; "
            f"{data.name} has none"
        )


PROTOCOLS = {
    "official": official,
    "grouped": grouped,
    "cross_validation": cross_validation,
    "inner": inner,
    "random": random_split,
    "augmented": augmented,
    "leaking": leaking,
    "by_patient": by_patient,
    "by_image": by_image,
}


def check_protocol(kind: str = "official", **options) -> None:
    """ValueError for an unknown protocol or option; the message names the known ones."""
    function = PROTOCOLS[choose("protocol", kind, PROTOCOLS)]
    known = list(inspect.signature(function).parameters)[1:]
    for option in options:
        choose(f"option of protocol {kind!r}", option, known or ("none",))
    check_options(options)


def apply_protocol(data: Dataset, kind: str = "official", **options) -> Dataset:
    """A protocol by name, errors as in ``check_protocol``."""
    check_protocol(kind, **options)
    return PROTOCOLS[kind](data, **options)


# A table of features is refused in words of its own.
checked(__name__, {"data": a(Dataset), "threshold": RULES["threshold"]})
