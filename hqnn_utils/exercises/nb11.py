"""Checks of the exercises in notebook 11."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import function, number, together


def _chance(answer, *, masks) -> Verdict:
    masks = np.asarray(masks, bool)
    pixels = float(masks.sum(axis=(1, 2)).mean())
    size = masks[0].size
    truth = pixels / size
    wrong = [
        (0.5, "a map has hundreds of pixels, not two: chance is the lesion's share of the area"),
        (1 / size, "that is one pixel of the image: a lesion covers many"),
        (pixels, "that is the number of pixels: divide by the size of the image"),
        (1 - truth, "that is the chance of a miss"),
        (pixels / (size - pixels), "divide by all pixels, those of the lesion included"),
        (float(masks.any(axis=0).mean()), "these are the pixels that any lesion covers"),
        (1 / len(masks), "each lesion is one picture: what share of its pixels is lesion?"),
        (float(np.sqrt(truth)), "that is a length: take the area"),
    ]
    right = f"a map that knows nothing scores {truth:.3f} on these lesions"
    return number(answer, truth, right, wrong, share=True)


# ---------------------------------------------------------------- a near miss

PEAKS = ((5, 6), (6, 9), (8, 9), (5, 12), (0, 0), (2, 5), (11, 1))  # row, column
TOLERANCES = (0, 1, 2, 2.5, 3, 5, 7)


def _cases() -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Maps with one peak, an uneven lesion, and a tolerance."""
    mask = np.zeros((12, 14), bool)
    mask[4:7, 5:8] = True
    mask[6, 4] = True
    cases = []
    for peak in PEAKS:
        found = np.full(mask.shape, -0.25)
        found[peak] = 1.0
        cases += [(found, mask, tolerance) for tolerance in TOLERANCES]
    return cases


def _steps(found, mask) -> np.ndarray:
    """Rows and columns from the peak to each pixel of the lesion, (pixels, 2)."""
    peak = np.unravel_index(np.argmax(found), found.shape)
    return np.abs(np.argwhere(mask) - peak)


def _straight(steps: np.ndarray) -> float:
    return float(np.hypot(*steps.T).min())


def _near(found, mask, tolerance) -> bool:
    return bool(_straight(_steps(found, mask)) <= tolerance + 1e-9)


def _to_the_centre(found, mask, tolerance) -> bool:
    peak = np.unravel_index(np.argmax(found), found.shape)
    return bool(np.hypot(*(np.argwhere(mask).mean(axis=0) - peak)) <= tolerance)


def _nearest_peak_of_the_lesion(found, mask, tolerance) -> bool:
    return bool(found[mask].max() >= found.max() - tolerance)


NEAR_FAULTS = [
    (
        lambda found, mask, tolerance: bool(mask[np.unravel_index(found.argmax(), found.shape)]),
        "the tolerance has no effect yet: how far is the nearest pixel of the lesion?",
    ),
    (
        lambda found, mask, tolerance: bool(
            _steps(found, mask).sum(axis=1).min() <= tolerance + 1e-9
        ),
        "nearly: measure the straight distance between pixels (Euclidean), "
        "not along rows and columns",
    ),
    (
        lambda found, mask, tolerance: bool(
            _steps(found, mask).max(axis=1).min() <= tolerance + 1e-9
        ),
        "nearly: measure the straight distance between pixels (Euclidean), "
        "not the larger of rows and columns",
    ),
    (lambda *case: not _near(*case), "turned round: near is a hit, far is none"),
    (
        lambda found, mask, tolerance: _straight(_steps(found, mask)) < tolerance,
        "at most the tolerance: a distance equal to it counts, and 0 is a hit",
    ),
    (_to_the_centre, "to the nearest pixel of the lesion, not to its centre"),
    (
        lambda found, mask, tolerance: _near(-found, mask, tolerance),
        "the peak is the highest value, not the lowest",
    ),
    (
        lambda found, mask, tolerance: _near(found, ~mask, tolerance),
        "that is the distance to the nearest pixel outside of the lesion: invert the mask",
    ),
    (_nearest_peak_of_the_lesion, "the tolerance is a distance in pixels, not in the map's values"),
    (
        lambda found, mask, tolerance: _straight(_steps(found, mask)),
        "that is the distance: compare it with the tolerance",
    ),
    (lambda *case: True, "a peak far from the lesion is no hit"),
]


def _tolerance(answer) -> Verdict:
    """The answer is a function (map, mask, tolerance) -> bool, tried on maps with one peak."""
    right = "a peak beside the lesion counts if the nearest lesion pixel is near enough"
    names = ("map", "mask", "tolerance")
    return function(answer, _near, _cases(), right, NEAR_FAULTS, names=names)


# ---------------------------------------------------------------- one qubit alone


def _alone(answer, *, outputs, labels, train_outputs, head) -> Verdict:
    """The qubit with the highest AUC when the others are replaced by their training means."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return Verdict(False, "expected two numbers: (qubit, its AUC alone)")
    alone, without, whole = _aucs(outputs, labels, train_outputs, head)
    chosen = _qubit(answer[0], alone)
    if not chosen:
        return chosen
    best = alone[int(float(answer[0]))]
    wrong = [
        (1 - best, "turned round: the class is malignant where logits[..., 1] is the larger one"),
        (whole, "that is the AUC of all four: replace the other three by their means"),
        *((auc, "that is the AUC without a qubit: replace the three others") for auc in without),
        *((auc, "that is another qubit's AUC") for auc in alone if auc != best),
        (whole - best, "that is what is lost: give the AUC that is left"),
    ]
    right = f"qubit {answer[0]} alone has an AUC of {best:.3f}; all four have {whole:.3f}"
    return together([number(answer[1], best, right, wrong, tolerance=5e-4)], right)


def _aucs(outputs, labels, train_outputs, head) -> tuple[list[float], list[float], float]:
    """AUC of each qubit alone, of the three others, and of all."""
    import torch
    from sklearn.metrics import roc_auc_score

    outputs, mean = torch.as_tensor(outputs), torch.as_tensor(train_outputs).mean(dim=0)

    def auc(kept: list[int]) -> float:
        variant = mean.expand_as(outputs).clone()
        variant[:, kept] = outputs[:, kept]
        with torch.no_grad():
            logits = head(variant.float())
        return float(roc_auc_score(labels, logits[:, 1] - logits[:, 0]))

    qubits = list(range(outputs.shape[1]))
    alone = [auc([qubit]) for qubit in qubits]
    without = [auc([other for other in qubits if other != qubit]) for qubit in qubits]
    return alone, without, auc(qubits)


def _qubit(answer, alone: list[float]) -> Verdict:
    """Whether the qubit is one with the highest AUC."""
    best, last = int(np.argmax(alone)), len(alone) - 1
    found = number(answer, best, "", whole=True)
    if found or found.ok is None:
        return found
    ties = [q for q, auc in enumerate(alone) if auc >= max(alone) - 1e-9]
    if any(number(answer, q, "", whole=True) for q in ties):
        return Verdict(True, "")
    worst = int(np.argmin(alone))
    words = [
        (worst, "that is the worst one alone: take the highest AUC, not the lowest"),
        (best + 1, "qubits are counted from 0"),
        *((q, "another qubit has a higher AUC alone") for q in range(last + 1)),
    ]
    said = number(answer, best, "", words, whole=True)
    known = any(number(answer, q, "", whole=True) for q, _ in words)
    return said if known else Verdict(False, f"expected the number of a qubit, 0 to {last}")


EXERCISES = {
    "11.chance": Exercise(
        _chance,
        "read",
        (
            "If any pixel may be the highest, how likely is one inside the lesion?",
            "For one picture: pixels of the lesion over pixels of the image. Then the mean over "
            "the lesions.",
            "`lesions.masks` holds True and False; the mean of such an array is the share of True.",
        ),
    ),
    "11.tolerance": Exercise(
        _tolerance,
        "write",
        (
            "Where is the peak, and how far is it to the nearest pixel of the lesion?",
            "`numpy.unravel_index` turns `argmax` into row and column; `numpy.argwhere(mask)` "
            "lists the lesion's pixels.",
            "Take the smallest straight distance (`numpy.hypot`) from the peak to those pixels, "
            "and compare it with the tolerance: equal counts. "
            "`scipy.ndimage.distance_transform_edt` knows all these distances too.",
        ),
    ),
    "11.alone": Exercise(
        _alone,
        "read",
        (
            "`ablate` above replaces one output. Here it is the other way round.",
            "Start from four copies of `mean`, one for each qubit, and put one column of "
            "`outputs` back into each.",
            "Send each variant through `head`, take `logits[..., 1] - logits[..., 0]` and its "
            "AUC. Give the place of the largest and the AUC itself, as a pair.",
        ),
    ),
}
