"""Equal budgets, the best mean over inner splits, and nothing that has seen the test part."""

import warnings

import numpy as np
import pytest

from hqnn_utils.records import Record, measured
from hqnn_utils.studies import search


def record(head, lr, fold, auc, kind="inner", **more):
    settings = {
        "head": head,
        "lr": lr,
        "seed": 0,
        "protocol": {"kind": kind, "fold": fold, "folds": 2, "seed": 0},
        **more,
    }
    name = f"{head}-{lr}-{fold}".replace("{", "").replace("}", "").replace("'", "")
    name = "".join(c if c.isalnum() else "_" for c in name)
    return Record(name, settings, {}, {"test": {"auc": auc}}, {})


RATES = ({"circuit": 0.1, "head": 0.01}, 0.001)
AUCS = {("linear", 0): (0.8, 0.9), ("linear", 1): (0.7, 0.7)}
AUCS |= {("dressed", 0): (0.6, 0.7), ("dressed", 1): (0.9, 0.8)}
RECORDS = [
    record(head, RATES[i], fold, auc)
    for (head, i), aucs in AUCS.items()
    for fold, auc in enumerate(aucs)
]


def test_the_best_mean_is_chosen():
    table = search.search_table(RECORDS)
    assert table["contestant"].tolist() == ["linear", "linear", "dressed", "dressed"]
    assert table["auc"].tolist() == pytest.approx([0.85, 0.7, 0.65, 0.85])
    assert table["sd"].tolist() == pytest.approx([np.std(a, ddof=1) for a in AUCS.values()])
    assert table["splits"].tolist() == [2] * 4
    assert table["chosen"].tolist() == [True, False, False, True]
    assert search.chosen(RECORDS) == {
        "linear": {"lr": RATES[0], "weight_decay": 1e-4},
        "dressed": {"lr": RATES[1], "weight_decay": 1e-4},
    }


def test_one_split_has_no_spread():
    """Not known, and nobody is warned of a division by zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = search.search_table([r for r in RECORDS if r.settings["protocol"]["fold"] == 0])
    assert table["splits"].tolist() == [1] * 4
    assert table["sd"].isna().all()
    assert table["auc"].tolist() == pytest.approx([0.8, 0.7, 0.6, 0.9])


def test_of_equals_the_first_is_chosen():
    equals = [record("linear", rate, fold, 0.8) for rate in RATES for fold in (0, 1)]
    assert search.search_table(equals)["chosen"].tolist() == [True, False]


def test_a_circuit_of_another_kind_has_its_own_budget():
    deep = [record("dressed", r, f, 0.5, spec={"n_layers": 6}) for r in RATES for f in (0, 1)]
    assert list(search.chosen([*RECORDS, *deep])) == ["linear", "dressed", "dressed, n_layers=6"]


@pytest.mark.parametrize("left_out", [slice(0, 2), slice(0, 1)])
def test_unequal_budgets_are_refused(left_out):
    kept = [r for r in RECORDS if r not in RECORDS[left_out]]
    with pytest.raises(ValueError, match=r"^unequal budgets: settings \{"):
        search.search_table(kept)


def test_what_saw_the_test_part_cannot_choose():
    wrong = record("mlp", 0.1, 0, 0.99, kind="official")
    with pytest.raises(ValueError, match=r"was judged on 'official': settings are chosen on proto"):
        search.search_table([*RECORDS, wrong])


def test_the_search_behind_plan_v2(capsys):
    """Six settings and five inner splits for each of fourteen heads, 125 images tested at most."""
    table = search.search_table(measured("search_frozen"))
    assert table.groupby("contestant").size().tolist() == [6] * 14
    assert set(table["splits"]) == {5}
    tested = [i for r in measured("search_frozen") for i in r.predictions["test"]["ids"]]
    assert not any(i.startswith("test/") for i in tested)
    search.main(["search_frozen"])
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 1 + len(table)
    assert shown[0].split() == list(table.columns)
    for line, (_, row) in zip(shown[1:], table.iterrows(), strict=True):
        for number in (row["auc"], row["sd"]):
            assert f" {number:.4f} " in line
        assert row["contestant"] in line
        assert line.endswith(str(row["chosen"]))


def test_the_size_behind_plan_v2():
    """224 pixels are best for each of the three heads that were asked."""
    best = search.chosen(measured("search_frozen_size"), varied=("size",))
    assert best == {head: {"size": 224} for head in ("linear", "study_hybrid", "dressed")}
