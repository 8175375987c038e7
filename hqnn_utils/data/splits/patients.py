"""Folds by patient, and, for the leakage laboratory only, by image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hqnn_utils.data.options import check_folds
from hqnn_utils.data.splits.parts import parts_of_fold
from hqnn_utils.runtime import DataError, choose
from hqnn_utils.runtime.arguments import checked

LEVELS = ("patient", "image")


def resplit(data, by: str = "patient", seed: int = 0, fold: int | None = None, folds: int = 5):
    """The same images in a new split; of five folds 60/20/20 for training, validation and test.

    Both kinds of split are stratified by class.

    Parameters
    ----------
    data : ``HistologyData``.
    by : ``"patient"`` keeps each patient's images together; ``"image"`` does not, and says so in
        name, banner and record.
    seed : another seed is another split.
    fold : which of the folds is the test part, ``None`` for the first; the next one is
        validation. Over all folds each image is tested exactly once.
    folds : number of folds, 3 or more.

    Raises
    ------
    ValueError : an unknown level, fewer than 3 folds, no such fold.
    DataError : fewer patients in a class than folds.
    """
    choose("split", by, LEVELS)
    test = 0 if fold is None else fold
    check_folds(folds, test)
    units = data.patients if by == "patient" else data.ids
    number = assign_folds(data.labels, units, folds, seed, by)
    how = "by-patient" if by == "patient" else "by-IMAGE-LEAKS"
    which = "" if fold is None else f"-fold{fold}of{folds}"
    original = data.name.split("-by-")[0]
    split = parts_of_fold(number, test, folds)
    return replace(data.with_split(split, f"{original}-{how}-s{seed}{which}"), level=by)


def assign_folds(
    labels: np.ndarray, groups: np.ndarray, folds: int, seed: int = 0, unit: str = "patient"
) -> np.ndarray:
    """Fold number (N,) of each image: no group in two folds, each class in every fold.

    Class by class, groups are dealt in random order, each to the fold that has the fewest images
    of this class so far, and among those to the one with the fewest images of all. So the folds'
    numbers of images of a class differ by no more than its largest group has. A group with both
    classes counts as malignant.

    scikit-learn's ``StratifiedGroupKFold`` (see ``parts.group_folds``) would do as well, and its
    folds are of more equal size; but the splits of BreakHis that were measured are these.

    Parameters
    ----------
    labels : (N,) 0 or 1.
    groups : (N,) what must stay together, e.g. the patient.
    folds, seed : how many folds, and which random order.
    unit : what a group is called in the error.

    Raises
    ------
    DataError : fewer groups in a class than folds.
    """
    rng = np.random.default_rng(seed)
    members, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    malignant = np.bincount(group, weights=labels) > 0
    fold_of = np.empty(len(members), int)
    images = np.zeros(folds, int)  # in each fold so far
    for is_malignant, name in ((True, "malignant"), (False, "benign")):
        mine = rng.permutation(np.flatnonzero(malignant == is_malignant))
        if len(mine) < folds:
            raise DataError(
                f"too few {unit}s: class {name} has {len(mine)}, and {folds} folds need {folds} or "
                "more. Use fewer folds=, magnification='all', or more of the archive"
            )
        images_of_class = np.zeros(folds, int)
        for one in mine:
            fewest = np.lexsort((images, images_of_class))[0]
            fold_of[one] = fewest
            images_of_class[fewest] += sizes[one]
            images[fewest] += sizes[one]
    return fold_of[group]


checked(__name__)
