"""The measured tables are well formed, and the command carries out one of them or one of yours."""

import json

import pytest

from hqnn_utils.studies import plans, tables, verdicts
from hqnn_utils.studies.families import load_family
from hqnn_utils.studies.settings import complete

QUICK = dict(epochs=1, max_train=32, source="phantom", size=16)


@pytest.mark.parametrize("name", list(plans.PLANS))
def test_tables_are_complete_and_paired(name):
    """Every setting is valid, no two share a name, and each condition has the same seeds."""
    table = [complete(s) for s in plans.PLANS[name]()]
    assert len({s["name"] for s in table}) == len(table)
    seeds = {}
    for s in table:
        condition = json.dumps(
            {k: v for k, v in s.items() if k not in ("name", "seed", "protocol")}
            | {"kind": s["protocol"]["kind"]},
            sort_keys=True,
        )
        seeds.setdefault(
            condition + str(s["protocol"].get("fold", "")) + str(s["protocol"].get("by_original")),
            [],
        ).append(s["seed"])
    assert all(v == list(range(v[0], v[0] + len(v))) and len(v) >= 3 for v in seeds.values())


def test_the_ablations_are_as_many_as_promised():
    assert len(plans.ablations_28px()) >= 200
    assert len({complete(s)["name"].rsplit("-s", 1)[0] for s in plans.ablations_28px()}) >= 20


def test_the_replication_is_the_same_with_other_seeds():
    """Each condition of a hypothesis, as it was measured first, with seeds that were not used before."""
    first = [complete(s) for s in plans.heads_28px() + plans.ablations_28px()]
    again = [complete(s) for s in plans.replication_28px()]
    without = lambda s: {k: v for k, v in s.items() if k not in ("seed", "name")}
    assert all(without(s) in [without(f) for f in first] for s in again)
    assert not {s["seed"] for s in again} & {s["seed"] for s in first}
    needed = {name for h in verdicts.HYPOTHESES for name in (h.a, h.b)}
    assert {tables.label({"settings": s}) for s in again} == needed


def test_the_command_line(tmp_path, capsys, monkeypatch):
    table = tmp_path / "two.json"
    table.write_text(json.dumps({**QUICK, "head": ["linear", "matched"]}))
    plans.main([str(table), "--folder", str(tmp_path / "out")])
    assert "2 records" in capsys.readouterr().out
    assert len(load_family(tmp_path / "out" / "two.json")) == 2
    monkeypatch.setenv("HQNN_RESULTS", str(tmp_path / "mine"))
    plans.main([str(table)])
    assert (tmp_path / "mine" / "plans" / "two.json").exists(), (
        "the course's own records change with --store only"
    )
    table.write_text(json.dumps([{**QUICK, "lr": 1e9, "epochs": 3}]))
    with pytest.raises(SystemExit):
        plans.main([str(table), "--folder", str(tmp_path / "bad")])
    with pytest.raises(ValueError, match="unknown plan 'nothing'; known: baselines"):
        plans.main(["nothing"])
