"""Checks of the exercises in notebook 08."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number, paragraph, together


def _fraction(answer, *, head) -> Verdict:
    from hqnn_utils.models import count_parameters, parameter_groups

    in_circuit = sum(p.numel() for p in parameter_groups(head).get("circuit", []))
    in_all = count_parameters(head)
    truth = in_circuit / in_all
    wrong = [
        (in_circuit, "that is how many they are: divide by all trainable numbers"),
        (
            in_all,
            "that is how many trainable numbers there are: how many of them are the circuit's?",
        ),
        (in_all / in_circuit, "turn the fraction round: a part divided by the whole"),
        (truth / 2, "each of the two layers has an angle on every qubit"),
        (1 - truth, "that is the share of everything else"),
        (in_circuit / (in_all / 2048), "divide by all trainable numbers of the head"),
        (1 / in_all, "the circuit has one angle for each qubit in each layer"),
    ]
    right = f"{in_circuit} of {in_all:,}: one in {in_all // in_circuit:,}"
    return number(answer, truth, right, wrong, share=True, tolerance=0.01 * truth)


# ---------------------------------------------------------------- a control, and why it is one

WHY = [
    (
        r"param|weight|number|size|angles",
        "the setting is right; say in your reason what the two must have equally many of",
    ),
    (
        r"layer|shape|architect|head|around|same place|instead|replac",
        "the setting is right; say in your reason what stays the same around the circuit",
    ),
    (
        r"seed|epoch|budget|train|start|data|split",
        "the setting is right; say in your reason what must be the same about the training",
    ),
]


def _control(answer, *, hybrid) -> Verdict:
    """The answer is a pair: a setting, and the reason in a sentence or two."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return Verdict(False, "expected two things: (setting, reason)")
    setting, reason = answer
    right = "the same head, the same training, and a classical map of the circuit's size in it"
    parts = (_fault_of_control(setting, hybrid), paragraph(reason, WHY, right, words=12))
    return together(parts, right)


def _fault_of_control(setting, hybrid: dict) -> Verdict:
    from hqnn_utils.models import HEADS, control_of
    from hqnn_utils.studies.settings import StudyError, as_setting

    if not isinstance(setting, dict):
        return Verdict(False, f"expected a setting, that is a dict, got {type(setting).__name__}")
    try:
        found = as_setting(setting).stored()
        wanted = as_setting({**hybrid, "head": control_of(hybrid["head"])}).stored()
    except StudyError as error:
        return Verdict(False, str(error))
    changed = [key for key in wanted if key != "head" and found[key] != wanted[key]]
    if changed:
        return Verdict(
            False, f"a control differs in its head only; yours also differs in {', '.join(changed)}"
        )
    if found["head"] == wanted["head"]:
        return Verdict(True, "")
    words = {
        hybrid["head"]: "that is the hybrid itself: put the matched map in the circuit's place",
        "mlp": "'mlp' has more parameters than the circuit it replaces: look for the matched one",
        "frozen": "'frozen' is still a circuit: it asks whether training helps, not whether the "
        "circuit does",
        "shuffled": "'shuffled' is a circuit that gets another image's angles: it tells whether "
        "the head uses its circuit, not whether a classical map does as well",
        "identity": "'identity' has no parameters in the circuit's place: it is a weaker opponent",
    }
    around, _ = HEADS[found["head"]]
    if around is not HEADS[wanted["head"]][0]:
        return Verdict(
            False,
            f"{found['head']!r} has other layers or another number of parameters: "
            "look for the matched head of the same shape",
        )
    other = f"{found['head']!r} is another control: look for the one that notebook 08 calls matched"
    return Verdict(False, words.get(found["head"], other))


# ---------------------------------------------------------------- paired by seed


def _paired(answer, *, a, b) -> Verdict:
    from hqnn_utils.evaluation.comparison import paired_seeds

    a, b = np.asarray(a, float), np.asarray(b, float)
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return Verdict(False, "expected a tuple of two numbers: mean difference, seeds ahead")
    gap, found = a - b, paired_seeds(a, b)
    truth, wins, n = found["difference"], found["ahead"], found["n"]
    differences = [
        (-truth, "the mean difference is turned round: a minus b"),
        (np.abs(gap).mean(), "keep the signs: a seed in which b is ahead counts against a"),
        (gap.sum(), "that is the sum over seeds: divide by their number"),
        (np.median(gap), "that is the median: take the mean of a - b over seeds"),
        (a.max() - b.max(), "that compares the best seeds: compare seed by seed"),
        (100 * truth, "give the difference of the AUC as it is, not in points"),
    ]
    counts = [
        (int((gap < 0).sum()), "the mean is right; the count is that of b: where is a larger?"),
        (int((gap >= 0).sum()), "the mean is right; a tie is no lead: count a > b"),
        (n, "the mean is right; that is the number of seeds: in how many is a larger than b?"),
        (wins / n, "the mean is right; give the number of seeds, not their share"),
    ]
    parts = (
        number(answer[0], truth, "", differences),
        number(answer[1], wins, "", counts, whole=True),
    )
    return together(parts, f"{truth:+.4f} on average, ahead in {wins} of {n} seeds")


EXERCISES = {
    "08.fraction": Exercise(
        _fraction,
        "read",
        (
            "Two counts are needed: of the circuit, and of the whole head.",
            "`spec.n_weights` and `count_parameters(head)`.",
            "The circuit has two layers with one angle on each of four qubits. Divide this number "
            "by all trainable numbers of the head.",
        ),
    ),
    "08.control": Exercise(
        _control,
        "judge",
        (
            "Write down everything that decides this run. Which of these things may the control "
            "change?",
            "Only the head changes. Look in section 1 for the head that has the same layers and "
            "as many parameters.",
            "Copy `hybrid` and give it another `head`; `control_of` names it. In your reason "
            "say what the two have in common: parameters, layers around the circuit, training.",
        ),
        rubric="One change only: the map in the circuit's place. A good reason names equal "
        "numbers of parameters, equal layers around that place, and equal seeds, data and budget; "
        "a very good one adds what this control does not settle (whether the map can mix its "
        "inputs as the circuit does).",
    ),
    "08.paired": Exercise(
        _paired,
        "read",
        (
            "Each seed is a pair: subtract within it first.",
            "`a - b` holds ten differences. Their mean is the first number, and the second counts "
            "how many are above zero.",
            "A tuple of two numbers: the mean of `a - b`, and the sum of `a > b`.",
        ),
    ),
}
