"""Checks of the exercises in notebook 01."""

from __future__ import annotations

import numpy as np

from . import Verdict, number


def _polarity(answer, *, confusion) -> Verdict:
    c = confusion  # counted with raw labels: 1 = benign or normal
    raw = c["tp"] / (c["tp"] + c["fn"])
    truth = c["tn"] / (c["tn"] + c["fp"])
    return number(
        answer,
        truth,
        5e-4,
        f"{c['tn']} of {c['tn'] + c['fp']} malignant images were found; the neighbour reported {raw:.3f}",
        {
            raw: "that is the share of benign or normal images found: in the raw file malignant is 0",
            (c["tp"] + c["tn"])
            / sum(c.values()): "that is the accuracy: it does not care which class is called 1",
        },
    )


def _opposite(answer, *, pairs) -> Verdict:
    truth = int((pairs.opposite & pairs.across).sum())
    return number(
        answer,
        truth,
        0.1,
        f"{truth} pairs look the same, carry different labels and lie in different splits",
        {
            int(
                pairs.opposite.sum()
            ): "that counts pairs within one split too: use the column 'across'",
            int(
                pairs.across.sum()
            ): "that counts pairs with the same label too: use the column 'opposite'",
        },
    )


def _leak(answer, *, origin, part) -> Verdict:
    origin, part = np.asarray(origin), np.asarray(part)
    test, seen = origin[part == "test"], set(origin[part != "test"].tolist())
    truth = float(np.mean([o in seen for o in test]))
    return number(
        answer,
        truth,
        5e-4,
        f"{truth:.1%} of the 'test' images have a sibling outside the test part",
        {
            1 - truth: "that is the share without a sibling",
            100 * truth: "give a fraction between 0 and 1, not per cent",
        },
    )


CHECKS = {"01.polarity": _polarity, "01.opposite": _opposite, "01.leak": _leak}
