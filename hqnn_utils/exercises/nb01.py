"""Checks of the exercises in notebook 01."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import OPEN_MESSAGE, Exercise, Verdict
from hqnn_utils.exercises.grading import choice, function, number, paragraph, together

# ---------------------------------------------------------------- the neighbour's sensitivity


def _polarity(answer, *, confusion) -> Verdict:
    """The counts were made with raw labels, where 1 = benign or normal: true means benign."""
    tn, fp, fn, tp = (confusion[key] for key in ("tn", "fp", "fn", "tp"))
    benign_found, malignant_found = tp / (tp + fn), tn / (tn + fp)
    wrong = [
        (
            benign_found,
            "that is the share of benign or normal images found: in the raw file malignant is 0",
        ),
        (
            1 - malignant_found,
            "that is the share of malignant images that were missed: one minus it is asked for",
        ),
        (
            tn / (tn + fn),
            "that is the share of malignant among the images called malignant: the question is "
            "about all malignant images, found or missed",
        ),
        (
            (tp + tn) / (tn + fp + fn + tp),
            "that is the accuracy: it does not care which class is called 1",
        ),
        (tn, "that is a number of images: divide it by the number of malignant ones"),
    ]
    right = (
        f"{tn} of {tn + fp} malignant images were found; the neighbour reported {benign_found:.3f}"
    )
    return number(answer, malignant_found, right, wrong, share=True, tolerance=5e-4)


# --------------------------------------------------------------------- the majority baseline


def _share_of(answer: int, labels) -> float:
    return float(np.mean(np.asarray(labels) == answer))


def _majority_of(labels) -> int:
    return int(np.mean(labels) > 0.5)


def _majority(answer) -> Verdict:
    """Tried where the majorities of the two parts agree, and where they differ."""
    inputs = [
        (np.array([0, 0, 1]), np.array([0, 1, 0, 0])),
        (np.array([1, 1, 0, 1]), np.array([0, 1, 0, 0, 0])),
        (np.array([0, 0, 0, 1, 0]), np.array([1, 1, 1, 0])),
        (np.array([1, 1, 1]), np.array([1, 0, 1, 1])),
    ]
    wrong = [
        (
            lambda train, test: _share_of(_majority_of(test), test),
            "it takes the majority of the test labels: a baseline may only look at the training "
            "labels",
        ),
        (
            lambda train, test: _share_of(_majority_of(train), train),
            "it is scored on the training labels: the accuracy on the test labels is asked for",
        ),
        (
            lambda train, test: _share_of(0, test),
            "it always answers 0: the answer is the class that is more common in train",
        ),
        (
            lambda train, test: float(np.mean(test)),
            "it returns the share of ones in the test labels, whatever the majority is",
        ),
        (
            lambda train, test: _majority_of(train),
            "it returns the class that it would answer, not how often that is right",
        ),
        (
            lambda train, test: int((np.asarray(test) == _majority_of(train)).sum()),
            "it counts the right answers: divide by the number of test labels",
        ),
        (
            lambda train, test: 100 * _share_of(_majority_of(train), test),
            "it returns per cent: a share between 0 and 1 is asked for",
        ),
    ]
    return function(
        answer,
        lambda train, test: _share_of(_majority_of(train), test),
        inputs,
        "the training labels choose the answer, the test labels say how often it is right",
        wrong,
        names=("train_labels", "test_labels"),
    )


# --------------------------------------------------------------- normalised cross-correlation


def _centred(a) -> np.ndarray:
    a = np.asarray(a, float)
    return a - a.mean()


def _ratio(x: np.ndarray, y: np.ndarray) -> float:
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def _ncc_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Unrelated images, copies, brighter copies and a negative."""
    rng = np.random.default_rng(3)
    one, other = rng.random((4, 5)), rng.random((4, 5))
    grey = rng.integers(0, 200, (3, 3)).astype(np.uint8)
    return [
        (one, other),
        (one, 2 * one + 3),
        (one, 1 - one),
        (grey, grey[::-1].copy()),
        (10 * one + 5, other[::-1].copy()),
    ]


def _without_root(a, b) -> float:
    x, y = _centred(a), _centred(b)
    return float((x * y).sum() / ((x**2).sum() * (y**2).sum()))


def _with_number_of_pixels(a, b) -> float:
    products = (_centred(a) * _centred(b)).sum()
    return float(products / (np.asarray(a).std() * np.asarray(b).std()))


NCC_FAULTS = [
    (
        lambda a, b: _ratio(np.asarray(a, float), np.asarray(b, float)),
        "the means are not taken away: a brighter copy must still give 1",
    ),
    (
        lambda a, b: float((_centred(a) * _centred(b)).mean()),
        "that is the covariance: divide so that equal images give 1",
    ),
    (
        lambda a, b: float((_centred(a) * _centred(b)).sum()),
        "the sum is not divided by anything: equal images must give 1",
    ),
    (_without_root, "the square root is missing in the denominator"),
    (
        lambda a, b: abs(_ratio(_centred(a), _centred(b))),
        "it loses the sign: a negative of an image has -1",
    ),
    (
        lambda a, b: _ratio(_centred(a), _centred(b)) ** 2,
        "that is the square of it: a negative of an image has -1",
    ),
    (
        _with_number_of_pixels,
        "the number of pixels is still in it: use the mean of the products, or sums below too",
    ),
]


def _ncc(answer) -> Verdict:
    return function(
        answer,
        lambda a, b: _ratio(_centred(a), _centred(b)),
        _ncc_cases(),
        "1 for copies, also brighter ones and ones with more contrast, and -1 for a negative",
        NCC_FAULTS,
        names=("a", "b"),
    )


# -------------------------------------------------------------- contradictions across the split


def _opposite(answer, *, pairs) -> Verdict:
    truth = int((pairs.opposite & pairs.across).sum())
    all_opposite, all_across = int(pairs.opposite.sum()), int(pairs.across.sum())
    wrong = [
        (all_opposite, "that counts pairs within one part too: use the column 'across'"),
        (all_across, "that counts pairs with the same label too: use the column 'opposite'"),
        (len(pairs), "those are all pairs: two columns say which of them are meant"),
        (
            int((pairs.opposite | pairs.across).sum()),
            "that is across OR opposite: both must hold, which is & in pandas",
        ),
        (all_opposite - truth, "those are the pairs of opposite labels within one part"),
    ]
    right = f"{truth} pairs look the same, carry different labels and lie in different parts"
    return number(answer, truth, right, wrong, whole=True)


# ----------------------------------------------------------------------- what memory gains


def _memory(answer, *, labels, answers, clean) -> Verdict:
    """A pair: the name of the fault, and the difference of the balanced accuracies."""
    if isinstance(answer, (str, int, float)) or not hasattr(answer, "__len__") or len(answer) != 2:
        return Verdict(False, "give two things, (fault, difference): a word in quotes and a number")
    fault, difference = answer
    if fault is ... or difference is ...:
        return Verdict(None, OPEN_MESSAGE)
    named = choice(
        fault,
        "class mix",
        "the two subsets have different shares of malignant images",
        {
            "overfitting": "the memory holds training images only: no test image was used to "
            "fit it. Look at the column 'majority baseline'",
            "threshold": "the memory answers with a label, there is no threshold. Look at the "
            "column 'majority baseline'",
        },
    )
    return together(
        [named, _memory_gain(difference, labels, answers, clean)] if named else [named],
        "the mix of classes differs, so accuracies cannot be compared; balanced accuracy weighs "
        "both classes alike in both subsets",
    )


def _memory_gain(difference, labels, answers, clean) -> Verdict:
    labels, answers, clean = np.asarray(labels), np.asarray(answers), np.asarray(clean, bool)

    def accuracy(part) -> float:
        return float((labels[part] == answers[part]).mean())

    def balanced(part) -> float:
        return float(np.mean([accuracy(part & (labels == label)) for label in (0, 1)]))

    def above_majority(part) -> float:
        return accuracy(part) - max(labels[part].mean(), 1 - labels[part].mean())

    everything = np.ones(len(labels), bool)
    truth = balanced(~clean) - balanced(clean)
    wrong = [
        (
            accuracy(~clean) - accuracy(clean),
            "that is the difference of the accuracies, the very thing that cannot be compared",
        ),
        (-truth, "the other way round: with a near-duplicate minus clean"),
        (
            above_majority(~clean) - above_majority(clean),
            "points above the majority baseline mix the two classes as accuracy does: take "
            "balanced accuracy",
        ),
        (
            balanced(~clean) - balanced(everything),
            "that is the difference to all test images: subtract the clean ones",
        ),
        (balanced(~clean), "that is the balanced accuracy itself: subtract that of the clean ones"),
    ]
    return number(difference, truth, "", wrong, share=True, tolerance=1.5e-3)


# ------------------------------------------------------------------------- how much leaks


def _outside(origin, part, train_only: bool = False) -> np.ndarray:
    """For each test file: has it a sibling outside the test part (in train)?"""
    origin, part = np.asarray(origin), np.asarray(part)
    elsewhere = part == "train" if train_only else part != "test"
    return np.isin(origin[part == "test"], origin[elsewhere])


def _leak(answer) -> Verdict:
    """Tried on small folders, also with siblings in validation only or within the test part."""
    folders = [
        ([0, 0, 1, 2, 3, 3], ["train", "test", "test", "train", "val", "test"]),
        ([5, 5, 5, 6, 6], ["test", "test", "train", "test", "test"]),
        ([0, 1, 2, 3], ["train", "test", "val", "test"]),
        ([4, 4, 4, 1, 2], ["train", "train", "test", "test", "train"]),
        ([7, 7, 8, 8, 9, 9], ["val", "test", "val", "test", "test", "train"]),
    ]
    inputs = [(np.array(origin), np.array(part)) for origin, part in folders]
    wrong = [
        (lambda o, p: 1 - _outside(o, p).mean(), "that is the share without a sibling outside"),
        (
            lambda o, p: _outside(o, p, train_only=True).mean(),
            "siblings in validation count too: everything outside the test part",
        ),
        (
            lambda o, p: int(_outside(o, p).sum()),
            "that is the number of such files: divide by the number of test files",
        ),
        (
            lambda o, p: _outside(o, p).sum() / len(p),
            "it is divided by all files: the share of the *test* files is asked for",
        ),
        (
            lambda o, p: np.isin(o[p != "test"], o[p == "test"]).mean(),
            "that is the other way round: the share of the files outside that have a sibling in "
            "test",
        ),
        (
            lambda o, p: float(np.mean([np.sum(o == i) > 1 for i in o[p == "test"]])),
            "a sibling inside the test part is no leak: look outside only",
        ),
        (
            lambda o, p: 100 * _outside(o, p).mean(),
            "it returns per cent: a share between 0 and 1 is asked for",
        ),
    ]
    return function(
        answer,
        lambda o, p: _outside(o, p).mean(),
        inputs,
        "each test file is looked up among the origins of all files outside the test part",
        wrong,
        names=("origin", "part"),
    )


# ------------------------------------------------------------------------------- the frame


def _distance(size: int) -> np.ndarray:
    """How many pixels lie between each pixel and the nearest edge, (size, size)."""
    line = np.minimum(np.arange(size), np.arange(size)[::-1])
    return np.minimum.outer(line, line)


def _rows(size: int) -> np.ndarray:
    line = np.minimum(np.arange(size), np.arange(size)[::-1])
    return np.repeat(line[:, None], size, axis=1)


def _frame(answer) -> Verdict:
    wrong = [
        (lambda size, width: _distance(size) >= width, "that is the inside: turn it round"),
        (
            lambda size, width: _distance(size) <= width,
            "it is one pixel too wide: an edge pixel is 0 away from the edge",
        ),
        (lambda size, width: _distance(size) == 0, "it is always one pixel wide: use width"),
        (
            lambda size, width: _rows(size) < width,
            "that is top and bottom only: left and right belong to it",
        ),
        (
            lambda size, width: np.maximum(_rows(size), _rows(size).T) < width,
            "those are the four corners only: a pixel belongs to the frame if it is near *one* "
            "edge",
        ),
        (
            lambda size, width: (np.arange(size)[:, None] < width) | (np.arange(size) < width),
            "that is top and left only: bottom and right belong to it",
        ),
        (
            lambda size, width: np.argwhere(_distance(size) < width),
            "it returns places: an array of True and False of shape (size, size) is asked for",
        ),
    ]
    return function(
        answer,
        lambda size, width: _distance(size) < width,
        [(3, 1), (4, 1), (7, 2), (28, 1), (9, 4)],
        "all pixels less than width away from an edge, on all four sides",
        wrong,
        names=("size", "width"),
    )


# ---------------------------------------------------------------------------- a data statement


def _statement(answer) -> Verdict:
    points = [
        (
            r"malign\w*.*(positive|1|%|share|baseline|balanced|majority)|(positive|majority|"
            r"baseline|balanced).*malign",
            "say which class is positive, and what ignorance scores with this mix of classes",
        ),
        (
            r"near.?duplicate|duplicate|twins?\b|copies|grouped|\bgroups?\b",
            "say what was done about near-duplicates: on which images are the scores?",
        ),
        (
            r"caliper|burned|burnt|annotation|\bmarks?\b|\btext\b|overlay",
            "at this size marks can be seen: say whether a model could use them",
        ),
        (
            r"patient|wom[ae]n|person",
            "say what is known about patients, and what follows if nothing is",
        ),
    ]
    right = "it touches all four points; whether it argues well, compare with the solution"
    return paragraph(answer, points, right, words=40)


EXERCISES = {
    "01.polarity": Exercise(
        _polarity,
        "read",
        (
            "The neighbour's 'positive' is benign or normal. What is malignant called then?",
            "Malignant images are the neighbour's negatives: some were called negative (tn), the "
            "others positive (fp).",
            "Divide the malignant images that were called malignant by all malignant images; both "
            "are made of tn and fp.",
        ),
    ),
    "01.majority": Exercise(
        _majority,
        "write",
        (
            "Two steps: which answer does the baseline give, and how often is it right?",
            "Only the training labels may choose the answer: their mean says which class is more "
            "common.",
            "Compare the test labels with the chosen class; the mean of True and False is a share.",
        ),
    ),
    "01.ncc": Exercise(
        _ncc,
        "write",
        (
            "Start with two lines that take the mean away from each image.",
            "Numerator: the sum of the products, pixel by pixel. Denominator: a square root of a "
            "product of two sums.",
            "With a and b free of their means the denominator is the root of (a**2).sum() times "
            "(b**2).sum().",
        ),
    ),
    "01.opposite": Exercise(
        _opposite,
        "read",
        (
            "The table `pairs` has a column for each of the two conditions.",
            "`across` and `opposite` hold True and False; combine them with &.",
            "True counts as 1: the sum of `pairs.across & ...` is the number asked for.",
        ),
    ),
    "01.memory": Exercise(
        _memory,
        "fault",
        (
            "Compare the column 'majority baseline' of the two rows: what does it tell you?",
            "A subset with few malignant images gives a high accuracy for nothing. Which score in "
            "the table does not?",
            "The fault has to do with the shares of the classes; subtract the balanced accuracies "
            "of the two rows, with a near-duplicate first.",
        ),
    ),
    "01.leak": Exercise(
        _leak,
        "write",
        (
            "Take the origins of the test files, and the origins of all other files.",
            "np.isin(these, those) says for each of these whether it occurs among those.",
            "`part == 'test'` selects the first, `part != 'test'` the second; then take a mean.",
        ),
    ),
    "01.frame": Exercise(
        _frame,
        "write",
        (
            "It may be easier to say which pixels do not belong to the frame.",
            "Start with np.ones((size, size), bool) and set a square inside to False.",
            "The square inside begins at row and column `width` and ends before `size - width`.",
        ),
    ),
    "01.statement": Exercise(
        _statement,
        "judge",
        (
            "What would you ask a stranger before you believe their score?",
            "One sentence each: positive class and baseline; near-duplicates; marks; patients.",
            "Begin: 'BreastMNIST, official split; malignant is positive, so answering never ...'",
        ),
        rubric="Names the positive class and the score of ignorance (73 % accuracy, balanced "
        "accuracy or AUC 0.5). Says on which test images: all 156, the clean ones, or a grouped "
        "split, and why both. Says that calipers and text are visible at 224 pixels and what was "
        "done: masked, tested, or not. Says that patients are unknown and that groups by looks do "
        "not replace them. Better: file and digest; no claim beyond this hospital.",
    ),
}
