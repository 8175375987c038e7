"""Answers to the exercises of notebook 13: right ones, usual wrong ones, what is said to them."""

import numpy as np
from scipy.stats import multivariate_normal, norm
from sklearn.metrics import roc_auc_score

from hqnn_utils.evaluation.comparison import holm, two_level_bootstrap
from hqnn_utils.evaluation.metrics import rank_auc
from hqnn_utils.exercises.nb13 import simulated_error
from hqnn_utils.exercises.papers import FAULTS, make_paper
from hqnn_utils.exercises.papers import key as records_say
from hqnn_utils.exercises.papers.key import audit, evidence
from hqnn_utils.studies.own import OwnPlan

PAPER = make_paper(13)
THERE, NUMBERS = audit(PAPER), evidence(PAPER)

# ---------------------------------------------------------------- the error


def two_models(n_positive, n_negative, auc, correlation, n_studies, seed, half=False):
    """Scores as SciPy draws pairs that correlate; AUCs as counts of pairs in order."""
    covariance = [[1, correlation], [correlation, 1]]
    pairs = multivariate_normal(cov=covariance, allow_singular=True)
    rng = np.random.default_rng(seed)
    gaps = []
    for _ in range(2500):
        negative = pairs.rvs(n_negative, random_state=rng)
        positive = pairs.rvs(n_positive, random_state=rng) + np.sqrt(2) * norm.ppf(auc)
        ahead = (positive[:, None] > negative[None]).mean(axis=(0, 1))
        gaps.append(100 * (ahead[0] - ahead[1]))
    return np.std(gaps)


def made_up(n_positive, n_negative, auc, correlation, n_studies, seed, root=2**0.5, common=None):
    rng = np.random.default_rng(seed)
    y = np.r_[np.ones(n_positive, int), np.zeros(n_negative, int)]
    factor = np.sqrt(correlation) if common is None else common(correlation)
    shared = factor * rng.normal(size=(4000, len(y)))
    a, b = (
        shared + np.sqrt(1 - factor**2) * rng.normal(size=shared.shape) + root * norm.ppf(auc) * y
        for _ in range(2)
    )
    y = np.broadcast_to(y, a.shape)
    return 100 * np.std(rank_auc(y, a) - rank_auc(y, b))


# ---------------------------------------------------------------- plans

GOOD_PLAN = dict(
    question="Does a circuit of four qubits add two points of AUC on BreastMNIST's features?",
    primary=("circuit", "mixing"),
    margin=0.02,
    seeds=10,
    expected_error=0.015,
    if_supported="On these images the circuit adds to its head, by as much as the interval says.",
    if_excluded="On these images this circuit does not add two points of AUC to its head.",
)
AS_AN_OBJECT = OwnPlan(**{**GOOD_PLAN, "primary": ("circuit", "matched"), "seeds": 20})


def plan(**changes):
    return {**GOOD_PLAN, **changes}


# ---------------------------------------------------------------- the audit table

SENTENCES = {
    "patients": "scores are too good for new patients, whom the model has not seen",
    "copies": "a copy is remembered, so the test is too good: a leak",
    "best_run": "the gain is one lucky run, the mean shows none of it",
    "threshold": "the accuracy is optimistic and would fall on new images",
    "interval": "the interval is too narrow, it leaves out the runs",
    "holm": "of eight tests one is small by chance, it is not significant",
    "tuning": "the control is handicapped, an unfair advantage of the hybrid",
    "number": "the control is better than the table says, the gain smaller",
}
TABLE = {name: (NUMBERS[name], SENTENCES[name]) for name in THERE}
OTHERWISE = {
    name: [round(NUMBERS[name], 3) if name != "interval" else 1.05 * NUMBERS[name], SENTENCES[name]]
    for name in sorted(THERE)
}


def table(**changes):
    return {**TABLE, **changes}


def without(name):
    return {key: value for key, value in TABLE.items() if key != name}


# ---------------------------------------------------------------- auditors


def own_auditor(paper):
    """Written without the key: scikit-learn and loops, other tolerances."""
    said, found = paper.claims, {}
    test = paper.images.query("part == 'test'")
    train = paper.images.query("part == 'train'")
    found["patients"] = set(test.patient) & set(train.patient)
    found["copies"] = set(test.fingerprint) & set(train.fingerprint)
    y, a = paper.runs("hybrid")
    _, b = paper.runs("control")
    mean_a, mean_b = (np.mean([roc_auc_score(y, row) for row in p]) for p in (a, b))
    found["best_run"] = round(mean_a, 3) != said["auc"]["hybrid"]
    found["number"] = round(mean_b, 3) != said["auc"]["control"]
    grid = [round(0.05 * k, 2) for k in range(1, 20)]
    y_val, p_val = paper.runs("hybrid", "val")
    best = max(grid, key=lambda t: np.mean([((row >= t) == y_val).mean() for row in p_val]))
    found["threshold"] = best != said["threshold"]
    called = a[:, y == 1] >= said["threshold"]
    found["polarity"] = abs(called.mean() - said["sensitivity"]) > 0.01
    accuracy = said["accuracy"]["hybrid"]
    spread = 1.96 * np.sqrt(accuracy * (1 - accuracy) / len(y))
    found["majority"] = accuracy - spread <= max(y.mean(), 1 - y.mean())
    both = two_level_bootstrap(y, a, b, n_resamples=1500, seed=5)
    width = said["interval"][1] - said["interval"][0]
    found["interval"] = width / (both["high"] - both["low"]) < 0.88
    p = holm(paper.tests.set_index("test")["p"].to_dict())
    found["holm"] = p[said["significant"][0]] > 0.05
    found["tuning"] = paper.tuning.model.value_counts().nunique() > 1
    rms = [r.scores["fit"]["moved"].get("circuit", {}).get("rms") for r in paper.records]
    found["circuit"] = max(x for x in rms if x is not None) < 0.2
    return [name for name, is_there in found.items() if is_there]


def but(name, is_there):
    """The key, wrong in one fault only."""

    def auditor(paper):
        found = audit(paper) - {name}
        return found | {name} if is_there(paper) else found

    return auditor


def by_the_test_images(paper):
    return records_say.best_threshold(paper, "test") != paper.claims["threshold"]


def with_those_in_training(paper):
    return paper.images["fingerprint"].duplicated().any()


def without_correction(paper):
    return paper.tests["p"].min() > 0.05


def from_the_text(paper):
    """What the text says, which is the same in every paper."""
    return {name for name in FAULTS if name.split("_")[0] in paper.text}


# ---------------------------------------------------------------- the review

REVIEW = (
    "The records show patients on both sides of the split and copies of training images in the "
    "test part, so every score is too good for new patients. The table holds the best run of the "
    "hybrid, and a control's AUC that the records do not give. Whether the circuit helps stays "
    "undecided. In order are the circuit's training and the failed run that was kept. I ask for a "
    "split by patient, equal tuning and an interval over runs and images."
)
REVIEW_TOO = (
    "This paper cannot tell whether its hybrid is better. Several test images leak: they are "
    "copies, or of patients who were trained on. The mean in the abstract is really the maximum "
    "over six runs, and the threshold comes from the test. What is sound: classes are named "
    "rightly, the bad run was kept, the angles moved. The authors should split by patient, tune "
    "both models with the same budget and give an interval with both lucks; then the question can "
    "be asked again."
)

ONLY_FAULTS = REVIEW.replace("In order are", "There are").replace("kept", "left")

LEVEL = dict(auc=0.932)
CONTEXT = dict(paper=PAPER)
Y, P = PAPER.runs("hybrid")
MEAN = NUMBERS["best_run"]
Y_VAL, P_VAL = PAPER.runs("hybrid", "val")
ON_VALIDATION = float(np.mean([roc_auc_score(Y_VAL, row) for row in P_VAL]))

RIGHT = {
    "13.error": [(simulated_error, {}), (two_models, {}), (made_up, {})],
    "13.plan": [(GOOD_PLAN, {}), (AS_AN_OBJECT, {}), (plan(primary=["circuit", "matched"]), {})],
    "13.ceiling": [(6.8, LEVEL), ("6.8", LEVEL), (np.float32(6.8), LEVEL)],
    "13.mean": [(MEAN, CONTEXT), (round(MEAN, 3), CONTEXT), (f"{MEAN:.4f}", CONTEXT)],
    "13.table": [(TABLE, CONTEXT), (OTHERWISE, CONTEXT)],
    "13.audit": [(audit, {}), (own_auditor, {}), (lambda paper: sorted(audit(paper)), {})],
    "13.verdict": [(REVIEW, {}), (REVIEW_TOO, {})],
}
WRONG = [
    ("13.error", 1.5, {}, "expected a function"),
    ("13.error", lambda p, n, a, r, k, s: made_up(p, n, a, 0.0, k, s), {}, "do not go together"),
    (
        "13.error",
        lambda *c: made_up(*c[:3], 0.0, *c[4:]) / np.sqrt(2),
        {},
        "the spread of one AUC",
    ),
    ("13.error", lambda *c: made_up(*c) / 100, {}, "give points"),
    ("13.error", lambda *c: made_up(*c, root=1), {}, "too close"),
    ("13.error", lambda *c: made_up(*c, common=lambda r: r), {}, "take its root as the factor"),
    ("13.error", lambda *c: 1.96 * made_up(*c), {}, "half of an interval"),
    ("13.error", lambda *c: made_up(*c) ** 2, {}, "the variance"),
    ("13.plan", "a plan", {}, "expected a dict or an OwnPlan"),
    ("13.plan", {"question": "Does it help?"}, {}, "lacks primary, margin"),
    (
        "13.plan",
        plan(question="It helps on these images."),
        {},
        "question mark",
    ),
    ("13.plan", plan(primary=("circuit", "linear")), {}, "differs in the circuit only"),
    ("13.plan", plan(primary=("mixing", "circuit")), {}, "A is `circuit`"),
    ("13.plan", plan(primary=("circuit", "untrained")), {}, "a part of the circuit"),
    ("13.plan", plan(primary=("circuit",)), {}, "two names"),
    ("13.plan", plan(margin=2), {}, "two points are 0.02"),
    ("13.plan", plan(margin=0.001), {}, "so small a margin"),
    ("13.plan", plan(seeds=3), {}, "too few seeds"),
    ("13.plan", plan(seeds="ten"), {}, "seeds is a number"),
    ("13.plan", plan(expected_error=1.5), {}, "one point is 0.01"),
    ("13.plan", plan(expected_error=1e-5), {}, "simulate it"),
    ("13.plan", plan(if_supported="It helps."), {}, "eight words"),
    (
        "13.plan",
        plan(if_excluded="The hope that circuits help on such images is refuted for good."),
        {},
        "says more than one study",
    ),
    (
        "13.plan",
        plan(if_supported="On these images we have a quantum advantage over other heads."),
        {},
        "says more than one study",
    ),
    (
        "13.plan",
        plan(if_excluded="A circuit does not add two points of AUC to any head."),
        {},
        "say of which data",
    ),
    ("13.ceiling", 0.068, LEVEL, "give points"),
    ("13.ceiling", 93.2, LEVEL, "how much is left"),
    ("13.ceiling", 0.932, LEVEL, "how many points are left"),
    ("13.ceiling", 43.2, LEVEL, "above chance"),
    ("13.ceiling", -6.8, LEVEL, "count upwards"),
    ("13.ceiling", 3.0, LEVEL, "is not it"),
    ("13.mean", PAPER.claims["auc"]["hybrid"], CONTEXT, "best of the runs"),
    ("13.mean", rank_auc(Y, P.mean(axis=0)), CONTEXT, "an ensemble"),
    ("13.mean", NUMBERS["number"], CONTEXT, "that is the control"),
    ("13.mean", float(np.median(records_say.aucs(PAPER, "hybrid"))), CONTEXT, "the median"),
    ("13.mean", ON_VALIDATION, CONTEXT, "on validation"),
    ("13.table", ["patients"], CONTEXT, "expected a dict"),
    ("13.table", {}, CONTEXT, "0 of 8 found"),
    ("13.table", without("holm"), CONTEXT, "7 of 8 found"),
    (
        "13.table",
        table(low_run=(0.7, "a bad run")),
        CONTEXT,
        "would have been the fault",
    ),
    (
        "13.table",
        table(own_rate=(10, "unfair")),
        CONTEXT,
        "with equal tries",
    ),
    (
        "13.table",
        table(circuit=(0.75, "did not learn")),
        CONTEXT,
        "agree",
    ),
    (
        "13.table",
        table(sample=(160, "few")),
        CONTEXT,
        "no name of the list",
    ),
    ("13.table", table(patients=39), CONTEXT, "give a pair"),
    ("13.table", table(patients=(7, SENTENCES["patients"])), CONTEXT, "test images whose patient"),
    (
        "13.table",
        table(number=(PAPER.claims["auc"]["control"], SENTENCES["number"])),
        CONTEXT,
        "what the paper states",
    ),
    (
        "13.table",
        table(holm=(float(PAPER.tests["p"].min()), SENTENCES["holm"])),
        CONTEXT,
        "what the paper states",
    ),
    ("13.table", table(patients=(NUMBERS["patients"], "that is bad")), CONTEXT, "in a sentence"),
    (
        "13.table",
        table(patients=(NUMBERS["patients"], "this is something that one should not do")),
        CONTEXT,
        "does to the paper's claim",
    ),
    ("13.audit", "patients", {}, "expected a function"),
    ("13.audit", lambda paper: "patients", {}, "expected a set"),
    ("13.audit", lambda paper: {"patient"}, {}, "no name of the list"),
    ("13.audit", lambda paper: set(FAULTS), {}, "names 'patients' where it is not"),
    ("13.audit", lambda paper: set(), {}, "misses 'patients'"),
    ("13.audit", from_the_text, {}, "where it is not"),
    ("13.audit", but("threshold", by_the_test_images), {}, "'threshold'"),
    ("13.audit", but("holm", without_correction), {}, "misses 'holm'"),
    (
        "13.audit",
        but("copies", with_those_in_training),
        {},
        "'copies'",
    ),
    ("13.audit", but("majority", lambda p: False), {}, "misses 'majority'"),
    ("13.audit", but("interval", lambda p: p.claims["interval"][0] > 0), {}, "'interval'"),
    ("13.audit", lambda paper: 1 / 0, {}, "ZeroDivisionError"),
    ("13.verdict", "The paper is wrong.", {}, "60 words"),
    ("13.verdict", REVIEW + " This is fraud.", {}, "not what anybody intended"),
    ("13.verdict", REVIEW.replace("stays undecided", "is refuted"), {}, "too much"),
    (
        "13.verdict",
        REVIEW.replace("patient", "person").replace("copies", "pictures"),
        {},
        "both sides of the split",
    ),
    ("13.verdict", REVIEW.replace("undecided", "a matter of taste"), {}, "give a verdict"),
    (
        "13.verdict",
        ONLY_FAULTS,
        {},
        "in order",
    ),
]
