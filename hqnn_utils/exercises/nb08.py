"""Checks of the exercises in notebook 08."""

from __future__ import annotations

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _fraction(answer, *, head) -> Verdict:
    from hqnn_utils.models import count_parameters, parameter_groups

    in_circuit = sum(p.numel() for p in parameter_groups(head).get("circuit", []))
    in_all = count_parameters(head)
    truth = in_circuit / in_all
    to_the_others = in_circuit / (in_all - in_circuit)
    hints = {
        100 * truth: "give a fraction, not per cent",
        in_circuit: "that is their number: divide by all trainable numbers",
        to_the_others: "divide by all trainable numbers, those of the circuit included",
    }
    right = f"{in_circuit} of {in_all:,}: one in {in_all // in_circuit:,}"
    return number(answer, truth, right, hints.items(), tolerance=0.01 * truth)


def _control(answer, *, hybrid) -> Verdict:
    from hqnn_utils.models import control_of
    from hqnn_utils.studies.settings import StudyError, as_setting

    if not isinstance(answer, dict):
        return Verdict(False, f"expected a setting, that is a dict, got {type(answer).__name__}")
    try:
        found = as_setting(answer).stored()
        wanted = as_setting({**hybrid, "head": control_of(hybrid["head"])}).stored()
    except StudyError as error:
        return Verdict(False, str(error))
    changed = [key for key in wanted if key != "head" and found[key] != wanted[key]]
    if changed:
        return Verdict(
            False, f"a control differs in its head only; yours also differs in {', '.join(changed)}"
        )
    if found["head"] == hybrid["head"]:
        return Verdict(
            False, "that is the hybrid itself: put the matched map in the circuit's place"
        )
    if found["head"] != wanted["head"]:
        return Verdict(
            False,
            f"{found['head']!r} has other layers or another number of parameters: "
            "look for the matched head of the same shape",
        )
    return Verdict(
        True,
        f"{found['head']!r} with the same circuit setting has as many parameters as the circuit "
        "it replaces",
    )


def _paired(answer, *, a, b) -> Verdict:
    from hqnn_utils.evaluation.comparison import paired_seeds

    try:
        difference, ahead = answer
        difference, ahead = float(difference), int(ahead)
    except (TypeError, ValueError):
        return Verdict(False, "expected a tuple of two numbers: mean difference, seeds ahead")
    found = paired_seeds(a, b)
    truth, wins = found["difference"], found["ahead"]
    if abs(difference + truth) < 1e-6 < abs(difference - truth):
        return Verdict(
            False,
            f"the mean difference is not {difference:.4f}: the sign is turned round: a minus b",
        )
    if abs(difference - truth) > 1e-6:
        return Verdict(
            False,
            f"the mean difference is not {difference:.4f}: take the mean of a - b over seeds",
        )
    if ahead != wins:
        return Verdict(
            False,
            "the mean is right; count again in how many seeds a is larger than b, "
            f"{ahead} is not it",
        )
    return Verdict(True, f"{truth:+.4f} on average, ahead in {wins} of {found['n']} seeds")


EXERCISES = {
    "08.fraction": Exercise(_fraction, "read"),
    "08.control": Exercise(_control, "read"),
    "08.paired": Exercise(_paired, "read"),
}
