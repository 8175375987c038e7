"""Checks of the exercises in notebook 11."""

from __future__ import annotations

import numpy as np

from . import Verdict, number


def _chance(answer, *, masks) -> Verdict:
    masks = np.asarray(masks, bool)
    share = masks.mean(axis=(1, 2))
    truth = float(share.mean())
    return number(
        answer,
        truth,
        5e-4,
        f"a map that knows nothing scores {truth:.3f} on these lesions",
        {
            0.5: "a map has hundreds of pixels, not two: chance is the lesion's share of the area",
            1 / masks[0].size: "that is one pixel of the image: a lesion covers many",
            float(
                masks.sum(axis=(1, 2)).mean()
            ): "that is the number of pixels: divide by the size of the image",
            100 * truth: "give a fraction between 0 and 1, not per cent",
        },
    )


def _tolerance(answer) -> Verdict:
    """Exercise 11.tolerance: a function (map, mask, tolerance) -> bool, tried on maps with one peak at a known distance."""
    if not callable(answer):
        return Verdict(False, f"expected a function, got {type(answer).__name__}")
    mask = np.zeros((12, 14), bool)
    mask[4:7, 5:8] = True
    cases = []  # row, column, tolerance, truth
    for row, column, distance in (
        (5, 6, 0.0),
        (6, 9, 2.0),
        (8, 9, 8**0.5),
        (5, 12, 5.0),
        (0, 0, 41**0.5),
    ):
        cases += [
            (row, column, tolerance, distance <= tolerance) for tolerance in (0, 1, 2, 2.5, 3, 5, 7)
        ]
    found = []
    for row, column, tolerance, _ in cases:
        peak = np.zeros(mask.shape)
        peak[row, column] = 1
        try:
            found.append(bool(answer(peak, mask, tolerance)))
        except Exception as error:
            return Verdict(
                False,
                f"calling it with a map, a mask and a tolerance failed: {type(error).__name__}: {error}",
            )
    truth = [c[3] for c in cases]
    if found == truth:
        return Verdict(
            True, "a peak beside the lesion counts if the nearest lesion pixel is near enough"
        )
    if found == [bool(mask[c[0], c[1]]) for c in cases]:
        return Verdict(
            False, "the tolerance has no effect yet: how far is the nearest pixel of the lesion?"
        )
    rows, columns = np.nonzero(mask)
    square = [bool(np.maximum(abs(rows - r), abs(columns - c)).min() <= t) for r, c, t, _ in cases]
    blocks = [bool((abs(rows - r) + abs(columns - c)).min() <= t) for r, c, t, _ in cases]
    if found in (square, blocks):
        return Verdict(
            False,
            "nearly: measure the straight distance between pixels (Euclidean), not along rows and columns",
        )
    if found == [not t for t in truth]:
        return Verdict(False, "turned round: near is a hit, far is none")
    return Verdict(
        False,
        "try a map whose peak lies two pixels beside the lesion: with tolerance 1 it misses, with 2 it hits",
    )


def _alone(answer, *, outputs, labels, train_outputs, head) -> Verdict:
    """Exercise 11.alone: the qubit that keeps the highest AUC when the three others are replaced by their training means."""
    import torch

    from hqnn_utils.evaluation.metrics import rank_auc

    outputs, mean = torch.as_tensor(outputs), torch.as_tensor(train_outputs).mean(dim=0)
    n = outputs.shape[1]
    variants = mean.expand(n, len(outputs), n).clone()
    for qubit in range(n):
        variants[qubit, :, qubit] = outputs[:, qubit]
    with torch.no_grad():
        logits = head(variants.float())
    score = (logits[..., 1] - logits[..., 0]).numpy()
    auc = rank_auc(np.broadcast_to(np.asarray(labels), score.shape), score)
    if (
        isinstance(answer, (bool, np.bool_))
        or not isinstance(answer, (int, np.integer))
        or not 0 <= answer < n
    ):
        return Verdict(False, f"expected the number of a qubit, 0 to {n - 1}")
    if auc[answer] >= auc.max() - 1e-9:
        return Verdict(True, f"qubit {answer} alone has an AUC of {auc[answer]:.3f}")
    if answer == int(np.argmin(auc)):
        return Verdict(False, "that is the worst one alone: take the highest AUC, not the lowest")
    return Verdict(
        False, f"qubit {answer} alone has an AUC of {auc[answer]:.3f}; another one has more"
    )


CHECKS = {"11.chance": _chance, "11.tolerance": _tolerance, "11.alone": _alone}
