"""Power against long sums, SciPy's exact test, statsmodels and the textbook's formula."""

import re

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower

from hqnn_utils.evaluation import power


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize(("n", "gain", "discordant"), [(12, 0.2, 0.6), (9, -0.5, 0.5), (1, 0, 1)])
def test_power_by_the_long_sum(n, gain, discordant, alpha):
    """Every table of a small test set enumerated, with SciPy's exact binomial test as the judge."""
    a, b = (discordant + gain) / 2, (discordant - gain) / 2
    total = 0.0
    for only_a in range(n + 1):
        for only_b in range(n + 1 - only_a):
            if only_a + only_b and stats.binomtest(only_a, only_a + only_b).pvalue <= alpha:
                table = [only_a, only_b, n - only_a - only_b]
                total += stats.multinomial.pmf(table, n, [a, b, 1 - a - b])
    assert power.mcnemar_power(n, gain, discordant, alpha) == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 2 / 64, 0.3])
def test_power_where_all_images_are_discordant(alpha):
    """Then it is the power of the binomial test; 2 / 64 is just reached with six images."""
    for n in (5, 6, 7, 20, 33, 1000):
        wins = np.arange(n + 1)
        p = np.minimum(1, 2 * stats.binom.cdf(np.minimum(wins, n - wins), n, 0.5))
        wanted = stats.binom.pmf(wins, n, 0.52)[p <= alpha].sum()
        assert power.mcnemar_power(n, 0.04, 1.0, alpha) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("n", "gain", "discordant"), [(156, 0.026, 0.12), (40, 0.1, 0.3)])
def test_power_agrees_with_simulation(n, gain, discordant):
    shares = [(discordant + gain) / 2, (discordant - gain) / 2, 1 - discordant]
    only_a, only_b, _ = np.random.default_rng(0).multinomial(n, shares, 4000).T
    fewer, both = np.minimum(only_a, only_b), only_a + only_b
    p = np.minimum(1, 2 * stats.binom.cdf(fewer, both, 0.5))  # the exact test, many at once
    assert power.mcnemar_power(n, gain, discordant) == pytest.approx(np.mean(p <= 0.05), abs=0.02)


def test_power_keeps_its_level_and_grows():
    assert power.mcnemar_power(156, 0.0, 0.12) <= 0.05, "no difference: it errs at most so often"
    assert power.mcnemar_power(5, 0.1, 0.2) == 0.0, "five images cannot reject"
    assert power.mcnemar_power(6, 1.0, 1.0) == 1.0, "six can: p = 2 / 64"
    there, back = (power.mcnemar_power(400, gain, 0.1) for gain in (0.04, -0.04))
    assert there == pytest.approx(back)
    grown = [power.mcnemar_power(n, 0.04, 0.12) for n in (100, 400, 1600)]
    assert grown == sorted(grown)
    assert grown[-1] > 0.95
    assert power.mcnemar_power(156, 0.05, 0.12) == power.mcnemar_power(156, 0.05, 0.12, 0.05)
    assert power.mcnemar_power(156, 0.05, 0.12, 0.01) < power.mcnemar_power(156, 0.05, 0.12)


SMALL = "need |gain| <= discordant and discordant above 0, got gain={1}, discordant={2}"
INSIDE = "alpha must be a number between 0 and 1, got {3}: 0.05 stands for five per cent"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.02, 0.1, 0.05), "n must be a whole number of at least 1, got 0"),
        ((156, 0.2, 0.1, 0.05), SMALL),
        ((156, -0.2, 0.1, 0.05), SMALL),
        ((156, 0.0, 0.0, 0.05), SMALL),
        ((156, 0.02, 1.5, 0.05), "discordant must be a number from 0 to 1, got 1.5"),
        ((156, 0.02, 0.1, 0.0), INSIDE),
        ((156, 0.02, 0.1, 1.0), INSIDE),
    ],
)
def test_bad_power_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message.format(*arguments))}$"):
        power.mcnemar_power(*arguments)


@pytest.mark.parametrize(("gain", "discordant"), [(0.05, 0.12), (0.08, 0.3)])
@pytest.mark.parametrize(("wanted", "alpha"), [(0.8, 0.05), (0.9, 0.05), (0.8, 0.01)])
def test_images_needed_agrees_with_the_textbook(gain, discordant, wanted, alpha):
    """Connor (1987), the normal approximation; the exact test needs somewhat more."""
    z_alpha, z_power = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(wanted)
    root = z_alpha * np.sqrt(discordant) + z_power * np.sqrt(discordant - gain**2)
    textbook = root**2 / gain**2
    found = power.images_needed(gain, discordant, wanted, alpha)
    assert type(found) is int
    assert textbook < found < 1.15 * textbook
    at, before = (power.mcnemar_power(n, gain, discordant, alpha) for n in (found, found - 1))
    assert before < wanted <= at, "it stands at an edge of the saw-tooth"


def test_images_needed_defaults_and_small_numbers():
    assert power.images_needed(0.2, 0.3) == power.images_needed(0.2, 0.3, 0.8, 0.05, 200_000)
    assert power.images_needed(1, 1) == 6, "five images cannot reject, six can"
    assert power.images_needed(1, 1, alpha=0.6) == 2
    assert power.images_needed(1, 1, alpha=0.999999) == 2
    assert power.images_needed(0.3, 0.3) == 25


@pytest.mark.parametrize(
    ("gain", "discordant"), [(0.1, 0.12), (0.1, 0.2), (0.15, 0.3), (0.2, 0.5), (0.12, 0.45)]
)
def test_images_needed_halves_an_interval(gain, discordant):
    """The steps matter where the power has a tooth: they decide at which edge one ends."""
    low, high = 0, 64
    while power.mcnemar_power(high, gain, discordant) < 0.8:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if power.mcnemar_power(middle, gain, discordant) >= 0.8:
            high = middle
        else:
            low = middle
    assert power.images_needed(gain, discordant) == high


def test_images_needed_says_when_it_gives_up():
    found = power.images_needed(0.05, 0.12)
    assert 256 < found <= 512
    assert power.images_needed(0.05, 0.12, largest=512) == found
    message = "^more than 511 images would be needed: the gain 0.05 is too small$"
    with pytest.raises(ValueError, match=message):
        power.images_needed(0.05, 0.12, largest=511)
    for gain, wanted in ((0.0, 0.8), (-0.1, 0.8), (0.1, 0.0), (0.1, 1.0)):
        message = f"need a gain above 0, got {gain}"
        if gain > 0:
            message = f"power must be a number between 0 and 1, got {wanted}: 0.8 is usual"
        with pytest.raises(ValueError, match=f"^{message}$"):
            power.images_needed(gain, 0.1, wanted)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_power_is_the_inverse_of_the_detectable_difference(wanted, alpha):
    """A difference of both quantiles together, times the error, is noticed as often as wanted."""
    found = 0.01 * float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(wanted))
    assert power.power_for(found, 0.01, alpha) == pytest.approx(wanted, abs=0.001)
    judge = NormalIndPower(ddof=0)
    one_sample = dict(nobs1=1, alpha=alpha, ratio=0)
    assert power.power_for(found, 0.01, alpha) == pytest.approx(
        judge.power(found / 0.01, **one_sample), abs=1e-9
    )
    assert type(found) is type(power.power_for(found, 0.01)) is float


def test_images_needed_gives_up_at_200000(monkeypatch):
    tried = []
    monkeypatch.setattr(power, "mcnemar_power", lambda n, *_: tried.append(n) or 0.0)
    message = "^more than 200000 images would be needed: the gain 0.0005 is too small$"
    with pytest.raises(ValueError, match=message):
        power.images_needed(0.0005, 0.5)
    assert tried == [64 * 2**doubled for doubled in range(12)]


def test_power_for_by_hand():
    assert power.power_for(0.0, 0.01) == pytest.approx(0.05), "no difference: the level"
    assert power.power_for(0.0, 0.01, 0.1) == pytest.approx(0.1)
    assert power.power_for(0.02, 0.01) == power.power_for(0.02, 0.01, 0.05)
    assert power.power_for(-0.02, 0.01) == pytest.approx(power.power_for(0.02, 0.01))
    far, near = stats.norm.cdf(-1.959964 - 2), stats.norm.sf(1.959964 - 2)
    assert power.power_for(0.02, 0.01) == pytest.approx(near + far, abs=1e-6)


@pytest.mark.parametrize("error", [0, -0.1])
def test_power_needs_an_error(error):
    with pytest.raises(
        ValueError, match=f"^error must be a finite number above 0, got {error}: a standard"
    ):
        power.power_for(0.02, error)
