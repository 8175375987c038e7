"""Checks of the exercises in notebook 10."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import function, number
from hqnn_utils.exercises.values import plain

# ---------------------------------------------------------------- the rules, as a function

# Difference, 90 % interval and adjusted p-value of made-up comparisons.
COMPARISONS = [
    (0.004, -0.011, 0.018, 0.80),  # equivalent
    (0.031, -0.004, 0.066, 0.21),  # wide
    (-0.045, -0.060, -0.030, 0.01),  # significant, behind
    (0.028, 0.012, 0.044, 0.004),  # significant, ahead
    (0.009, 0.002, 0.016, 0.03),  # significant, ahead, and within two points
    (-0.008, -0.015, -0.001, 0.02),  # significant, behind, and within two points
    (0.001, -0.031, 0.033, 0.95),  # hardly a difference, and a wide interval
    (0.012, 0.004, 0.021, 0.09),  # zero is outside and so is one end
    (-0.024, -0.043, -0.005, 0.11),  # behind, not significant
    (0.003, -0.024, 0.019, 0.60),  # one end outside on the other side
    (0.050, -0.300, 0.400, 0.75),  # as wide as can be
]


def _as_words(answer):
    """The function with its word in small letters and without spaces around it."""

    def run(*arguments):
        said = answer(*arguments)
        return plain(said) if isinstance(said, str) else said

    return run


def _rule(p_decides=True, band="interval", behind="refuted", outside="undecided", margin=0.02):
    """A judge with a usual fault in it; without arguments it is the right one."""

    def judge(difference, low, high, p):
        if p_decides and p <= 0.05:
            return "supported" if difference > 0 else behind
        inside = {
            "interval": -margin < low and high < margin,
            "difference": abs(difference) < margin,
            "zero": low <= 0 <= high,
            "nothing": True,
            "never": False,
            "upper end": high < margin,
        }[band]
        return "refuted" if inside else outside

    return judge


def _by_sign(difference, low, high, p):
    return "supported" if difference > 0 else "refuted"


RULE_FAULTS = [
    (_by_sign, "the sign alone decides nothing: is the difference significant?"),
    (
        _rule(band="nothing"),
        "not significant is not refuted: look whether the interval lies inside two points",
    ),
    (
        _rule(band="never"),
        "an interval that lies inside two points either way is a finding, not undecided",
    ),
    (
        _rule(band="difference"),
        "the whole 90 % interval must lie inside two points, not the difference alone",
    ),
    (
        _rule(band="zero"),
        "that the interval holds zero is not enough: does it lie inside two points?",
    ),
    (_rule(band="upper end"), "the lower end must lie inside two points as well"),
    (
        _rule(behind="undecided"),
        "significant and behind is a finding too: A is not better than B",
    ),
    (_rule(p_decides=False), "a significant difference is judged by its sign first"),
    (_rule(margin=0.2), "two points are 0.02"),
]


def _rules(answer) -> Verdict:
    from hqnn_utils.evaluation.comparison import verdict

    right = "not significant and inside two points is a finding; not significant and wide is none"
    names = ("difference", "low90", "high90", "p")
    given = _as_words(answer) if callable(answer) else answer
    return function(given, verdict, COMPARISONS, right, RULE_FAULTS, names=names)


# ---------------------------------------------------------------- numbers


def _levels(answer, *, a, b, both_levels) -> Verdict:
    """``both_levels`` is the standard error over seeds and images, ``a`` and ``b`` are scores."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    spread, n = (a - b).std(ddof=1), len(a)
    error = spread / np.sqrt(n)
    unpaired = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    truth = both_levels / error
    wrong = [
        (1 / truth, "turned round: both levels over seeds alone"),
        (both_levels / spread, "that divides by the spread of single runs: take s / sqrt(n)"),
        (both_levels / unpaired, "the seeds are paired: take the differences first"),
        (
            both_levels / ((a - b).std() / np.sqrt(n)),
            "numpy's std divides by n: with ten differences take ddof=1",
        ),
        (truth**2, "that is the ratio of the variances: take the standard errors"),
        (error, "that is the error over seeds: by how much is the other one wider?"),
        (both_levels, "that is the error over both: divide it by the one over seeds"),
        (both_levels - error, "that is their difference: divide"),
        (both_levels / spread * n, "the error of a mean is s / sqrt(n), not s / n"),
    ]
    right = f"{truth:.1f} times: whoever resamples seeds only forgets the luck of the images"
    return number(answer, truth, right, wrong, tolerance=0.01 * truth)


def _images(answer, *, detectable, margin) -> Verdict:
    ratio = detectable / margin
    truth = 156 * ratio**2
    wrong = [
        (156 * ratio, "the error shrinks with the square root: square the ratio"),
        (ratio**2, "that is the factor: times 156 images"),
        (ratio, "that is how much smaller the error must become: how many images does that take?"),
        (156 / ratio**2, "turned round: smaller differences need more images"),
        (156 * np.sqrt(ratio), "the other way: the error is a square root, so square the ratio"),
        (truth - 156, "that is how many more: give the number in all"),
        (780 * ratio**2, "start from the 156 test images, not from all 780"),
    ]
    right = f"about {truth:,.0f} test images"
    return number(answer, truth, right, wrong, tolerance=0.02 * truth)


EXERCISES = {
    "10.rules": Exercise(
        _rules,
        "write",
        (
            "Read the rules of section 1 in their order: which question comes first?",
            "First the p-value. If it is above 0.05, the whole 90 % interval decides, not the "
            "difference.",
            "Two branches: for p at most 0.05 the sign chooses the word. Otherwise ask whether "
            "both ends lie within 0.02 of zero; only then is it equivalent.",
        ),
    ),
    "10.levels": Exercise(
        _levels,
        "read",
        (
            "Two standard errors, one divided by the other. One of them is in the cell already.",
            "Over seeds alone: the ten paired differences, their standard deviation, and the "
            "square root of their number.",
            "`both_levels` divided by the standard deviation of `a - b` (with `ddof=1`) over the "
            "square root of 10.",
        ),
    ),
    "10.images": Exercise(
        _images,
        "read",
        (
            "How does a standard error change when there are four times as many images?",
            "It halves. So ask by which factor the detectable difference must shrink, and square "
            "that factor.",
            "156 images, times the square of detectable difference over margin.",
        ),
    ),
}
