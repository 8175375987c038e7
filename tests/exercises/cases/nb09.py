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


def best_threshold(y, p, who):
    """Thresholds are the probabilities themselves, and one above all."""
    best, found = -1.0, 0.5
    for t in [*np.unique(p), 2.0]:
        table = pd.DataFrame({"y": y, "who": who, "right": (p >= t) == y})
        rate = table.groupby(["y", "who"])["right"].mean().groupby("y").mean().mean()
        if rate > best + 1e-12:
            best, found = rate, t
    return min(found, 1.2)


def best_on_a_grid(y, p, who):
    """Middles between neighbours, the last of equally good ones, by loops."""
    values = np.unique(p)
    results = {}
    for t in [0.0, *((values[1:] + values[:-1]) / 2), 1.0]:
        sides = []
        for label in (0, 1):
            rates = [((p[who == w] >= t) == label).mean() for w in np.unique(who[y == label])]
            sides.append(np.mean(rates))
        results[np.mean(sides)] = t
    return np.array(results[max(results)])


def of_patients(y, p, who):
    rates = pd.DataFrame({"y": y, "who": who})
    values = np.unique(p)
    score = [rates.assign(r=(p >= t) == y).groupby("who")["r"].mean().mean() for t in values]
    return values[int(np.argmax(score))]


def rate_itself(y, p, who):
    t = best_threshold(y, p, who)
    table = pd.DataFrame({"y": y, "who": who, "right": (p >= t) == y})
    return table.groupby(["y", "who"])["right"].mean().groupby("y").mean().mean()


def best_accuracy(y, p, who):
    values = np.append(np.unique(p), 1.1)
    return values[int(np.argmax([((p >= t) == y).mean() for t in values]))]


def by_shares(right, patients, n_resamples, seed):
    rng, shares = np.random.default_rng(seed), shares_of(right, patients).to_numpy()
    means = [rng.choice(shares, len(shares)).mean() for _ in range(n_resamples)]
    return tuple(np.quantile(means, [0.025, 0.975]))


def by_whole_patients(right, patients, n_resamples, seed):
    """Draws the images of each patient and counts a patient who comes twice as two."""
    rng, names = np.random.default_rng(seed), np.unique(patients)
    blocks = {name: right[patients == name] for name in names}
    means = []
    for _ in range(n_resamples):
        means.append(np.mean([blocks[name].mean() for name in rng.choice(names, len(names))]))
    return [np.percentile(means, 2.5), np.percentile(means, 97.5)]


def over_images(right, patients, n_resamples, seed):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(right), (n_resamples, len(right)))
    return np.quantile(right[drawn].mean(axis=1), [0.025, 0.975])


def images_then_patients(right, patients, n_resamples, seed):
    rng, means = np.random.default_rng(seed), []
    for _ in range(n_resamples):
        drawn = rng.integers(0, len(right), len(right))
        means.append(shares_of(right[drawn], patients[drawn]).mean())
    return np.quantile(means, [0.025, 0.975])


def no_repeats(right, patients, n_resamples, seed):
    rng, shares = np.random.default_rng(seed), shares_of(right, patients).to_numpy()
    means = []
    for _ in range(n_resamples):
        means.append(shares[np.unique(rng.integers(0, len(shares), len(shares)))].mean())
    return np.quantile(means, [0.025, 0.975])


def ninety(right, patients, n_resamples, seed):
    rng, shares = np.random.default_rng(seed), shares_of(right, patients).to_numpy()
    means = [rng.choice(shares, len(shares)).mean() for _ in range(n_resamples)]
    return np.quantile(means, [0.05, 0.95])


THREE = dict(images=3, train=0.8)
PLAN = """
I split by patient into five folds, because images of one patient share stain and tissue, so that
every patient is tested once. Epoch and threshold are chosen on validation patients. Beside the
hybrid stands a control: the same head with a classical map of the same size, otherwise a gain
could come from the extra layers. Ten seeds each, since one run is luck. The interval of the paired
difference resamples patients and seeds. It helps only if the whole interval lies above zero, by a
rule that I write down before the first run.
"""
PLAN_2 = """
All images of a patient stay on one side of the split; otherwise the networks would recognise the
patients by their stain. I tune learning rates and lock the threshold with the validation part only.
The comparison is between the hybrid and a matched head without a circuit, trained as long. Each is
repeated with twenty seeds. I bootstrap the difference over patients, as they are the sample and not
the images. In advance I write that a lower bound above zero means "it helps" and that an interval
which holds zero means undecided.
"""


RIGHT = {
    "09.patients": [(4, NAMES), (4.0, NAMES), (np.int64(4), NAMES)],
    "09.split": [(by_patient, {}), (by_scikit_learn, {}), (by_permutation, {})],
    "09.rate": [
        (lambda right, patients: shares_of(right, patients).mean(), {}),
        (by_loop, {}),
    ],
    "09.threshold": [(best_threshold, {}), (best_on_a_grid, {})],
    "09.interval": [(by_shares, {}), (by_whole_patients, {})],
    "09.mates": [(0.96, THREE), ("96 %", THREE), (96, THREE), (1 - 0.2**2, THREE)],
    "09.published": [([3, 7, 8], {}), ([4, 6, 8], {}), ({3, 4, 6, 7, 8}, {})],
    "09.plan": [(PLAN, {}), (PLAN_2, {})],
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
    ("09.threshold", 0.5, {}, "expected a function"),
    ("09.threshold", lambda y, p, who: 0.5, {}, "never chosen by anybody"),
    ("09.threshold", best_accuracy, {}, "image accuracy"),
    ("09.threshold", of_patients, {}, "within each class first"),
    ("09.threshold", rate_itself, {}, "the rate itself"),
    ("09.threshold", lambda y, p, who: np.median(p), {}, "looks at no label"),
    ("09.threshold", lambda y, p, who: 17, {}, "its position"),
    ("09.threshold", lambda y, p, who: [0.2, 0.3], {}, "one number"),
    ("09.threshold", lambda y, p, who: 0.37, {}, "can be had"),
    ("09.interval", (0.5, 0.9), {}, "expected a function"),
    ("09.interval", over_images, {}, "resamples images, and counts them"),
    ("09.interval", images_then_patients, {}, "that resamples images: draw patients"),
    ("09.interval", no_repeats, {}, "must count twice"),
    ("09.interval", ninety, {}, "90 % interval"),
    ("09.interval", lambda *a: by_shares(*a)[::-1], {}, "low comes first"),
    ("09.interval", lambda r, who, n, seed: r.mean(), {}, "two numbers"),
    ("09.interval", lambda r, w, n, seed: shares_of(r, w).quantile([0.025, 0.975]), {}, "spread"),
    ("09.interval", lambda r, who, n, seed: (0.0, 1.0), {}, "expected about"),
    ("09.mates", 0.04, THREE, "no mate at all"),
    ("09.mates", 0.64, THREE, "one is enough"),
    ("09.mates", 0.992, THREE, "none of the others"),
    ("09.mates", 0.8, THREE, "one certain other"),
    ("09.mates", 0.36, THREE, "not all others"),
    ("09.mates", 1.6, THREE, "do not add up"),
    ("09.published", [3], {}, "1 of 3 found"),
    ("09.published", [3, 8], {}, "count the epochs"),
    ("09.published", [6, 8], {}, "who is in the test images"),
    ("09.published", [3, 7], {}, "how often was each network trained"),
    ("09.published", [2, 3, 8], {}, "grey images are allowed"),
    ("09.published", [1, 3, 7, 8], {}, "a choice that can be made"),
    ("09.published", [3, 5, 7, 8], {}, "in order"),
    ("09.published", [3, 9], {}, "line numbers from 1 to 8"),
    ("09.plan", 5, {}, "expected a text"),
    ("09.plan", "Split by patient, with seeds and a control.", {}, "words"),
    (
        "09.plan",
        "patient split folds, validation threshold, control matched, seeds, bootstrap patients, "
        "interval above zero, because " * 5,
        {},
        "list of words",
    ),
    ("09.plan", PLAN.replace("on validation patients", "on the test images"), {}, "spends them"),
    ("09.plan", PLAN.replace("I split by patient", "I split by image"), {}, "leaks"),
    (
        "09.plan",
        PLAN.replace("stands a control: the same head with a classical map of the same size", "x"),
        {},
        "besides the plain network",
    ),
    ("09.plan", PLAN.replace("Ten seeds each", "Each once").replace(" and seeds", ""), {}, "luck"),
    (
        "09.plan",
        PLAN.replace("resamples patients and seeds", "resamples images and seeds"),
        {},
        "what does the interval resample",
    ),
]
