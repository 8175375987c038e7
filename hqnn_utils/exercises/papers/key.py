"""Which faults a paper has, from its records alone: the key that answers are compared with."""

from __future__ import annotations

import numpy as np

from hqnn_utils.evaluation.comparison import holm, two_level_bootstrap
from hqnn_utils.evaluation.metrics import rank_auc, wilson_interval
from hqnn_utils.exercises.papers.paper import Paper

THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)
STILL = 0.1  # radian; a circuit that moved less has kept its random start
NARROW = 0.85  # of the two-level width; the noise of a bootstrap is a few per cent
ROUNDED = 0.0006  # of a number with three digits


def aucs(paper: Paper, model: str) -> np.ndarray:
    """Test AUC of each run."""
    y, p = paper.runs(model)
    return rank_auc(y, p)


def accuracies(paper: Paper, model: str, part: str) -> np.ndarray:
    """Mean accuracy over runs at each of ``THRESHOLDS``."""
    y, p = paper.runs(model, part)
    return ((p[..., None] >= THRESHOLDS) == y[:, None]).mean(axis=(0, 1))


def best_threshold(paper: Paper, part: str, model: str = "hybrid") -> float:
    """The threshold with the best mean accuracy; of equals the first."""
    return float(THRESHOLDS[accuracies(paper, model, part).argmax()])


def sensitivity_and_specificity(paper: Paper, model: str = "hybrid") -> tuple[float, float]:
    """Means over runs at the stated threshold."""
    y, p = paper.runs(model)
    called = p >= paper.claims["threshold"]
    return float(called[:, y == 1].mean()), float((~called[:, y == 0]).mean())


def shared(paper: Paper, column: str) -> int:
    """Test images that share what stands in ``column`` with a training image."""
    parts = dict(list(paper.images.groupby("part")))
    return int(parts["test"][column].isin(parts["train"][column]).sum())


def two_level_width(paper: Paper) -> float:
    """Width of the 95 % interval of the difference of AUC that draws runs and images."""
    y, p = paper.runs("hybrid")
    found = two_level_bootstrap(y, p, paper.runs("control")[1], n_resamples=4000)
    return found["high"] - found["low"]


def moved(paper: Paper) -> float:
    """Root mean square by which the circuit's angles moved, mean over the hybrid's runs."""
    hybrid = [r for r in paper.records if r.settings["model"] == "hybrid"]
    return float(np.mean([r.scores["fit"]["moved"]["circuit"]["rms"] for r in hybrid]))


def tries(paper: Paper) -> dict[str, int]:
    """Settings that were tried for each model."""
    return paper.tuning.groupby("model").size().to_dict()


def corrected(paper: Paper) -> dict[str, float]:
    """P-values after Holm."""
    return holm(dict(zip(paper.tests["test"], paper.tests["p"], strict=True)))


def majority(paper: Paper) -> float:
    """Share of the larger class among the test images."""
    y, _ = paper.runs("hybrid")
    return float(max(y.mean(), 1 - y.mean()))


def audit(paper: Paper) -> set[str]:
    """Names of the faults that a paper has."""
    said = paper.claims
    y, _ = paper.runs("hybrid")
    hybrid, control = aucs(paper, "hybrid"), aucs(paper, "control")
    low, high = said["interval"]
    right = round(said["accuracy"]["hybrid"] * len(y))
    sensitivity, specificity = sensitivity_and_specificity(paper)
    p = corrected(paper)
    is_so = {
        "patients": shared(paper, "patient") > 0,
        "copies": shared(paper, "fingerprint") > 0,
        "best_run": abs(said["auc"]["hybrid"] - hybrid.mean()) > ROUNDED,
        "threshold": not np.isclose(said["threshold"], best_threshold(paper, "val")),
        "majority": wilson_interval(right, len(y))[0] <= majority(paper),
        "interval": (high - low) < NARROW * two_level_width(paper),
        "holm": any(p[test] > 0.05 for test in said["significant"]),
        "tuning": tries(paper)["control"] < tries(paper)["hybrid"],
        "circuit": moved(paper) < STILL,
        "number": abs(said["auc"]["control"] - control.mean()) > ROUNDED,
        "polarity": abs(said["sensitivity"] - sensitivity) > abs(said["sensitivity"] - specificity),
    }
    return {name for name, found in is_so.items() if found}


def evidence(paper: Paper) -> dict[str, float]:
    """For each kind of fault the number that shows it, whether the paper has it or not."""
    at = best_threshold(paper, "val")
    return {
        "patients": shared(paper, "patient"),
        "copies": shared(paper, "fingerprint"),
        "best_run": float(aucs(paper, "hybrid").mean()),
        "threshold": float(accuracies(paper, "hybrid", "test")[at == THRESHOLDS].item()),
        "majority": majority(paper),
        "interval": two_level_width(paper),
        "holm": min(corrected(paper).values()),
        "tuning": tries(paper)["control"],
        "circuit": moved(paper),
        "number": float(aucs(paper, "control").mean()),
        "polarity": sensitivity_and_specificity(paper)[0],
    }
