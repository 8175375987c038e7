"""Checks of the exercises in notebook 10."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number

WORDS = {"supported", "refuted", "undecided"}


def _rules(answer, *, cases) -> Verdict:
    """Each case is (difference, low, high, p), with a 90 % interval."""
    from hqnn_utils.evaluation.comparison import verdict

    try:
        words = [str(word).strip().lower() for word in answer]
    except TypeError:
        return Verdict(False, f"expected a list of {len(cases)} words, got {type(answer).__name__}")
    if len(words) != len(cases) or not set(words) <= WORDS:
        return Verdict(False, f"give {len(cases)} words, each supported, refuted or undecided")
    for position, (word, case) in enumerate(zip(words, cases, strict=True), start=1):
        truth = verdict(*case)
        if word != truth:
            return Verdict(False, f"case {position}: {_why(case, truth)}")
    return Verdict(
        True, "not significant and inside two points is a finding; not significant and wide is none"
    )


def _why(case, truth: str) -> str:
    _, low, high, p = case
    if p <= 0.05:
        return "it is significant, so only the sign of the difference decides"
    inside = "inside" if truth == "refuted" else "not inside"
    return (
        f"not significant; its 90 % interval, {low:+.3f} to {high:+.3f}, "
        f"is {inside} two points either way"
    )


def _levels(answer, *, a, b, both_levels) -> Verdict:
    """``both_levels`` is the standard error over seeds and images, ``a`` and ``b`` are scores."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    spread, n = (a - b).std(ddof=1), len(a)
    error = spread / np.sqrt(n)
    unpaired = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    truth = both_levels / error
    hints = {
        1 / truth: "turned round: both levels over seeds alone",
        both_levels / spread: "that divides by the spread of single runs: take s / sqrt(n)",
        both_levels / unpaired: "the seeds are paired: take the differences first",
    }
    right = f"{truth:.1f} times: whoever resamples seeds only forgets the luck of the images"
    return number(answer, truth, right, hints.items(), tolerance=0.01 * truth)


def _images(answer, *, detectable, margin) -> Verdict:
    ratio = detectable / margin
    truth = 156 * ratio**2
    hints = {
        156 * ratio: "the error shrinks with the square root: square the ratio",
        ratio**2: "that is the factor: times 156 images",
    }
    return number(
        answer, truth, f"about {truth:,.0f} test images", hints.items(), tolerance=0.02 * truth
    )


EXERCISES = {
    "10.rules": Exercise(_rules, "read"),
    "10.levels": Exercise(_levels, "read"),
    "10.images": Exercise(_images, "read"),
}
