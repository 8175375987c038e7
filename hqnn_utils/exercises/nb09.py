"""Checks of the exercises in notebook 09."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import OPEN, function, number

# ---------------------------------------------------------------- how many patients


def _patients(answer, *, names) -> Verdict:
    from hqnn_utils.data.breakhis_names import parse_name

    parsed = [parse_name(name) for name in names]
    patients = len({image.patient for image in parsed})
    slides = len({image.slide for image in parsed})
    wrong = [
        (slides, "these are slides: letters behind the number tell slides of one patient apart"),
        (
            len({(image.patient, image.subtype) for image in parsed}),
            "a slide can be filed under two subtypes: its patient counts once",
        ),
        (len(names), "these are images"),
        (len({image.number for image in parsed}), "the year belongs to the slide number"),
        (
            len({image.tumour for image in parsed}),
            "these are classes: look at year and slide number",
        ),
        (len({image.year for image in parsed}), "these are years"),
    ]
    right = f"{patients} patients, {slides} slides, {len(names)} images"
    return number(answer, patients, right, wrong, whole=True)


# ---------------------------------------------------------------- a split by patient

SEEDS = range(16)


def _hospital(benign: int, malignant: int, images, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and patients of the images, in no order; ``images`` gives each patient's number."""
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1], [benign, malignant])
    numbers = np.array([images(rng) for _ in label])
    who = rng.permutation(np.repeat(np.arange(len(label)), numbers))
    names = np.array([f"14-{100 + number}" for number in range(len(label))])
    return label[who], names[who]


def _hospitals() -> list[tuple[np.ndarray, np.ndarray]]:
    """One in which each patient has as many images, and one in which they differ widely."""
    return [
        _hospital(25, 35, lambda rng: 4, seed=0),
        _hospital(12, 18, lambda rng: int(rng.integers(1, 12)), seed=1),
    ]


def _split(answer) -> Verdict:
    """The answer is a function (labels, patients, seed) -> boolean mask of the test images."""
    if not callable(answer):
        return Verdict(
            False, f"expected a function of labels, patients and seed, got {type(answer).__name__}"
        )
    for number_of, (labels, patients) in enumerate(_hospitals()):
        masks = set()
        for seed in SEEDS:
            mask = _mask_of(answer, labels, patients, seed)
            if isinstance(mask, Verdict):
                return mask
            fault = _fault_of_split(mask, labels, patients, even=number_of == 0)
            if fault:
                return Verdict(False, f"with seed {seed}, {fault}")
            masks.add(tuple(mask))
        if len(masks) < len(SEEDS) // 2:
            return Verdict(
                False,
                "every seed gives the same split: draw the patients with "
                "numpy.random.default_rng(seed)",
            )
    return Verdict(
        True, "no patient on two sides, a fifth of each class, for sixteen seeds and two hospitals"
    )


def _mask_of(answer: Callable, labels, patients, seed: int) -> np.ndarray | Verdict:
    """What a student's function gives, as an array, or what is wrong with it."""
    given = copy.deepcopy((labels, patients))
    try:
        mask = answer(*given, seed)
    except Exception as error:
        return Verdict(False, f"your function stopped with {type(error).__name__}: {error}")
    if mask is ...:
        return OPEN
    if any((a != b).any() for a, b in zip(given, (labels, patients), strict=True)):
        return Verdict(False, "it changes labels or patients: work on a copy")
    mask = np.asarray(mask)
    if mask.shape == labels.shape and mask.dtype == bool:
        return mask
    if mask.ndim == 1 and mask.size and np.isin(mask, patients).all():
        return Verdict(
            False, "these are patients: which images are theirs? numpy.isin(patients, chosen)"
        )
    if mask.ndim == 1 and mask.dtype.kind in "iu" and mask.shape != labels.shape:
        return Verdict(False, "these are numbers of images: give True or False for each image")
    return Verdict(
        False,
        f"expected True or False for each of {len(labels)} images, "
        f"got shape {mask.shape} of {mask.dtype}",
    )


def _fault_of_split(test, labels, patients, even: bool) -> str | None:
    both_sides = set(patients[test]) & set(patients[~test])
    if both_sides:
        return (
            f"{len(both_sides)} patients are on both sides, the first is {min(both_sides)}: "
            "draw patients, not images"
        )
    if len(set(labels[test])) < 2 or len(set(labels[~test])) < 2:
        return "one side has one class only: draw from the benign and from the malignant patients"
    drawn = [len(set(patients[test & (labels == value)])) for value in (0, 1)]
    whole = [len(set(patients[labels == value])) for value in (0, 1)]
    said = f"{drawn[0]} of {whole[0]} benign and {drawn[1]} of {whole[1]} malignant patients"
    if not 0.1 <= sum(drawn) / sum(whole) <= 0.35:
        return f"{said} are in the test: aim at a fifth of the patients of each class"
    # Where patients have equally many images, any way to stratify gives each class its fifth.
    if even and any(abs(d - w / 5) > 1 for d, w in zip(drawn, whole, strict=True)):
        return (
            f"{said} are in the test, and with other seeds other shares: draw a fifth of each "
            "class by itself (stratified by patients)"
        )
    return None


# ---------------------------------------------------------------- the recognition rate


def _rates(right, patients) -> np.ndarray:
    """Each patient's share of right images."""
    right, patients = np.asarray(right, float), np.asarray(patients)
    return np.array([right[patients == one].mean() for one in np.unique(patients)])


def _wards() -> list[tuple[np.ndarray, np.ndarray]]:
    """Answers of patients with very different numbers of images."""
    wards = [(np.array([1, 1, 1, 0, 1, 0, 1, 0], bool), np.array(list("aaaabbcd")))]
    for seed, patients in enumerate((5, 9)):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(patients), rng.integers(1, 15, patients))
        right = rng.random(len(who)) < rng.beta(2, 1, patients)[who]
        order = rng.permutation(len(who))
        wards.append((right[order], np.array([f"14-{100 + w}" for w in who])[order]))
    return wards


RATE_FAULTS = [
    (
        lambda right, patients: float(np.mean(right)),
        "that is the image accuracy: patients with many images count more in it",
    ),
    (
        lambda right, patients: float((_rates(right, patients) > 0.5).mean()),
        "that is the share of patients with most images right: average the shares themselves",
    ),
    (
        lambda right, patients: float((_rates(right, patients) >= 0.5).mean()),
        "that is the share of patients with half of their images right: average the shares",
    ),
    (
        lambda right, patients: float((_rates(right, patients) == 1).mean()),
        "that is the share of patients without a wrong image: average the shares themselves",
    ),
    (
        lambda right, patients: float(np.median(_rates(right, patients))),
        "that is the median patient: take the mean over patients",
    ),
    (
        lambda right, patients: 1 - float(_rates(right, patients).mean()),
        "turned round: that is the share of wrong images",
    ),
    (
        lambda right, patients: float(np.sum(right) / len(set(np.asarray(patients).tolist()))),
        "that is the number of right images a patient: divide by each patient's own images first",
    ),
    (_rates, "these are the patients' shares: average them"),
]


def _rate(answer) -> Verdict:
    return function(
        answer,
        lambda right, patients: float(_rates(right, patients).mean()),
        _wards(),
        "each patient counts once, however many images there are",
        RATE_FAULTS,
        names=("right", "patients"),
    )


EXERCISES = {
    "09.patients": Exercise(
        _patients,
        "read",
        (
            "Take each name apart as above. Which of its parts belong to the patient?",
            "Year and slide number make the patient; letters behind the number do not.",
            "Collect `parse_name(name).patient` in a set and count.",
        ),
    ),
    "09.split": Exercise(
        _split,
        "write",
        (
            "Draw patients first; the images follow from them.",
            "For each of the two classes: which patients are in it? Draw a fifth of those, with "
            "`numpy.random.default_rng(seed)`.",
            "`numpy.unique(patients[labels == label])` lists the patients of a class, and "
            "`rng.choice(..., replace=False)` draws. Collect the drawn ones of both classes; "
            "`numpy.isin` turns them into a mask.",
        ),
    ),
    "09.rate": Exercise(
        _rate,
        "write",
        (
            "Two means, one after the other. The inner one belongs to a patient.",
            "For each patient: the share of its images that are right. Then the mean of the "
            "shares.",
            "pandas does it in one line: group a `pd.Series(right)` by `patients`, take the mean "
            "of each group, then the mean of these.",
        ),
    ),
}
