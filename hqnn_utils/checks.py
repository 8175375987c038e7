"""Self-checks for the exercises: ``check("00.wilson", answer)`` says whether an answer is right, and hints if not.

An exercise that nobody has touched holds ``...`` and is reported as open, so that an unsolved notebook still runs.
Each check recomputes the truth from the given context; none compares with a stored number that somebody typed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check: ``ok`` is True, False, or ``None`` for an exercise still open. Falsy unless it is right."""

    ok: bool | None
    message: str

    def __bool__(self) -> bool:
        return self.ok is True

    def __repr__(self) -> str:
        return {True: "RIGHT: ", False: "NOT YET: ", None: "OPEN: "}[self.ok] + self.message


def _number(answer, truth: float, tolerance: float, right: str, hints: dict[float, str] | None = None) -> Verdict:
    """Accept ``truth`` within ``tolerance``; recognise usual wrong values and say what they are."""
    try:
        value = float(answer)
    except (TypeError, ValueError):
        return Verdict(False, f"expected one number, got {type(answer).__name__}")
    if abs(value - truth) <= tolerance:
        return Verdict(True, right)
    for wrong, hint in (hints or {}).items():
        if abs(value - wrong) <= tolerance:
            return Verdict(False, hint)
    return Verdict(False, f"{value:.4g} is not it; look at the definition once more")


def _majority(answer, *, labels) -> Verdict:
    labels = np.asarray(labels)
    share = float(np.mean(labels == 0))
    return _number(answer, share, 5e-4, f"always answering 'not malignant' already scores {share:.3f}",
                   {1 - share: "that is the share of the smaller class: which answer would you always give?",
                    0.5: "the classes are not equally frequent", 100 * share: "give a fraction between 0 and 1, not per cent"})  # fmt: skip


def _sensitivity(answer, *, confusion) -> Verdict:
    c = confusion
    truth = c["tp"] / (c["tp"] + c["fn"])
    return _number(answer, truth, 5e-4, f"{c['tp']} of {c['tp'] + c['fn']} malignant images were found",
                   {c["tn"] / max(c["tn"] + c["fp"], 1): "that is the specificity: divide by the malignant images",
                    c["tp"] / max(c["tp"] + c["fp"], 1): "that is the precision: divide by the truly malignant, not by those called so",
                    (c["tp"] + c["tn"]) / sum(c.values()): "that is the accuracy"})  # fmt: skip


def _circuit(answer, *, n_weights: int) -> Verdict:
    from .circuits import CircuitSpec

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4:
        return Verdict(False, f"keep 4 qubits, got {answer.n_qubits}")
    if answer.n_weights != n_weights:
        return Verdict(False, f"your circuit has {answer.n_weights} trainable angles, wanted {n_weights}: angles = layers x qubits (x 3 for Rot)")
    if answer.entangler == "none":
        return Verdict(False, "without an entangler the qubits never meet: keep one")
    return Verdict(True, f"{answer.label()} has {answer.n_weights} trainable angles")


def _seeing(answer) -> Verdict:
    """Exercise 04.blind: outputs must really move with the input, tried on two inputs and five random weights."""
    import torch

    from .analysis import random_weights
    from .circuits import CircuitSpec
    from .statevector import expectations

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 2 or answer.encoding != "angle" or answer.axis != "Z":
        return Verdict(False, 'keep 2 qubits, encoding="angle" and axis="Z"')
    first, second = torch.tensor([[0.1, 0.2]]).double(), torch.tensor([[1.3, -0.9]]).double()
    moved = max((expectations(answer, first, w) - expectations(answer, second, w)).abs().max().item() for w in random_weights(answer, 5))
    if moved > 1e-6:
        return Verdict(True, "the rotation before the second upload makes the phase visible")
    if answer.reupload and answer.n_layers > 1:
        return Verdict(False, "still blind: rotations about Z alone never leave the vertical axis; choose another trainable rotation")
    return Verdict(False, "still blind: |0> has no phase that a Z rotation could change; repeat the encoding behind a rotation")


def _entangled(answer, *, state) -> Verdict:
    from .analysis import meyer_wallach

    if not isinstance(answer, (bool, np.bool_)):
        return Verdict(False, f"expected True or False, got {answer!r}")
    if bool(answer) == bool(meyer_wallach(state).item() > 1e-9):
        return Verdict(True, f"Q = {meyer_wallach(state).item():.3f}")
    return Verdict(False, "compute Q: can the state be written as a product of single-qubit states?")


def _identity(answer) -> Verdict:
    """Exercise 04.identity: the trainable part must start as the identity, tried on the state itself."""
    import torch

    from .circuits import CircuitSpec, init_weights
    from .statevector import state

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4 or answer.n_layers < 4:
        return Verdict(False, f"wanted 4 qubits and at least 4 layers, got {answer.n_qubits} and {answer.n_layers}")
    try:
        weights = init_weights(answer, "identity_block", torch.Generator().manual_seed(0)).double()
    except ValueError as error:
        return Verdict(False, str(error))
    x = torch.linspace(-1, 1, answer.n_inputs).double()[None]
    encoded = CircuitSpec(n_qubits=4, n_layers=1, encoding=answer.encoding, axis=answer.axis, entangler="none", scaling=answer.scaling)
    overlap = (state(answer, x, weights).conj() * state(encoded, x, torch.zeros(1, 4).double())).sum().abs().item()
    if abs(overlap - 1) < 1e-5:
        return Verdict(True, "the circuit starts as the identity: each pair of layers undoes itself")
    return Verdict(False, "the layers do not cancel")


def _shifts(answer, *, spec) -> Verdict:
    one = spec.n_inputs + spec.n_weights
    return _number(answer, 2 * one, 0, f"two runs for each of {one} angles",
                   {one: "each angle needs two runs, one shifted up and one down", 2 * spec.n_weights: "the inputs are angles too: the backbone needs their gradient",
                    2 * one * spec.n_outputs: "one run gives all outputs at once"})  # fmt: skip


def _cosine(answer) -> Verdict:
    """Exercise 05.cosine: values and gradients of a function of two tensors."""
    import torch

    x = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    try:
        out = answer(x, theta)
        gradients = torch.autograd.grad(out.sum(), [x, theta])
    except Exception as error:
        return Verdict(False, f"calling it with two tensors failed: {type(error).__name__}: {error}")
    truth = torch.cos(x + theta)
    if out.shape == x.shape and torch.allclose(out, truth) and torch.allclose(gradients[0], -torch.sin(x + theta)):
        return Verdict(True, "two rotations about the same axis add up: cos(x + theta)")
    if out.shape == x.shape and torch.allclose(out, torch.cos((x + theta) / 2)):
        return Verdict(False, "the half angle belongs to the amplitudes; an expectation value has the full angle")
    if out.shape == x.shape and torch.allclose(out, torch.cos(x) * torch.cos(theta)):
        return Verdict(False, "both rotations are about X, so their angles add up")
    return Verdict(False, "start with theta = 0: what does the Z expectation value of RX(x)|0> look like?")


def _bytes(answer, *, qubits: int, batch: int) -> Verdict:
    truth = batch * 2**qubits * 8
    return _number(answer, truth, 0, f"{truth / 2**20:.0f} MiB for one copy",
                   {truth / 8: "that is the number of amplitudes: each has 8 bytes", truth / batch: "that is one state: there are as many as images",
                    batch * qubits * 8: "a state of n qubits has 2**n amplitudes, not n"})  # fmt: skip


def _polarity(answer, *, confusion) -> Verdict:
    c = confusion  # counted with raw labels: 1 = benign or normal
    raw = c["tp"] / (c["tp"] + c["fn"])
    truth = c["tn"] / (c["tn"] + c["fp"])
    return _number(answer, truth, 5e-4, f"{c['tn']} of {c['tn'] + c['fp']} malignant images were found; the neighbour reported {raw:.3f}",
                   {raw: "that is the share of benign or normal images found: in the raw file malignant is 0",
                    (c["tp"] + c["tn"]) / sum(c.values()): "that is the accuracy: it does not care which class is called 1"})  # fmt: skip


def _opposite(answer, *, pairs) -> Verdict:
    truth = int((pairs.opposite & pairs.across).sum())
    return _number(answer, truth, 0.1, f"{truth} pairs look the same, carry different labels and lie in different splits",
                   {int(pairs.opposite.sum()): "that counts pairs within one split too: use the column 'across'",
                    int(pairs.across.sum()): "that counts pairs with the same label too: use the column 'opposite'"})  # fmt: skip


def _leak(answer, *, origin, part) -> Verdict:
    origin, part = np.asarray(origin), np.asarray(part)
    test, seen = origin[part == "test"], set(origin[part != "test"].tolist())
    truth = float(np.mean([o in seen for o in test]))
    return _number(answer, truth, 5e-4, f"{truth:.1%} of the 'test' images have a sibling outside the test part",
                   {1 - truth: "that is the share without a sibling", 100 * truth: "give a fraction between 0 and 1, not per cent"})  # fmt: skip


# ---------------------------------------------------------------- notebook 02


def _ppv(answer, *, sensitivity, specificity, prevalence) -> Verdict:
    from .metrics import predictive_values

    found = predictive_values(sensitivity, specificity, prevalence)
    return _number(answer, found["ppv"], 1e-3, f"about {100 * found['ppv']:.0f} of 100 alarms are right",
                   {found["npv"]: "that is the NPV", sensitivity: "that is the sensitivity: it asks about the ill, the PPV about the alarms",
                    sensitivity * prevalence: "that is the share of true alarms among all women: divide by the share of all alarms"})  # fmt: skip


def _runs(answer, *, accuracies, n) -> Verdict:
    gap = max(accuracies) - min(accuracies)
    truth = round(max(accuracies) * n) - round(min(accuracies) * n)
    return _number(answer, truth, 0.01, f"{truth} images of {n}", {gap: "that is the difference of the accuracies: how many images is it?",
                                                                  100 * gap: "those are per cent points: how many images is it?"})  # fmt: skip


def _study(answer, *, right_a, right_b) -> Verdict:
    from scipy.stats import binomtest

    gap = abs(right_a - right_b)
    truth = float(binomtest(gap, gap).pvalue)
    return _number(answer, truth, 1e-3, f"p = {truth:.3f}: even the luckiest pairing cannot reach 0.05",
                   {truth / 2: "that is one-sided: nobody knew beforehand which model would win"})  # fmt: skip


def _power(answer, *, gain, discordant, power) -> Verdict:
    from .comparison import images_needed

    truth = images_needed(gain, discordant, power)
    return _number(answer, truth, 0.01 * truth, f"about {truth} images",
                   {images_needed(gain, discordant): "that gives a power of 80 %: ask for more"})  # fmt: skip


# ---------------------------------------------------------------- notebook 03


def _trainable(answer, *, n_features) -> Verdict:
    return _number(answer, 2 * n_features + 2, 0.1, f"{2 * n_features + 2}: two weights a feature and two biases",
                   {2 * n_features: "the two biases learn too", n_features: "there are two classes", n_features + 1: "there are two classes"})  # fmt: skip


def _seeds(answer, *, values) -> Verdict:
    from .comparison import mean_interval

    values = np.asarray(values, float)
    mean, low, high = mean_interval(values)
    half, normal = (high - low) / 2, 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return _number(answer, half, 2e-4, f"the mean is {mean:.3f} plus or minus {half:.3f}",
                   {values.std(ddof=1): "that is the spread of single runs; the mean of n runs varies less",
                    values.std(ddof=1) / np.sqrt(len(values)): "that is the standard error: multiply it by Student's t for n - 1",
                    normal: "with few seeds use Student's t, not 1.96", high - low: "that is the whole width: give half of it"})  # fmt: skip


def _clean(answer, *, labels, probabilities, keep) -> Verdict:
    from .metrics import rank_auc

    labels, probabilities, keep = np.asarray(labels), np.asarray(probabilities, float), np.asarray(keep, bool)
    truth = float(rank_auc(labels[keep], probabilities[keep]))
    return _number(answer, truth, 5e-4, f"AUC {truth:.3f} on the {int(keep.sum())} images without a near-duplicate",
                   {float(rank_auc(labels, probabilities)): "that is the AUC on all test images: leave the near-duplicates out"})  # fmt: skip


CHECKS = {
    "00.majority": _majority, "00.sensitivity": _sensitivity, "00.circuit": _circuit,
    "01.polarity": _polarity, "01.opposite": _opposite, "01.leak": _leak,
    "02.ppv": _ppv, "02.runs": _runs, "02.study": _study, "02.power": _power,
    "03.trainable": _trainable, "03.seeds": _seeds, "03.clean": _clean,
    "04.blind": _seeing, "04.entangled": _entangled, "04.identity": _identity,
    "05.shifts": _shifts, "05.cosine": _cosine, "05.bytes": _bytes,
}  # fmt: skip


def check(exercise: str, answer, **context) -> Verdict:
    """Grade an answer. ``...`` means not tried yet. Raises ValueError for an unknown exercise and names the known ones."""
    from .runtime import choose

    choose("exercise", exercise, CHECKS)
    if answer is ...:
        return Verdict(None, "replace the ... by your answer and run the cell again")
    return CHECKS[exercise](answer, **context)
