"""Gaps against SciPy, baycomp and by hand; the rules; what the rules can say, by another count."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hqnn_utils.evaluation import claims
from hqnn_utils.evaluation.claims import (
    EQUIVALENT,
    EXCLUDED,
    SUPPORTED,
    UNDECIDED,
    VERDICTS,
    Gap,
    on_other_images,
    on_other_training_sets,
    verdict_chances,
    verdicts_of,
)
from hqnn_utils.evaluation.comparison import holm, two_level_bootstrap, two_level_resamples


def gap(lower, upper, p_better=0.5, p_less=0.5):
    middle = (lower + upper) / 2
    return Gap(middle, 0.01, lower, upper, lower, upper, p_better, p_less, 0.1, 0.8, 0.1)


# ---------------------------------------------------------------- other training sets


def test_the_correlated_t_test_is_baycomps():
    """Numbers of baycomp 1.0.3, ``two_on_single(x, y, rope=0.02, runs=10)``, on these scores."""
    rng = np.random.default_rng(7)
    x = rng.normal(0.88, 0.03, 50)
    y = x - rng.normal(0.012, 0.03, 50)
    found = on_other_training_sets(x - y)
    assert found.better == pytest.approx(0.23806323805500823, abs=1e-12)
    assert found.same == pytest.approx(0.7482800179618546, abs=1e-12)
    assert found.worse == pytest.approx(0.013656743983137098, abs=1e-12)


def test_without_correction_it_is_students_test():
    gaps = np.random.default_rng(0).normal(0.01, 0.03, 20)
    found = on_other_training_sets(gaps, test_to_train=1e-12)
    plain = stats.ttest_1samp(gaps, 0, alternative="greater")
    assert found.p_better == pytest.approx(plain.pvalue)
    assert found.p_less == pytest.approx(stats.ttest_1samp(gaps, 0.02, alternative="less").pvalue)
    both = stats.ttest_1samp(gaps, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((both.low, both.high))
    assert found.lower == pytest.approx(plain.confidence_interval(0.95).low)


def test_the_correction_is_nadeau_and_bengios():
    gaps = np.array([0.01, 0.03, -0.02, 0.04, 0.0])
    found = on_other_training_sets(gaps, test_to_train=1 / 4)
    error = np.sqrt(gaps.var(ddof=1) * (1 / 5 + 1 / 4))
    assert found.error == pytest.approx(error)
    assert found.difference == pytest.approx(gaps.mean())
    assert found.p_better == pytest.approx(stats.t.sf(gaps.mean() / error, 4))
    assert found.upper == pytest.approx(gaps.mean() + stats.t.ppf(0.95, 4) * error)
    many = on_other_training_sets(np.tile(gaps, 1000))
    assert many.error == pytest.approx(gaps.std() / 2, rel=1e-3), (
        "repetitions do not make it vanish"
    )


def test_two_gaps_are_enough():
    found = on_other_training_sets([0.01, 0.03])
    assert found.difference == pytest.approx(0.02)
    assert found.upper == pytest.approx(0.02 + stats.t.ppf(0.95, 1) * found.error)


def test_folds_without_any_spread():
    found = on_other_training_sets(np.full(25, 0.01))
    assert found.lower == pytest.approx(0.01)
    assert found.same == 1
    assert on_other_training_sets(np.zeros(25)).p_better == pytest.approx(0.5)


@pytest.mark.parametrize("bad", [[0.1], [[0.1, 0.2]], [0.1, np.nan]])
def test_gaps_that_cannot_be_judged(bad):
    with pytest.raises(ValueError, match=r"^need two or more finite gaps, got shape"):
        on_other_training_sets(bad)
    with pytest.raises(
        ValueError,
        match=r"^test_to_train must be a finite number above 0, got 0: a fourth with five",
    ):
        on_other_training_sets([0.1, 0.2], test_to_train=0)


# ---------------------------------------------------------------- other images


def seeds_and_images(lift, seed=0):
    rng = np.random.default_rng(seed)
    y = (np.arange(90) % 3 == 0).astype(int)
    a, b = rng.normal(size=(2, 6, 90)) + np.array([1 + lift, 1])[:, None, None] * y
    return y, 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))


def test_other_images_is_the_two_level_bootstrap():
    y, a, b = seeds_and_images(0.4)
    found = on_other_images(y, a, b, n_resamples=3000)
    known = two_level_bootstrap(y, a, b, n_resamples=3000)
    mine = (found.difference, found.low, found.high, found.lower, found.upper, found.error)
    keys = ("difference", "low", "high", "low90", "high90", "error")
    assert mine == pytest.approx([known[key] for key in keys])
    gain, drawn = two_level_resamples(y, a, b, n_resamples=3000)
    assert gain == found.difference
    assert found.p_better == pytest.approx(((drawn <= 0).sum() + 1) / 3001)
    assert found.p_less == pytest.approx(((drawn >= 0.02).sum() + 1) / 3001)
    assert found.better == pytest.approx((drawn > 0.02).mean())
    assert found.worse == pytest.approx((drawn < -0.02).mean())
    assert found.worse + found.same + found.better == pytest.approx(1)
    mirrored = on_other_images(y, b, a, n_resamples=3000)
    assert mirrored.better == found.worse
    assert mirrored.upper == pytest.approx(-found.lower)
    accuracy = on_other_images(y, a, b, score="accuracy", n_resamples=500)
    assert accuracy.difference == pytest.approx(((a >= 0.5) == y).mean() - ((b >= 0.5) == y).mean())


def test_the_seed_and_the_number_of_resamples_reach_the_bootstrap(monkeypatch):
    asked = []

    def watched(*given, **options):
        asked.append(options)
        return two_level_resamples(*given, **{**options, "n_resamples": 100})

    monkeypatch.setattr(claims, "two_level_resamples", watched)
    data = seeds_and_images(0.4)
    plain, other = on_other_images(*data), on_other_images(*data, n_resamples=50, seed=3)
    assert asked == [
        {"score": "auc", "n_resamples": 10_000, "seed": 0},
        {"score": "auc", "n_resamples": 50, "seed": 3},
    ]
    assert plain.difference == other.difference
    assert plain.low != other.low


# ---------------------------------------------------------------- the rules


@pytest.mark.parametrize(
    ("lower", "upper", "p", "wanted"),
    [
        (0.001, 0.05, 0.01, SUPPORTED),
        (0.03, 0.05, 0.0001, SUPPORTED),
        (0.001, 0.05, 0.05, SUPPORTED),  # at most 0.05
        (0.001, 0.05, 0.06, UNDECIDED),
        (-0.03, 0.05, 0.5, UNDECIDED),
        (-0.019, 0.019, 0.5, EQUIVALENT),
        (0.002, 0.008, 0.0001, EQUIVALENT),  # surely better, and by too little to matter
        (-0.021, 0.019, 0.9, EXCLUDED),
        (-0.08, -0.03, 1.0, EXCLUDED),
        (-0.019, 0.02, 0.5, UNDECIDED),
        (-0.02, 0.019, 0.5, EXCLUDED),
    ],
)
def test_the_rules(lower, upper, p, wanted):
    assert verdicts_of({"X": gap(lower, upper, p)})["X"]["verdict"] == wanted


def test_support_is_asked_after_holm_exclusion_is_not():
    """0.01 alone is enough; as the smallest of nine it is 0.09."""
    alone = {"X": gap(0.001, 0.05, 0.01)}
    among = {**alone, **{f"Y{i}": gap(-0.05, 0.01, 0.5, 0.04) for i in range(8)}}
    assert verdicts_of(alone)["X"]["verdict"] == SUPPORTED
    judged = verdicts_of(among)
    assert judged["X"] == {
        "p_better_holm": pytest.approx(0.09),
        "p_less_holm": pytest.approx(0.5),
        "verdict": UNDECIDED,
    }
    assert judged["Y0"]["verdict"] == EXCLUDED
    assert judged["Y0"]["p_less_holm"] == pytest.approx(9 * 0.04)
    for key, name in (("p_better_holm", "p_better"), ("p_less_holm", "p_less")):
        wanted = holm({c: getattr(g, name) for c, g in among.items()})
        assert {c: row[key] for c, row in judged.items()} == pytest.approx(wanted)


def test_another_margin_and_level():
    one = {"X": gap(0.001, 0.03, 0.08)}
    assert verdicts_of(one, margin=0.05)["X"]["verdict"] == EQUIVALENT
    assert verdicts_of(one, alpha=0.1)["X"]["verdict"] == SUPPORTED


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    lower=st.floats(-0.1, 0.1), width=st.floats(0, 0.1), p=st.floats(1e-6, 1), by=st.floats(0, 0.1)
)
def test_more_in_favour_never_reads_as_less(lower, width, p, by):
    """Shifted towards a, with a smaller p-value, a verdict only moves up this order."""
    order = [EXCLUDED, EQUIVALENT, UNDECIDED, SUPPORTED]
    first = claims._rule(lower, lower + width, p, 0.02, 0.05)
    second = claims._rule(lower + by, lower + width + by, p / 2, 0.02, 0.05)
    assert order.index(VERDICTS[int(second)]) >= order.index(VERDICTS[int(first)])


# ---------------------------------------------------------------- what can be said in advance


def by_hand(estimates, errors, name):
    """One study judged in plain words; Holm's correction written out."""
    p = {c: stats.norm.sf(d / errors[c]) for c, d in estimates.items()}
    adjusted, running = {}, 0.0
    for rank, c in enumerate(sorted(p, key=p.get)):
        running = max(running, min(1.0, (len(p) - rank) * p[c]))
        adjusted[c] = running
    lower = estimates[name] - 1.6449 * errors[name]
    upper = estimates[name] + 1.6449 * errors[name]
    if upper < 0.02:
        return EQUIVALENT if lower > -0.02 else EXCLUDED
    return SUPPORTED if adjusted[name] <= 0.05 else UNDECIDED


def test_chances_are_those_of_whole_studies():
    """The fast count against studies that are judged one by one."""
    errors = {"X": 0.008, "Y": 0.012, "Z": 0.004}
    found = verdict_chances(errors, 0.02, n_studies=4000)
    rng = np.random.default_rng(5)
    counts = dict.fromkeys(VERDICTS, 0)
    for _ in range(4000):
        drawn = {c: rng.normal(0.02 if c == "Y" else 0, error) for c, error in errors.items()}
        counts[by_hand(drawn, errors, "Y")] += 1
    for verdict, count in counts.items():
        assert found.loc["Y", verdict] == pytest.approx(count / 4000, abs=0.03)
    assert found.sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_holm_of_one_is_statsmodels():
    p = np.random.default_rng(1).uniform(0, 0.2, (6, 5))
    for i in range(5):
        wanted = [holm(dict(enumerate(row)))[i] for row in p]
        assert claims._holm_of_one(p, i).tolist() == pytest.approx(wanted)


def test_power_is_that_of_holms_level():
    """One claim among nine true zeros: about the power of a one-sided test at 0.05 / 9."""
    errors = {f"H{i}": 0.01 for i in range(9)}
    found = verdict_chances(errors, 0.05).loc["H0", SUPPORTED]
    wanted = stats.norm.sf(stats.norm.isf(0.05 / 9) - 5)
    assert found == pytest.approx(wanted, abs=0.01)
    assert found < stats.norm.sf(stats.norm.isf(0.05) - 5)


def test_a_wide_error_cannot_be_equivalent_and_a_fold_count_widens_it():
    wide = verdict_chances({"X": 0.013}, 0.0)
    assert wide.loc["X", EQUIVALENT] == 0, "the bounds are 4.3 points apart"
    assert wide.loc["X", EXCLUDED] > 0.3
    few = verdict_chances({"X": 0.008}, 0.0, degrees=4)
    assert few.loc["X", EQUIVALENT] < verdict_chances({"X": 0.008}, 0.0).loc["X", EQUIVALENT]
    t = stats.t(4)
    assert verdict_chances({"X": 0.01}, 0.03, degrees=4, n_studies=20_000).loc[
        "X", SUPPORTED
    ] == pytest.approx(stats.nct.sf(t.isf(0.05), 4, 3), abs=0.02)


def test_bounds_of_few_folds_are_those_of_students_test():
    """Studies of five folds are drawn number by number and judged by SciPy's interval."""
    folds = np.random.default_rng(2).normal(0, 0.01 * np.sqrt(5), (4000, 5))
    interval = stats.ttest_1samp(folds, 0, axis=1).confidence_interval(0.9)
    excluded = interval.high < 0.02
    equivalent = (excluded & (interval.low > -0.02)).mean()
    found = verdict_chances({"X": 0.01}, 0.0, degrees=4).loc["X"]
    assert found[EQUIVALENT] == pytest.approx(equivalent, abs=0.03)
    assert found[EXCLUDED] == pytest.approx(excluded.mean() - equivalent, abs=0.03)


def test_chances_follow_the_seed():
    errors = {"X": 0.008, "Y": 0.012}
    plain = verdict_chances(errors, 0.02)
    assert plain.equals(verdict_chances(errors, 0.02, n_studies=4000, seed=0))
    assert not plain.equals(verdict_chances(errors, 0.02, seed=1))


def test_false_support_is_rare():
    errors = {f"H{i}": 0.01 for i in range(9)}
    assert verdict_chances(errors, 0.0)[SUPPORTED].max() < 0.012, "0.05 / 9 and noise"


def test_words():
    assert set(VERDICTS) == {SUPPORTED, EQUIVALENT, EXCLUDED, UNDECIDED}
    assert not any("refuted" in word for word in VERDICTS)
    assert set(claims.ESTIMANDS) == {"images", "training sets"}
    assert [f.name for f in dataclasses.fields(Gap)][-3:] == ["worse", "same", "better"]
