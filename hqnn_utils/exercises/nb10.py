"""Checks of the exercises in notebook 10."""

from __future__ import annotations

import numpy as np

from . import Verdict, number


def _rules(answer, *, cases) -> Verdict:
    from hqnn_utils.evaluation.comparison import verdict

    truth = [verdict(*case) for case in cases]
    try:
        words = [str(word).strip().lower() for word in answer]
    except TypeError:
        return Verdict(False, f"expected a list of {len(cases)} words, got {type(answer).__name__}")
    if len(words) != len(truth) or not set(words) <= {"supported", "refuted", "undecided"}:
        return Verdict(False, f"give {len(truth)} words, each supported, refuted or undecided")
    for number_, (word, right, (difference, low, high, p)) in enumerate(
        zip(words, truth, cases), start=1
    ):
        if word == right:
            continue
        if p <= 0.05:
            return Verdict(
                False,
                f"case {number_}: it is significant, so only the sign of the difference decides",
            )
        inside = "inside" if right == "refuted" else "not inside"
        return Verdict(
            False,
            f"case {number_}: not significant; its 90 % interval, {low:+.3f} to {high:+.3f}, is {inside} two points either way",
        )
    return Verdict(
        True, "not significant and inside two points is a finding; not significant and wide is none"
    )


def _levels(answer, *, a, b, both_levels) -> Verdict:
    gap = np.asarray(a, float) - np.asarray(b, float)
    seeds = gap.std(ddof=1) / np.sqrt(len(gap))
    unpaired = np.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / len(gap))
    truth = both_levels / seeds
    return number(
        answer,
        truth,
        0.01 * truth,
        f"{truth:.1f} times: whoever resamples seeds only forgets the luck of the images",
        {
            1 / truth: "turned round: both levels over seeds alone",
            both_levels
            / gap.std(ddof=1): "that divides by the spread of single runs: take s / sqrt(n)",
            both_levels / unpaired: "the seeds are paired: take the differences first",
        },
    )


def _images(answer, *, detectable, margin) -> Verdict:
    truth = 156 * (detectable / margin) ** 2
    return number(
        answer,
        truth,
        0.02 * truth,
        f"about {truth:,.0f} test images",
        {
            156 * detectable / margin: "the error shrinks with the square root: square the ratio",
            (detectable / margin) ** 2: "that is the factor: times 156 images",
        },
    )


CHECKS = {"10.rules": _rules, "10.levels": _levels, "10.images": _images}
