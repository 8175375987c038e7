"""Checks of the exercises in notebook 09."""

from __future__ import annotations

import numpy as np

from . import Verdict, number


def _patients(answer, *, names) -> Verdict:
    from hqnn_utils.data.breakhis_files import parse_name

    parsed = [parse_name(n) for n in names]
    truth, slides = len({n.patient for n in parsed}), len({n.slide for n in parsed})
    return number(
        answer,
        truth,
        0.1,
        f"{truth} patients, {slides} slides, {len(names)} images",
        {
            slides: "these are slides: letters behind the number tell slides of one patient apart",
            len(names): "these are images",
            len({n.number for n in parsed}): "the year belongs to the slide number",
        },
    )


def _split(answer, *, labels, patients) -> Verdict:
    """The answer is a function (labels, patients, seed) -> boolean mask of the test images; it is tried with several seeds."""
    if not callable(answer):
        return Verdict(
            False, f"expected a function of labels, patients and seed, got {type(answer).__name__}"
        )
    labels, patients = np.asarray(labels), np.asarray(patients)
    masks = []
    for seed in range(6):
        try:
            mask = np.asarray(answer(labels, patients, seed))
        except Exception as error:
            return Verdict(False, f"your function stopped with {type(error).__name__}: {error}")
        if mask.shape != labels.shape or mask.dtype != bool:
            return Verdict(
                False,
                f"expected True or False for each of {len(labels)} images, got shape {mask.shape} of {mask.dtype}",
            )
        both = set(patients[mask]) & set(patients[~mask])
        if both:
            return Verdict(
                False,
                f"with seed {seed}, {len(both)} patients are on both sides, the first is {min(both)}: draw patients, not images",
            )
        if len(set(labels[mask])) < 2 or len(set(labels[~mask])) < 2:
            return Verdict(
                False,
                f"with seed {seed}, one side has one class only: draw from the benign and from the malignant patients",
            )
        if not 0.1 <= mask.mean() <= 0.35:
            return Verdict(
                False,
                f"with seed {seed}, {mask.mean():.0%} of the images are in the test: aim at a fifth of the patients of each class",
            )
        masks.append(tuple(mask))
    if len(set(masks)) == 1:
        return Verdict(
            False,
            "every seed gives the same split: draw the patients with numpy.random.default_rng(seed)",
        )
    return Verdict(True, "no patient on two sides, both classes on each, for six seeds")


def _rate(answer, *, right, patients) -> Verdict:
    right, patients = np.asarray(right, float), np.asarray(patients)
    each = np.array([right[patients == p].mean() for p in np.unique(patients)])
    return number(
        answer,
        each.mean(),
        5e-4,
        f"{each.mean():.3f}: each patient counts once",
        {
            right.mean(): "that is the image accuracy: patients with many images count more in it",
            (
                each > 0.5
            ).mean(): "that is the share of patients with most images right: average the shares themselves",
        },
    )


CHECKS = {"09.patients": _patients, "09.split": _split, "09.rate": _rate}
