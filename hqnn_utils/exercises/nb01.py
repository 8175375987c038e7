"""Checks of the exercises in notebook 01."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _polarity(answer, *, confusion) -> Verdict:
    """The counts were made with raw labels, where 1 = benign or normal: true means benign."""
    tn, fp, fn, tp = (confusion[key] for key in ("tn", "fp", "fn", "tp"))
    benign_found, malignant_found = tp / (tp + fn), tn / (tn + fp)
    accuracy = (tp + tn) / (tn + fp + fn + tp)
    hints = {
        benign_found: "that is the share of benign or normal images found: "
        "in the raw file malignant is 0",
        accuracy: "that is the accuracy: it does not care which class is called 1",
    }
    right = (
        f"{tn} of {tn + fp} malignant images were found; the neighbour reported {benign_found:.3f}"
    )
    return number(answer, malignant_found, right, hints.items(), tolerance=5e-4)


def _opposite(answer, *, pairs) -> Verdict:
    truth = int((pairs.opposite & pairs.across).sum())
    all_opposite, all_across = int(pairs.opposite.sum()), int(pairs.across.sum())
    hints = {
        all_opposite: "that counts pairs within one split too: use the column 'across'",
        all_across: "that counts pairs with the same label too: use the column 'opposite'",
    }
    right = f"{truth} pairs look the same, carry different labels and lie in different splits"
    return number(answer, truth, right, hints.items(), whole=True)


def _leak(answer, *, origin, part) -> Verdict:
    origin, part = np.asarray(origin), np.asarray(part)
    in_test = part == "test"
    truth = float(np.isin(origin[in_test], origin[~in_test]).mean())
    hints = {
        1 - truth: "that is the share without a sibling",
        100 * truth: "give a fraction between 0 and 1, not per cent",
    }
    right = f"{truth:.1%} of the 'test' images have a sibling outside the test part"
    return number(answer, truth, right, hints.items(), tolerance=5e-4)


EXERCISES = {
    "01.polarity": Exercise(_polarity, "read"),
    "01.opposite": Exercise(_opposite, "read"),
    "01.leak": Exercise(_leak, "read"),
}
