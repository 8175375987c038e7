"""What every split is made of: parts drawn at random, folds, and the parts of one fold."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from hqnn_utils.runtime.arguments import checked


def stratified_parts(
    labels: np.ndarray, seed: int, val: float = 0.1, test: float = 0.1
) -> np.ndarray:
    """A split (N,) of "train", "val", "test" at random, stratified by class.

    ``val`` and ``test`` are shares of all examples, rounded up as scikit-learn does; its
    ``train_test_split``, twice.
    """
    from sklearn.model_selection import train_test_split

    index = np.arange(len(labels))
    n_rest = _rounded_up((val + test) * len(labels))
    _, rest = train_test_split(index, test_size=n_rest, stratify=labels, random_state=seed)
    n_test = _rounded_up(n_rest * test / (val + test))
    in_val, in_test = train_test_split(
        rest, test_size=n_test, stratify=labels[rest], random_state=seed
    )
    return _named(len(labels), in_val, in_test)


def group_folds(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold number (N,) of each example, about stratified by class, each group in one fold.

    scikit-learn's ``StratifiedGroupKFold``. The answer is kept: every fold of a repetition asks
    for the same one.
    """
    found = _group_folds(tuple(np.asarray(labels)), tuple(np.asarray(groups)), folds, seed)
    return found.copy()


@lru_cache(maxsize=16)
def _group_folds(labels: tuple, groups: tuple, folds: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.utils import check_random_state

    labels, groups = np.array(labels), np.unique(np.array(groups), return_inverse=True)[1]
    # Shuffled here: up to 1.7 scikit-learn's own shuffling mixes up which group has which labels,
    # so that folds are not stratified. From 1.8 on this is what shuffle=True does.
    place = np.argsort(check_random_state(seed).permutation(groups.max() + 1))
    splitter = StratifiedGroupKFold(n_splits=folds)
    number = np.empty(len(labels), int)
    for fold, (_, members) in enumerate(splitter.split(labels, labels, place[groups])):
        number[members] = fold
    return number


def parts_of_fold(number: np.ndarray, fold: int, folds: int) -> np.ndarray:
    """A split (N,) from fold numbers (N,): ``fold`` is the test part, the next one validation."""
    return _named(len(number), number == (fold + 1) % folds, number == fold)


def _rounded_up(number: float) -> int:
    """The next whole number; 60.000000000000007, which 200 * (0.1 + 0.2) gives, is 60."""
    return math.ceil(number - 1e-9)


def _named(n: int, val: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(n,) of "train", "val", "test"; ``val`` and ``test`` are masks or positions."""
    split = np.full(n, "train", dtype="<U5")
    split[val] = "val"
    split[test] = "test"
    return split


checked(__name__)
