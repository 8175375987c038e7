"""Tables from records, recomputed by scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from hqnn_utils.records import Record
from hqnn_utils.studies import tables

IDS = [f"test/{i}" for i in range(90)]
Y = (np.arange(90) % 3 == 0).astype(int)


def record(head, seed, lift=1.0, ids=IDS, labels=Y, spec=None, **more):
    rng = np.random.default_rng([seed, *map(ord, head)])
    p = 1 / (1 + np.exp(-(rng.normal(size=90) + lift * (2 * Y - 1))))
    part = dict(ids=list(ids), labels=list(map(int, labels)), probabilities=p.tolist())
    backwards = {**part, "probabilities": (1 - p).tolist()}
    return Record(
        f"{head}-{seed}",
        settings=dict(head=head, seed=seed, spec=spec or {}, **more),
        data={"name": "toy"},
        scores={},
        predictions={"test": part, "val": backwards},
    )


def p_of(run):
    return np.array(run.predictions["test"]["probabilities"])


def test_a_condition_is_everything_but_the_seed():
    same = [
        dict(head="mlp"),
        dict(head="mlp", seed=3),
        dict(head="mlp", size=28, protocol={"kind": "official", "seed": 2, "fold": 1}),
    ]
    assert len({tables.condition(s) for s in same}) == 1, "defaults are filled in"
    other = [dict(head="linear"), dict(head="mlp", size=64), dict(head="mlp", spec={"n_qubits": 2})]
    other += [dict(head="mlp", protocol={"kind": "random"}), dict(head="mlp", labels="shuffled")]
    assert len({tables.condition(s) for s in [*same, *other]}) == 6
    assert tables.condition(dict(size=64, lr=0.1)) == tables.condition(dict(lr=0.1, size=64))


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({}, "linear"),
        (
            dict(head="dressed", spec=dict(n_layers=3, reupload=True)),
            "dressed, n_layers=3, reupload=True",
        ),
        (dict(labels="shuffled"), "linear, shuffled labels"),
        (dict(head="logistic", seed=0), "logistic"),
        (dict(head="svm", spec=dict(C=1), kernel="rbf"), "svm, C=1"),
        (dict(head="svm", C=1, protocol=dict(kind="random")), "svm, random"),
        (dict(model="majority vote", seed=3, C=0.1), "model=majority vote, C=0.1"),
        (dict(protocol=dict(kind="random", seed=1)), "linear, random"),
        (dict(protocol=dict(kind="augmented", by_original=True)), "linear, augmented by original"),
        (dict(protocol=dict(kind="augmented", by_original=False)), "linear, augmented"),
    ],
)
def test_labels(settings, label):
    assert tables.label(settings) == label
    assert tables.label_of_record(Record("x", settings, {}, {}, {})) == label


def test_groups():
    runs = [record("dressed", s) for s in (2, 0, 1)] + [
        record("dressed", 0, spec={"n_layers": 3}),
        record("linear", 0, labels="shuffled" and Y),
    ]
    groups = tables.by_condition(runs)
    assert list(groups) == ["dressed", "dressed, n_layers=3", "linear"]
    assert [r.settings["seed"] for r in groups["dressed"]] == [0, 1, 2]
    by_head = tables.by_condition(runs[:3], name=lambda r: r.settings["head"] + "!")
    assert list(by_head) == ["dressed!"]
    with pytest.raises(
        ValueError,
        match=r"^two conditions are called 'x': pass a name= that tells them apart$",
    ):
        tables.by_condition(runs, name=lambda r: "x")


def test_classifiers_that_are_no_runs_have_no_defaults():
    tree, forest = dict(model="tree"), dict(model="forest")
    assert tables.condition(tree) == '{"model": "tree"}'
    assert tables.condition({**tree, "seed": 1}) == tables.condition({**tree, "seed": 2})
    assert tables.condition(dict(head="logistic")) != tables.condition(dict(head="linear"))
    runs = [Record(f"r{i}", s, {}, {}, {}) for i, s in enumerate([tree, forest, tree, {}])]
    groups = tables.by_condition(runs)
    assert {name: len(found) for name, found in groups.items()} == {
        "model=tree": 2,
        "model=forest": 1,
        "linear": 1,
    }


def test_predictions():
    runs = [record("a", 0), record("a", 1)]
    y, p = tables.predictions(runs)
    assert y.tolist() == Y.tolist()
    np.testing.assert_array_equal(p, [p_of(r) for r in runs])
    y, p = tables.predictions(runs, keep=IDS[10:20])
    assert y.tolist() == Y[10:20].tolist()
    np.testing.assert_array_equal(p, [p_of(r)[10:20] for r in runs])
    _, p = tables.predictions(runs, "val")
    np.testing.assert_allclose(p, [1 - p_of(r) for r in runs])


@pytest.mark.parametrize("other", [dict(ids=IDS[::-1]), dict(labels=1 - Y)])
def test_runs_on_other_images_are_refused(other):
    with pytest.raises(
        ValueError, match=r"^these runs were tested on different images: compare them run by run$"
    ):
        tables.predictions([record("a", 0), record("a", 1, **other)])


def test_scores_of_each_run():
    runs = [record("d", s) for s in range(3)]
    found = tables.run_scores(runs)
    assert found["auc"] == pytest.approx([roc_auc_score(Y, p_of(r)) for r in runs])
    assert found["accuracy"] == pytest.approx([accuracy_score(Y, p_of(r) >= 0.5) for r in runs])
    few = tables.run_scores(runs, keep=IDS[:30])
    assert few["auc"] == pytest.approx([roc_auc_score(Y[:30], p_of(r)[:30]) for r in runs])
    val = tables.run_scores(runs, split="val")
    assert val["auc"] == pytest.approx([1 - a for a in found["auc"]])


def test_summary_is_scikit_learns():
    runs = [record("dressed", s) for s in range(4)]
    auc = [roc_auc_score(Y, p_of(r)) for r in runs]
    f1 = [f1_score(Y, p_of(r) >= 0.5) for r in runs]
    table = tables.summary({"d": runs, "one": runs[:1]})
    assert list(table.columns) == ["seeds", *tables.SHOWN]
    row = table.loc["d"]
    assert row["seeds"] == 4
    assert row["auc"] == f"{np.mean(auc):.3f} ± {np.std(auc, ddof=1):.3f}"
    assert row["f1"] == f"{np.mean(f1):.3f} ± {np.std(f1, ddof=1):.3f}"
    assert table.loc["one", "auc"] == f"{auc[0]:.3f}", "one seed has no spread"
    short = tables.summary({"d": runs[:1]}, keep=IDS[:30], shown=("auc",))
    assert short.loc["d", "auc"] == f"{roc_auc_score(Y[:30], p_of(runs[0])[:30]):.3f}"
    assert list(short.columns) == ["seeds", "auc"]


def test_undefined_scores_are_left_out_of_a_mean():
    assert tables.mean_and_spread([0.5, float("nan"), 0.7]) == "0.600 ± 0.141"
    assert tables.mean_and_spread([0.25]) == "0.250"
