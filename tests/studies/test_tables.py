"""Tables and verdicts from records, recomputed by scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from hqnn_utils.studies import tables, verdicts
from hqnn_utils.studies.records import make_record

IDS = [f"test/{i}" for i in range(90)]
Y = (np.arange(90) % 3 == 0).astype(int)


def record(head, seed, lift=1.0, labels="true", ids=IDS, **spec):
    rng = np.random.default_rng([seed, *map(ord, head)])
    p = 1 / (1 + np.exp(-(rng.normal(size=90) + lift * (2 * Y - 1))))
    part = dict(ids=ids, labels=Y.tolist(), probabilities=p.tolist())
    settings = dict(head=head, seed=seed, spec=spec, labels=labels, protocol={"kind": "official"})
    return make_record(
        f"{head}-{seed}-{len(spec)}",
        settings=settings,
        data={"name": "toy"},
        scores={},
        predictions={"test": part},
    )


def test_labels_and_groups():
    runs = [record("dressed", s) for s in (2, 0, 1)] + [
        record("dressed", 0, n_layers=3),
        record("linear", 0, labels="shuffled"),
    ]
    groups = tables.by_condition(runs)
    assert list(groups) == ["dressed", "dressed, n_layers=3", "linear, shuffled labels"]
    assert [r["settings"]["seed"] for r in groups["dressed"]] == [0, 1, 2]
    with pytest.raises(ValueError, match="two conditions are called 'x'"):
        tables.by_condition(runs, name=lambda r: "x")


def test_summary_is_scikit_learns():
    runs = [record("dressed", s) for s in range(4)]
    p = [np.array(r["predictions"]["test"]["probabilities"]) for r in runs]
    row = tables.summary({"d": runs}).loc["d"]
    auc = [roc_auc_score(Y, q) for q in p]
    assert row["auc"] == f"{np.mean(auc):.3f} ± {np.std(auc, ddof=1):.3f}"
    assert row["seeds"] == 4
    f1 = [f1_score(Y, q >= 0.5) for q in p]
    assert row["f1"] == f"{np.mean(f1):.3f} ± {np.std(f1, ddof=1):.3f}"
    assert (
        tables.ensemble({"d": runs}).loc["d", "auc"]
        == f"{roc_auc_score(Y, np.mean(p, axis=0)):.3f}"
    )
    kept = IDS[:30]
    assert (
        tables.summary({"d": runs[:1]}, keep=kept).loc["d", "auc"]
        == f"{roc_auc_score(Y[:30], p[0][:30]):.3f}"
    )
    assert tables.interval_table({"d": runs}).loc["d", "auc"].startswith(f"{np.mean(auc):.3f} (")


def test_runs_on_other_images_are_refused():
    with pytest.raises(ValueError, match="tested on different images"):
        tables.predictions([record("a", 0), record("a", 1, ids=IDS[::-1])])


def conditions(lift):
    return {
        name: [record(name, s, lift.get(name, 1.0)) for s in range(10)] for name in ("a", "b", "c")
    }


def test_the_judge_sees_a_large_difference_and_no_difference():
    claims = (
        verdicts.Hypothesis("X1", "a", "b", "?"),
        verdicts.Hypothesis("X2", "b", "a", "?"),
        verdicts.Hypothesis("X3", "b", "b", "?"),
    )
    table = verdicts.judge(conditions({"a": 2.5}), claims, n_resamples=2000)
    assert table["verdict"].tolist() == ["supported", "refuted", "refuted"], (
        "ahead; behind; equivalent to itself"
    )
    assert table.loc["X1", "difference"] == pytest.approx(-table.loc["X2", "difference"])
    assert (table["p_holm"] >= table["p_value"]).all()
    few = {name: runs[:2] for name, runs in conditions({"a": 1.1}).items()}
    wide = verdicts.judge(few, claims[:1], n_resamples=2000)
    assert wide.loc["X1", "verdict"] == "undecided"
    assert wide.loc["X1", "detectable"] > verdicts.MARGIN


def test_the_judge_refuses_what_is_not_paired():
    groups = conditions({})
    with pytest.raises(ValueError, match="X needs records of 'd'; there are: a, b, c"):
        verdicts.judge(groups, (verdicts.Hypothesis("X", "a", "d", "?"),))
    groups["b"] = groups["b"][:9]
    with pytest.raises(ValueError, match="a paired test needs the same ones"):
        verdicts.judge(groups, (verdicts.Hypothesis("X", "a", "b", "?"),))
