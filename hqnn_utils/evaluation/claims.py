"""The claim "a adds at least two points to b": what is known of the difference, and the verdict.

Two questions are kept apart, because their answers differ:

``ESTIMANDS["images"]``         networks trained on *these* training images, with whatever seed, are
                                asked about others: the official split, :func:`on_other_images`
``ESTIMANDS["training sets"]``  the training images are others too: repeated cross-validation,
                                :func:`on_other_training_sets`

Either gives a :class:`Gap`. The rules that turn gaps into verdicts are the same for both, see
:func:`verdicts_of`, and :func:`verdict_chances` says in advance what they can say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hqnn_utils.evaluation.arguments import RULES
from hqnn_utils.evaluation.comparison import holm, two_level_resamples
from hqnn_utils.runtime.arguments import checked, numbers
from hqnn_utils.runtime.words import a, by_name, real

MARGIN = 0.02  # two points: differences inside it count as no difference
ALPHA = 0.05
SUPPORTED = "supported"
EQUIVALENT = "equivalent within two points"
EXCLUDED = "at least two points excluded"
UNDECIDED = "undecided"
VERDICTS = (SUPPORTED, EQUIVALENT, EXCLUDED, UNDECIDED)

ESTIMANDS = {
    "images": "networks trained on these training images, asked about other images",
    "training sets": "networks trained on other training images too",
}

ERROR = real(0, "a standard error", above=True)


@dataclass(frozen=True)
class Gap:
    """What is known of a difference a - b.

    Attributes
    ----------
    difference : the estimate. error : its standard error.
    low, high : two-sided 95 % interval.
    lower, upper : one-sided 95 % bounds: the difference is above ``lower``, below ``upper``, and
        each of the two sentences is wrong in 5 % of all studies.
    p_better : p-value, one-sided, against "a is no better than b".
    p_less : p-value, one-sided, against "a adds at least the margin".
    worse, same, better : the Bayesian reading: probability that a is worse than b by more than the
        margin, that the two differ by less (the region of practical equivalence), that a is better
        by more. They sum to 1.
    """

    difference: float
    error: float
    low: float
    high: float
    lower: float
    upper: float
    p_better: float
    p_less: float
    worse: float
    same: float
    better: float


def on_other_images(
    y, p_a, p_b, *, score: str = "auc", margin: float = MARGIN, n_resamples: int = 10_000, seed=0
) -> Gap:
    """The gap of models trained on the same images, for other seeds and other test images.

    The two-level bootstrap: see ``comparison.two_level_bootstrap`` for the arguments. The shares of
    the resamples below, inside and above the margin are read as probabilities, as the Bayesian
    bootstrap does (Rubin 1981, doi 10.1214/aos/1176345338).
    """
    gain, resampled = two_level_resamples(
        y, p_a, p_b, score=score, n_resamples=n_resamples, seed=seed
    )
    low, lower, upper, high = np.quantile(resampled, [0.025, 0.05, 0.95, 0.975]).tolist()
    worse, better = float((resampled < -margin).mean()), float((resampled > margin).mean())
    return Gap(
        difference=gain,
        error=float(resampled.std(ddof=1)),
        low=low,
        high=high,
        lower=lower,
        upper=upper,
        p_better=_share((resampled <= 0).sum(), len(resampled)),
        p_less=_share((resampled >= margin).sum(), len(resampled)),
        worse=worse,
        same=1 - worse - better,
        better=better,
    )


def _share(number: int, of: int) -> float:
    """With one more resample on this side, so that it is never 0."""
    return float((number + 1) / (of + 1))


def on_other_training_sets(gaps, test_to_train: float = 1 / 4, margin: float = MARGIN) -> Gap:
    """The gap from the differences in every fold of every repetition of a cross-validation.

    The corrected resampled t-test (Nadeau and Bengio 2003, doi 10.1023/A:1024068626366): folds
    share training images, so the variance of the mean is not s**2 / n but
    s**2 * (1 / n + ``test_to_train``), and does not go to 0 however often one repeats. The
    Bayesian reading is that of the Bayesian correlated t-test (Corani and Benavoli 2015, doi
    10.1007/s10994-015-5486-z): a Student distribution with the same mean, scale and n - 1 degrees.

    Parameters
    ----------
    gaps : (n,) score of a minus that of b, in every fold of every repetition.
    test_to_train : test examples by those that a run learns from, its validation part included: 1/4
        with five folds.

    Raises
    ------
    ValueError : fewer than two gaps, a gap that is not finite, or ``test_to_train`` not above 0.
    """
    from scipy.stats import t

    gaps = numbers("gaps", gaps)
    if gaps.ndim != 1 or len(gaps) < 2 or not np.isfinite(gaps).all():
        raise ValueError(f"need two or more finite gaps, got shape {gaps.shape}")
    n, mean = len(gaps), float(gaps.mean())
    # Without any spread the distribution is a point; SciPy wants a scale above 0.
    error = max(float(np.sqrt(gaps.var(ddof=1) * (1 / n + test_to_train))), 1e-12)
    known = t(df=n - 1, loc=mean, scale=error)
    low, lower, upper, high = known.ppf([0.025, 0.05, 0.95, 0.975]).tolist()
    return Gap(
        difference=mean,
        error=error,
        low=low,
        high=high,
        lower=lower,
        upper=upper,
        p_better=float(known.cdf(0)),
        p_less=float(known.sf(margin)),
        worse=float(known.cdf(-margin)),
        same=float(known.cdf(margin) - known.cdf(-margin)),
        better=float(known.sf(margin)),
    )


def verdicts_of(
    gaps: dict[str, Gap], margin: float = MARGIN, alpha: float = ALPHA
) -> dict[str, dict]:
    """Verdict on "a adds at least two points" for each of a family of claims, with its p-values.

    The first rule that applies decides:

    1. ``"equivalent within two points"``: both one-sided bounds lie inside the margin (the
       two one-sided tests of equivalence).
    2. ``"at least two points excluded"``: the upper one-sided bound lies below the margin.
    3. ``"supported"``: a is better, p one-sided at most ``alpha`` after Holm's correction over
       the family; by rule 1 and 2 two points are then not excluded.
    4. ``"undecided"``: anything else.

    A family of claims has more than one chance of a lucky "supported": Holm's correction takes that
    away. "Equivalent" and "excluded" rest on each claim's own bound, each wrong in 5 % of all
    studies; ``p_less_holm`` shows which of them would survive the correction as well.

    Returns
    -------
    Per claim ``p_better_holm``, ``p_less_holm`` and ``verdict``.
    """
    by_name(a(Gap), least=1)("gaps", gaps)
    better = holm({name: gap.p_better for name, gap in gaps.items()})
    less = holm({name: gap.p_less for name, gap in gaps.items()})
    found = {}
    for name, gap in gaps.items():
        code = _rule(gap.lower, gap.upper, better[name], margin, alpha)
        found[name] = {
            "p_better_holm": better[name],
            "p_less_holm": less[name],
            "verdict": VERDICTS[int(code)],
        }
    return found


def _rule(lower, upper, p_better_holm, margin: float, alpha: float) -> np.ndarray:
    """Index in VERDICTS of the rule that applies; numbers or arrays."""
    excluded, equivalent = upper < margin, (upper < margin) & (lower > -margin)
    supported = np.asarray(p_better_holm) <= alpha
    return np.select([equivalent, excluded, supported], [1, 2, 0], default=3)


def verdict_chances(
    errors: dict[str, float],
    true: float,
    *,
    degrees: float = np.inf,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    n_studies: int = 4000,
    seed: int = 0,
):
    """What the rules would say, how often, if the true difference of one claim were ``true``.

    Studies are simulated: every claim has an estimate around its true difference with its standard
    error; the true difference is ``true`` for the claim that is looked at and 0 for the others.
    Then the rules above are applied, Holm's correction over the whole family included. So the
    column "supported" is the power at the level that is really tested.

    Parameters
    ----------
    errors : standard error that is expected for each claim.
    degrees : of freedom of the errors: n - 1 for a cross-validation of n folds in all.

    Returns
    -------
    pandas table, a row for each claim, a column for each verdict; each row sums to 1.
    """
    import pandas as pd
    from scipy.stats import t

    by_name(ERROR, least=1)("errors", errors)
    rng = np.random.default_rng(seed)
    names, error = list(errors), np.array(list(errors.values()), float)
    noise = rng.normal(size=(n_studies, len(names))) * error
    spread = np.ones_like(noise)
    if np.isfinite(degrees):
        spread = np.sqrt(rng.chisquare(degrees, noise.shape) / degrees)
    bound = t.ppf(1 - ALPHA, degrees) * error * spread
    rows = {}
    for i, name in enumerate(names):
        estimate = noise.copy()
        estimate[:, i] += true
        p = t.sf(estimate / (error * spread), degrees)
        adjusted = _holm_of_one(p, i)
        mine, wide = estimate[:, i], bound[:, i]
        codes = _rule(mine - wide, mine + wide, adjusted, margin, alpha)
        rows[name] = dict(zip(VERDICTS, np.bincount(codes, minlength=4) / n_studies, strict=True))
    return pd.DataFrame(rows).T


def _holm_of_one(p: np.ndarray, i: int) -> np.ndarray:
    """Holm's adjusted p-value of claim ``i`` in each study; p (studies, claims)."""
    ordered = np.sort(p, axis=1)
    factors = np.arange(p.shape[1], 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(ordered * factors, axis=1), 1)
    rank = (p < p[:, [i]]).sum(axis=1)
    return adjusted[np.arange(len(p)), rank]


checked(__name__, RULES)
