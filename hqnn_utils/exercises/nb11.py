"""Checks of the exercises in notebook 11."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _chance(answer, *, masks) -> Verdict:
    masks = np.asarray(masks, bool)
    truth = float(masks.mean(axis=(1, 2)).mean())
    one_pixel = 1 / masks[0].size
    pixels = float(masks.sum(axis=(1, 2)).mean())
    hints = {
        0.5: "a map has hundreds of pixels, not two: chance is the lesion's share of the area",
        one_pixel: "that is one pixel of the image: a lesion covers many",
        pixels: "that is the number of pixels: divide by the size of the image",
        100 * truth: "give a fraction between 0 and 1, not per cent",
    }
    right = f"a map that knows nothing scores {truth:.3f} on these lesions"
    return number(answer, truth, right, hints.items(), tolerance=5e-4)


PEAKS = ((5, 6), (6, 9), (8, 9), (5, 12), (0, 0))  # row and column of the highest point
TOLERANCES = (0, 1, 2, 2.5, 3, 5, 7)


def _tolerance(answer) -> Verdict:
    """The answer is a function (map, mask, tolerance) -> bool, tried on maps with one peak."""
    if not callable(answer):
        return Verdict(False, f"expected a function, got {type(answer).__name__}")
    mask = np.zeros((12, 14), bool)
    mask[4:7, 5:8] = True
    try:
        found = [bool(answer(_one_peak(mask, peak), mask, t)) for peak in PEAKS for t in TOLERANCES]
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Verdict(False, f"calling it with a map, a mask and a tolerance failed: {reason}")
    straight, along_rows_and_columns, larger_of_both = _hits_by_distance(mask)
    if found == straight:
        return Verdict(
            True, "a peak beside the lesion counts if the nearest lesion pixel is near enough"
        )
    if found == [bool(mask[peak]) for peak in PEAKS for _ in TOLERANCES]:
        return Verdict(
            False, "the tolerance has no effect yet: how far is the nearest pixel of the lesion?"
        )
    if found in (along_rows_and_columns, larger_of_both):
        return Verdict(
            False,
            "nearly: measure the straight distance between pixels (Euclidean), "
            "not along rows and columns",
        )
    if found == [not hit for hit in straight]:
        return Verdict(False, "turned round: near is a hit, far is none")
    return Verdict(
        False,
        "try a map whose peak lies two pixels beside the lesion: "
        "with tolerance 1 it misses, with 2 it hits",
    )


def _one_peak(mask: np.ndarray, peak: tuple[int, int]) -> np.ndarray:
    values = np.zeros(mask.shape)
    values[peak] = 1
    return values


def _hits_by_distance(mask: np.ndarray) -> tuple[list[bool], list[bool], list[bool]]:
    """Hits for each peak and tolerance: straight distance, along rows and columns, larger one."""
    lesion = np.argwhere(mask)
    straight, taxi, larger = [], [], []
    for peak in PEAKS:
        step = np.abs(lesion - peak)
        for tolerance in TOLERANCES:
            straight.append(bool(np.hypot(*step.T).min() <= tolerance))
            taxi.append(bool(step.sum(axis=1).min() <= tolerance))
            larger.append(bool(step.max(axis=1).min() <= tolerance))
    return straight, taxi, larger


def _alone(answer, *, outputs, labels, train_outputs, head) -> Verdict:
    """The qubit with the highest AUC when the others are replaced by their training means."""
    import torch
    from sklearn.metrics import roc_auc_score

    outputs, mean = torch.as_tensor(outputs), torch.as_tensor(train_outputs).mean(dim=0)
    n_qubits = outputs.shape[1]
    auc = []
    for qubit in range(n_qubits):
        alone = mean.expand_as(outputs).clone()
        alone[:, qubit] = outputs[:, qubit]
        with torch.no_grad():
            logits = head(alone.float())
        auc.append(roc_auc_score(labels, logits[:, 1] - logits[:, 0]))
    is_whole = isinstance(answer, (int, np.integer)) and not isinstance(answer, bool)
    if not is_whole or not 0 <= answer < n_qubits:
        return Verdict(False, f"expected the number of a qubit, 0 to {n_qubits - 1}")
    if auc[answer] >= max(auc) - 1e-9:
        return Verdict(True, f"qubit {answer} alone has an AUC of {auc[answer]:.3f}")
    if answer == int(np.argmin(auc)):
        return Verdict(False, "that is the worst one alone: take the highest AUC, not the lowest")
    return Verdict(
        False, f"qubit {answer} alone has an AUC of {auc[answer]:.3f}; another one has more"
    )


EXERCISES = {
    "11.chance": Exercise(_chance, "read"),
    "11.tolerance": Exercise(_tolerance, "read"),
    "11.alone": Exercise(_alone, "read"),
}
