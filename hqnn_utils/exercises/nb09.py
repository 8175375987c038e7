"""Checks of the exercises in notebook 09."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import (
    OPEN,
    faulty_lines,
    function,
    number,
    paragraph,
    results_of,
)

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


# ---------------------------------------------------------------- a threshold


def _balanced_rate(y, called, who) -> float:
    """Mean over classes of the mean over patients of each patient's share of right images."""
    right = np.asarray(called) == y
    return float(np.mean([_rates(right[y == label], who[y == label]).mean() for label in (0, 1)]))


def _candidates(p) -> np.ndarray:
    """One threshold for each way in which the images can be called."""
    values = np.unique(p)
    return np.concatenate([[0.5], (values[1:] + values[:-1]) / 2, [values[0], 1.01]])


def _best(p, rate: Callable) -> float:
    """The candidate with the best rate of the calls; of equal ones the nearest to 0.5."""
    candidates = _candidates(p)
    rates = np.array([rate(p >= t) for t in candidates])
    best = candidates[np.isclose(rates, rates.max())]
    return float(best[np.argmin(np.abs(best - 0.5))])


def choose_threshold(y, p, who) -> float:
    """The model answer: the threshold with the best balanced recognition rate."""
    return _best(p, lambda called: _balanced_rate(y, called, who))


def _validations() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Few benign patients with many images, many malignant ones with few, a shifted model."""
    parts = []
    for seed in (0, 1, 2):
        rng = np.random.default_rng([9, seed])
        label = np.repeat([0, 1], [5, 11])
        numbers = np.where(label == 0, rng.integers(1, 14, 16), rng.integers(1, 7, 16))
        who = np.repeat(np.arange(16), numbers)
        y = label[who]
        level = rng.normal(0, 0.9, 16)[who] + 1.3 * y + (1.2, -1.4, 0.6)[seed]
        p = 1 / (1 + np.exp(-level - rng.normal(0, 0.6, len(who))))
        names = np.array([f"14-{300 + number}" for number in range(16)])
        order = rng.permutation(len(who))
        parts.append((y[order], p[order], names[who][order]))
    return parts


def _by_class(y, called, who) -> float:
    return float(np.mean([(called == y)[y == label].mean() for label in (0, 1)]))


# What a threshold may be best at, and is not asked for.
OTHER_AIMS = [
    (
        lambda y, called, who: float(np.mean(called == y)),
        "that is best for the image accuracy: count patients, and both classes equally",
    ),
    (
        lambda y, called, who: float(_rates(called == y, who).mean()),
        "that is best for the recognition rate: average within each class first",
    ),
    (
        _by_class,
        "that balances the classes image by image: average over patients within each class",
    ),
    (
        lambda y, called, who: -_balanced_rate(y, called, who),
        "that is the worst threshold: look for the largest rate",
    ),
]
NO_CHOICE = [
    (lambda p: 0.5, "0.5 was never chosen by anybody: try all thresholds"),
    (np.median, "the median looks at no label"),
    (np.mean, "the mean probability looks at no label"),
]


def _fault_of_threshold(given: list[float], parts) -> str | None:
    """What the thresholds are good at instead, if that is known."""
    for value, word in NO_CHOICE:
        if np.allclose(given, [value(p) for _, p, _ in parts]):
            return word
    for aim, word in OTHER_AIMS:
        reached = [aim(y, p >= t, who) for t, (y, p, who) in zip(given, parts, strict=True)]
        most = [max(aim(y, p >= t, who) for t in _candidates(p)) for y, p, who in parts]
        if np.allclose(reached, most):
            return word
    return None


def _threshold(answer) -> Verdict:
    """Any threshold that does as well as the best one is right."""
    parts = _validations()
    given = _results(answer, parts, ("y", "p", "who"), 1, "one number, the threshold")
    if isinstance(given, Verdict):
        return given
    given = [float(one[0]) for one in given]
    rates = [_balanced_rate(y, p >= t, who) for t, (y, p, who) in zip(given, parts, strict=True)]
    best = [_balanced_rate(y, p >= choose_threshold(y, p, who), who) for y, p, who in parts]
    if np.allclose(rates, best):
        return Verdict(True, "as good as it can be, on three hospitals that nobody showed you")
    if np.allclose(given, best):
        return Verdict(False, "that is the rate itself: return the threshold that reaches it")
    if min(given) < 0 or max(given) > 1.5:
        return Verdict(False, "a threshold lies among the probabilities: is that its position?")
    if fault := _fault_of_threshold(given, parts):
        return Verdict(False, fault)
    worst = int(np.argmax(np.array(best) - rates))
    return Verdict(
        False,
        f"on one hospital your threshold {given[worst]:.3f} has a balanced recognition rate of "
        f"{rates[worst]:.3f}, and {best[worst]:.3f} can be had",
    )


def _results(answer, inputs, names, count: int, wanted: str) -> list[np.ndarray] | Verdict:
    """What a student's function gives, as ``count`` numbers each, or what is wrong with it."""
    if answer is ...:
        return OPEN
    results = results_of(answer, inputs, names)
    if isinstance(results, Verdict):
        return results
    found = []
    for result in results:
        try:
            numbers = np.asarray(result, float).ravel()
        except (TypeError, ValueError):
            return Verdict(False, f"expected {wanted}, got {type(result).__name__}")
        if len(numbers) != count:
            return Verdict(False, f"expected {wanted}; got {len(numbers)} numbers")
        found.append(numbers)
    return found


# ---------------------------------------------------------------- an interval over patients


def _interval_of(draw: Callable, n_resamples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.quantile([draw(rng) for _ in range(n_resamples)], [0.025, 0.975])


def _by_patients(right, patients, n_resamples, seed) -> np.ndarray:
    return np.quantile(_draws_of_patients(right, patients, n_resamples, seed), [0.025, 0.975])


def _draws_of_patients(right, patients, n_resamples, seed) -> np.ndarray:
    """Ten times as many draws as asked for: the reference should hardly vary."""
    shares, rng = _rates(right, patients), np.random.default_rng(seed)
    return rng.choice(shares, (10 * n_resamples, len(shares))).mean(axis=1)


def _by_images(right, patients, n_resamples, seed) -> np.ndarray:
    """Images are drawn and then averaged over the patients that were hit."""
    right, patients = np.asarray(right, float), np.asarray(patients)

    def draw(rng):
        drawn = rng.integers(0, len(right), len(right))
        return _rates(right[drawn], patients[drawn]).mean()

    return _interval_of(draw, n_resamples // 3, seed)


def _accuracy_by_images(right, patients, n_resamples, seed) -> np.ndarray:
    right = np.asarray(right, float)
    return _interval_of(lambda rng: rng.choice(right, len(right)).mean(), n_resamples, seed)


def _merged(right, patients, n_resamples, seed) -> np.ndarray:
    """A patient who is drawn twice is put together again and counts once."""
    shares = _rates(right, patients)

    def draw(rng):
        return shares[np.unique(rng.integers(0, len(shares), len(shares)))].mean()

    return _interval_of(draw, n_resamples, seed)


def _ninety(right, patients, n_resamples, seed) -> np.ndarray:
    return np.quantile(_draws_of_patients(right, patients, n_resamples, seed), [0.05, 0.95])


def _spread_of_shares(right, patients, n_resamples, seed) -> np.ndarray:
    return np.quantile(_rates(right, patients), [0.025, 0.975])


INTERVAL_FAULTS = [
    (
        _accuracy_by_images,
        "that resamples images, and counts them: draw patients, and average their shares",
    ),
    (_by_images, "that resamples images: draw patients, each with all images"),
    (_merged, "a patient who is drawn twice must count twice"),
    (_ninety, "that is a 90 % interval: take the quantiles 0.025 and 0.975"),
    (
        _spread_of_shares,
        "that is the spread of the patients themselves: draw many times, and average each draw",
    ),
]


def _clinics() -> list[tuple[np.ndarray, np.ndarray]]:
    """Patients whose images are right or wrong together, in very different numbers."""
    clinics = []
    for seed, patients in ((3, 14), (4, 20)):
        rng = np.random.default_rng([seed, patients])
        who = np.repeat(np.arange(patients), rng.integers(1, 25, patients))
        right = rng.random(len(who)) < rng.beta(0.5, 0.3, patients)[who]
        order = rng.permutation(len(who))
        names = np.array([f"15-{200 + w}" for w in who])
        clinics.append((right[order], names[order]))
    return clinics


DRAWS = 3000
CLOSE = 0.017  # what two seeds differ by, at so many draws


def _interval(answer) -> Verdict:
    clinics = _clinics()
    inputs = [(right, patients, DRAWS, 5) for right, patients in clinics]
    names = ("right", "patients", "n_resamples", "seed")
    found = _results(answer, inputs, names, 2, "two numbers, low and high")
    if isinstance(found, Verdict):
        return found
    found = np.array(found)

    def agrees(function) -> bool:
        theirs = [function(right, patients, DRAWS, 6) for right, patients in clinics]
        return bool(np.abs(found - theirs).max() <= CLOSE)

    if agrees(_by_patients):
        return Verdict(True, "patients are drawn, each with all images, on two unseen clinics")
    if (found[:, 0] > found[:, 1]).any():
        return Verdict(False, "low comes first, then high")
    for fault, word in INTERVAL_FAULTS:
        if agrees(fault):
            return Verdict(False, word)
    right, patients = clinics[0]
    low, high = _by_patients(right, patients, DRAWS, 6)
    shown = f"{found[0, 0]:.2f} to {found[0, 1]:.2f}"
    return Verdict(
        False,
        f"with {len(right)} images of {len(set(patients.tolist()))} patients it gives {shown}, "
        f"expected about {low:.2f} to {high:.2f}",
    )


# ---------------------------------------------------------------- a published analysis


def _mates(answer, *, images: int, train: float) -> Verdict:
    others, not_there = images - 1, 1 - train
    return number(
        answer,
        1 - not_there**others,
        "nearly every test image has company in training, even with so few images a patient",
        [
            (not_there**others, "that is the chance of no mate at all: take the rest"),
            (train**others, "that is the chance that all others are in training: one is enough"),
            (1 - not_there**images, "the test image itself is none of the others"),
            (train, "that is the chance for one certain other image: there are more"),
            (1 - train**others, "that is the chance that not all others are in training"),
            (train * others, "chances of several images do not add up: one minus none"),
        ],
        share=True,
    )


def _published(answer) -> Verdict:
    return faulty_lines(
        answer,
        n_lines=8,
        faults={
            "split": ((3, 4), "who is in the test images, and who in the training images?"),
            "budget": ((6, 7), "count the epochs of both networks"),
            "luck": ((8,), "how often was each network trained, and what is a difference of ten?"),
        },
        in_order={
            1: "2,000 images, half of them benign, is a choice that can be made: both networks "
            "have the same images",
            2: "grey images are allowed, and both networks get them",
            5: "balanced batches of training images are in order",
        },
        right="split by image, 30 epochs against 25, and one run of each on 200 images",
    )


_REASON = (
    r"\b(because|since|otherwise|so that|or else|therefore|as (one|images|a|the)|would|hence)\b"
)
_PLAN_POINTS = (
    (
        r"(split|folds?|kept|keep|separat\w*|apart|held out|divid\w*)[^.]*\bpatients?\b"
        r"|\bpatients?\b[^.]*(split|folds?|one side|apart|separat|held out)",
        "how do you split, and by what?",
    ),
    (
        r"valid\w*[^.]*|threshold[^.]*(chosen|choose|locked)",
        "on which images are epoch and threshold chosen?",
    ),
    (
        r"\bcontrol\b|classical (map|twin|head|layer)|same (shape|size|number)|matched|mixing",
        "what stands beside the hybrid, besides the plain network?",
    ),
    (
        r"\bseeds?\b|repeat\w*|several runs|(ten|10|five|5|twenty|20) (runs|times|trainings)",
        "one run of each is luck: what is repeated?",
    ),
    (
        r"(resampl\w*|bootstrap\w*|draw\w*|interval)[^.]*\bpatients?\b"
        r"|\bpatients?\b[^.]*(resampl|bootstrap|drawn)",
        "what does the interval resample?",
    ),
    (
        r"(interval|bound)[^.]*(above|exclud|zero|0\b|outside|positive|beyond)"
        r"|(before|in advance|preregister|first)[^.]*(rule|run|result|written|fix)|\brule\b",
        'which result would count as "it helps"? Say it before the first run',
    ),
    (_REASON, "give reasons: why by patient, why a control?"),
)

_PLAN_RUBRIC = """
Full marks name at least five of these, each with its reason:
- the split keeps each patient on one side, stratified by class; every patient is tested once
  (folds), since 82 patients are few;
- epoch, learning rates and threshold are chosen on validation patients, the test is asked once;
- a control of the same shape and size that can mix its inputs as the circuit does, and the plain
  network: otherwise the extra layers could be the reason;
- the same budget of tuning and of epochs for all, the circuit its own learning rate;
- ten seeds or more, paired;
- the interval of the paired difference resamples patients (and seeds), never images;
- the rule is written down before the first run; undecided is a possible answer, and with 82
  patients a small gain may be out of reach: a power estimate says so beforehand;
- colour as a shortcut: stain jitter for all, or scores per magnification.
A list of key words without sentences that connect them gets no marks.
""".strip()


def _plan(answer) -> Verdict:
    if isinstance(answer, str) and len(answer.split()) >= 30:
        sentences = [s for s in re.split(r"[.!?;]+\s", answer) if len(s.split()) >= 5]
        if len(sentences) < 4:
            return Verdict(False, "a list of words is no plan: write four sentences or more")
        if re.search(
            r"\b(threshold|epoch)\b[^.]*\b(on|by|with|from) the test\b", answer, re.IGNORECASE
        ):
            return Verdict(False, "choosing on the test images spends them: choose on validation")
        if re.search(r"\b(random\w*|split)\b[^.]*\bby image", answer, re.IGNORECASE) and not (
            re.search(r"(not|never|instead of|rather than)[^.]*by image", answer, re.IGNORECASE)
        ):
            return Verdict(False, "a split by image leaks: keep patients together")
    right = "it touches split, choice, control, repetition, interval and rule; now the rubric"
    return paragraph(answer, _PLAN_POINTS, right, words=60)


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
    "09.threshold": Exercise(
        _threshold,
        "write",
        (
            "Which thresholds are worth a try? Calls change only where t passes a probability.",
            "Try 0.5 and the middles between neighbouring probabilities. For each: the shares of "
            "right images, patient by patient; their mean in each class; the mean of both.",
            "A pandas way: columns y, who and right; group by y and who for the shares, then by y "
            "for the classes, then the mean. Return the threshold with the largest value.",
        ),
        model=choose_threshold,
    ),
    "09.interval": Exercise(
        _interval,
        "write",
        (
            "What is drawn: images, or patients with all their images?",
            "A patient's share of right images does not change when the patient is drawn: compute "
            "the shares first, and draw among them with replacement.",
            "n_resamples times: as many shares as there are patients, with replacement, and their "
            "mean. np.quantile of these means at 0.025 and 0.975 gives both ends.",
        ),
    ),
    "09.mates": Exercise(
        _mates,
        "read",
        (
            "Ask for the opposite first: no image of the patient in training.",
            "Each of the two other images is *not* in training with probability 0.2.",
            "Both are missing with probability 0.2 times 0.2; the answer is one minus that.",
        ),
    ),
    "09.published": Exercise(
        _published,
        "fault",
        (
            "Ask of each step: what would have to be the same, or kept apart, for the comparison?",
            "One fault lies in how images were dealt, one in how long the networks learned, one in "
            "how often they were trained.",
            "What does train_test_split know of patients? How many epochs are 5 + 20 and 10 + 20? "
            "What is one run worth?",
        ),
    ),
    "09.plan": Exercise(
        _plan,
        "judge",
        (
            "Who is in training, who chooses, who is tested? Then: beside what, how often, and how "
            "sure?",
            "Sections 4, 5 and 7 have the pieces: split and threshold, interval, control and word.",
            "Use: folds by patient, validation patients, a control of the same shape, seeds, an "
            "interval that resamples patients, a rule written down first. Say why, each time.",
        ),
        rubric=_PLAN_RUBRIC,
    ),
}
