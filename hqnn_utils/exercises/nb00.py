"""Checks of the exercises in notebook 00."""

from __future__ import annotations

import math

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import function, number, paragraph


def _majority(answer, *, labels) -> Verdict:
    labels = np.asarray(labels)
    malignant, others = int((labels == 1).sum()), int((labels == 0).sum())
    share = others / len(labels)
    wrong = [
        (1 - share, "that is the share of the malignant images: which answer is always given?"),
        (others, "that is how many answers are right: divide by the number of all answers"),
        (malignant, "that is how many answers are wrong: accuracy is the share of right ones"),
        (0.5, "a coin would score that; this model always gives the same answer"),
        (1.0, f"it is wrong on the {malignant} malignant images"),
        (0.0, "it is right on every image that is not malignant"),
        (malignant / others, "divide by all images, not by those of the other class"),
        (others / malignant, "divide by all images, not by those of the other class"),
    ]
    right = f"always answering 'not malignant' is right on {others} of {len(labels)} images"
    return number(answer, share, right, wrong, share=True)


def _cosine(x):
    return math.cos(x)


# What goes wrong between (cos x/2, -i sin x/2) and cos x.
EXPECTATION_FAULTS = [
    (lambda x: math.cos(x / 2), "that is the first amplitude: a probability is its square"),
    (
        lambda x: math.cos(x / 2) ** 2,
        "that is the probability of +1 alone: what do the measurements that give -1 contribute?",
    ),
    (
        lambda x: math.sin(x / 2) ** 2,
        "that is the probability of -1 alone: the mean needs both answers",
    ),
    (
        lambda x: math.cos(x / 2) - math.sin(x / 2),
        "these are amplitudes: square each before you subtract",
    ),
    (
        lambda x: abs(math.cos(x / 2)) - abs(math.sin(x / 2)),
        "a probability is the square of the absolute value of an amplitude",
    ),
    (
        lambda x: math.cos(x / 2) + 1j * math.sin(x / 2),
        "these are amplitudes: take the squared absolute value of each before you subtract",
    ),
    (
        lambda x: 1.0,
        "always 1: either the probabilities were added, although -1 counts negative, or an "
        "amplitude was squared without its absolute value: (-i)^2 is -1",
    ),
    (lambda x: -math.cos(x), "the sign is turned round: amplitude 0 belongs to the answer +1"),
    (lambda x: math.sin(x), "at angle 0 nothing is turned, and every measurement gives +1"),
    (lambda x: math.cos(math.radians(x)), "the angle is in radian already"),
    (lambda x: math.cos(2 * x), "the amplitudes hold half the angle, x / 2"),
    (
        lambda x: np.array([math.cos(x / 2), -1j * math.sin(x / 2)]),
        "that is the state; what is asked for is one number, the mean of the measurements",
    ),
    (
        lambda x: np.array([math.cos(x / 2) ** 2, math.sin(x / 2) ** 2]),
        "these are the two probabilities; the mean weighs +1 and -1 with them",
    ),
]


def _expectation(answer) -> Verdict:
    return function(
        answer,
        _cosine,
        [(0.4,), (math.pi / 2,), (2.0,), (-2.7,), (5.0,), (0.0,)],
        "two amplitudes, squared and subtracted, make the cosine of the angle",
        EXPECTATION_FAULTS,
        names=("x",),
    )


def _missing_line(answer) -> Verdict:
    if not isinstance(answer, str):
        return Verdict(False, "expected a text in quotes: the line as you would type it")
    line = answer.split("#")[0].replace(" ", "").lower()
    if "zero_grad(" in line or ".grad=none" in line:
        return Verdict(True, "without it every step follows the sum of all gradients so far")
    words = {
        "zero_grad": "that is the method: call it, with brackets behind its name",
        "backward": "line 5 does that; look at what it adds its gradients to",
        "schedul": "a schedule helps, but a loop without one does not go astray",
        ".step": "line 6 does that",
        "no_grad": "that would forbid the gradients that line 5 needs",
        "eval(": "evaluation mode belongs where a model is tested; line 1 does what is needed here",
        "train(": "line 1 does that",
        "detach": "that would cut the way on which the gradients flow back",
        "item": "that only reads the loss; it changes no weight",
        "softmax": "cross_entropy takes the logits as they are",
        "shuffle": "line 2 draws a new order already: randperm",
        "randperm": "line 2 draws a new order already",
    }
    for part, word in words.items():
        if part in line:
            return Verdict(False, word)
    return Verdict(False, "compare it with the loop above, line by line: what does that one do?")


def _sensitivity_of(labels, called) -> float:
    labels, called = np.asarray(labels), np.asarray(called)
    return float(called[labels == 1].mean())


def _counts(labels, called) -> tuple[int, int, int, int]:
    """``tn, fp, fn, tp``."""
    labels, called = np.asarray(labels), np.asarray(called)
    return tuple(int(((labels == a) & (called == b)).sum()) for a in (0, 1) for b in (0, 1))


def _from_counts(formula):
    return lambda labels, called: float(formula(*_counts(labels, called)))


SENSITIVITY_FAULTS = [
    (
        _from_counts(lambda tn, fp, fn, tp: tn / (tn + fp)),
        "that is the specificity: look at the malignant images, not at the others",
    ),
    (
        _from_counts(lambda tn, fp, fn, tp: tp / (tp + fp)),
        "that is the precision: divide by the truly malignant, not by those called so",
    ),
    (
        _from_counts(lambda tn, fp, fn, tp: (tp + tn) / (tn + fp + fn + tp)),
        "that is the accuracy: leave the images out that are not malignant",
    ),
    (
        _from_counts(lambda tn, fp, fn, tp: fn / (tp + fn)),
        "that is the share that was missed; sensitivity is the share that was found",
    ),
    (
        _from_counts(lambda tn, fp, fn, tp: tp / (tn + fp + fn + tp)),
        "divide by the malignant images, not by all",
    ),
    (
        _from_counts(lambda tn, fp, fn, tp: (tp + fp) / (tn + fp + fn + tp)),
        "that is the share of images called malignant: how many of them are so?",
    ),
    (
        _from_counts(lambda tn, fp, fn, tp: (tp + fp) / (tp + fn)),
        "count only the calls on malignant images: a false alarm is no find",
    ),
    (_from_counts(lambda tn, fp, fn, tp: tp), "that is how many were found: divide by how many"),
    (
        _from_counts(lambda tn, fp, fn, tp: (tp / (tp + fn) + tn / (tn + fp)) / 2),
        "that is the balanced accuracy: sensitivity is its first half",
    ),
    (
        _from_counts(lambda tn, fp, fn, tp: 2 * tp / (2 * tp + fp + fn)),
        "that is F1, which also counts false alarms",
    ),
]


def _labels_and_calls(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and calls (n,) in which all four kinds occur."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.35).astype(int)
    called = np.where(rng.random(n) < 0.25, 1 - labels, labels)
    labels[:4], called[:4] = [0, 0, 1, 1], [0, 1, 0, 1]
    return labels, called


def _sensitivity(answer) -> Verdict:
    small = (np.array([1, 1, 1, 0, 0, 0, 0]), np.array([1, 1, 0, 1, 0, 0, 0]))
    return function(
        answer,
        _sensitivity_of,
        [small, _labels_and_calls(40, 1), _labels_and_calls(156, 2)],
        "right on labels that it had not seen: the found among the malignant",
        SENSITIVITY_FAULTS,
        names=("labels", "called"),
    )


def _chosen_epoch(answer) -> Verdict:
    wrong = [
        (1, "line 1 only repeats what follows"),
        (2, "line 2 trains on the training images, as it should"),
        (4, "line 4 compares two numbers; look at which images the new one comes from"),
        (5, "line 5 keeps the best weights, as our loop does; best on which images?"),
        (6, "line 6 only puts the kept weights back; how were they chosen?"),
        (7, "what line 7 says is not true any more, but an earlier line made it so"),
    ]
    right = "the epoch was chosen by the test images, so they are no longer unseen"
    return number(answer, 3, right, wrong, whole=True)


def _verdict(answer) -> Verdict:
    points = [
        (
            r"\A(?!.*\b(it|this|that|result|table|test|circuit|auc|figure|experiment)\s+"
            r"(clearly\s+|thus\s+|therefore\s+)?proves)",
            "one test proves nothing about other images or another start: weaken that word",
        ),
        (r"\d", "argue with numbers: quote at least one score or interval"),
        (
            r"interval|overlap|uncertain|\bwide\b|\bwider\b|width|margin",
            "how sure is each number? say something about the intervals",
        ),
        (
            r"matched|control|linear|\bplain\b|classical",
            "better than what? name at least one of the two heads that it stands beside",
        ),
        (
            r"\bseeds?\b|\bonce\b|\bone (training|run)|\bsingle\b|\bruns?\b|again|repeat|start",
            "each head was trained once: say what that leaves open",
        ),
    ]
    right = "it names numbers, how sure they are, a comparison, and the single run"
    return paragraph(answer, points, right, words=25)


EXERCISES = {
    "00.majority": Exercise(
        _majority,
        "read",
        hints=(
            "A model that always says 'not malignant' is right on some images and wrong on others.",
            "It is right wherever the label is 0. How many labels are 0, and how many are there?",
            "`test_labels == 0` is an array of True and False; its mean is the share of True.",
        ),
    ),
    "00.expectation": Exercise(
        _expectation,
        "write",
        hints=(
            "The two amplitudes after the gate stand in the text above. Write them down first.",
            "The probability of +1 is the squared absolute value of the first amplitude, that of "
            "-1 of the second. The mean of many answers weighs +1 and -1 with these probabilities.",
            "With a0 = np.cos(x / 2) and a1 = -1j * np.sin(x / 2): return abs(a0) ** 2 minus what?",
        ),
    ),
    "00.missing_line": Exercise(
        _missing_line,
        "fault",
        hints=(
            "Hold the colleague's loop beside ours and tick off what each line does.",
            "`loss.backward()` adds its gradients to those that are there already.",
            "Something must empty the gradients before line 5. The optimiser has a method for it; "
            "it is the first line inside our inner loop.",
        ),
    ),
    "00.sensitivity": Exercise(
        _sensitivity,
        "write",
        hints=(
            "Only the malignant images count. Which entries of `labels` are they?",
            "Among these, count those that were called malignant, and divide by how many they are.",
            "`called[labels == 1]` holds the answers on the malignant images, each 0 or 1. "
            "What is their mean?",
        ),
    ),
    "00.chosen_epoch": Exercise(
        _chosen_epoch,
        "fault",
        hints=(
            "Which images must not be touched before the very end?",
            "Everything that decides which weights are kept is part of training. Follow `auc`.",
            "One line computes the number by which the epoch is chosen. Look at its images.",
        ),
    ),
    "00.verdict": Exercise(
        _verdict,
        "judge",
        hints=(
            "Begin with the numbers: which AUC has the hybrid, which have the two others?",
            "Then say how sure these numbers are (intervals), and how often each head was trained.",
            "A frame: 'The hybrid reached ... against ... of the plain head and ... of the "
            "control. The intervals ... Each head was trained ..., so ...'",
        ),
        rubric=(
            "Two or three sentences. Full marks: quotes the AUC (or the sensitivity) of the hybrid "
            "and of at least one other head; says that the intervals are wide and whether they "
            "overlap; says that each head was trained once, from one seed; draws no stronger "
            "conclusion than that (neither 'the circuit helps' nor 'the circuit is useless'). "
            "Better still: asks for more seeds, a paired comparison or more test images; notes "
            "that the matched head and not the linear one is the control for the circuit; notes "
            "that the matched map does not mix its inputs, or that the angles moved little."
        ),
    ),
}
