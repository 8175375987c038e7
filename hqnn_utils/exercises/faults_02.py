"""What students usually get wrong when they write the functions of notebook 02.

Each function here has one usual fault, or is the right one; the ``..._FAULTS`` pair the faulty ones
with what is said to whoever wrote them. ``nb02`` holds the checks.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.stats import binom, chi2, false_discovery_control, fisher_exact, norm

from hqnn_utils.evaluation import comparison
from hqnn_utils.evaluation.metrics import rank_auc
from hqnn_utils.evaluation.resampling import percentile_interval, stratified_resamples

# ------------------------------------------------------------------ the bootstrap
# All draw more resamples than the student, so that only the student's luck is left.

MANY = 10_000


def resampled_aucs(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """AUCs (MANY,) of resampled test sets."""
    drawn = np.random.default_rng(1).integers(0, len(y), (MANY, len(y)))
    return rank_auc(y[drawn], p[drawn])


def interval(y, p, n_resamples, seed):
    """Right: 95 % percentile interval of the AUC."""
    return percentile_interval(resampled_aucs(y, p), 0.95)


def interval_within_classes(y, p, n_resamples, seed):
    """Right, too: images drawn within each class, as ``metrics.intervals`` does."""
    drawn = stratified_resamples(y, MANY, 1)
    return percentile_interval(rank_auc(y[drawn], p[drawn]), 0.95)


def _without_replacement(y, p, n_resamples, seed):
    auc = float(rank_auc(y, p))
    return auc, auc


def _drawn_apart(y, p, n_resamples, seed):
    draws = np.random.default_rng(1).integers(0, len(y), (2, MANY, len(y)))
    return percentile_interval(rank_auc(y[draws[0]], p[draws[1]]), 0.95)


def _ninety_per_cent(y, p, n_resamples, seed):
    return percentile_interval(resampled_aucs(y, p), 0.90)


def _one_deviation(y, p, n_resamples, seed):
    resampled = resampled_aucs(y, p)
    return resampled.mean() - resampled.std(), resampled.mean() + resampled.std()


def _of_the_mean(y, p, n_resamples, seed):
    resampled = resampled_aucs(y, p)
    half = 1.96 * resampled.std() / np.sqrt(n_resamples)
    return resampled.mean() - half, resampled.mean() + half


def _large_resamples(y, p, n_resamples, seed):
    drawn = np.random.default_rng(1).integers(0, len(y), (2000, n_resamples))
    return percentile_interval(rank_auc(y[drawn], p[drawn]), 0.95)


def _of_accuracy(y, p, n_resamples, seed):
    drawn = np.random.default_rng(1).integers(0, len(y), (MANY, len(y)))
    return percentile_interval(((p >= 0.5) == y)[drawn].mean(axis=1), 0.95)


def _upper_first(y, p, n_resamples, seed):
    return interval(y, p, n_resamples, seed)[::-1]


BOOTSTRAP_FAULTS = [
    (
        _without_replacement,
        "both ends are the AUC itself: drawn without replacement, every resample is the same test "
        "set in another order",
    ),
    (_drawn_apart, "labels and probabilities belong together: use the same positions for both"),
    (_ninety_per_cent, "that is the 90 % interval: for 95 % cut off 2.5 % on each side"),
    (_one_deviation, "that is one standard deviation on each side: take quantiles"),
    (
        _of_the_mean,
        "far too narrow: divided by the root of n_resamples it says how well you know the mean of "
        "the resamples, not how far a test set may go",
    ),
    (_large_resamples, "each resample holds as many images as the test set, not n_resamples"),
    (_of_accuracy, "that is the interval of the accuracy: the AUC is asked for"),
    (_upper_first, "the lower end comes first"),
]

# ------------------------------------------------------------------ the calibration error


def bin_of(p: np.ndarray, n_bins: int) -> np.ndarray:
    """Number of the bin of equal width; 1 belongs to the last one."""
    return np.minimum((p * n_bins).astype(int), n_bins - 1)


def gaps(y: np.ndarray, p: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Observed minus predicted, and the number of images, of each bin that is not empty."""
    bins = bin_of(p, n_bins)
    members = [bins == b for b in np.unique(bins)]
    found = [y[m].mean() - p[m].mean() for m in members]
    return np.array(found), np.array([m.sum() for m in members])


def ece(y, p, n_bins):
    """Right."""
    gap, n = gaps(y, p, n_bins)
    return np.average(np.abs(gap), weights=n)


def _unweighted(y, p, n_bins):
    return np.abs(gaps(y, p, n_bins)[0]).mean()


def _over_all_bins(y, p, n_bins):
    return np.abs(gaps(y, p, n_bins)[0]).sum() / n_bins


def _signed(y, p, n_bins):
    gap, n = gaps(y, p, n_bins)
    return np.average(gap, weights=n)


def _size_of_the_mean(y, p, n_bins):
    return abs(_signed(y, p, n_bins))


def _squared(y, p, n_bins):
    gap, n = gaps(y, p, n_bins)
    return np.sqrt(np.average(gap**2, weights=n))


def _largest(y, p, n_bins):
    return np.abs(gaps(y, p, n_bins)[0]).max()


def _from_the_middle(y, p, n_bins):
    bins = bin_of(p, n_bins)
    off = [(bins == b).sum() * abs(y[bins == b].mean() - (b + 0.5) / n_bins) for b in set(bins)]
    return sum(off) / len(y)


def _of_confidence(y, p, n_bins):
    called = p >= 0.5
    return ece((called == y).astype(int), np.where(called, p, 1 - p), n_bins)


def _without_bins(y, p, n_bins):
    return np.abs(y - p).mean()


def _equally_full(y, p, n_bins):
    parts = np.array_split(np.argsort(p, kind="stable"), n_bins)
    return sum(len(i) * abs(y[i].mean() - p[i].mean()) for i in parts if len(i)) / len(y)


def _one_lost(y, p, n_bins):
    inside = p < 1
    gap, n = gaps(y[inside], p[inside], n_bins)
    return (np.abs(gap) * n).sum() / len(y)


def _always_ten(y, p, n_bins):
    return ece(y, p, 10)


ECE_FAULTS = [
    (_unweighted, "each bin counts by its number of images, not once"),
    (_over_all_bins, "each bin counts by its number of images, and an empty one not at all"),
    (_signed, "gaps above and below the diagonal cancel: average their sizes"),
    (_size_of_the_mean, "gaps above and below the diagonal cancel: take sizes, then average"),
    (_squared, "take the size of each gap, not its square"),
    (_largest, "that is the largest gap (the maximum calibration error): take the mean"),
    (_from_the_middle, "compare with the mean probability in the bin, not with the bin's middle"),
    (
        _of_confidence,
        "that is the ECE of the confidence in the predicted class: here the probability of "
        "malignant is judged",
    ),
    (_without_bins, "a label is 0 or 1 and never 0.7: compare means within bins"),
    (_equally_full, "these bins hold equal numbers of images: take bins of equal width"),
    (_one_lost, "an image with probability 1 belongs to the last bin: it got lost"),
    (_always_ten, "it ignores n_bins"),
]

# ------------------------------------------------------------------ McNemar


def discordant(right_a: np.ndarray, right_b: np.ndarray) -> tuple[int, int]:
    """Images that only a gets right, and that only b gets right."""
    return int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())


def _one_sided(right_a, right_b):
    a, b = discordant(right_a, right_b)
    return binom.cdf(min(a, b), a + b, 0.5)


def _twice_the_tail(right_a, right_b):
    return 2 * _one_sided(right_a, right_b)


def mcnemar(right_a, right_b):
    """Right: exact and two-sided."""
    return min(1.0, _twice_the_tail(right_a, right_b))


def _mid_p(right_a, right_b):
    a, b = discordant(right_a, right_b)
    return 1.0 if a == b else mcnemar(right_a, right_b) - binom.pmf(min(a, b), a + b, 0.5)


def _chi_squared(right_a, right_b):
    a, b = discordant(right_a, right_b)
    return 1.0 if a == b else chi2.sf((a - b) ** 2 / (a + b), 1)


def _chi_squared_corrected(right_a, right_b):
    a, b = discordant(right_a, right_b)
    return 1.0 if a == b else chi2.sf((abs(a - b) - 1) ** 2 / (a + b), 1)


def _all_images(right_a, right_b):
    wins = max(right_a.sum(), right_b.sum())
    return min(1.0, 2 * binom.sf(wins - 1, len(right_a), 0.5))


def _unpaired(right_a, right_b):
    n, a, b = len(right_a), right_a.sum(), right_b.sum()
    return fisher_exact([[a, n - a], [b, n - b]]).pvalue


def _strictly_fewer(right_a, right_b):
    a, b = discordant(right_a, right_b)
    return min(1.0, 2 * binom.cdf(min(a, b) - 1, a + b, 0.5))


def _second_count(right_a, right_b):
    a, b = discordant(right_a, right_b)
    return min(1.0, 2 * binom.cdf(b, a + b, 0.5))


MCNEMAR_FAULTS = [
    (_one_sided, "that is one-sided: nobody knew beforehand which model would win"),
    (_twice_the_tail, "a p-value is at most 1: with equal counts, twice the tail is more"),
    (_mid_p, "that is the mid-p version: the exact test counts the observed result in full"),
    (_chi_squared, "that is the chi-squared approximation: take the binomial"),
    (_chi_squared_corrected, "that is the corrected chi-squared approximation: take the binomial"),
    (_all_images, "use the discordant images only: the others do not say who is better"),
    (_unpaired, "that compares two groups of images: here both models saw the same ones"),
    (_strictly_fewer, "the tail includes the observed count itself: as few, or fewer"),
    (_second_count, "take the smaller of the two counts, whichever model it belongs to"),
]

# ------------------------------------------------------------------ Holm


def holm(p):
    """Right (statsmodels)."""
    return np.array(list(comparison.holm(dict(enumerate(p))).values()))


def _bonferroni(p):
    return np.minimum(1, len(p) * p)


def in_places(p: np.ndarray, sorted_values: np.ndarray) -> np.ndarray:
    """Values from the smallest p-value to the largest, put back where the p-values came from."""
    found = np.empty(len(p))
    found[np.argsort(p)] = sorted_values
    return found


def steps(p: np.ndarray) -> np.ndarray:
    """The p-values from the smallest on, times the number of those that are left."""
    return (len(p) - np.arange(len(p))) * np.sort(p)


def _only_multiplied(p):
    return in_places(p, steps(p))


def _falling(p):
    return np.minimum(1, _only_multiplied(p))


def _above_one(p):
    return in_places(p, np.maximum.accumulate(steps(p)))


def _sorted_by_size(p):
    return np.sort(holm(p))


def _one_too_few(p):
    fewer = (len(p) - 1 - np.arange(len(p))) * np.sort(p)
    return in_places(p, np.minimum(1, np.maximum.accumulate(fewer)))


def _hochberg(p):
    return in_places(p, np.minimum(1, np.minimum.accumulate(steps(p)[::-1])[::-1]))


def _yes_or_no(p):
    return holm(p) <= 0.05


def _as_they_came(p):
    return p


HOLM_FAULTS = [
    (_bonferroni, "that is Bonferroni's: Holm's factor falls, from the smallest p-value on"),
    (_falling, "an adjusted value never falls below the one before it: keep the largest so far"),
    (_only_multiplied, "two things are missing: keep the largest value so far, and stop at 1"),
    (_above_one, "a p-value is at most 1"),
    (_sorted_by_size, "right values in wrong places: return them in the order in which p came"),
    (_one_too_few, "the smallest p-value is multiplied by the number of all questions"),
    (_hochberg, "that is Hochberg's: it walks from the largest down and assumes more"),
    (
        false_discovery_control,
        "that is Benjamini and Hochberg's: it limits the share of false discoveries",
    ),
    (_yes_or_no, "return the adjusted p-values, not yes or no"),
    (_as_they_came, "these are the p-values that came in"),
]

# ------------------------------------------------------------------ the winner's curse

TRUE_AUC = 0.89


def draw_aucs(k: int, malignant: int, others: int, rng: np.random.Generator) -> np.ndarray:
    """AUCs (k,) of k models that are equally good; ``simulated_aucs`` of the notebook."""
    y = np.repeat([1, 0], (malignant, others))
    distance = np.sqrt(2) * norm.ppf(TRUE_AUC)
    return rank_auc(np.tile(y, (k, 1)), rng.normal(distance * y, 1.0, (k, len(y))))


@lru_cache
def possible_results(k: int, studies: int = 1500) -> dict[str, tuple[float, float]]:
    """What may be returned: its mean and standard deviation over studies of k equal models."""
    rng = np.random.default_rng(7)
    drawn = [(draw_aucs(k, 21, 57, rng), draw_aucs(k, 42, 114, rng)) for _ in range(studies)]
    val, test = (np.array(scores) for scores in zip(*drawn, strict=True))
    found = {
        "best val": val.max(axis=1),
        "worst val": val.min(axis=1),
        "any val": val[:, 0],
        "mean val": val.mean(axis=1),
        "any test": test[:, 0],
        "best test": test.max(axis=1),
        "mean test": test.mean(axis=1),
    }
    return {name: (scores.mean(), scores.std()) for name, scores in found.items()}


SELECTION_FAULTS = {
    ("best val", "best test"): "the second number is the best of all test scores: the winner is "
    "chosen on validation, and the test images may not choose again",
    ("any val", "best test"): "here the test images choose: let the validation images do it",
    ("best val", "mean test"): "the second number is a mean over all models: the winner's is asked",
    ("any val", "any test"): "nothing was chosen: the first number is that of the best of k models",
    ("mean val", "mean test"): "these are means over all models: the winner's scores are asked for",
    ("worst val", "any test"): "that is the worst on validation: take the largest",
    ("any test", "best val"): "the validation score comes first, then the test score",
    ("best val", "best val"): "both are validation scores: draw test scores of the same models",
}
