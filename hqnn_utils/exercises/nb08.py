"""Checks of the exercises in notebook 08."""

from __future__ import annotations

from . import Verdict, number


def _fraction(answer, *, head) -> Verdict:
    from hqnn_utils.models import count_parameters, parameter_groups

    inside, everything = (
        sum(p.numel() for p in parameter_groups(head).get("circuit", [])),
        count_parameters(head),
    )
    truth = inside / everything
    return number(
        answer,
        truth,
        0.01 * truth,
        f"{inside} of {everything:,}: one in {everything // inside:,}",
        {
            100 * truth: "give a fraction, not per cent",
            inside: "that is their number: divide by all trainable numbers",
            inside
            / (
                everything - inside
            ): "divide by all trainable numbers, those of the circuit included",
        },
    )


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
    changed = [k for k in wanted if k != "head" and found[k] != wanted[k]]
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
            f"{found['head']!r} has other layers or another number of parameters: look for the matched head of the same shape",
        )
    return Verdict(
        True,
        f"{found['head']!r} with the same circuit setting has as many parameters as the circuit it replaces",
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
    if abs(difference - truth) > 1e-6:
        hint = (
            "the sign is turned round: a minus b"
            if abs(difference + truth) < 1e-6
            else "take the mean of a - b over seeds"
        )
        return Verdict(False, f"the mean difference is not {difference:.4f}: {hint}")
    if ahead != wins:
        return Verdict(
            False,
            f"the mean is right; count again in how many seeds a is larger than b, {ahead} is not it",
        )
    return Verdict(True, f"{truth:+.4f} on average, ahead in {wins} of {len(a)} seeds")


CHECKS = {"08.fraction": _fraction, "08.control": _control, "08.paired": _paired}
