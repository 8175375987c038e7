"""Checks of the exercises in notebook 02."""

from __future__ import annotations

import re

import numpy as np

from hqnn_utils.exercises import faults_02 as faults
from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import (
    function,
    number,
    paragraph,
    results_of,
    show,
    together,
)

# ------------------------------------------------------------------ an alarm's worth


def _ppv_at(sensitivity: float, specificity: float, prevalence: float) -> float:
    true_alarms, false_alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    return true_alarms / (true_alarms + false_alarms)


def _ppv(answer, *, sensitivity, specificity, prevalence) -> Verdict:
    true_alarms, misses = sensitivity * prevalence, (1 - sensitivity) * prevalence
    all_clear, false_alarms = specificity * (1 - prevalence), (1 - specificity) * (1 - prevalence)
    ppv = _ppv_at(sensitivity, specificity, prevalence)
    of_all = "divide by the share of all women who get an alarm, right or wrong"
    wrong_prevalence = (
        "that is the PPV at the prevalence of BreastMNIST: put in the prevalence of the question"
    )
    wrong = [
        (all_clear / (all_clear + misses), "that is the NPV: it asks about the all-clears"),
        (1 - ppv, "that is the share of alarms that are wrong: one minus it"),
        (sensitivity, "that is the sensitivity: it asks about the ill, the PPV about the alarms"),
        (1 - sensitivity, "that is the miss rate: the share of the ill without an alarm"),
        (specificity, "that is the specificity: it asks about the healthy, the PPV about alarms"),
        (_ppv_at(sensitivity, specificity, 42 / 156), wrong_prevalence),
        (
            _ppv_at(sensitivity, specificity, 10 * prevalence),
            "that is the PPV at ten times the prevalence: five in a thousand are 0.005",
        ),
        (
            _ppv_at(sensitivity, specificity, 0.5),
            "that leaves the prevalence out: it would hold if every second woman were ill",
        ),
        (true_alarms, f"that is the share of true alarms among all women: {of_all}"),
        (
            true_alarms / false_alarms,
            f"that is true alarms for each false one (the odds): {of_all}",
        ),
    ]
    right = f"about {100 * ppv:.0f} of 100 alarms are right"
    return number(answer, ppv, right, wrong, share=True)


# ------------------------------------------------------------------ functions that students write


def _small_test_set(seed: int, n: int, malignant: int, shift: float) -> tuple:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) < malignant).astype(int)
    return y, 1 / (1 + np.exp(-rng.normal(shift * (y - 0.5), 1.0)))


def _bootstrap(answer) -> Verdict:
    """The student's interval is compared with right and faulty ones: the nearest of them speaks.

    The test sets are small: their intervals are so wide that a fault stands out from luck.
    """
    n_resamples, close = 3000, 0.02  # four standard deviations of an end of such an interval
    inputs = [
        (*_small_test_set(1, 36, 13, 0.9), n_resamples, 1),
        (*_small_test_set(2, 44, 16, 0.6), n_resamples, 2),
    ]
    names = ("y", "p", "n_resamples", "seed")
    found = results_of(answer, inputs, names)
    if isinstance(found, Verdict):
        return found
    words = dict(faults.BOOTSTRAP_FAULTS)
    known = [faults.interval, faults.interval_within_classes, *words]
    expected = {faulty: [faulty(*arguments) for arguments in inputs] for faulty in known}
    if np.shape(found) != (len(inputs), 2):
        return Verdict(False, f"expected two numbers, low and high, got {show(found[0])}")
    distance = {faulty: np.abs(np.subtract(found, expected[faulty])).max() for faulty in known}
    nearest = min(known, key=distance.get)
    seen = f"it gives {show(found[0])}, expected about {show(expected[faults.interval][0])}"
    if distance[nearest] > close:
        return Verdict(False, f"on an unseen test set {seen}")
    if nearest in words:
        return Verdict(False, f"{words[nearest]} (on an unseen test set {seen})")
    return Verdict(True, "as with 10,000 resamples on unseen test sets, up to the luck of drawing")


def _ece(answer) -> Verdict:
    inputs = []
    for seed, (n, n_bins) in enumerate(((60, 10), (25, 5), (200, 15), (12, 10))):
        rng = np.random.default_rng(seed)
        p = rng.beta(0.7, 1.1, n)
        y = (rng.random(n) < p**1.6).astype(int)
        y[0], p[0] = 0, 1.0  # nothing else on the edge of a bin, where rounding decides
        inputs.append((y, p, n_bins))
    right = "the same as the course's own on unseen test sets, empty bins and p = 1 included"
    names = ("y", "p", "n_bins")
    return function(answer, faults.ece, inputs, right, faults.ECE_FAULTS, names=names)


def _mcnemar(answer) -> Verdict:
    inputs = [(np.ones(7, bool), np.ones(7, bool))]
    for seed, counts in enumerate(((20, 6, 2, 4), (30, 3, 9, 1), (9, 5, 5, 3), (8, 4, 0, 0))):
        shuffled = np.random.default_rng(seed).permutation(sum(counts))
        right_a = np.repeat([True, True, False, False], counts)[shuffled]
        right_b = np.repeat([True, False, True, False], counts)[shuffled]
        inputs.insert(seed, (right_a, right_b))
    right = "exact on unseen models, equal counts and no discordant image included"
    names = ("right_a", "right_b")
    return function(answer, faults.mcnemar, inputs, right, faults.MCNEMAR_FAULTS, names=names)


def _holm(answer) -> Verdict:
    lists = ([0.04, 0.011, 0.6, 0.012], [0.30, 0.02, 0.021, 0.9, 0.001], [0.6, 0.8], [0.03])
    inputs = [(np.array(p),) for p in lists]
    right = "the same as statsmodels on unseen p-values, in the order in which they came"
    return function(answer, faults.holm, inputs, right, faults.HOLM_FAULTS, names=("p",))


# ------------------------------------------------------------------ a simulation of theirs


def _selection(answer) -> Verdict:
    """A function that draws: averages over many seeds are compared, not single draws."""
    k, studies = 20, 300
    results = results_of(answer, [(k, seed) for seed in range(studies)], ("k", "seed"))
    if isinstance(results, Verdict):
        return results
    try:
        val, test = np.array(results, float).T
    except (TypeError, ValueError):
        return Verdict(False, f"expected two numbers, got {show(results[0])}")
    if np.ptp(val) == 0 or np.ptp(test) == 0:
        return Verdict(False, "each seed gives the same result: draw with default_rng(seed)")
    possible = faults.possible_results(k)
    names = _nearest(val, possible), _nearest(test, possible)
    means = f"{val.mean():.3f} and {test.mean():.3f} on average over {studies} studies, k = {k}"
    if names == ("best val", "any test"):
        return Verdict(True, f"{means}; the truth is {faults.TRUE_AUC} for every model")
    how_many = "neither is" if names == ("", "") else "one of the two is not"
    word = faults.SELECTION_FAULTS.get(names, f"{how_many} as it should be")
    return Verdict(False, f"{word} ({means})")


def _nearest(scores: np.ndarray, possible: dict[str, tuple[float, float]]) -> str:
    """Which of the possible results these scores are; nothing if none fits."""
    for name, (mean, spread) in possible.items():
        close = 4 * spread / np.sqrt(len(scores)) + 1e-3
        if abs(scores.mean() - mean) <= close and abs(np.log(scores.std() / spread)) <= 0.18:
            return name
    return ""


# ------------------------------------------------------------------ the fault in an analysis

_FAULTS = {
    4: (
        r"test|look|peek|see|optimis|optimiz|tun|valid",
        "step 4 it is: say on which images the threshold is chosen, and where it should be",
    ),
    6: (
        r"overlap|common|share|same image|depend|correlat|reus",
        "step 6 it is: say what a t-test needs and ten such splits do not have",
    ),
}
_FINE = {
    1: "step 1 is sound: near-duplicates that stay together cannot leak",
    2: "step 2 alone is sound: resplitting shows how much a score depends on the split; look at "
    "what is done with the ten results",
    3: "step 3 is sound: validation images are for choosing, and both models get equal budgets",
    5: "step 5 is sound: the same images for both models are a paired comparison",
    7: "step 7 is sound: more numbers never hurt, and it says which class is meant",
}


def _fault(answer) -> Verdict:
    if not isinstance(answer, dict):
        return Verdict(
            False, f"expected a dict like {{3: 'because ...'}}, got {type(answer).__name__}"
        )
    for step in answer:
        if step in _FINE:
            return Verdict(False, _FINE[step])
        if step not in _FAULTS:
            return Verdict(False, f"{step!r} is no number of a step: the steps are 1 to 7")
    if len(answer) < len(_FAULTS):
        found = f"step {next(iter(answer))} is one" if answer else "none is named"
        return Verdict(False, f"two steps are faulty, {found}: look for the other")
    reasons = (_reason(answer[step], *_FAULTS[step], step) for step in _FAULTS)
    right = "the threshold saw the test images, and the ten differences are not independent"
    return together(reasons, right)


def _reason(text, pattern: str, word: str, step: int) -> Verdict:
    if not isinstance(text, str) or len(text.split()) < 5:
        return Verdict(False, f"step {step} is faulty: give the reason in a sentence")
    return Verdict(bool(re.search(pattern, text, re.IGNORECASE)), word)


# ------------------------------------------------------------------ judging a claim

_CLAIM_POINTS = (
    (
        r"200|interval|wilson|four images|4 images|mcnemar|\bp\b ?[=<>]|0?\.125",
        "how far can 200 images tell 181 from 177? Name an interval, a test, or the number of "
        "images that decide",
    ),
    (
        r"seed|(one|single|another|repeat|again|more).{0,25}(run|train)|train(ed|ing).{0,20}again",
        "images are one kind of luck: what about the other, that of training?",
    ),
    (
        r"sensitiv|recall|malignant|class|miss|precision",
        "accuracy hides the classes: say what the counts of the rarer class did",
    ),
    (
        r"undecided|cannot (tell|decide|say|know|conclude)|can't (tell|decide|say)"
        r"|not (shown|established|decided|enough|prove|support)|no evidence|does not (show|prove)"
        r"|too (few|small)|inconclusive|open",
        "end with what may be concluded: is the claim shown, refuted, or neither?",
    ),
)


def _claim(answer) -> Verdict:
    if isinstance(answer, str) and re.search(
        r"(worse|no better|useless|refuted|wrong)", answer, re.IGNORECASE
    ):
        for pattern, word in _CLAIM_POINTS[:1] + _CLAIM_POINTS[3:]:
            if not re.search(pattern, answer, re.IGNORECASE | re.DOTALL):
                return Verdict(
                    False,
                    f"a test that cannot see a gain does not show that there is none; {word}",
                )
    right = "it touches the images, the seeds, the classes and the conclusion; now the rubric"
    return paragraph(answer, _CLAIM_POINTS, right, words=40)


_CLAIM_RUBRIC = """
Full marks name at least four of these, each with its consequence:
- 181 against 177 of 200 is a difference of four images; the Wilson intervals overlap widely, and
  even the pairing that favours the hybrid most gives an exact McNemar p of .125;
- one training run of each model: the luck of training alone moved our own accuracies by more;
- the recall of the class with 54 images fell from 43 to 41 of 54: the gain lies in the other class;
- test images are not independent of the training images (copies were made before the split);
- the hybrid differs from its baseline in more than the circuit, so even a real gain would not be
  the circuit's;
- what would decide: the number of images from a power analysis, several seeds, a matched control.
The conclusion must be "undecided" in substance. Half marks at most where it says that the hybrid is
no better, since a test without power shows nothing in either direction.
""".strip()


EXERCISES = {
    "02.ppv": Exercise(
        _ppv,
        "read",
        hints=(
            "Imagine 100,000 women. How many of them are ill?",
            "Of the 500 who are ill, how many get an alarm? Of the 99,500 others, how many?",
            "The PPV is 400 divided by all alarms: 400 plus 5 % of 99,500.",
        ),
    ),
    "02.bootstrap": Exercise(
        _bootstrap,
        "write",
        hints=(
            "One resample is a list of positions, drawn with replacement.",
            "rng.integers(0, len(y), len(y)) draws the positions; index y and p with the same.",
            "Collect auc(y[drawn], p[drawn]) in a list, n_resamples times; np.quantile of the list "
            "at 0.025 and 0.975 gives both ends.",
        ),
        model=faults.interval,
    ),
    "02.ece": Exercise(
        _ece,
        "write",
        hints=(
            "Go through the bins one by one. Which images are in bin b?",
            "The bin of each image is np.minimum((p * n_bins).astype(int), n_bins - 1); the "
            "minimum puts p = 1 into the last bin. Skip empty bins.",
            "For each bin add: number of its images times the size of (mean of y minus mean of p). "
            "At the end divide by the number of all images.",
        ),
        model=faults.ece,
    ),
    "02.mcnemar": Exercise(
        _mcnemar,
        "write",
        hints=(
            "First count two numbers: images that only a gets right, and that only b gets right.",
            "If both are equally good, the smaller count is binomial: a fair coin thrown once for "
            "each discordant image. binom.cdf(k, n, 0.5) is the chance of k or fewer.",
            "Two-sided: twice binom.cdf(smaller count, sum of the two counts, 0.5), and never "
            "above 1.",
        ),
        model=faults.mcnemar,
    ),
    "02.holm": Exercise(
        _holm,
        "write",
        hints=(
            "Start with the smallest p-value: what is it multiplied by? And the next one?",
            "np.argsort(p) gives the places from smallest to largest; walk through them and keep "
            "the largest adjusted value so far.",
            "At step i = 0, 1, ... the value is (len(p) - i) * p[place]; take the maximum with the "
            "value before and the minimum with 1, and store it at adjusted[place].",
        ),
        model=faults.holm,
    ),
    "02.selection": Exercise(
        _selection,
        "write",
        hints=(
            "Two calls of simulated_aucs: one for the validation images, one for the test images.",
            "The winner is the position of the largest validation AUC: argmax.",
            "Return val[winner] and test[winner], with val from 21 malignant and 57 other images "
            "and test from 42 and 114, both with the rng of the seed.",
        ),
    ),
    "02.fault": Exercise(
        _fault,
        "fault",
        hints=(
            "There are two faults. Ask of each step: which images does it look at, and for what?",
            "One step uses images for choosing that are meant for the final look. Another treats "
            "ten numbers as if each came from a study of its own.",
            "Look at the threshold, and at the t-test: how many images do two of the ten test sets "
            "have in common?",
        ),
    ),
    "02.claim": Exercise(
        _claim,
        "judge",
        hints=(
            "Say what the numbers are (how many images?), what is missing, and what follows.",
            "Two kinds of luck, the two classes and the power of the test deserve a sentence each.",
            "Use: 181 against 177 of 200, best-case p, one seed, recall of the rarer class, and "
            "the word for what can neither be shown nor ruled out.",
        ),
        rubric=_CLAIM_RUBRIC,
    ),
}
