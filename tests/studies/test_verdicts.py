"""The judge finds its records by their settings and refuses what is not paired."""

import re
from pathlib import Path

import numpy as np
import pytest
from test_tables import IDS, record

from hqnn_utils.evaluation import comparison, power
from hqnn_utils.studies import tables, verdicts
from hqnn_utils.studies.verdicts import Hypothesis, judge, runs_of

PLAN = Path(__file__).parents[2] / "notebooks" / "results" / "plan.md"
A, B, C = ({"head": head} for head in "abc")


def conditions(lift, seeds=10):
    return {
        head: [record(head, s, lift.get(head, 1.0)) for s in range(seeds)]
        for head in ("a", "b", "c")
    }


def test_the_plan_and_the_judge_hold_the_same_hypotheses():
    """What was written down before the runs is what is judged after them."""
    plan = PLAN.read_text()
    rows = re.findall(r"^\| (H\d) \| (.+?) \| (.+?) \| (.+?) \|$", plan, re.M)
    words = {
        "dressed, entangler=none": "`dressed`, entanglers removed",
        "dressed, reupload=True": "`dressed`, re-uploading",
        "dressed, n_layers=6": "`dressed`, 6 layers",
        "dressed, n_layers=1": "`dressed`, 1 layer",
    }
    sides = [[tables.label(s) for s in (h.a, h.b)] for h in verdicts.HYPOTHESES]
    written = [[words.get(s, f"`{s}`") for s in pair] for pair in sides]
    assert rows == [
        (h.name, *pair, h.asks) for h, pair in zip(verdicts.HYPOTHESES, written, strict=True)
    ]
    assert f"±{verdicts.MARGIN}" in plan


def test_every_hypothesis_has_its_records():
    first, again = verdicts.measured_conditions(), verdicts.replicated_conditions()
    assert len(first) == 38
    assert len(again) == 12
    for h in verdicts.HYPOTHESES:
        for side in (h.a, h.b):
            assert [r.settings["seed"] for r in runs_of(first, side)] == list(range(10))
            assert [r.settings["seed"] for r in runs_of(again, side)] == list(range(10, 20))


def test_records_are_found_by_their_settings_not_by_their_name():
    groups = {"any name": [record("a", 0, size=64)], "a": [record("a", 0, spec={"n_qubits": 3})]}
    assert runs_of(groups, {"head": "a", "size": 64}) is groups["any name"]
    with pytest.raises(ValueError, match=r"^no records of 'a'; there are: any name, a$"):
        runs_of(groups, A)


def test_the_judge_sees_a_large_difference_and_no_difference():
    claims = (
        Hypothesis("X1", A, B, "?"),
        Hypothesis("X2", B, A, "?"),
        Hypothesis("X3", B, B, "?"),
    )
    groups = conditions({"a": 2.5})
    table = judge(groups, claims, n_resamples=2000)
    assert table["verdict"].tolist() == ["supported", "refuted", "refuted"]
    assert table["A"].tolist() == ["a", "b", "b"]
    assert table["B"].tolist() == ["b", "a", "b"]
    assert table.loc["X1", "difference"] == pytest.approx(-table.loc["X2", "difference"])
    assert np.isnan(table.loc["X3", "power_2_points"])
    (y, a), (_, b) = (tables.predictions(groups[n]) for n in "ab")
    found = comparison.two_level_bootstrap(y, a, b, n_resamples=2000)
    for key in ("difference", "low", "high", "low90", "high90", "error", "p_value"):
        assert table.loc["X1", key] == pytest.approx(found[key])
    p = dict(table["p_value"])
    assert dict(table["p_holm"]) == pytest.approx(comparison.holm(p))
    error = found["error"]
    assert table.loc["X1", "power_2_points"] == pytest.approx(power.power_for(0.02, error))
    assert table.loc["X1", "detectable"] == pytest.approx(power.detectable_difference(error))


def test_few_seeds_leave_it_undecided():
    wide = judge(conditions({"a": 1.1}, seeds=2), (Hypothesis("X", A, B, "?"),), n_resamples=2000)
    assert wide.loc["X", "verdict"] == "undecided"
    assert wide.loc["X", "detectable"] > verdicts.MARGIN == 0.02


def test_the_margin_is_two_points(monkeypatch):
    groups, claim = conditions({"a": 1.05}), (Hypothesis("X", A, B, "?"),)
    assert judge(groups, claim, n_resamples=500).loc["X", "verdict"] == "undecided"
    monkeypatch.setattr(verdicts, "MARGIN", 0.5)
    assert judge(groups, claim, n_resamples=500).loc["X", "verdict"] == "refuted"


def test_score_images_and_resamples_can_be_chosen():
    groups, claim = conditions({"a": 1.5}), (Hypothesis("X", A, B, "?"),)
    (y, a), (_, b) = (tables.predictions(groups[n]) for n in "ab")
    accuracy = judge(groups, claim, score="accuracy", n_resamples=300)
    wanted = comparison.two_level_bootstrap(y, a, b, score="accuracy", n_resamples=300)
    assert accuracy.loc["X", "low"] == pytest.approx(wanted["low"])
    keep = IDS[:45]
    (y, a), (_, b) = (tables.predictions(groups[n], keep=keep) for n in "ab")
    wanted = comparison.two_level_bootstrap(y, a, b, n_resamples=300)
    assert judge(groups, claim, keep=keep, n_resamples=300).loc["X", "low"] == pytest.approx(
        wanted["low"]
    )


def test_the_default_is_auc_with_ten_thousand_resamples(monkeypatch):
    seen = {}

    def bootstrap(y, a, b, **options):
        seen.update(options)
        return dict(difference=0.0, low=0, high=0, low90=0, high90=0, error=0.1, p_value=1.0)

    monkeypatch.setattr(verdicts, "two_level_bootstrap", bootstrap)
    table = judge(verdicts.measured_conditions())
    assert seen == dict(score="auc", n_resamples=10_000)
    assert table.index.tolist() == [f"H{i}" for i in range(1, 10)]


def test_the_judge_refuses_what_is_not_paired():
    groups = conditions({})
    with pytest.raises(ValueError, match=r"^X: no records of 'd'; there are: a, b, c$"):
        judge(groups, (Hypothesis("X", A, {"head": "d"}, "?"),))
    groups["b"] = groups["b"][:2]
    groups["a"] = groups["a"][:3]
    with pytest.raises(
        ValueError,
        match=r"^X: 'a' has seeds \[0, 1, 2\], 'b' has \[0, 1\]: "
        r"a paired test needs the same ones$",
    ):
        judge(groups, (Hypothesis("X", A, B, "?"),))
