"""Checks of the exercises in notebook 13: a plan, a report, and the audit of an invented paper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from scipy.stats import norm

from hqnn_utils.evaluation.metrics import rank_auc
from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import function, number, outcome_of, paragraph
from hqnn_utils.exercises.papers import DECOYS, FAULTS, make_paper
from hqnn_utils.exercises.papers import key as records_say
from hqnn_utils.exercises.papers.key import audit, evidence
from hqnn_utils.exercises.values import holds_open

# ---------------------------------------------------------------- the error, by simulation

MANY = 8000  # studies of the truth, so that only the student's luck is left


def simulated_error(n_positive, n_negative, auc, correlation, n_studies=4000, seed=0) -> float:
    """Spread of the difference of two AUCs, in points: two equally good models, the same images."""
    rng = np.random.default_rng(seed)
    y = np.repeat([1, 0], [n_positive, n_negative])
    common = rng.normal(size=(n_studies, len(y)))
    own = rng.normal(size=(2, n_studies, len(y)))
    apart = np.sqrt(2) * norm.ppf(auc)
    scores = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own + apart * y
    aucs = rank_auc(np.broadcast_to(y, scores.shape), scores)
    return float(100 * (aucs[0] - aucs[1]).std(ddof=1))


def _true_error(n_positive, n_negative, auc, correlation, *_) -> float:
    return _many(n_positive, n_negative, auc, correlation)


@lru_cache(maxsize=64)
def _many(n_positive, n_negative, auc, correlation) -> float:
    return simulated_error(n_positive, n_negative, auc, correlation, MANY, 1)


ERROR_FAULTS = [
    (
        lambda p, n, auc, r, *_: _many(p, n, auc, 0.0),
        "the scores of its two models do not go together: give them a common part, "
        "sqrt(correlation) of it",
    ),
    (
        lambda p, n, auc, r, *_: _many(p, n, auc, 0.0) / np.sqrt(2),
        "that is the spread of one AUC: the difference of two is asked for",
    ),
    (
        lambda p, n, auc, r, *_: _many(p, n, auc, r) / 100,
        "that is in AUC: give points, 100 times as much",
    ),
    (
        lambda p, n, auc, r, *_: _many(p, n, auc, r) ** 2,
        "that is the variance: take its root",
    ),
    (
        lambda p, n, auc, r, *_: _many(p, n, float(norm.cdf(norm.ppf(auc) / np.sqrt(2))), r),
        "the classes are too close: two spreads meet in a pair, so they lie sqrt(2) times "
        "norm.ppf(auc) apart",
    ),
    (
        lambda p, n, auc, r, *_: _many(p, n, auc, r**2),
        "of a score with the variance 1 the common part has the variance `correlation`: "
        "take its root as the factor",
    ),
    (
        lambda p, n, auc, r, *_: _many(p, n, auc, r) * 1.96,
        "that is half of an interval: the standard deviation is asked for",
    ),
]


def _error(answer) -> Verdict:
    inputs = [
        (42, 72, 0.95, 0.6, 4000, 3),
        (42, 114, 0.85, 0.8, 4000, 4),
        (100, 300, 0.90, 0.4, 4000, 5),
    ]
    return function(
        answer,
        _true_error,
        inputs,
        "two equally good models differ by this much on so few images; what their runs add comes "
        "on top",
        ERROR_FAULTS,
        tolerance=0.06,
        names=("n_positive", "n_negative", "auc", "correlation", "n_studies", "seed"),
    )


# ---------------------------------------------------------------- a plan

PARTS_OF_A_PLAN = (
    "question",
    "primary",
    "margin",
    "seeds",
    "expected_error",
    "if_supported",
    "if_excluded",
)
TOO_MUCH = r"\brefut|\bprove|\bnever help|\buseless\b|quantum advantage|\bworthless\b"


def _plan(answer) -> Verdict:
    said = answer if isinstance(answer, Mapping) else getattr(answer, "__dict__", None)
    if said is None:
        return Verdict(False, "expected a dict or an OwnPlan with the parts of a plan")
    missing = [part for part in PARTS_OF_A_PLAN if part not in said]
    if missing:
        return Verdict(False, f"the plan lacks {', '.join(missing)}")
    for wrong, word in _faults_of_a_plan(said):
        if wrong:
            return Verdict(False, word)
    return Verdict(
        True,
        "it names what decides, how many runs, and what either answer will let you say; whether "
        "the sentences are good ones, a person has to judge",
    )


def _faults_of_a_plan(said: Mapping):
    """Pairs: whether the plan has a usual fault, and what is said to it. The first one speaks."""
    question = str(said["question"])
    yield (
        "?" not in question or len(question.split()) < 8,
        ("the question: a sentence with a question mark that says what is compared, on which data"),
    )
    pair = tuple(said["primary"]) if isinstance(said["primary"], (tuple, list)) else ()
    yield len(pair) != 2 or pair[0] == pair[1], "the primary comparison: two names, A and B"
    yield (
        pair[1] == "linear",
        (
            "against `linear` a bottleneck, more parameters and a circuit come at once: what "
            "decides is a comparison with a control that differs in the circuit only"
        ),
    )
    yield pair[0] != "circuit", "the claim is about what the circuit adds: A is `circuit`"
    yield (
        pair[1] in ("untrained", "unentangled"),
        (
            f"`{pair[1]}` asks about a part of the circuit; whether a circuit is needed asks "
            "`mixing` or `matched`"
        ),
    )
    sizes = {name: _as_number(said[name]) for name in ("margin", "seeds", "expected_error")}
    for name, value in sizes.items():
        yield value is None, f"{name} is a number"
    margin, seeds, error = sizes.values()
    yield margin > 0.2, "the margin is a difference of AUC: two points are 0.02"
    yield margin < 0.005, "nobody would care for so small a margin: take a point or two"
    yield seeds < 10, "too few seeds: the course's plans ask for ten or more"
    yield error > 0.2, "the expected error is a difference of AUC: one point is 0.01"
    yield error < 0.001, "so small an error is that of thousands of images: simulate it"
    sentences = [str(said[name]) for name in ("if_supported", "if_excluded")]
    yield (
        any(len(s.split()) < 8 for s in sentences),
        ("what will be said: a sentence of eight words or more for either case"),
    )
    for sentence in sentences:
        found = re.search(TOO_MUCH, sentence, re.IGNORECASE)
        yield (
            found is not None,
            (
                f"{found and found[0]!r} says more than one study of one data set can: name data, "
                "circuit and margin"
            ),
        )
    yield (
        not re.search(r"\b(these|this|here|such)\b|data|images|table", sentences[1], re.I),
        ("what will be said if the gain is excluded: say of which data and which circuit"),
    )


def _as_number(value) -> float | None:
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return float(value) if is_number else None


# ---------------------------------------------------------------- how much room there is


def _ceiling(answer, *, auc) -> Verdict:
    points = 100 * (1 - auc)
    return number(
        answer,
        points,
        "more than this nothing can add, whatever it is made of",
        [
            (1 - auc, "that is in AUC: give points, 100 times as much"),
            (100 * auc, "that is what it has: how much is left up to 100?"),
            (auc, "that is what it has, in AUC: how many points are left?"),
            (100 * (auc - 0.5), "that is how far it is above chance: how far is it below perfect?"),
            (-points, "count upwards, from the control to a perfect AUC"),
        ],
    )


# ---------------------------------------------------------------- the mean of the runs


def _mean(answer, *, paper) -> Verdict:
    aucs = records_say.aucs(paper, "hybrid")
    y, p = paper.runs("hybrid")
    y_val, p_val = paper.runs("hybrid", "val")
    on_val = rank_auc(np.broadcast_to(y_val, p_val.shape), p_val).mean()
    stated = paper.claims["auc"]["hybrid"]
    return number(
        answer,
        float(aucs.mean()),
        f"the table says {stated:.3f}; compare that with the single runs too",
        [
            (float(aucs.max()), "that is the best of the runs: the mean is asked for"),
            (stated, "that is what the table states: compute it from the records"),
            (
                float(rank_auc(y, p.mean(axis=0))),
                "that averages the probabilities first and makes an ensemble: average the AUCs",
            ),
            (
                float(records_say.aucs(paper, "control").mean()),
                "that is the control: the hybrid is asked for",
            ),
            (float(np.median(aucs)), "that is the median: the table promises a mean"),
            (float(on_val), "that is on validation: the table is about the test"),
        ],
    )


# ---------------------------------------------------------------- the audit table

CLOSE = {"interval": 0.12}  # relative; a bootstrap has luck of its own


def _table(answer, *, paper) -> Verdict:
    if not isinstance(answer, Mapping):
        return Verdict(False, 'expected a dict: {"name": (number, "consequence in a sentence")}')
    has, numbers = audit(paper), evidence(paper)
    for name, entry in answer.items():
        verdict = _entry(name, entry, has, numbers, paper)
        if not verdict:
            return verdict
    missed = [name for name in FAULTS if name in has and name not in answer]
    if missed:
        return Verdict(
            False,
            f"{len(has) - len(missed)} of {len(has)} found, each with its number; look at "
            f"{FAULTS[missed[0]].where}",
        )
    return Verdict(True, f"all {len(has)} faults, each with its number, and none that is not there")


def _entry(name, entry, has: set[str], numbers: dict[str, float], paper) -> Verdict:
    """One row of the table: is it a fault of this paper, is the number right, what follows?"""
    if name in DECOYS:
        return Verdict(False, f"{name!r} is no fault: {DECOYS[name]}")
    if name not in FAULTS:
        return Verdict(False, f"{name!r} is no name of the list: {', '.join(FAULTS)}")
    if name not in has:
        return Verdict(False, f"{name!r}: {FAULTS[name].where}; there, records and paper agree")
    if not isinstance(entry, (tuple, list)) or len(entry) != 2:
        return Verdict(False, f'{name!r}: give a pair, (number, "consequence in a sentence")')
    value, consequence = entry
    truth = numbers[name]
    tolerance = max(CLOSE.get(name, 2e-3) * abs(truth), 1e-9)
    stated = [(s, f"{name!r}: that is what the paper states") for s in _stated(name, paper)]
    found = number(value, truth, "", stated, tolerance=tolerance, share=name == "majority")
    if not found:
        word = found.message if found.message.startswith(repr(name)) else _asked(name, found)
        return Verdict(False, word)
    if not isinstance(consequence, str) or len(consequence.split()) < 6:
        return Verdict(False, f"{name!r}: say in a sentence what follows for the claim")
    if not re.search(FAULTS[name].consequence, consequence, re.IGNORECASE):
        return Verdict(
            False, f"{name!r}: the sentence should say what the fault does to the paper's claim"
        )
    return Verdict(True, "")


def _asked(name: str, found: Verdict) -> str:
    return f"{name!r}: {FAULTS[name].number} is asked for ({found.message})"


def _stated(name: str, paper) -> list[float]:
    """What the paper itself states where a fault wants the number of the records."""
    said = paper.claims
    low, high = said["interval"]
    return {
        "best_run": [said["auc"]["hybrid"]],
        "number": [said["auc"]["control"]],
        "threshold": [said["accuracy"]["hybrid"]],
        "interval": [high - low],
        "holm": [float(paper.tests["p"].min())],
        "polarity": [said["sensitivity"]],
    }.get(name, [])


# ---------------------------------------------------------------- an audit of papers not seen

_NAMES = tuple(FAULTS)
# Number and faults: a clean one, one with everything, and two halves.
UNSEEN = ((911, ()), (932, _NAMES), (912, _NAMES[::2]), (914, _NAMES[1::2]), (913, ()))


@lru_cache(maxsize=8)
def _unseen(number: int, faults: tuple[str, ...]):
    return make_paper(number, faults)


def _audit(answer) -> Verdict:
    if not callable(answer):
        return Verdict(False, "expected a function: give its name, without brackets behind it")
    named = []
    for place, faults in UNSEEN:
        found = outcome_of(answer, (_unseen(place, faults),), ("paper",))
        if isinstance(found, Verdict):
            return found
        if isinstance(found, str) or not isinstance(found, (set, frozenset, list, tuple, dict)):
            return Verdict(False, f"expected a set of names, got {type(found).__name__}")
        named.append(set(found))
    unknown = sorted(set().union(*named) - set(FAULTS), key=str)
    if unknown:
        return Verdict(False, f"{unknown[0]!r} is no name of the list: {', '.join(FAULTS)}")
    pairs = [(set(faults), found) for (_, faults), found in zip(UNSEEN, named, strict=True)]
    right = [name for name in FAULTS if all((name in has) == (name in f) for has, f in pairs)]
    so_far = f"{len(right)} of {len(FAULTS)} faults are told right on {len(UNSEEN)} unseen papers"
    for name in FAULTS:
        if any(name in found and name not in has for has, found in pairs):
            where = FAULTS[name].where
            return Verdict(False, f"{so_far}; it names {name!r} where it is not: {where}")
    for name in FAULTS:
        if name not in right:
            return Verdict(False, f"{so_far}; it misses {name!r}: {FAULTS[name].where}")
    return Verdict(True, f"{so_far}, and clean papers are left in peace")


# ---------------------------------------------------------------- the written verdict


def _verdict(answer) -> Verdict:
    if isinstance(answer, str) and not holds_open(answer):
        if found := re.search(r"\b(fraud\w*|liar|lied|cheat\w*|dishonest\w*)\b", answer, re.I):
            return Verdict(
                False, f"{found[0]!r}: the records show faults, and not what anybody intended"
            )
        if found := re.search(r"\brefuted?\b|\bdisprove[ns]?d?\b", answer, re.I):
            return Verdict(
                False, f"{found[0]!r} is too much: faults leave the claim open, they do not turn it"
            )
    return paragraph(
        answer,
        [
            (r"patient|cop(y|ies)|leak", "say who is on both sides of the split"),
            (
                r"best run|best of|maximum|luckiest|mean of|does not follow|records give",
                "say which numbers of the table the records do not give",
            ),
            (
                r"undecided|cannot (tell|decide|know|say)|open|not (shown|supported)",
                "give a verdict on the claim, in the course's words",
            ),
            (
                r"in order|sound|right(ly)?\b|kept|moved|well done|correct(ly)? (done|reported)",
                "say what is in order as well: a review that only finds faults is half of one",
            ),
            (r"\bask|should|would want|again|new split|repeat|needs? ", "say what you ask for"),
        ],
        "it says what the records show, what follows, what is in order and what you ask for",
        words=60,
    )


EXERCISES = {
    "13.error": Exercise(
        _error,
        "write",
        hints=(
            "Make up many studies. In each of them every image gets a score from either model.",
            "A score is a common part, a part of its own, and for malignant images a lift: "
            "`np.sqrt(2) * norm.ppf(auc)`.",
            "scores = sqrt(correlation) * common + sqrt(1 - correlation) * own + lift * y, with "
            "`own` of the shape (2, n_studies, images); then rank_auc, the difference, its spread.",
        ),
        model=simulated_error,
    ),
    "13.plan": Exercise(
        _plan,
        "judge",
        hints=(
            "Which comparison decides? One in which nothing differs but the circuit.",
            "Ten seeds, a margin that a clinic would care for, an error from the simulation.",
            "Write both sentences as if you could not choose later: data, circuit, margin, and no "
            "word that is larger than the study.",
        ),
        rubric="""
The question names data, circuit and control. The primary comparison differs in the circuit only.
Margin and number of seeds come with a reason, and the expected error comes from a simulation with
the numbers of these data. Both sentences could be printed as they are after either result; neither
says more than one circuit on one data set. A good plan also says what will be done if a run fails.
""",
    ),
    "13.ceiling": Exercise(
        _ceiling,
        "read",
        hints=(
            "Which AUC would be perfect?",
            "Take the mean AUC of the control from `report.levels`.",
            "From there up to 1, times 100.",
        ),
    ),
    "13.mean": Exercise(
        _mean,
        "read",
        hints=(
            "`paper.runs` gives labels and probabilities, one row a run.",
            "One AUC for each row, and then their mean.",
            "`rank_auc(np.broadcast_to(y, p.shape), p)` gives all AUCs at once.",
        ),
    ),
    "13.table": Exercise(
        _table,
        "fault",
        hints=(
            "Take the paper sentence by sentence, and ask which table or record stands behind it.",
            "Do to this paper what section 7 did to the clean one; FAULTS[name].number says which "
            "number is asked for.",
            "Eight of the eleven are there. The three that are not: compare, and leave them out.",
        ),
    ),
    "13.audit": Exercise(
        _audit,
        "write",
        hints=(
            "Each name is one comparison: what the paper says, and what the records give.",
            "Collect pairs (name, True or False) in a dict, and return the names that are True.",
            "Leave some room for rounding (0.001 of an AUC) and for the bootstrap (a tenth of its "
            "width); use `paper.claims`, never the text.",
        ),
    ),
    "13.verdict": Exercise(
        _verdict,
        "judge",
        hints=(
            "Four parts: what the records show, what follows for the claim, what is in order, what "
            "you ask for.",
            "Which faults change the AUC of both models, and which only the comparison?",
            "Faults that favour one side leave the comparison open; they do not show the opposite.",
        ),
        rubric="""
- Names the faults that matter most first: the leak concerns every number of the test part, the
  selected run and the wrong mean concern the comparison, the threshold the accuracies.
- Gives numbers from the records, not adjectives.
- Concludes "undecided" (or "not shown") and says why a leak that both models share does not by
  itself favour one of them.
- Says what is in order: the circuit did move, the accuracy does beat the larger class, the failed
  run was kept.
- Asks for something that can be done: a split by patient, equal tuning, an interval over runs and
  images, records with the table. Courteous: faults, not motives.
""",
    ),
}
