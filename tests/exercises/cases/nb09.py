"""Answers to the exercises of notebook 09: right ones, usual wrong ones, what the hint says."""

import numpy as np

NAMES = dict(
    names=[
        "SOB_B_A-14-22549AB-40-001.png",
        "SOB_B_A-14-22549CD-40-004.png",
        "SOB_B_A-14-22549CD-100-009.png",
        "SOB_M_DC-14-2980-40-003.png",
        "SOB_M_PC-15-2980-400-007.png",
    ]
)
WHO = np.repeat([f"14-{i}" for i in range(20)], 4)
SPLIT = dict(labels=np.repeat(np.arange(20) % 2, 4), patients=WHO)
RATE = dict(right=[1, 1, 1, 0, 1, 0, 1, 0], patients=list("aaaabbcd"))  # shares 3/4, 1/2, 1, 0


def by_patient(labels, patients, seed):
    rng, test = np.random.default_rng(seed), []
    for value in (0, 1):
        pool = np.unique(patients[labels == value])
        test.extend(rng.choice(pool, len(pool) // 5, replace=False))
    return np.isin(patients, test)


def by_image(labels, patients, seed):
    return np.random.default_rng(seed).random(len(labels)) < 0.2


def one_class(labels, patients, seed):
    pool = np.unique(patients[labels == 0])
    return np.isin(patients, np.random.default_rng(seed).permutation(pool)[:4])


def too_many(labels, patients, seed):
    return ~by_patient(labels, patients, seed)


RIGHT = {
    "09.patients": [(3, NAMES)],
    "09.split": [(by_patient, SPLIT)],
    "09.rate": [((0.75 + 0.5 + 1 + 0) / 4, RATE)],
}
WRONG = [
    ("09.patients", 4, NAMES, "letters behind the number"),
    ("09.patients", 5, NAMES, "these are images"),
    ("09.patients", 2, NAMES, "year belongs"),
    ("09.patients", 7, NAMES, "not it"),
    ("09.split", 0.2, SPLIT, "expected a function"),
    ("09.split", by_image, SPLIT, "on both sides"),
    ("09.split", one_class, SPLIT, "one class only"),
    ("09.split", too_many, SPLIT, "aim at a fifth"),
    (
        "09.split",
        lambda labels, patients, seed: by_patient(labels, patients, 0),
        SPLIT,
        "every seed gives the same split",
    ),
    (
        "09.split",
        lambda labels, patients, seed: by_patient(labels, patients, seed).astype(float),
        SPLIT,
        "True or False",
    ),
    ("09.split", lambda labels, patients: None, SPLIT, "stopped with TypeError"),
    ("09.rate", 5 / 8, RATE, "image accuracy"),
    ("09.rate", 2 / 4, RATE, "average the shares"),
    ("09.rate", 0.9, RATE, "not it"),
]
