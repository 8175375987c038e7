"""Checks of the exercises in notebook 10."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import OPEN_MESSAGE, Exercise, Verdict
from hqnn_utils.exercises.grading import argument, choice, function, number, together
from hqnn_utils.exercises.values import plain

# ---------------------------------------------------------------- one resample of the bootstrap


def _auc(y, p) -> float:
    """The share of pairs in the right order, a tie counts one half."""
    malignant, other = p[y == 1][:, None], p[y == 0][None, :]
    return float(((malignant > other) + 0.5 * (malignant == other)).mean())


def resampled_gap(y, p_a, p_b, seeds, images) -> float:
    """AUC of a minus AUC of b on the drawn images, mean over the drawn seeds."""
    gaps = [_auc(y[images], p_a[s, images]) - _auc(y[images], p_b[s, images]) for s in seeds]
    return float(np.mean(gaps))


def _drawings(n: int = 4) -> list[tuple]:
    """Made-up predictions of three seeds for twelve images, and drawn seeds and images."""
    rng = np.random.default_rng(10)
    y = np.array([1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1])
    found = []
    for _ in range(n):
        p_a, p_b = (rng.normal(size=(3, 12)) + lift * y for lift in (1.2, 0.4))
        images = np.concatenate(
            [rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in (0, 1)]
        )
        found.append((y, p_a, p_b, np.array([2, 0, 2]), images))
    return found


def _accuracy_gap(y, p_a, p_b, seeds, images) -> float:
    right = [((p[np.ix_(seeds, images)] >= 0.5) == (y[images] == 1)).mean() for p in (p_a, p_b)]
    return float(right[0] - right[1])


def _averaged_first(y, p_a, p_b, seeds, images) -> float:
    a, b = (p[np.ix_(seeds, images)].mean(0) for p in (p_a, p_b))
    return _auc(y[images], a) - _auc(y[images], b)


def _labels_left(y, p_a, p_b, seeds, images) -> float:
    gaps = [_auc(y, p_a[s, images]) - _auc(y, p_b[s, images]) for s in seeds]
    return float(np.mean(gaps))


RESAMPLED_FAULTS = [
    (lambda *c: -resampled_gap(*c), "turned round: it is a minus b"),
    (
        lambda y, a, b, s, i: resampled_gap(y, a, b, range(len(a)), i),
        "it takes every seed once: take the drawn ones, some of them twice",
    ),
    (
        lambda y, a, b, s, i: resampled_gap(y, a, b, s, np.arange(len(y))),
        "it takes every image once: take the drawn ones",
    ),
    (
        lambda y, a, b, s, i: resampled_gap(y, a, b, [s[0]], i),
        "it uses the first drawn seed only: average over all that were drawn",
    ),
    (
        lambda *c: len(c[3]) * resampled_gap(*c),
        "that is a sum over the seeds: take their mean",
    ),
    (
        _averaged_first,
        "it averages the probabilities of the seeds first, which makes a better model out of "
        "several: average the AUCs",
    ),
    (_labels_left, "the labels must be drawn with their images: y[images]"),
    (_accuracy_gap, "that is accuracy at 0.5: the endpoint is the AUC"),
]


def _resampled(answer) -> Verdict:
    return function(
        answer,
        resampled_gap,
        _drawings(),
        "the same drawn images for both models, one AUC a drawn seed, and their mean difference",
        RESAMPLED_FAULTS,
        names=("y", "p_a", "p_b", "seeds", "images"),
    )


# ---------------------------------------------------------------- the corrected resampled t-test


def corrected_error(gaps, test_to_train) -> float:
    """Standard error of a mean over folds that share training images (Nadeau and Bengio)."""
    gaps = np.asarray(gaps, float)
    return float(np.sqrt(gaps.var(ddof=1) * (1 / len(gaps) + test_to_train)))


CORRECTED_FAULTS = [
    (
        lambda g, r: np.std(g, ddof=1) / np.sqrt(len(g)),
        "that is the ordinary error: the folds share training images, add test_to_train",
    ),
    (
        lambda g, r: np.std(g) * np.sqrt(1 / len(g) + r),
        "numpy's std divides by n: take ddof=1",
    ),
    (lambda g, r: corrected_error(g, r) ** 2, "that is the variance: take its square root"),
    (
        lambda g, r: np.var(g, ddof=1) * np.sqrt(1 / len(g) + r),
        "the variance outside the root is the spread squared: take the standard deviation",
    ),
    (
        lambda g, r: corrected_error(g, 1 / r),
        "turned round: test images over training images, as it is given",
    ),
    (
        lambda g, r: np.std(g, ddof=1) * (1 / np.sqrt(len(g)) + np.sqrt(r)),
        "add 1/n and the ratio first, then take one root of the sum",
    ),
]


def _corrected(answer) -> Verdict:
    inputs = [
        ([0.03, 0.01, -0.02, 0.04], 0.25),
        ([0.1, 0.0, 0.05, 0.02, 0.03, 0.01], 1 / 3),
        ([-0.01, 0.02, 0.0], 0.5),
    ]
    return function(
        answer,
        corrected_error,
        inputs,
        "with many folds 1/n vanishes and the ratio stays: the error does not go to zero",
        CORRECTED_FAULTS,
        names=("gaps", "test_to_train"),
    )


# ---------------------------------------------------------------- the rules, as a function

# Lower and upper one-sided bound, and p after Holm, of made-up comparisons.
COMPARISONS = [
    (-0.011, 0.018, 0.80),  # equivalent
    (-0.004, 0.066, 0.21),  # wide
    (-0.060, -0.030, 1.00),  # behind
    (0.012, 0.044, 0.004),  # ahead
    (0.002, 0.016, 0.03),  # ahead, and within two points
    (-0.015, -0.001, 1.00),  # behind, and within two points
    (-0.031, 0.019, 0.95),  # two points excluded, equivalence not shown
    (-0.031, 0.033, 0.95),  # hardly a difference, and wide
    (0.004, 0.041, 0.06),  # above zero on its own, not after Holm
    (0.021, 0.060, 0.001),  # ahead by more than two points
    (-0.020, 0.010, 0.70),  # the margin itself is not inside
    (-0.050, 0.020, 0.90),  # nor excluded
    (-0.300, 0.400, 0.75),  # as wide as can be
]
SHORT = {
    "equivalent": "equivalent within two points",
    "excluded": "at least two points excluded",
}
SUPPORTED, UNDECIDED = "supported", "undecided"
EQUIVALENT, EXCLUDED = SHORT.values()


def _rule(order="equivalent excluded supported", margin=0.02, ahead="holm", inside="both"):
    """A judge; the arguments give it a usual fault, without them it is the right one."""

    def judge(lower, upper, p_holm):
        holds = {
            "equivalent": {
                "both": -margin < lower and upper < margin,
                "zero": lower <= 0 <= upper,
                "upper": upper < margin,
            }[inside],
            "excluded": upper < margin,
            "supported": {
                "holm": p_holm <= 0.05,
                "lower": lower > 0,
                "margin": lower > margin,
            }[ahead],
        }
        for name in order.split():
            if holds[name]:
                return SHORT.get(name, name)
        return UNDECIDED

    return judge


RULE_FAULTS = [
    (
        _rule("supported equivalent excluded"),
        "equivalence is asked first: a tiny gain, however significant, is within two points",
    ),
    (
        _rule("excluded equivalent supported"),
        "excluded is asked before equivalent: then nothing can ever be called equivalent",
    ),
    (
        _rule("equivalent supported"),
        "an upper bound below two points is a finding: at least two points are excluded",
    ),
    (
        _rule("excluded supported"),
        "both bounds inside two points is more than excluded: it is equivalent",
    ),
    (
        _rule(inside="zero"),
        "that the bounds lie on both sides of zero is not enough: do they lie inside two points?",
    ),
    (_rule(inside="upper"), "the lower bound must lie inside two points as well"),
    (
        _rule(ahead="lower"),
        "a lower bound above zero forgets that nine questions were asked: take the p after Holm",
    ),
    (
        _rule(ahead="margin"),
        "supported asks whether a is better at all, after Holm, not whether two points are sure",
    ),
    (_rule(margin=0.2), "two points are 0.02"),
]


def _rules(answer) -> Verdict:
    names = ("lower", "upper", "p_holm")
    right = "four words, and each says what the bounds allow"
    given = _as_words(answer) if callable(answer) else answer
    return function(given, _rule(), COMPARISONS, right, RULE_FAULTS, names=names)


def _as_words(answer):
    """The function with its word in small letters, short forms spelled out."""

    def run(*arguments):
        said = answer(*arguments)
        return SHORT.get(plain(said), plain(said)) if isinstance(said, str) else said

    return run


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


def _siblings(answer, *, ids, split) -> Verdict:
    """``ids`` like ``orig_<id>`` and ``aug7_<id>``; ``split`` the part of each image."""
    original = np.array([name.split("_", 1)[1] for name in ids])
    is_test, is_train, is_copy = (
        split == "test",
        split == "train",
        np.array([name.startswith("aug") for name in ids]),
    )
    known = np.isin(original, original[is_train])
    truth = float(known[is_test].mean())
    copied = np.isin(original, original[is_train & is_copy])
    elsewhere = np.isin(original, original[~is_test])
    back = np.isin(original, original[is_test])
    wrong = [
        ((known & is_test).sum(), "that is how many: divide by the number of test images"),
        (1 - truth, "that is the share without one"),
        (back[is_train].mean(), "that is the share of the training images: ask the test images"),
        (copied[is_test].mean(), "the original itself counts as well, not only the copies"),
        (elsewhere[is_test].mean(), "look in the training images only, not in validation too"),
        (is_train.mean(), "that is the share of all images that are for training"),
        ((known & is_test).mean(), "divide by the test images, not by all of them"),
    ]
    right = f"{truth:.0%}: nearly the whole test is a test of memory"
    return number(answer, truth, right, wrong, share=True)


# ---------------------------------------------------------------- a published analysis

FAULTS = {
    "A": "five pairs that point one way give this p whatever their size; and it is about seeds "
    "alone: the 156 images are the same ones each time",
    "B": "the signed-rank test may be used for accuracies; what can five pairs show at best?",
    "C": "a one-sided test is allowed where the direction was written down first; what else?",
    "D": "one question was asked, so there is nothing to correct for; what is p about here?",
}


WHY_SEEDS = [
    (
        (
            r"\b(same|fixed|identical|unchanged|one|these|never|not|no)\b.*\b(images?|test|"
            r"patients?)\b|\b(images?|test|patients?)\b.*\b(same|fixed|identical|unchanged|stay|"
            r"never|not|no)\b",
        ),
        "the letter is right; say in your sentence what is the same in all five runs",
    ),
    (
        (
            r"\b(seeds?|runs?|trainings?|initiali[sz]\w+|start\w*|pairs?|repeat\w*)\b",
            r"\b(images?|test|patients?)\b",
            r"\b(because|so|since|as|therefore|hence|thus|while|whereas|but|only|alone|if|cannot|"
            r"nothing|although|though|which|that)\b",
        ),
        "the letter is right; connect the two lucks in your sentence: which one did the five runs "
        "draw anew, and which one not?",
    ),
]


def _published(answer) -> Verdict:
    if answer is ... or (isinstance(answer, (tuple, list)) and any(a is ... for a in answer)):
        return Verdict(None, OPEN_MESSAGE)
    if not isinstance(answer, (tuple, list)) or len(answer) != 4:
        return Verdict(
            False, "expected four things: one-sided p, two-sided p, a letter, a sentence"
        )
    one, two, fault, why = answer
    powers = [
        (1 / 2, "that is one pair: five pairs must all point the same way"),
        (1 / 16, "that is two-sided: one-sided there is one way in 2**5"),
        (1 / 25, "five pairs have 2**5 patterns of signs, not 5**2"),
        (1 / 10, "five pairs have 2**5 patterns of signs, not 2 * 5"),
        (0.05, "that is the level: what is the smallest p that five pairs can give?"),
        (0, "p is never 0: one of the 2**5 patterns is the one that was seen"),
    ]
    sides = [
        (1 / 32, "that is one-sided: two-sided both extremes count"),
        (1 / 64, "two-sided p is larger, not smaller: both extremes count"),
        *powers[2:],
    ]
    others = {letter: word for letter, word in FAULTS.items() if letter != "A"}
    return together(
        (
            verdict
            for verdict in (
                number(one, 1 / 32, "one-sided", powers),
                number(two, 1 / 16, "two-sided", sides),
                choice(fault, "A", FAULTS["A"], others),
                argument(why, WHY_SEEDS, "", words=12),
            )
        ),
        "1/32 is the smallest value there is, two-sided it would be 1/16; " + FAULTS["A"],
    )


# ---------------------------------------------------------------- what would decide it

CONTROLS = r"\b(controls?|mixing|mlp|opponents?|baselines?|heads?|runs?|seeds?|side|trainings?)\b"
OPEN_STEPS = [
    (
        (
            CONTROLS,
            r"\b(not|never|n't|fail\w*|collaps\w*|die[sd]?|dead|diverg\w*|stuck|broke\w*)\b",
            r"\b(interval|error|spread|wid\w+|varia\w+|uncertain\w*|noise|noisy|bar)\b",
        ),
        "say what makes the interval so wide: connect it with what some runs of the controls did",
    ),
    (
        (
            r"\b(rates?|settings?|tun\w+|budget|search\w*|initial\w*|restart\w*|warm\w*|epochs?|"
            r"clip\w*|begin again|start again)\b",
            r"\b(every|all|both|each|same|alike|equal\w*|dressed too|also)\b",
        ),
        "say what you would change about the training, and that the circuit's head gets it too",
    ),
    (
        (
            r"\b(before|advance|beforehand|prior|until|ahead)\b|\bfirst\b",
            r"\b(writ\w+|plan\w*|commit\w*|preregist\w*|regist\w*|fix\w*|stat\w+|decid\w+)\b",
        ),
        "say when this is written down, and before what",
    ),
    (
        (
            r"\b(bounds?|limits?|interval|p|p-value)\b[^.]{0,60}\b(below|above|inside|within|under|"
            r"over|exceed\w*|smaller|larger|less|at most)\b",
            r"\b(if|when|whether|once|as soon as|then|where|until|unless|decid\w+)\b",
        ),
        "say which number must lie where for the verdict to fall: a bound, and two points",
    ),
]
OPEN_NEVER = [
    (
        r"\b(drop|exclud|remov|discard|delet|leav|throw|ignor|filter)\w*\b.*\b(fail|bad|dead|"
        r"collaps|did|poor|worst)\w*\b.*\bruns?\b|\b(drop|exclud|remov|discard|delet|leav|throw|"
        r"ignor|filter)\w*\b.*\bruns?\b.*\b(fail|bad|dead|collaps|did|poor)\w*\b",
        "runs that failed cannot be dropped after one has looked: only one side loses its bad ones",
    ),
]


def _open(answer) -> Verdict:
    right = "now compare it with the two amendments in plan_v2.md"
    return argument(answer, OPEN_STEPS, right, words=40, never=OPEN_NEVER)


EXERCISES = {
    "10.resampled": Exercise(
        _resampled,
        "write",
        (
            "For one drawn seed: which rows and columns of `p_a` and `p_b` belong to it, and to "
            "the drawn images?",
            "`p_a[s, images]` are the probabilities of seed s for the drawn images, and "
            "`y[images]` their labels. `roc_auc_score` takes both.",
            "A list with one difference of two AUCs for each s in `seeds`, and then its mean.",
        ),
        model=resampled_gap,
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
    "10.corrected": Exercise(
        _corrected,
        "write",
        (
            "The ordinary standard error of a mean is the root of s² / n. What is added to 1 / n?",
            "The variance of the gaps (with `ddof=1`) times the sum of 1 / n and `test_to_train`, "
            "and then the root.",
            "Three steps: n is the number of gaps; the factor is 1 / n + test_to_train; the error "
            "is the standard deviation times the root of the factor.",
        ),
        model=corrected_error,
    ),
    "10.rules": Exercise(
        _rules,
        "write",
        (
            "Read the rules above in their order: the first one that applies decides.",
            "Both bounds inside two points come first, then the upper bound alone, and only then "
            "the p-value.",
            "Three questions with `if`, each with its own `return`: is it -0.02 < lower and "
            "upper < 0.02; is it upper < 0.02; is it p_holm <= 0.05; and a last word for the rest.",
        ),
        model=_rule(),
    ),
    "10.published": Exercise(
        _published,
        "fault",
        (
            "If there were no difference at all, each pair would point either way like a coin. "
            "How likely is it that all five point the same given way?",
            "Count the patterns of signs of five pairs; the most extreme one is one of them, and "
            "two-sided there are two such patterns.",
            "For the fault, ask what would be drawn anew if one repeated the study as this p-value "
            "imagines it: the seeds, or the 156 test images as well? The sentence names both.",
        ),
    ),
    "10.siblings": Exercise(
        _siblings,
        "read",
        (
            "Which part of an id names the original? Everything behind the first underscore.",
            "Collect the originals of all training images. Then ask of each test image whether "
            "its original is among them.",
            "`np.isin(original[split == 'test'], original[split == 'train'])` says it for each "
            "test image; its mean is the share.",
        ),
    ),
    "10.open": Exercise(
        _open,
        "judge",
        (
            "Look at the last column of the table above: which heads fail, and how often?",
            "A control that does not train is no control. What would you give it, and would the "
            "circuit's head get the same?",
            "Name the change, say that all heads get it, that it is written down before the runs, "
            "and which bound would then give which of the four words.",
        ),
        rubric="Sees that the width comes from runs of the controls that did not learn, not from "
        "too few images; proposes a remedy for training (other rates, more inner splits, restarts "
        "chosen on validation) that every head gets alike; writes it down before the runs and "
        "keeps the old verdict; names the bound that would decide. A weak answer drops the failed "
        "runs after looking, or asks for more repetitions only.",
    ),
}
