"""Checks of the exercises in notebook 09."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _patients(answer, *, names) -> Verdict:
    from hqnn_utils.data.breakhis_names import parse_name

    parsed = [parse_name(name) for name in names]
    patients = len({image.patient for image in parsed})
    slides = len({image.slide for image in parsed})
    numbers = len({image.number for image in parsed})
    hints = {
        slides: "these are slides: letters behind the number tell slides of one patient apart",
        len(names): "these are images",
        numbers: "the year belongs to the slide number",
    }
    right = f"{patients} patients, {slides} slides, {len(names)} images"
    return number(answer, patients, right, hints.items(), whole=True)


def _split(answer, *, labels, patients) -> Verdict:
    """The answer is a function (labels, patients, seed) -> boolean mask of the test images."""
    if not callable(answer):
        return Verdict(
            False, f"expected a function of labels, patients and seed, got {type(answer).__name__}"
        )
    labels, patients = np.asarray(labels), np.asarray(patients)
    masks = set()
    for seed in range(6):
        try:
            mask = np.asarray(answer(labels, patients, seed))
        except Exception as error:
            return Verdict(False, f"your function stopped with {type(error).__name__}: {error}")
        if mask.shape != labels.shape or mask.dtype != bool:
            return Verdict(
                False,
                f"expected True or False for each of {len(labels)} images, "
                f"got shape {mask.shape} of {mask.dtype}",
            )
        fault = _fault_of_split(mask, labels, patients)
        if fault:
            return Verdict(False, f"with seed {seed}, {fault}")
        masks.add(tuple(mask))
    if len(masks) == 1:
        return Verdict(
            False,
            "every seed gives the same split: draw the patients with "
            "numpy.random.default_rng(seed)",
        )
    return Verdict(True, "no patient on two sides, both classes on each, for six seeds")


def _fault_of_split(test: np.ndarray, labels: np.ndarray, patients: np.ndarray) -> str | None:
    both_sides = set(patients[test]) & set(patients[~test])
    if both_sides:
        return (
            f"{len(both_sides)} patients are on both sides, the first is {min(both_sides)}: "
            "draw patients, not images"
        )
    if len(set(labels[test])) < 2 or len(set(labels[~test])) < 2:
        return "one side has one class only: draw from the benign and from the malignant patients"
    if not 0.1 <= test.mean() <= 0.35:
        return (
            f"{test.mean():.0%} of the images are in the test: "
            "aim at a fifth of the patients of each class"
        )
    return None


def _rate(answer, *, right, patients) -> Verdict:
    right, patients = np.asarray(right, float), np.asarray(patients)
    share = np.array([right[patients == patient].mean() for patient in np.unique(patients)])
    mostly_right = (share > 0.5).mean()
    hints = {
        right.mean(): "that is the image accuracy: patients with many images count more in it",
        mostly_right: "that is the share of patients with most images right: "
        "average the shares themselves",
    }
    return number(
        answer,
        share.mean(),
        f"{share.mean():.3f}: each patient counts once",
        hints.items(),
        tolerance=5e-4,
    )


EXERCISES = {
    "09.patients": Exercise(_patients, "read"),
    "09.split": Exercise(_split, "read"),
    "09.rate": Exercise(_rate, "read"),
}
