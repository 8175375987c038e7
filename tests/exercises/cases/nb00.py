"""Answers to the exercises of notebook 00: right ones, usual wrong ones, what the hint says."""

import cmath
import math

import numpy as np
from scipy.linalg import expm
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    precision_score,
    recall_score,
)

LABELS = dict(labels=np.array([1] * 42 + [0] * 114))

# ------------------------------------------------------------------ expectation of RX(x) on |0>

X = np.array([[0, 1], [1, 0]])


def by_matrix(x):
    rx = np.array([[np.cos(x / 2), -1j * np.sin(x / 2)], [-1j * np.sin(x / 2), np.cos(x / 2)]])
    state = rx @ np.array([1, 0])
    return abs(state[0]) ** 2 - abs(state[1]) ** 2


def by_exponential(x):
    state = expm(-0.5j * x * X) @ np.array([1.0, 0.0])
    return (state.conj() @ np.diag([1, -1]) @ state).real


def by_probabilities(x):
    return float(2 * np.cos(x / 2) ** 2 - 1)


def by_pennylane(x):
    import pennylane as qp

    @qp.qnode(qp.device("default.qubit", wires=1))
    def circuit(angle):
        qp.RX(angle, wires=0)
        return qp.expval(qp.Z(0))

    return circuit(x)


def without_absolute_value(x):
    a0, a1 = np.cos(x / 2), -1j * np.sin(x / 2)
    return a0**2 - a1**2


def absolute_amplitudes(x):
    return abs(np.cos(x / 2)) - abs(np.sin(x / 2))


def complex_difference(x):
    return np.cos(x / 2) - (-1j * np.sin(x / 2))


def stops(x):
    return cmath.cos(x / 2)[0]


# ---------------------------------------------------------------------------------- sensitivity


def by_loop(labels, called):
    found = malignant = 0
    for truth, said in zip(labels, called, strict=True):
        if truth == 1:
            malignant += 1
            found += said == 1
    return found / malignant


def by_counts(labels, called):
    tp = ((labels == 1) & (called == 1)).sum()
    fn = ((labels == 1) & (called == 0)).sum()
    return tp / (tp + fn)


def by_product(labels, called):
    return (labels * called).sum() / labels.sum()


def specificity(labels, called):
    return recall_score(labels, called, pos_label=0)


def missed(labels, called):
    return ((labels == 1) & (called == 0)).sum() / (labels == 1).sum()


def found_among_all(labels, called):
    return (labels * called).mean()


def share_of_alarms(labels, called):
    return called.mean()


def alarms_per_malignant(labels, called):
    return called.sum() / labels.sum()


def how_many(labels, called):
    return (labels * called).sum()


def changes_its_input(labels, called):
    called[labels == 0] = 0
    return called.sum() / labels.sum()


def prints_only(labels, called):
    (labels * called).sum() / labels.sum()


GOOD_VERDICT = (
    "The hybrid reached an AUC of 0.90, the plain head 0.89 and the matched control 0.87. The "
    "intervals overlap by far, and each head was trained once, so this test cannot say whether "
    "the circuit helps."
)
OTHER_GOOD_VERDICT = (
    "With 0.874 the hybrid lies between the linear head (0.891) and the control (0.860). Such "
    "differences are small beside intervals that are more than 0.1 wide; with another seed the "
    "order might change. I would ask for ten seeds before I say more. It does not prove anything."
)

RIGHT = {
    "00.majority": [
        (answer, LABELS) for answer in (114 / 156, 0.731, 0.73, 73.1, 73, np.float64(0.7308))
    ],
    "00.expectation": [
        (answer, {})
        for answer in (math.cos, np.cos, by_matrix, by_exponential, by_probabilities, by_pennylane)
    ],
    "00.missing_line": [
        ("optimizer.zero_grad()", {}),
        ("        optimizer.zero_grad()   # forget the last batch", {}),
        ("optimiser.zero_grad(set_to_none=True)", {}),
        ("model.zero_grad()", {}),
        ("for p in model.parameters(): p.grad = None", {}),
    ],
    "00.sensitivity": [(answer, {}) for answer in (by_loop, by_counts, by_product, recall_score)],
    "00.chosen_epoch": [(3, {}), ("3", {}), (3.0, {})],
    "00.verdict": [(GOOD_VERDICT, {}), (OTHER_GOOD_VERDICT, {})],
}
WRONG = [
    ("00.majority", 42 / 156, LABELS, "share of the malignant"),
    ("00.majority", 26.9, LABELS, "share of the malignant"),
    ("00.majority", 114, LABELS, "divide by the number of all"),
    ("00.majority", 42, LABELS, "how many answers are wrong"),
    ("00.majority", 0.5, LABELS, "a coin"),
    ("00.majority", 1.0, LABELS, "wrong on the 42 malignant"),
    ("00.majority", 100, LABELS, "wrong on the 42 malignant"),
    ("00.majority", 0, LABELS, "right on every image that is not"),
    ("00.majority", 42 / 114, LABELS, "not by those of the other class"),
    ("00.majority", 2.71, LABELS, "not by those of the other class"),
    ("00.majority", 0.7, LABELS, "rounded too far"),
    ("00.majority", 0.74, LABELS, "not it"),
    ("00.majority", "many", LABELS, "expected one number"),
    ("00.expectation", lambda x: np.cos(x / 2), {}, "first amplitude"),
    ("00.expectation", lambda x: np.cos(x / 2) ** 2, {}, "probability of +1 alone"),
    ("00.expectation", lambda x: np.sin(x / 2) ** 2, {}, "probability of -1 alone"),
    ("00.expectation", lambda x: np.cos(x / 2) - np.sin(x / 2), {}, "square each before"),
    ("00.expectation", complex_difference, {}, "squared absolute value of each"),
    ("00.expectation", without_absolute_value, {}, "squared without its absolute value"),
    (
        "00.expectation",
        lambda x: np.cos(x / 2) ** 2 + np.sin(x / 2) ** 2,
        {},
        "the probabilities were added",
    ),
    ("00.expectation", lambda x: -np.cos(x), {}, "sign is turned round"),
    ("00.expectation", np.sin, {}, "at angle 0 nothing is turned"),
    ("00.expectation", lambda x: np.cos(np.radians(x)), {}, "in radian already"),
    ("00.expectation", lambda x: np.cos(x) ** 2 - np.sin(x) ** 2, {}, "half the angle"),
    (
        "00.expectation",
        lambda x: np.array([np.cos(x / 2), -1j * np.sin(x / 2)]),
        {},
        "that is the state",
    ),
    (
        "00.expectation",
        lambda x: np.array([np.cos(x / 2) ** 2, np.sin(x / 2) ** 2]),
        {},
        "the two probabilities; the mean",
    ),
    ("00.expectation", absolute_amplitudes, {}, "is the square of the absolute value"),
    ("00.expectation", stops, {}, "it stops: TypeError"),
    ("00.expectation", lambda x: None, {}, "it returns nothing"),
    ("00.expectation", math.cos(0.3), {}, "expected a function"),
    ("00.missing_line", "loss.backward()", {}, "line 5 does that"),
    ("00.missing_line", "optimizer.step()", {}, "line 6 does that"),
    ("00.missing_line", "model.train()", {}, "line 1 does that"),
    ("00.missing_line", "model.eval()", {}, "where a model is tested"),
    ("00.missing_line", "with torch.no_grad():", {}, "forbid the gradients"),
    ("00.missing_line", "schedule.step()", {}, "a loop without one does not go astray"),
    ("00.missing_line", "scheduler.step()", {}, "a loop without one does not go astray"),
    ("00.missing_line", "optimizer.zero_grad", {}, "with brackets"),
    ("00.missing_line", "loss = loss.detach()", {}, "cut the way"),
    ("00.missing_line", "total += loss.item()", {}, "only reads the loss"),
    ("00.missing_line", "logits = logits.softmax(1)", {}, "as they are"),
    ("00.missing_line", "lower the learning rate", {}, "line by line"),
    ("00.missing_line", 4, {}, "expected a text in quotes"),
    ("00.sensitivity", specificity, {}, "that is the specificity"),
    ("00.sensitivity", precision_score, {}, "that is the precision"),
    ("00.sensitivity", accuracy_score, {}, "that is the accuracy"),
    ("00.sensitivity", missed, {}, "share that was missed"),
    ("00.sensitivity", found_among_all, {}, "not by all"),
    ("00.sensitivity", share_of_alarms, {}, "share of images called malignant"),
    ("00.sensitivity", alarms_per_malignant, {}, "a false alarm is no find"),
    ("00.sensitivity", how_many, {}, "how many were found"),
    ("00.sensitivity", balanced_accuracy_score, {}, "balanced accuracy"),
    ("00.sensitivity", f1_score, {}, "that is F1"),
    ("00.sensitivity", changes_its_input, {}, "work on a copy"),
    ("00.sensitivity", prints_only, {}, "it returns nothing"),
    ("00.sensitivity", lambda labels, called: 1.0, {}, "it gives 1, expected 0.6667"),
    ("00.sensitivity", 0.71, {}, "expected a function"),
    ("00.chosen_epoch", 1, {}, "only repeats"),
    ("00.chosen_epoch", 2, {}, "trains on the training images"),
    ("00.chosen_epoch", 4, {}, "which images the new one comes from"),
    ("00.chosen_epoch", 5, {}, "best on which images"),
    ("00.chosen_epoch", 6, {}, "how were they chosen"),
    ("00.chosen_epoch", 7, {}, "an earlier line made it so"),
    ("00.chosen_epoch", 8, {}, "not it"),
    ("00.chosen_epoch", "auc", {}, "expected one number"),
    ("00.verdict", "The circuit helps.", {}, "3 words: argue in 25 words or more"),
    (
        "00.verdict",
        "The hybrid has an AUC of 0.90 against 0.89 of the linear head, the intervals overlap and "
        "each was trained once, but this proves that the circuit helps at least a little.",
        {},
        "weaken that word",
    ),
    (
        "00.verdict",
        "The hybrid is a little better than the linear head, but the intervals overlap, and each "
        "head was trained once, so nobody can say whether the circuit really helps in general.",
        {},
        "argue with numbers",
    ),
    (
        "00.verdict",
        "The hybrid has an AUC of 0.90 and the linear head has 0.89, so the hybrid is better, and "
        "since both were trained from one seed under equal conditions the comparison is fair.",
        {},
        "how sure is each number",
    ),
    (
        "00.verdict",
        "The hybrid reached an AUC of 0.90, with an interval from 0.84 to 0.95, after it had been "
        "trained once; that is a good result for so small a network, so it helps a lot here.",
        {},
        "better than what",
    ),
    (
        "00.verdict",
        "The hybrid reached an AUC of 0.90 and the matched control 0.87, and although the two "
        "intervals overlap a good deal the circuit is ahead of the control and therefore helps us.",
        {},
        "each head was trained once",
    ),
    ("00.verdict", 0.9, {}, "expected a text in quotes"),
]
