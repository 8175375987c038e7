"""The report on a study of one's own: its words at their borders, from tables made by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hqnn_utils.evaluation.claims import VERDICTS
from hqnn_utils.studies import report

EMPTY = report.Report(*[None] * 8)


def shuffled(auc, low, high):
    return pd.DataFrame({"circuit": dict(auc=auc, low=low, high=high, runs=5.0)}).T


def judged(verdict, difference=0.05):
    return pd.DataFrame({"primary": dict(verdict=verdict, difference=difference)}).T


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    [
        (0.4, 0.6, True),
        (0.5, 0.6, True),
        (0.4, 0.5, True),
        (0.501, 0.6, False),
        (0.4, 0.499, False),
    ],
)
def test_chance_is_an_interval_that_holds_one_half(low, high, holds):
    one = replace(EMPTY, shuffled=shuffled(0.5, low, high), planted=judged("supported"))
    assert one.chance_holds is holds
    words = report._controls(one)
    assert words == (
        f"With shuffled labels the AUC is 0.500 ({low:.3f} to {high:.3f}), "
        + ("chance." if holds else "NOT CHANCE: look for a leak or a fault first.")
        + ' On labels of a circuit the judge says "supported" (+5.0 points): it can say '
        '"supported".'
    )


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_judge_must_have_said_supported(verdict):
    one = replace(EMPTY, shuffled=shuffled(0.5, 0.4, 0.6), planted=judged(verdict, -0.012))
    assert one.judge_can_say_so is (verdict == "supported")
    words = report._controls(one)
    assert f'the judge says "{verdict}" (-1.2 points): ' in words
    seen = 'IT WAS NOT SEEN TO SAY "supported", so its "no" counts for little.'
    assert words.endswith(seen) is (verdict != "supported")


@pytest.mark.parametrize(
    ("margin", "word"),
    [
        (0.02, "equivalent within two points"),
        (0.03, "equivalent within 3 points"),
        (0.025, "equivalent within 2.5 points"),
    ],
)
def test_a_verdict_names_its_margin(margin, word):
    assert report._with_margin("equivalent within two points", margin) == word
    assert report._with_margin("supported", margin) == "supported"


@pytest.mark.parametrize(
    ("auc", "margin", "verdict", "said"),
    [
        (0.981, 0.02, "undecided", "leaves 1.9 points"),
        (0.98, 0.03, "undecided", "leaves 2.0 points"),
        (0.97, 0.02, "undecided", None),
        (0.999, 0.02, "supported", None),
    ],
)
def test_the_ceiling_is_said_where_nothing_could_have_been_added(auc, margin, verdict, said):
    row = dict(difference=0.01, low=-0.02, high=0.04, runs=5, verdict=verdict)
    one = replace(
        EMPTY,
        done=SimpleNamespace(plan=SimpleNamespace(primary=("circuit", "mixing"), margin=margin)),
        verdicts=pd.DataFrame({"primary": row}).T,
        levels=pd.DataFrame({"circuit": dict(auc=0.5), "mixing": dict(auc=auc)}).T,
    )
    found = report.verdict_sentence(one)
    assert found.startswith(
        "`circuit` minus `mixing`: +1.0 points of AUC (95 % -2.0 to +4.0, 5 pairs of runs). "
        f"By the rule of the plan: **{verdict}**."
    )
    assert ("perfect AUC" in found) is (said is not None)
    assert (
        said is None or f"`mixing` alone {said} up to a perfect AUC, less than the margin" in found
    )


def test_leaks_that_are_known_and_those_that_are_not():
    rows = {
        "copies": {"test examples": 3, "share": 0.125, "about": "equal"},
        "patients": {"test examples": np.nan, "share": np.nan, "about": "not known: no names"},
    }
    one = replace(EMPTY, leaks=pd.DataFrame(rows).T)
    assert report._leaks(one) == "copies: 3 test examples (12%); patients: not known: no names."


def test_a_rate_that_was_not_tuned_and_one_that_was():
    settings = SimpleNamespace(rates=(0.003,))
    words = report._tuning(SimpleNamespace(tuning=None, settings=settings))
    assert words == "none: every condition had the rate 0.003."
    tuning = pd.DataFrame(dict(contestant=["a", "a", "b", "b"], splits=[3] * 4))
    assert report._tuning(SimpleNamespace(tuning=tuning)) == (
        "2 learning rates for each of 2 conditions, judged on 3 inner folds of training and "
        "validation part; the test part had no share in it."
    )


def test_the_split_that_is_audited_is_the_first(monkeypatch):
    """Fold 0 of the partition with seed 0."""
    asked = []
    monkeypatch.setattr(report, "apply_protocol", lambda data, **options: (data, options))
    settings = SimpleNamespace(
        protocols=lambda seed, data: (asked.append((seed, data)), [{"fold": 0}, {"fold": 1}])[1]
    )
    done = SimpleNamespace(data="data", settings=settings)
    assert report._first_split(done) == ("data", {"fold": 0})
    assert asked == [(0, "data")]


def test_the_chances_are_those_of_no_difference_the_margin_and_more(monkeypatch):
    asked = []
    table = pd.DataFrame({"equivalent within two points": [0.5], "supported": [0.5]})
    monkeypatch.setattr(report, "chances_table", lambda *given: (asked.append(given), table)[1])
    done = SimpleNamespace(plan=SimpleNamespace(margin=0.04), design="design")
    assert list(report._chances(done)) == ["equivalent within 4 points", "supported"]
    assert asked == [("design", (0.0, 0.04, 0.1), 0.04)]
