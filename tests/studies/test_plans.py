"""The measured tables are well formed, and the command carries out one of them or one of yours."""

import json
import re

import pytest
from study_toys import QUICK

from hqnn_utils.records import load_family, measured
from hqnn_utils.studies import StudyError, as_setting, load_plan, plans, tables
from hqnn_utils.studies.__main__ import main


@pytest.mark.parametrize("name", plans.known_plans())
def test_tables_are_complete_and_paired(name):
    """Every setting is valid, no two share a name, and each condition has the same seeds."""
    table = [as_setting(row) for row in load_plan(name)]
    assert len({s.name for s in table}) == len(table)
    seeds = {}
    for s in table:
        place = (tables.condition(s.stored()), s.protocol.get("fold"))
        seeds.setdefault(place, []).append(s.seed)
    fewest = 1 if name.startswith("search_frozen") else 3
    assert all(v == list(range(v[0], v[0] + len(v))) and len(v) >= fewest for v in seeds.values())
    assert [s.seed for s in table] == sorted(s.seed for s in table), "all of seed 0 first"


def test_what_was_planned():
    sizes = {name: len(load_plan(name)) for name in plans.known_plans()}
    assert sizes == dict(
        ablations_28px=320,
        baselines=16,
        cross_validation_28px=80,
        heads_28px=60,
        large_64px=27,
        leakage_28px=80,
        leakage_frozen=4 * 5 * 10,
        leakage_small_cnn=2 * 3 * 10,
        reach_28px=30,
        replication_28px=120,
        search_28px=20,
        search_frozen_size=3 * 4 * 10,
        search_frozen=14 * 6 * 5,
        frozen_all_v2=12 * 5 * 25,
        frozen_official_v2=14 * 10,
        small_cnn_official_v2=12 * 10,
        small_cnn_all_v2=9 * 25,
        finetuned_official_v2=4 * 10,
        planted_v2=6 * 10,
        shuffled_v2=6 * 10,
        wisconsin_v2=8 * 10,
        frozen_official_v2_again=14 * 10,
        frozen_all_v2_one_rate=6 * 5 * 25,
        frozen_all_v2_restarts=3 * 5 * 25,
        small_cnn_official_v2_again=12 * 10,
        finetuned_official_v2_again=4 * 10,
    )


def test_the_replication_is_the_same_with_other_seeds():
    """Each condition of a hypothesis, as it was measured first, with seeds not used before."""
    first = [as_setting(row) for row in load_plan("heads_28px") + load_plan("ablations_28px")]
    again = [as_setting(row) for row in load_plan("replication_28px")]
    assert not {s.seed for s in again} & {s.seed for s in first}
    there = {tables.condition(s.stored()) for s in first}
    replicated = {tables.condition(s.stored()) for s in again}
    assert replicated <= there
    first_plan = json.loads((plans.plans_dir() / "hypotheses.json").read_text())
    sides = [h[side] for h in first_plan["hypotheses"] for side in ("a", "b")]
    assert replicated == {tables.condition(side) for side in sides}
    for families, seeds in (("families", range(10)), ("replication", range(10, 20))):
        runs = [r for family in first_plan[families] for r in measured(family)]
        for side in sides:
            wanted = tables.condition(side)
            found = [r.settings["seed"] for r in runs if tables.condition(r.settings) == wanted]
            assert sorted(found) == list(seeds)


def test_the_first_plan_and_its_hypotheses_are_the_same():
    """What was written down before the runs is what notebook 10 reads."""
    plan = (plans.plans_dir().parents[1] / "plan.md").read_text()
    rows = re.findall(r"^\| (H\d) \| (.+?) \| (.+?) \| (.+?) \|$", plan, re.M)
    words = {
        "dressed, entangler=none": "`dressed`, entanglers removed",
        "dressed, reupload=True": "`dressed`, re-uploading",
        "dressed, n_layers=6": "`dressed`, 6 layers",
        "dressed, n_layers=1": "`dressed`, 1 layer",
    }
    first_plan = json.loads((plans.plans_dir() / "hypotheses.json").read_text())
    written = [
        (
            h["name"],
            *(words.get(s, f"`{s}`") for s in (tables.label(h["a"]), tables.label(h["b"]))),
            h["asks"],
        )
        for h in first_plan["hypotheses"]
    ]
    assert rows == written
    assert f"±{first_plan['margin']}" in plan


def test_tables_of_your_own(tmp_path):
    path = tmp_path / "mine.json"
    cases = [
        ([dict(seed=1), dict(head="mlp")], [dict(head="mlp"), dict(seed=1)]),
        (dict(head=["a", "b"]), [dict(head="a"), dict(head="b")]),
        (
            dict(about="x", grids=[dict(seed=[0, 1]), dict(seed=0, head="b")]),
            [dict(seed=0), dict(seed=0, head="b"), dict(seed=1)],
        ),
    ]
    for content, rows in cases:
        path.write_text(json.dumps(content))
        assert plans.read_table(path) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"table .*bad.json cannot be read \(.+\)$"),
        ("3", r"table .*bad.json holds neither a list of settings nor grids of them \("),
        ("[3]", "holds neither"),
    ],
)
def test_bad_tables_are_named(tmp_path, content, message):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(StudyError, match=message):
        plans.read_table(path)
    with pytest.raises(StudyError, match=r"none\.json cannot be read"):
        plans.read_table(tmp_path / "none.json")


def test_unknown_plans_are_named():
    with pytest.raises(ValueError, match=r"^unknown plan 'nothing'; known: ablations_28px, "):
        load_plan("nothing")
    with pytest.raises(ValueError, match="unknown plan 'hypotheses'"):
        load_plan("hypotheses")


def test_a_plan_over_folds(tmp_path):
    """Every condition in every fold; the seeds of training run through the repetitions."""
    path = tmp_path / "cv.json"
    content = {
        "common": {"head": "linear", "epochs": 3},
        "cross_validation": {"folds": 3, "repetitions": 2, "seeds": 2, "pixels": 28},
        "grids": [{"lr": [0.1, 0.2]}, {"head": "mlp"}],
    }
    path.write_text(json.dumps(content))
    table = plans.read_table(path)
    assert len(table) == 3 * 3 * 2 * 2
    places = [(r["protocol"]["seed"], r["seed"], r["protocol"]["fold"]) for r in table]
    assert {p[:2] for p in places} == {(0, 0), (0, 1), (1, 2), (1, 3)}
    assert [r["seed"] for r in table] == sorted(r["seed"] for r in table)
    assert table[0] == {
        "head": "linear",
        "epochs": 3,
        "lr": 0.1,
        "seed": 0,
        "protocol": {"kind": "cross_validation", "folds": 3, "fold": 0, "seed": 0, "pixels": 28},
    }
    assert sum(r["head"] == "mlp" for r in table) == 12, "a grid's own value wins"
    assert plans.over_folds([{"head": "mlp"}]) == [{"head": "mlp"}]
    (inner, *_) = plans.over_folds([{}], kind="inner", repetitions=1)
    assert inner["protocol"]["kind"] == "inner"
    assert not plans.keeps_test_only(path)
    path.write_text(json.dumps({**content, "test_only": True}))
    assert plans.keeps_test_only(path)
    path.write_text(json.dumps([{}]))
    assert not plans.keeps_test_only(path)


def test_the_command_line(tmp_path, capsys, monkeypatch):
    table = tmp_path / "two.json"
    table.write_text(json.dumps({**QUICK, "head": ["linear", "matched"]}))
    main([str(table), "--folder", str(tmp_path / "out"), "--threads", "1"])
    assert "2 records" in capsys.readouterr().out
    assert len(load_family(tmp_path / "out" / "two.json")) == 2
    monkeypatch.setenv("HQNN_RESULTS", str(tmp_path / "mine"))
    main([str(table), "--checkpoints"])
    assert (tmp_path / "mine" / "plans" / "two.json").exists(), "--store is for maintainers only"
    table.write_text(json.dumps([{**QUICK, "lr": 1e9, "epochs": 3}]))
    with pytest.raises(SystemExit) as caught:
        main([str(table), "--folder", str(tmp_path / "bad")])
    assert caught.value.code == 1


def test_the_command_line_passes_its_options_on(tmp_path, monkeypatch):
    from hqnn_utils.studies import __main__ as command

    seen = []
    monkeypatch.setattr(
        command,
        "run_study",
        lambda table, folder, **o: (seen.append((table, folder, o)), command.Nothing)[1],
        raising=True,
    )
    monkeypatch.setattr(command, "Nothing", type("Nothing", (), {"failures": []}), raising=False)
    monkeypatch.setattr(command, "measured_dir", lambda: tmp_path / "shipped")
    main(["heads_28px", "--store", "--workers", "3", "--threads", "2"])
    (table, folder, options) = seen[0]
    assert table == load_plan("heads_28px")
    assert folder == tmp_path / "shipped"
    assert options == dict(
        family="heads_28px", workers=3, threads=2, checkpoints=False, test_only=False
    )
    main(["frozen_all_v2"])
    assert seen.pop(1)[2]["test_only"] is True
    main(["heads_28px", "--folder", "x", "--checkpoints"])
    assert str(seen[1][1]) == "x"
    assert seen[1][2] == dict(
        family="heads_28px", workers=1, threads=None, checkpoints=True, test_only=False
    )


def test_the_help_names_the_plans_and_every_option(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "usage: python -m hqnn_utils.studies",
        "carries out one of the course's plans, or yours.",
        "one of ablations_28px, baselines,",
        "or a JSON file with a table of your own",
        "--folder FOLDER default: my_results, or the measured records with --store",
        "--store write into the records that the course ships",
        "--workers WORKERS processes (default 1)",
        "--threads THREADS threads of torch within a run",
        "--checkpoints let a run that was cut short go on",
    ):
        assert words in shown, words


@pytest.mark.parametrize("name", ["leakage_frozen", "leakage_small_cnn"])
def test_the_steps_of_the_laboratory_are_paired_and_differ_in_the_leak_only(name):
    """Each head has every step with each seed, and the split's seed is the run's."""
    steps = {}
    for row in load_plan(name):
        protocol = dict(row["protocol"])
        assert protocol.pop("seed") == row["seed"]
        step = (protocol.pop("leak"), protocol.pop("share", 1.0))
        assert protocol.pop("kind") == "leaking"
        assert protocol.pop("threshold") == 0.95
        assert protocol == ({"pixels": 28} if name == "leakage_frozen" else {})
        steps.setdefault((row["head"], row["seed"]), set()).add(step)
    assert len({frozenset(found) for found in steps.values()}) == 1
