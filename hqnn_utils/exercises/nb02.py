"""Checks of the exercises in notebook 02."""

from __future__ import annotations

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _ppv(answer, *, sensitivity, specificity, prevalence) -> Verdict:
    true_alarms, misses = sensitivity * prevalence, (1 - sensitivity) * prevalence
    all_clear, false_alarms = specificity * (1 - prevalence), (1 - specificity) * (1 - prevalence)
    ppv, npv = true_alarms / (true_alarms + false_alarms), all_clear / (all_clear + misses)
    hints = {
        npv: "that is the NPV",
        sensitivity: "that is the sensitivity: it asks about the ill, the PPV about the alarms",
        true_alarms: "that is the share of true alarms among all women: "
        "divide by the share of all alarms",
    }
    return number(
        answer, ppv, f"about {100 * ppv:.0f} of 100 alarms are right", hints.items(), tolerance=1e-3
    )


def _runs(answer, *, accuracies, n) -> Verdict:
    gap = max(accuracies) - min(accuracies)
    truth = round(max(accuracies) * n) - round(min(accuracies) * n)
    hints = {
        gap: "that is the difference of the accuracies: how many images is it?",
        100 * gap: "those are per cent points: how many images is it?",
    }
    return number(answer, truth, f"{truth} images of {n}", hints.items(), whole=True)


def _study(answer, *, right_a, right_b) -> Verdict:
    from scipy.stats import binomtest

    gap = abs(right_a - right_b)
    truth = float(binomtest(gap, gap).pvalue)
    hints = {truth / 2: "that is one-sided: nobody knew beforehand which model would win"}
    right = f"p = {truth:.3f}: even the luckiest pairing cannot reach 0.05"
    return number(answer, truth, right, hints.items(), tolerance=1e-3)


def _power(answer, *, gain, discordant, power) -> Verdict:
    from hqnn_utils.evaluation.power import images_needed

    truth = images_needed(gain, discordant, power)
    hints = {images_needed(gain, discordant): "that gives a power of 80 %: ask for more"}
    return number(answer, truth, f"about {truth} images", hints.items(), tolerance=0.01 * truth)


EXERCISES = {
    "02.ppv": Exercise(_ppv, "read"),
    "02.runs": Exercise(_runs, "read"),
    "02.study": Exercise(_study, "read"),
    "02.power": Exercise(_power, "read"),
}
