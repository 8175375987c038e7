"""Checks of the exercises in notebook 11."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import choice, function, number, paragraph, together

# ---------------------------------------------------------------- an occlusion map by hand


def occlusion_map(score, image, window, fill):
    """Mean fall of the score when a square that holds the pixel is painted over, (H, W)."""
    return _occlusion(score, image, window, fill)


def _occlusion(score, image, window, fill, *, turned=False, shared=False, kept=False, edge=0):
    image = np.asarray(image, float)
    total, count = np.zeros(image.shape), np.zeros(image.shape)
    whole = score(image)
    covered = image.copy()
    rows, columns = (size - window + 1 - edge for size in image.shape)
    for row in range(rows):
        for column in range(columns):
            square = (slice(row, row + window), slice(column, column + window))
            if not kept:
                covered = image.copy()
            covered[square] = fill
            fall = whole - score(covered)
            total[square] += -fall if turned else fall
            count[square] += 1
    return total if shared else total / np.maximum(count, 1)


def _levels(score, image, window, fill):
    """The score of the covered image instead of its fall."""
    return _occlusion(lambda x: -score(x), image, window, fill) + score(np.asarray(image, float))


def _first_pixel(image) -> float:
    return float(image[1, 2])


def _curved(image) -> float:
    weights = np.linspace(-1, 1, image.size).reshape(image.shape)
    return float(np.tanh((weights * image).sum()) + (image[:2] ** 2).sum())


def _occlusion_cases() -> list[tuple]:
    rng = np.random.default_rng(3)
    return [
        (_first_pixel, rng.normal(size=(4, 5)), 2, 0.0),
        (_curved, rng.normal(size=(5, 4)), 2, 0.5),
        (_curved, rng.normal(size=(6, 6)), 3, -1.0),
    ]


def _hand(answer) -> Verdict:
    faults = [
        (
            partial(_occlusion, turned=True),
            "turned round: a pixel that speaks for malignant makes the score fall, so take the "
            "whole image's score minus that of the covered one",
        ),
        (
            partial(_occlusion, shared=True),
            "nearly: a pixel in the middle lies in more squares than one in the corner; divide "
            "by the number of squares that hold it",
        ),
        (
            partial(_occlusion, kept=True),
            "each square needs a fresh copy of the image: yours stays covered",
        ),
        (
            partial(_occlusion, edge=1),
            "the last position is missing: `range` stops one before its end",
        ),
        (_levels, "that is the score of the covered image: how far did it fall?"),
    ]
    right = "a map without any gradient: cover, look, average"
    names = ("score", "image", "window", "fill")
    return function(answer, occlusion_map, _occlusion_cases(), right, faults, names=names)


# ---------------------------------------------------------------- what knows nothing


def _chance(answer, *, masks) -> Verdict:
    masks = np.asarray(masks, bool)
    pixels = float(masks.sum(axis=(1, 2)).mean())
    size = masks[0].size
    truth = pixels / size
    wrong = [
        (0.5, "a map has hundreds of pixels, not two: chance is the lesion's share of the area"),
        (1 / size, "that is one pixel of the image: a lesion covers many"),
        (pixels, "that is the number of pixels: divide by the size of the image"),
        (1 - truth, "that is the chance of a miss"),
        (pixels / (size - pixels), "divide by all pixels, those of the lesion included"),
        (float(masks.any(axis=0).mean()), "these are the pixels that any lesion covers"),
        (1 / len(masks), "each lesion is one picture: what share of its pixels is lesion?"),
        (float(np.sqrt(truth)), "that is a length: take the area"),
    ]
    right = f"a map that knows nothing scores {truth:.3f} on these lesions"
    return number(answer, truth, right, wrong, share=True)


# ---------------------------------------------------------------- a near miss

PEAKS = ((5, 6), (6, 9), (8, 9), (5, 12), (0, 0), (2, 5), (11, 1))  # row, column
TOLERANCES = (0, 1, 2, 2.5, 3, 5, 7)


def _cases() -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Maps with one peak, an uneven lesion, and a tolerance."""
    mask = np.zeros((12, 14), bool)
    mask[4:7, 5:8] = True
    mask[6, 4] = True
    cases = []
    for peak in PEAKS:
        found = np.full(mask.shape, -0.25)
        found[peak] = 1.0
        cases += [(found, mask, tolerance) for tolerance in TOLERANCES]
    return cases


def _steps(found, mask) -> np.ndarray:
    """Rows and columns from the peak to each pixel of the lesion, (pixels, 2)."""
    peak = np.unravel_index(np.argmax(found), found.shape)
    return np.abs(np.argwhere(mask) - peak)


def _straight(steps: np.ndarray) -> float:
    return float(np.hypot(*steps.T).min())


def _near(found, mask, tolerance) -> bool:
    return bool(_straight(_steps(found, mask)) <= tolerance + 1e-9)


def _to_the_centre(found, mask, tolerance) -> bool:
    peak = np.unravel_index(np.argmax(found), found.shape)
    return bool(np.hypot(*(np.argwhere(mask).mean(axis=0) - peak)) <= tolerance)


def _nearest_peak_of_the_lesion(found, mask, tolerance) -> bool:
    return bool(found[mask].max() >= found.max() - tolerance)


NEAR_FAULTS = [
    (
        lambda found, mask, tolerance: bool(mask[np.unravel_index(found.argmax(), found.shape)]),
        "the tolerance has no effect yet: how far is the nearest pixel of the lesion?",
    ),
    (
        lambda found, mask, tolerance: bool(
            _steps(found, mask).sum(axis=1).min() <= tolerance + 1e-9
        ),
        "nearly: measure the straight distance between pixels (Euclidean), "
        "not along rows and columns",
    ),
    (
        lambda found, mask, tolerance: bool(
            _steps(found, mask).max(axis=1).min() <= tolerance + 1e-9
        ),
        "nearly: measure the straight distance between pixels (Euclidean), "
        "not the larger of rows and columns",
    ),
    (lambda *case: not _near(*case), "turned round: near is a hit, far is none"),
    (
        lambda found, mask, tolerance: _straight(_steps(found, mask)) < tolerance,
        "at most the tolerance: a distance equal to it counts, and 0 is a hit",
    ),
    (_to_the_centre, "to the nearest pixel of the lesion, not to its centre"),
    (
        lambda found, mask, tolerance: _near(-found, mask, tolerance),
        "the peak is the highest value, not the lowest",
    ),
    (
        lambda found, mask, tolerance: _near(found, ~mask, tolerance),
        "that is the distance to the nearest pixel outside of the lesion: invert the mask",
    ),
    (_nearest_peak_of_the_lesion, "the tolerance is a distance in pixels, not in the map's values"),
    (
        lambda found, mask, tolerance: _straight(_steps(found, mask)),
        "that is the distance: compare it with the tolerance",
    ),
    (lambda *case: True, "a peak far from the lesion is no hit"),
]


def _tolerance(answer) -> Verdict:
    """The answer is a function (map, mask, tolerance) -> bool, tried on maps with one peak."""
    right = "a peak beside the lesion counts if the nearest lesion pixel is near enough"
    names = ("map", "mask", "tolerance")
    return function(answer, _near, _cases(), right, NEAR_FAULTS, names=names)


# ---------------------------------------------------------------- the Bloch vector of one qubit


def bloch_vector(state, qubit):
    """(<X>, <Y>, <Z>) of one qubit from the amplitudes (2**n,) of all."""
    halves = _halves(state, qubit)
    return _bloch(*halves)


def _halves(state, qubit, last_first=False):
    """The amplitudes where the qubit is 0 and where it is 1, in the same order of the others."""
    state = np.asarray(state)
    n = round(math.log2(state.size))
    axis = n - 1 - qubit if last_first else qubit
    both = np.moveaxis(state.reshape([2] * n), axis, 0).reshape(2, -1)
    return both[0], both[1]


def _bloch(zero, one):
    cross = np.vdot(zero, one)  # sum of conj(zero) * one
    z = np.vdot(zero, zero).real - np.vdot(one, one).real
    return np.array([2 * cross.real, 2 * cross.imag, z])


def _no_conjugate(state, qubit):
    zero, one = _halves(state, qubit)
    cross = (zero * one).sum()
    return np.array([2 * cross.real, 2 * cross.imag, _bloch(zero, one)[2]])


def _bloch_cases() -> list[tuple]:
    rng = np.random.default_rng(11)
    cases = []
    for n in (1, 2, 3, 4):
        state = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
        state /= np.linalg.norm(state)
        cases += [(state, qubit) for qubit in range(n)]
    return cases


def _bloch_check(answer) -> Verdict:
    signs = {
        (1, -1, 1): "Y has the wrong sign: conjugate the amplitudes where the qubit is 0, "
        "not those where it is 1",
        (1, 1, -1): "Z has the wrong sign: it is +1 for the state 0",
    }
    faults = [
        (lambda s, q: _bloch(*_halves(s, q, last_first=True)), "qubit 0 is the first axis"),
        (_no_conjugate, "one of the two factors must be conjugated"),
        (
            lambda s, q: bloch_vector(s, q) * np.array([0.5, 0.5, 1]),
            "X and Y need a factor of two: the matrix has the product twice",
        ),
        (
            lambda s, q: bloch_vector(s, q) / np.linalg.norm(bloch_vector(s, q)),
            "do not normalise: how short the arrow is, is what we want to see",
        ),
        *((lambda s, q, f=f: bloch_vector(s, q) * np.array(f), word) for f, word in signs.items()),
    ]
    right = "three expectation values of one qubit, whatever it shares with the others"
    return function(answer, bloch_vector, _bloch_cases(), right, faults, names=("state", "qubit"))


# ---------------------------------------------------------------- one qubit alone


def keep_one(outputs, mean, qubit):
    """Outputs (N, n) in which all qubits but one have their training mean."""
    import torch

    outputs, mean = torch.as_tensor(outputs), torch.as_tensor(mean)
    variant = mean.expand_as(outputs).clone()
    variant[:, qubit] = outputs[:, qubit]
    return variant


def _lose_one(outputs, mean, qubit):
    import torch

    variant = torch.as_tensor(outputs).clone()
    variant[:, qubit] = torch.as_tensor(mean)[qubit]
    return variant


def _alone_cases() -> list[tuple]:
    import torch

    generator = torch.Generator().manual_seed(4)
    cases = []
    for count, n in ((6, 4), (5, 3)):
        outputs = torch.rand(count, n, generator=generator) * 2 - 1
        mean = torch.rand(n, generator=generator) * 2 - 1
        cases += [(outputs, mean, qubit) for qubit in range(n)]
    return cases


def _alone(answer) -> Verdict:
    """The answer is a function (outputs, mean, qubit) -> outputs with one qubit kept."""
    import torch

    def zeros(outputs, mean, qubit):
        return keep_one(outputs, torch.zeros_like(torch.as_tensor(mean)), qubit)

    def means_of_these(outputs, mean, qubit):
        return keep_one(outputs, torch.as_tensor(outputs).mean(dim=0), qubit)

    faults = [
        (_lose_one, "that takes the qubit away: here it is the only one that stays"),
        (zeros, "zero is no neutral value: take the mean over the training images"),
        (
            means_of_these,
            "the mean is given: that of the training images, not of the images you test",
        ),
        (
            lambda o, m, q: keep_one(o, m, q)[:, q],
            "the head expects all qubits: give an array of the same shape",
        ),
        (lambda o, m, q: torch.as_tensor(o).clone(), "nothing is replaced yet"),
    ]
    right = "one qubit speaks, the others say what they say on average"
    names = ("outputs", "mean", "qubit")
    return function(answer, keep_one, _alone_cases(), right, faults, names=names)


# ---------------------------------------------------------------- the conformal threshold


def conformal_threshold(y, p, alpha):
    """The ceil((n + 1)(1 - alpha))-th smallest score 1 - p(true class); 1 if there is none."""
    scores = _strangeness(y, p)
    return _place(scores, _rank(len(scores) + 1, alpha))


def _strangeness(y, p):
    y, p = np.asarray(y), np.asarray(p, float)
    return np.where(y == 1, 1 - p, p)


def _rank(n, alpha) -> int:
    return math.ceil(n * (1 - alpha) - 1e-9)


def _place(scores, rank) -> float:
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else 1.0


def _by_quantile(y, p, alpha, method):
    scores = _strangeness(y, p)
    share = min(1.0, _rank(len(scores) + 1, alpha) / len(scores))
    if _rank(len(scores) + 1, alpha) > len(scores):
        return 1.0
    return float(np.quantile(scores, share, method=method))


def _conformal_cases() -> list[tuple]:
    rng = np.random.default_rng(7)
    cases = []
    for n, alpha in ((20, 0.1), (33, 0.2), (78, 0.1), (50, 0.25), (7, 0.1), (26, 0.07)):
        y = (rng.random(n) < 0.4).astype(int)
        y[:2] = 0, 1
        p = np.clip(0.55 * y + 0.25 + rng.normal(size=n) * 0.2, 0.01, 0.99)
        cases.append((y, p, alpha))
    return cases


def _conformal(answer) -> Verdict:
    def place_of(scores_of, rank_of):
        def faulty(y, p, alpha):
            scores = scores_of(y, p)
            return _place(scores, rank_of(len(scores), alpha))

        return faulty

    def plus_one(n, alpha):
        return _rank(n + 1, alpha)

    faults = [
        (
            place_of(_strangeness, _rank),
            "nearly: the new image is one of n + 1, so take n + 1 times the share",
        ),
        (
            lambda y, p, alpha: float(np.quantile(_strangeness(y, p), 1 - alpha)),
            "nearly: `numpy.quantile` goes between two scores, and n + 1 is missing; the promise "
            "needs the place ceil((n + 1) * (1 - alpha)) in the sorted list",
        ),
        (
            lambda y, p, alpha: _by_quantile(y, p, alpha, "higher"),
            'one place too high: with method="higher" numpy counts gaps; use "inverted_cdf" '
            "or the sorted list",
        ),
        (
            place_of(lambda y, p: 1 - np.asarray(p, float), plus_one),
            "a score belongs to the *true* class: where the image is benign or normal, its "
            "probability is 1 - p",
        ),
        (
            place_of(lambda y, p: 1 - _strangeness(y, p), plus_one),
            "that is the probability of the true class: the score is 1 minus it, high where the "
            "model is surprised",
        ),
        (
            place_of(_strangeness, lambda n, alpha: max(1, math.ceil((n + 1) * alpha))),
            "turned round: a share of 1 - alpha of the scores must lie at or below it",
        ),
    ]
    right = "a threshold that keeps its promise on average over calibration sets"
    return function(
        answer,
        conformal_threshold,
        _conformal_cases(),
        right,
        faults,
        names=("y", "p", "alpha"),
    )


# ---------------------------------------------------------------- a published table

PLAIN, HYBRID = (43, 12, 11, 134), (41, 6, 13, 140)  # TP, FP, FN, TN; the numbers of the table


def _published(answer) -> Verdict:
    """(missed by the plain network, missed by the hybrid, letter of the fault)."""
    if answer is ... or (isinstance(answer, (tuple, list)) and ... in answer):
        return number(..., 0, "")
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        return Verdict(False, "expected three things: (missed, missed, letter)")

    def missed(said, counts, name):
        tp, fp, fn, _ = counts
        words = [
            (tp, f"that is what the {name} found: how many of the 54 did it miss?"),
            (fp, f"these are the {name}'s false alarms"),
            (fp + fn, f"these are all errors of the {name}, false alarms included"),
            (tp + fp, f"these are all positive answers of the {name}"),
        ]
        return number(said, fn, "", words, whole=True)

    words = {
        "A": "both were measured on the same 200 images, so the sets have one size; that is not "
        "where they differ",
        "C": "the F1 of the table follows from its precision and recall: compute it",
        "D": "precision rose; it is the other number that fell",
    }
    right = (
        "six false alarms fewer, two cancers more missed: part of the gain is a threshold that "
        "nobody chose, and accuracy cannot tell it from better ranking"
    )
    return together(
        (
            missed(answer[0], PLAIN, "plain network"),
            missed(answer[1], HYBRID, "hybrid network"),
            choice(answer[2], "B", right, words),
        ),
        right,
    )


# ---------------------------------------------------------------- what goes into a report

REPORT = (
    (
        r"mask|phantom|random(ised|ized)? weight|sanity|pointer|pointing|known lesion",
        "how do you know that the map shows the model? Name a test that it could have failed",
    ),
    (
        r"calibrat|coverage|held.?out|validation|conformal|reliab",
        "what keeps the 95 per cent honest? Say on which images that was measured",
    ),
    (
        r"(not|n't|no|cannot|neither|nothing|without)\b.{0,80}"
        r"(show|know|mean|prove|tell|say|guarantee|hold|promise|measur|check|valid)",
        "say also what the two pictures do not show",
    ),
    (
        r"hospital|device|clinic|population|prevalence|patient|other (site|machine|scanner)|"
        r"radiolog|refer|second read|human|doctor|abstain|undecided|both",
        "what happens to real patients: other machines, or the images on which it should not "
        "answer?",
    ),
)


def _report(answer) -> Verdict:
    right = "your report can be held against you, which is what it is for; compare with the rubric"
    return paragraph(answer, REPORT, right, words=50)


EXERCISES = {
    "11.occlusion": Exercise(
        _hand,
        "write",
        (
            "Two loops, one over rows and one over columns: where may the upper left corner of "
            "the square stand?",
            "For each place: copy the image, paint the square, note how far the score falls. "
            "Keep two arrays, a sum and a count.",
            "Add the fall to the sum inside of the square and 1 to the count there; places are "
            "`range(H - window + 1)`. At the end divide the two arrays.",
        ),
        model=occlusion_map,
    ),
    "11.chance": Exercise(
        _chance,
        "read",
        (
            "If any pixel may be the highest, how likely is one inside the lesion?",
            "For one picture: pixels of the lesion over pixels of the image. Then the mean over "
            "the lesions.",
            "`lesions.masks` holds True and False; the mean of such an array is the share of True.",
        ),
    ),
    "11.tolerance": Exercise(
        _tolerance,
        "write",
        (
            "Where is the peak, and how far is it to the nearest pixel of the lesion?",
            "`numpy.unravel_index` turns `argmax` into row and column; `numpy.argwhere(mask)` "
            "lists the lesion's pixels.",
            "Take the smallest straight distance (`numpy.hypot`) from the peak to those pixels, "
            "and compare it with the tolerance: equal counts. "
            "`scipy.ndimage.distance_transform_edt` knows all these distances too.",
        ),
        model=_near,
    ),
    "11.bloch": Exercise(
        _bloch_check,
        "write",
        (
            "Split the amplitudes in two halves: those in which the qubit is 0, those in which "
            "it is 1.",
            "`state.reshape([2] * n)` gives each qubit an axis; `numpy.moveaxis` brings yours to "
            "the front. Then c = sum of conj(a) * b over the two halves.",
            "Real and imaginary part of c, each times two, are X and Y; Z is the difference of "
            "the two probabilities, 0 minus 1.",
        ),
        model=bloch_vector,
    ),
    "11.alone": Exercise(
        _alone,
        "write",
        (
            "Which numbers does the head get if all qubits but one only say their average?",
            "Start from rows that are all equal to `mean`, and put one column of `outputs` back.",
            "`mean.expand_as(outputs).clone()` gives the rows; then assign `[:, qubit]`.",
        ),
        model=keep_one,
    ),
    "11.conformal": Exercise(
        _conformal,
        "write",
        (
            "How surprised is the model by the true class of each calibration image? Sort that.",
            "The score is 1 minus the probability of the true class: 1 - p where y is 1, p where "
            "y is 0.",
            "The place in the sorted list, counted from 1, is ceil((n + 1) * (1 - alpha)); if "
            "there is no such place, return 1.0.",
        ),
        model=conformal_threshold,
    ),
    "11.published": Exercise(
        _published,
        "fault",
        (
            "Recall is the share of the 54 that was found. What is left?",
            "Precision tells how many alarms there were in all: found over alarms. Do both rows.",
            "Put true and false alarms of the two rows side by side: which network says "
            "'malignant' less often, and which number of the table would show ranking?",
        ),
    ),
    "11.report": Exercise(
        _report,
        "judge",
        (
            "Take the two pictures one by one: for each, what was tested, on which images?",
            "A map can be tested with known lesions, with pointers that know no model, with "
            "random weights. A confidence can be tested by coverage on images set aside.",
            "End with what neither of them says, and with what should happen to an image on "
            "which the model should not answer.",
        ),
        rubric=(
            "Names for the map a test that it could have failed (known lesions, pointers without "
            "a model, random weights) and its result, and says that on real images nothing of "
            "this was scored. For the confidence: calibration or coverage on images that were "
            "neither trained nor chosen on, its interval, coverage of the malignant class "
            "separately, and that it holds for such images only (device, prevalence). Says what "
            "neither picture shows (that the marked place is the cause; that the patient has "
            "cancer with that probability elsewhere). Gives a rule for abstaining. A list of "
            "key words without an argument is not enough."
        ),
    ),
}
