"""Answers to the exercises of notebook 02: right ones, usual wrong ones, what the hint says."""

import numpy as np
from scipy.stats import binom, binomtest, bootstrap
from sklearn.calibration import calibration_curve
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from hqnn_utils.evaluation import calibration
from hqnn_utils.evaluation.metrics import rank_auc
from hqnn_utils.exercises import faults_02 as faults

PPV = dict(sensitivity=0.8, specificity=0.95, prevalence=0.005)

# ------------------------------------------------------------------ bootstrap


def by_a_loop(y, p, n_resamples, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_resamples):
        drawn = rng.integers(0, len(y), len(y))
        ill, well = p[drawn][y[drawn] == 1], p[drawn][y[drawn] == 0]
        found.append((ill[:, None] > well).mean())
    return np.quantile(found, [0.025, 0.975])


def at_once(y, p, n_resamples, seed):
    drawn = np.random.default_rng(seed).choice(len(y), (n_resamples, len(y)))
    low, high = np.percentile(rank_auc(y[drawn], p[drawn]), (2.5, 97.5))
    return low, high


def by_scipy(y, p, n_resamples, seed):
    found = bootstrap(
        (y, p),
        lambda y, p, axis=-1: rank_auc(y, p),
        paired=True,
        n_resamples=n_resamples,
        method="percentile",
        rng=seed,
    )
    return found.confidence_interval.low, found.confidence_interval.high


def within_classes(y, p, n_resamples, seed):
    rng = np.random.default_rng(seed)
    ill, well = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    found = []
    for _ in range(n_resamples):
        drawn = np.concatenate([rng.choice(ill, len(ill)), rng.choice(well, len(well))])
        found.append(rank_auc(y[drawn], p[drawn]))
    return np.quantile(found, 0.025), np.quantile(found, 0.975)


def shuffled(y, p, n_resamples, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(200):
        drawn = rng.permutation(len(y))
        found.append(rank_auc(y[drawn], p[drawn]))
    return np.quantile(found, [0.025, 0.975])


def labels_and_probabilities_apart(y, p, n_resamples, seed):
    rng = np.random.default_rng(seed)
    found = [rank_auc(rng.choice(y, len(y)), rng.choice(p, len(p))) for _ in range(n_resamples)]
    return np.quantile(found, [0.025, 0.975])


def five_per_cent_on_each_side(y, p, n_resamples, seed):
    drawn = np.random.default_rng(seed).integers(0, len(y), (n_resamples, len(y)))
    return np.quantile(rank_auc(y[drawn], p[drawn]), [0.05, 0.95])


def mean_and_deviation(y, p, n_resamples, seed):
    drawn = np.random.default_rng(seed).integers(0, len(y), (n_resamples, len(y)))
    found = rank_auc(y[drawn], p[drawn])
    return found.mean() - found.std(), found.mean() + found.std()


def standard_error_of_the_mean(y, p, n_resamples, seed):
    drawn = np.random.default_rng(seed).integers(0, len(y), (n_resamples, len(y)))
    found = rank_auc(y[drawn], p[drawn])
    half = 1.96 * found.std() / np.sqrt(n_resamples)
    return found.mean() - half, found.mean() + half


def as_many_images_as_resamples(y, p, n_resamples, seed):
    drawn = np.random.default_rng(seed).integers(0, len(y), (500, n_resamples))
    return np.quantile(rank_auc(y[drawn], p[drawn]), [0.025, 0.975])


def accuracy_instead(y, p, n_resamples, seed):
    drawn = np.random.default_rng(seed).integers(0, len(y), (n_resamples, len(y)))
    return np.quantile(((p >= 0.5) == y)[drawn].mean(axis=1), [0.025, 0.975])


def only_the_aucs(y, p, n_resamples, seed):
    drawn = np.random.default_rng(seed).integers(0, len(y), (n_resamples, len(y)))
    return rank_auc(y[drawn], p[drawn])


# ------------------------------------------------------------------ calibration error


def ece_by_bins(y, p, n_bins):
    total = 0.0
    for b in range(n_bins):
        low, high = b / n_bins, (b + 1) / n_bins
        inside = (p >= low) & ((p < high) | (b == n_bins - 1))
        if inside.any():
            total += inside.sum() * abs(y[inside].mean() - p[inside].mean())
    return total / len(y)


def ece_by_sklearn(y, p, n_bins):
    observed, predicted = calibration_curve(y, p, n_bins=n_bins)
    counts = np.histogram(p, np.linspace(0, 1, n_bins + 1))[0]
    return np.average(np.abs(observed - predicted), weights=counts[counts > 0])


def ece_with_empty_bins(y, p, n_bins):
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    with np.errstate(invalid="ignore"):
        gaps = [abs(y[bins == b].sum() - p[bins == b].sum()) for b in range(n_bins)]
        gaps = np.array(gaps) / np.bincount(bins, minlength=n_bins)
    return np.average(gaps, weights=np.bincount(bins, minlength=n_bins))


def ece_without_one(y, p, n_bins):
    total = 0.0
    for b in range(n_bins):
        inside = (p >= b / n_bins) & (p < (b + 1) / n_bins)
        if inside.any():
            total += inside.sum() * abs(y[inside].mean() - p[inside].mean())
    return total / len(y)


def ece_of_confidence(y, p, n_bins):
    confidence, correct = np.maximum(p, 1 - p), ((p >= 0.5) == y).astype(int)
    return ece_by_bins(correct, confidence, n_bins)


def ece_unweighted(y, p, n_bins):
    observed, predicted = calibration_curve(y, p, n_bins=n_bins)
    return np.abs(observed - predicted).mean()


def ece_equal_counts(y, p, n_bins):
    parts = np.array_split(np.argsort(p), n_bins)
    return sum(len(i) * abs(y[i].mean() - p[i].mean()) for i in parts) / len(y)


# ------------------------------------------------------------------ McNemar


def mcnemar_by_binomtest(right_a, right_b):
    a, b = (right_a & ~right_b).sum(), (right_b & ~right_a).sum()
    return binomtest(int(a), int(a + b)).pvalue if a + b else 1.0


def mcnemar_by_statsmodels(right_a, right_b):
    table = [[np.sum(a & b) for b in (right_b, ~right_b)] for a in (right_a, ~right_a)]
    return statsmodels_mcnemar(table, exact=True).pvalue


def mcnemar_by_hand(right_a, right_b):
    a, b = np.sum(right_a > right_b), np.sum(right_a < right_b)
    fewer = sum(binom.pmf(k, a + b, 0.5) for k in range(min(a, b) + 1))
    return min(1, 2 * fewer)


def mcnemar_one_sided(right_a, right_b):
    a, b = (right_a & ~right_b).sum(), (right_b & ~right_a).sum()
    return binom.cdf(min(a, b), a + b, 0.5)


def mcnemar_without_limit(right_a, right_b):
    return 2 * mcnemar_one_sided(right_a, right_b)


def mcnemar_chi2(right_a, right_b):
    table = [[np.sum(a & b) for b in (right_b, ~right_b)] for a in (right_a, ~right_a)]
    table[0][1] += (table[0][1] + table[1][0]) == 0  # else statsmodels divides by 0
    found = statsmodels_mcnemar(table, exact=False, correction=True).pvalue
    return found if np.sum(right_a) != np.sum(right_b) else 1.0


def mcnemar_fails_without_discordant(right_a, right_b):
    a, b = (right_a & ~right_b).sum(), (right_b & ~right_a).sum()
    if not a + b:  # as SciPy's binomtest does before 1.18, which gives NaN
        raise ValueError("n must be an integer not less than 1")
    return binomtest(int(a), int(a + b)).pvalue


# ------------------------------------------------------------------ Holm


def holm_by_statsmodels(p):
    return multipletests(p, method="holm")[1]


def holm_by_a_loop(p):
    adjusted, largest = np.zeros(len(p)), 0.0
    for step, place in enumerate(np.argsort(p)):
        largest = max(largest, (len(p) - step) * p[place])
        adjusted[place] = min(1.0, largest)
    return adjusted


def holm_as_list(p):
    return holm_by_a_loop(p).tolist()


def holm_without_memory(p):
    adjusted = np.zeros(len(p))
    for step, place in enumerate(np.argsort(p)):
        adjusted[place] = min(1.0, (len(p) - step) * p[place])
    return adjusted


def holm_sorted(p):
    return np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * np.sort(p)))


def holm_changes_its_input(p):
    p.sort()
    return holm_sorted(p)


# ------------------------------------------------------------------ selection

draw = faults.draw_aucs


def winner(k, seed):
    rng = np.random.default_rng(seed)
    val, test = draw(k, 21, 57, rng), draw(k, 42, 114, rng)
    return val.max(), test[val.argmax()]


def winner_one_by_one(k, seed):
    rng = np.random.default_rng(seed)
    best = (0.0, 0.0)
    for _ in range(k):
        val, test = draw(1, 21, 57, rng)[0], draw(1, 42, 114, rng)[0]
        if val > best[0]:
            best = (val, test)
    return list(best)


def winner_without_its_test_score(k, seed):
    return winner(k, seed)[0]


def best_of_both(k, seed):
    rng = np.random.default_rng(seed)
    return draw(k, 21, 57, rng).max(), draw(k, 42, 114, rng).max()


def chosen_on_test(k, seed):
    rng = np.random.default_rng(seed)
    val, test = draw(k, 21, 57, rng), draw(k, 42, 114, rng)
    return val[test.argmax()], test.max()


def mean_over_models(k, seed):
    rng = np.random.default_rng(seed)
    return draw(k, 21, 57, rng).max(), draw(k, 42, 114, rng).mean()


def means_over_models(k, seed):
    rng = np.random.default_rng(seed)
    return draw(k, 21, 57, rng).mean(), draw(k, 42, 114, rng).mean()


def first_model(k, seed):
    rng = np.random.default_rng(seed)
    return draw(k, 21, 57, rng)[0], draw(k, 42, 114, rng)[0]


def worst_model(k, seed):
    rng = np.random.default_rng(seed)
    val, test = draw(k, 21, 57, rng), draw(k, 42, 114, rng)
    return val.min(), test[val.argmin()]


def test_first(k, seed):
    return winner(k, seed)[::-1]


def validation_twice(k, seed):
    return winner(k, seed)[0], winner(k, seed)[0]


def always_the_same(k, seed):
    return winner(k, 0)


def other_sizes(k, seed):
    rng = np.random.default_rng(seed)
    val, test = draw(k, 147, 399, rng), draw(k, 42, 114, rng)
    return val.max(), test[val.argmax()]


# ------------------------------------------------------------------ fault and judgement

OVERLAP = "the ten test sets share many images, so a t-test sees ten differences as independent"
PEEK = "the threshold is chosen on the test images, so their accuracy is too good"

CLAIM = (
    "90.5 against 88.5 % are 181 and 177 of 200 images: four images. The intervals overlap, and "
    "even the luckiest pairing gives McNemar p = 0.125. Each model was trained with one seed, so "
    "the luck of training is not known. The recall of the smaller class fell from 43 to 41 of 54. "
    "So the claim is neither shown nor refuted: it is undecided."
)
CLAIM_2 = (
    "We cannot say which model is better. With 200 images the 95 % intervals are about nine points "
    "wide, and one training run of each tells nothing of how a second run would come out. Moreover "
    "the hybrid misses more of the rare class. I would ask for ten runs, a matched control and the "
    "number of images that a power analysis gives."
)

RIGHT = {
    "02.ppv": [(a, PPV) for a in (0.004 / (0.004 + 0.04975), 0.074, 0.0744, 7.44, "7.4")],
    "02.bootstrap": [(f, {}) for f in (by_a_loop, at_once, by_scipy, within_classes)],
    "02.ece": [(f, {}) for f in (ece_by_bins, ece_by_sklearn, calibration.ece)],
    "02.mcnemar": [
        (f, {}) for f in (mcnemar_by_binomtest, mcnemar_by_statsmodels, mcnemar_by_hand)
    ],
    "02.holm": [(f, {}) for f in (holm_by_statsmodels, holm_by_a_loop, holm_as_list)],
    "02.selection": [(f, {}) for f in (winner, winner_one_by_one)],
    "02.fault": [
        ({4: PEEK, 6: OVERLAP}, {}),
        (
            {
                6: "Two such test sets have a fifth of their images in common.",
                4: "It should have been tuned on the validation part.",
            },
            {},
        ),
    ],
    "02.claim": [(CLAIM, {}), (CLAIM_2, {})],
}
WRONG = [
    ("02.ppv", 0.8, PPV, "that is the sensitivity"),
    ("02.ppv", 80, PPV, "that is the sensitivity"),
    ("02.ppv", 0.2, PPV, "that is the miss rate"),
    ("02.ppv", 0.99894, PPV, "NPV"),
    ("02.ppv", 0.9256, PPV, "alarms that are wrong"),
    ("02.ppv", 0.95, PPV, "that is the specificity"),
    ("02.ppv", 0.855, PPV, "prevalence of BreastMNIST"),
    ("02.ppv", 0.457, PPV, "five in a thousand are 0.005"),
    ("02.ppv", 0.941, PPV, "leaves the prevalence out"),
    ("02.ppv", 0.004, PPV, "true alarms among all women"),
    ("02.ppv", 0.0804, PPV, "the odds"),
    ("02.bootstrap", shuffled, {}, "without replacement"),
    ("02.bootstrap", labels_and_probabilities_apart, {}, "use the same positions for both"),
    ("02.bootstrap", five_per_cent_on_each_side, {}, "that is the 90 % interval"),
    ("02.bootstrap", mean_and_deviation, {}, "one standard deviation"),
    ("02.bootstrap", standard_error_of_the_mean, {}, "far too narrow"),
    ("02.bootstrap", as_many_images_as_resamples, {}, "not n_resamples"),
    ("02.bootstrap", accuracy_instead, {}, "interval of the accuracy"),
    ("02.bootstrap", lambda *a: at_once(*a)[::-1], {}, "the lower end comes first"),
    ("02.bootstrap", only_the_aucs, {}, "expected two numbers, low and high"),
    ("02.bootstrap", 0.9, {}, "expected a function, got float"),
    ("02.ece", ece_with_empty_bins, {}, "with y = "),
    ("02.ece", ece_without_one, {}, "it got lost"),
    ("02.ece", ece_of_confidence, {}, "confidence in the predicted class"),
    ("02.ece", ece_unweighted, {}, "counts by its number of images, not once"),
    ("02.ece", lambda y, p, n: ece_unweighted(y, p, n) * 0.5, {}, "with y = "),
    ("02.ece", ece_equal_counts, {}, "bins of equal width"),
    ("02.ece", lambda y, p, n: np.mean(np.abs(y - p)), {}, "compare means within bins"),
    ("02.ece", lambda y, p, n: ece_by_bins(y, p, 10), {}, "ignores n_bins"),
    ("02.mcnemar", mcnemar_one_sided, {}, "one-sided"),
    ("02.mcnemar", mcnemar_without_limit, {}, "a p-value is at most 1"),
    ("02.mcnemar", mcnemar_chi2, {}, "corrected chi-squared"),
    ("02.mcnemar", mcnemar_fails_without_discordant, {}, "it stops: ValueError"),
    ("02.holm", holm_without_memory, {}, "keep the largest so far"),
    ("02.holm", holm_sorted, {}, "in the order in which p came"),
    ("02.holm", holm_changes_its_input, {}, "it changes what it is given"),
    ("02.holm", lambda p: multipletests(p, method="bonferroni")[1], {}, "Bonferroni"),
    ("02.holm", lambda p: multipletests(p, method="fdr_bh")[1], {}, "Benjamini"),
    ("02.holm", lambda p: multipletests(p, method="simes-hochberg")[1], {}, "Hochberg"),
    ("02.holm", lambda p: multipletests(p, method="holm")[0], {}, "not yes or no"),
    ("02.selection", best_of_both, {}, "the best of all test scores"),
    ("02.selection", chosen_on_test, {}, "the test images choose"),
    ("02.selection", mean_over_models, {}, "the winner's is asked"),
    ("02.selection", means_over_models, {}, "means over all models"),
    ("02.selection", first_model, {}, "nothing was chosen"),
    ("02.selection", worst_model, {}, "take the largest"),
    ("02.selection", test_first, {}, "the validation score comes first"),
    ("02.selection", validation_twice, {}, "both are validation scores"),
    ("02.selection", always_the_same, {}, "draw with default_rng(seed)"),
    ("02.selection", other_sizes, {}, "one of the two is not as it should be"),
    ("02.selection", winner_without_its_test_score, {}, "expected two numbers, got 0."),
    ("02.selection", lambda k, seed: [1, 2, 3], {}, "expected two numbers, got [1, 2, 3]"),
    ("02.selection", lambda k: 1, {}, "it stops: TypeError"),
    ("02.selection", 0.9, {}, "expected a function, got float"),
    ("02.fault", {3: "five learning rates are many questions at once"}, {}, "step 3 is sound"),
    ("02.fault", {5: "the same images are used for both models here"}, {}, "step 5 is sound"),
    ("02.fault", {1: "it does not use the official split of the data"}, {}, "step 1 is sound"),
    ("02.fault", {2: "the test sets are not independent of each other"}, {}, "step 2 alone is"),
    ("02.fault", {7: "the sensitivity is not what was asked for here"}, {}, "step 7 is sound"),
    ("02.fault", {8: "there is no such step in the list above"}, {}, "the steps are 1 to 7"),
    ("02.fault", {4: PEEK}, {}, "two steps are faulty, step 4 is one"),
    ("02.fault", {}, {}, "none is named"),
    ("02.fault", {4: PEEK, 6: ""}, {}, "step 6 is faulty: give the reason in a sentence"),
    ("02.fault", {4: PEEK, 6: "wrong test"}, {}, "give the reason in a sentence"),
    ("02.fault", {4: "a threshold of one half is the honest one", 6: OVERLAP}, {}, "which images"),
    ("02.fault", {4: PEEK, 6: "a p-value of one per cent is too small"}, {}, "what a t-test needs"),
    ("02.fault", [4, 6], {}, "expected a dict"),
    ("02.claim", 4, {}, "expected a text"),
    ("02.claim", "The claim is undecided.", {}, "words"),
    (
        "02.claim",
        CLAIM.replace("181 and 177 of 200 images: four images", "two points")
        .replace("The intervals overlap, and", "And")
        .replace("McNemar p = 0.125", "nothing"),
        {},
        "how far can 200 images tell",
    ),
    ("02.claim", CLAIM.replace("with one seed", "well"), {}, "the other, that of training"),
    (
        "02.claim",
        CLAIM.replace("The recall of the smaller class fell from 43 to 41 of 54.", ""),
        {},
        "accuracy hides the classes",
    ),
    (
        "02.claim",
        CLAIM.replace("neither shown nor refuted: it is undecided", "a good one"),
        {},
        "end with what may be concluded",
    ),
    (
        "02.claim",
        "The hybrid is useless: "
        + CLAIM.replace("neither shown nor refuted: it is undecided", "-"),
        {},
        "does not show that there is none",
    ),
]
WRONG += [("02.bootstrap", f, {}, word) for f, word in faults.BOOTSTRAP_FAULTS]
WRONG += [("02.ece", f, {}, word) for f, word in faults.ECE_FAULTS]
WRONG += [("02.mcnemar", f, {}, word) for f, word in faults.MCNEMAR_FAULTS]
WRONG += [("02.holm", f, {}, word) for f, word in faults.HOLM_FAULTS]
