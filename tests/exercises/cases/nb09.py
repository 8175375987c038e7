"""Answers to the exercises of notebook 09: right ones, usual wrong ones, what is said to them."""

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

NAMES = dict(
    names=[
        "SOB_B_A-14-22549AB-40-001.png",
        "SOB_B_A-14-22549CD-40-004.png",
        "SOB_B_A-14-22549EF-100-009.png",
        "SOB_M_DC-14-2980-40-003.png",
        "SOB_M_LC-14-2980-40-003.png",
        "SOB_M_PC-15-2980-400-007.png",
        "SOB_M_PC-15-2981-400-007.png",
    ]
)  # 7 images; slides 22549AB, CD, EF, 14-2980, 15-2980, 15-2981; patients 4


def by_patient(labels, patients, seed):
    rng, test = np.random.default_rng(seed), []
    for value in (0, 1):
        pool = np.unique(patients[labels == value])
        test.extend(rng.choice(pool, round(len(pool) / 5), replace=False))
    return np.isin(patients, test)


def by_scikit_learn(labels, patients, seed):
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    _, test = next(splitter.split(labels, labels, patients))
    mask = np.zeros(len(labels), bool)
    mask[test] = True
    return mask


def by_permutation(labels, patients, seed):
    """A list of True and False."""
    rng = np.random.default_rng(seed)
    benign, malignant = (rng.permutation(np.unique(patients[labels == v])) for v in (0, 1))
    chosen = {*benign[: len(benign) // 5], *malignant[: len(malignant) // 5]}
    return [who in chosen for who in patients]


def by_image(labels, patients, seed):
    return np.random.default_rng(seed).random(len(labels)) < 0.2


def not_stratified(labels, patients, seed):
    pool = np.unique(patients)
    return np.isin(patients, np.random.default_rng(seed).permutation(pool)[: len(pool) // 5])


def one_class(labels, patients, seed):
    pool = np.unique(patients[labels == 0])
    return np.isin(patients, np.random.default_rng(seed).permutation(pool)[:4])


def sorts(labels, patients, seed):
    labels.sort()
    return by_patient(labels, patients, seed)


def chosen_patients(labels, patients, seed):
    return np.unique(patients[by_patient(labels, patients, seed)])


def by_loop(right, patients):
    shares = {}
    for one, was_right in zip(patients, right, strict=True):
        shares.setdefault(one, []).append(was_right)
    return sum(sum(s) / len(s) for s in shares.values()) / len(shares)


def shares_of(right, patients):
    return pd.Series(right).groupby(patients).mean()


RIGHT = {
    "09.patients": [(4, NAMES), (4.0, NAMES), (np.int64(4), NAMES)],
    "09.split": [(by_patient, {}), (by_scikit_learn, {}), (by_permutation, {})],
    "09.rate": [
        (lambda right, patients: shares_of(right, patients).mean(), {}),
        (by_loop, {}),
    ],
}
WRONG = [
    ("09.patients", 6, NAMES, "letters behind the number"),
    ("09.patients", 5, NAMES, "filed under two subtypes"),
    ("09.patients", 7, NAMES, "these are images"),
    ("09.patients", 3, NAMES, "year belongs"),
    ("09.patients", 2, NAMES, "these are classes"),
    ("09.patients", 9, NAMES, "not it"),
    ("09.split", 0.2, {}, "expected a function"),
    ("09.split", by_image, {}, "on both sides"),
    ("09.split", not_stratified, {}, "draw a fifth of each class by itself"),
    ("09.split", one_class, {}, "one class only"),
    ("09.split", lambda y, who, seed: ~by_patient(y, who, seed), {}, "aim at a fifth"),
    ("09.split", lambda y, who, seed: by_patient(y, who, 0), {}, "every seed gives the same"),
    ("09.split", lambda y, who, seed: by_patient(y, who, seed) * 1.0, {}, "True or False"),
    (
        "09.split",
        lambda y, who, seed: np.flatnonzero(by_patient(y, who, seed)),
        {},
        "numbers of images",
    ),
    ("09.split", chosen_patients, {}, "these are patients"),
    ("09.split", sorts, {}, "changes labels or patients"),
    ("09.split", lambda labels, patients: None, {}, "stopped with TypeError"),
    ("09.rate", lambda right, patients: right.mean(), {}, "image accuracy"),
    ("09.rate", lambda r, who: (shares_of(r, who) > 0.5).mean(), {}, "most images right"),
    ("09.rate", lambda r, who: (shares_of(r, who) >= 0.5).mean(), {}, "half of their images"),
    ("09.rate", lambda r, who: (shares_of(r, who) == 1).mean(), {}, "without a wrong image"),
    ("09.rate", lambda r, who: shares_of(r, who).median(), {}, "median patient"),
    ("09.rate", lambda r, who: 1 - shares_of(r, who).mean(), {}, "turned round"),
    ("09.rate", lambda r, who: r.sum() / len(set(who)), {}, "each patient's own images"),
    ("09.rate", shares_of, {}, "average them"),
    ("09.rate", lambda r, who: 0.9, {}, "it gives 0.9, expected 0.5625"),
    ("09.rate", 0.9, {}, "expected a function"),
]
