"""A study of one's own: nothing runs without its plan, and the report says what it rests on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hqnn_utils.data import load_breakhis, load_breastmnist, load_medmnist, make_table
from hqnn_utils.studies import StudyError, own
from hqnn_utils.studies.report import _on_planted, make_report, verdict_sentence

PLAN = own.OwnPlan(
    question="Does a circuit of two qubits add anything here?",
    primary=("circuit", "mixing"),
    others=(("circuit", "linear"),),
    seeds=5,
    expected_error=0.02,
    if_supported="On this table the circuit adds to its head.",
    if_excluded="On this table the circuit does not add two points.",
)
SETTINGS = own.OwnSettings(
    spec={"n_qubits": 2, "n_layers": 1}, rates=(0.03, 0.1), epochs=12, inner_folds=3
)


@pytest.fixture(scope="module")
def table():
    """Eighty rows that a line separates fairly well."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    return make_table(rng.normal(size=(80, 3)) + 1.5 * labels[:, None], labels)


@pytest.fixture(scope="module")
def done(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    own.keep_plan(PLAN, SETTINGS, folder)
    return own.carry_out(PLAN, SETTINGS, folder, table), folder


# ------------------------------------------------------------------------------- the plan


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        (dict(question="Does it?"), "question is 'Does it\\?': write a sentence"),
        (dict(if_excluded=""), "if_excluded is ''"),
        (dict(if_supported=...), "if_supported is Ellipsis"),
        (dict(seeds=3), "3 seeds are too few, the judge needs 5 .* set seeds=10"),
        (dict(seeds=7.5), "7.5 seeds"),
        (dict(margin=2), "margin is 2, .* two points are 0.02"),
        (dict(expected_error=0), "expected_error is 0"),
        (dict(primary=("circuit", "circuit")), "is no comparison"),
        (dict(primary="circuit"), "is no comparison"),
        (dict(primary=("circuit", "forest")), "unknown condition of the plan 'forest'"),
        (dict(others=(("circuit", "mixing"),)), "is there twice"),
    ],
)
def test_a_plan_that_lacks_something_is_not_made(changed, word):
    with pytest.raises(StudyError, match=word):
        replace(PLAN, **changed)


def test_a_plan_is_kept_with_digest_and_date_and_never_replaced(tmp_path):
    first = own.keep_plan(PLAN, SETTINGS, tmp_path)
    assert own.keep_plan(PLAN, SETTINGS, tmp_path) == first
    assert first.versions[0]["written"][:4].isdigit()
    second = own.keep_plan(replace(PLAN, margin=0.03), SETTINGS, tmp_path)
    assert len(second.versions) == 2
    assert second.versions[0] == first.versions[0]
    assert second.digest != first.digest
    assert not second.was_changed, "no run was there"
    assert len((tmp_path / "plan.jsonl").read_text().splitlines()) == 2


def test_a_plan_that_was_edited_by_hand_is_noticed(tmp_path):
    own.keep_plan(PLAN, SETTINGS, tmp_path)
    path = tmp_path / "plan.jsonl"
    path.write_text(path.read_text().replace('"seeds": 5', '"seeds": 9'))
    with pytest.raises(StudyError, match="edited by hand"):
        own.need_plan(PLAN, SETTINGS, tmp_path)
    path.write_text("{")
    with pytest.raises(StudyError, match="is no plan, or damaged"):
        own.need_plan(PLAN, SETTINGS, tmp_path)


def test_nothing_runs_without_the_plan_or_with_another_one(tmp_path, table):
    with pytest.raises(StudyError, match=r"no plan in .* Call keep_plan"):
        own.carry_out(PLAN, SETTINGS, tmp_path, table)
    own.keep_plan(PLAN, SETTINGS, tmp_path)
    for plan, settings in (
        (replace(PLAN, seeds=6), SETTINGS),
        (PLAN, replace(SETTINGS, epochs=4)),
    ):
        with pytest.raises(StudyError, match="is another one"):
            own.carry_out(plan, settings, tmp_path, table)
    assert [p.name for p in tmp_path.iterdir()] == ["plan.jsonl"]


def test_a_plan_that_comes_after_the_runs_is_said_to(done):
    _, folder = done
    other = own.keep_plan(replace(PLAN, margin=0.04), SETTINGS, folder)
    assert other.was_changed
    assert other.versions[-1]["records_there"] > 0
    again = own.keep_plan(PLAN, SETTINGS, folder)
    assert again.was_changed
    report = make_report(own.carry_out(PLAN, SETTINGS, folder, done[0].data), n_resamples=200)
    assert "CHANGED AFTER RUNS" in report.text
    (folder / "plan.jsonl").unlink()
    assert own.keep_plan(PLAN, SETTINGS, folder).was_changed, "runs were there before any plan"


# ------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (dict(dataset="brestmnist"), "unknown dataset 'brestmnist'; known: .*wisconsin"),
        (dict(dataset="bloodmnist"), "needs positive=.* 6 neutrophil"),
        (dict(spec={"n_qubits": 24}), "24 qubits .* set n_qubits to 10 or fewer"),
        (dict(spec={"n_qubit": 4}), "n_qubit"),
        (dict(head="linear"), "set head='dressed'"),
        (dict(head="mixing"), "set head='dressed'"),
        (dict(head="study_cut"), "'study_cut' has not all controls .*unknown core .*'frozen'"),
        (dict(head="perceptron"), "perceptron"),
        (dict(rates=()), "rates is empty"),
        (dict(folds=2), "folds is 2: set 0, or 3 or more"),
        (dict(epochs=0), "epochs"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_a_remedy(wrong, word):
    with pytest.raises(StudyError, match=word):
        own.OwnSettings(**wrong)


def test_images_and_tables_want_different_backbones(tmp_path, table):
    images = load_breastmnist(16, "phantom")
    wide = own.OwnSettings(spec={"n_qubits": 6})
    cases = [
        (own.OwnSettings(), images, "holds images.* backbone='efficientnet_lite0'"),
        (own.OwnSettings(backbone="small_cnn"), images, "weights='imagenet'"),
        (own.OwnSettings(backbone="small_cnn"), table, "set backbone='none'"),
        (wide, table, "need 6 features, .* has 3: take a circuit with fewer inputs"),
    ]
    for number, (settings, data, word) in enumerate(cases):
        folder = tmp_path / str(number)
        own.keep_plan(PLAN, settings, folder)
        with pytest.raises(StudyError, match=word):
            own.carry_out(PLAN, settings, folder, data)
        assert not (folder / "main.json").exists()


def test_a_set_of_medmnist_by_its_name():
    row = own.OwnSettings(dataset="bloodmnist", positive=(6,)).row("circuit", 0)
    assert row.dataset == "medmnist"
    assert row.data_options == {"flag": "bloodmnist", "positive": (6,)}
    assert own.OwnSettings(dataset="pneumoniamnist").row("linear", 0).dataset == "pneumoniamnist"


def test_every_condition_differs_from_the_circuit_in_what_its_name_says():
    rows = {name: SETTINGS.row(name, 3).stored() for name in own.CONDITIONS}
    changed = {
        name: {key for key in row if row[key] != rows["circuit"][key]} for name, row in rows.items()
    }
    assert changed == {
        "circuit": set(),
        "mixing": {"head"},
        "matched": {"head"},
        "untrained": {"head"},
        "unentangled": {"spec"},
        "linear": {"head", "spec"},
    }
    assert rows["unentangled"]["spec"]["entangler"] == "none"


def test_an_unknown_condition_is_named():
    with pytest.raises(ValueError, match=r"^unknown condition 'forest'; known: circuit, mixing, "):
        SETTINGS.row("forest", 0)


def test_each_repetition_of_folds_has_a_split_of_its_own(table):
    """The seed of the split is that of the run: ten seeds are ten partitions, not one."""
    folded = replace(SETTINGS, folds=3)
    rates = dict.fromkeys(PLAN.names, 0.03)
    rows = own._rows(("circuit",), PLAN, folded, table, rates)
    assert [(row.seed, row.protocol["seed"], row.protocol["fold"]) for row in rows] == [
        (seed, seed, fold) for seed in range(5) for fold in range(3)
    ]
    assert {(row.protocol["kind"], row.protocol["folds"]) for row in rows} == {
        ("cross_validation", 3)
    }
    rows = own._rows(("circuit",), PLAN, SETTINGS, table, rates)
    assert [(row.seed, row.protocol) for row in rows] == [
        (seed, {"kind": "official"}) for seed in range(5)
    ]


# ------------------------------------------------------------------------- runs and report


def test_every_condition_is_tuned_alike_and_every_seed_runs(done):
    study, folder = done
    tries = study.tuning.groupby("contestant").agg({"lr": "nunique", "splits": "unique"})
    assert set(tries["lr"]) == {2}
    assert {n for some in tries["splits"] for n in some} == {3}
    assert len(study.records) == 5 * 3
    assert len(study.shuffled) == 5
    assert len(study.planted) == 5 * 2
    assert {r.settings["labels"] for r in study.shuffled} == {"shuffled"}
    assert {r.settings["dataset"] for r in study.planted} == {"planted"}
    assert {r.settings["epochs"] for r in study.planted} == {3 * SETTINGS.epochs}
    assert sorted(path.name for path in folder.glob("*.json")) == [
        "main.json",
        "planted.json",
        "shuffled.json",
        "tuning.json",
    ]
    tested = set(study.records[0].predictions["test"]["ids"])
    tuning = json.loads((folder / "tuning.json").read_text())
    inner = {i for part in tuning["shared"].values() for i in part.get("ids", [])}
    assert not tested & inner, "the test part has no share in tuning"


def test_runs_that_are_there_are_not_made_again(done):
    study, folder = done
    again = own.carry_out(PLAN, SETTINGS, folder, study.data)
    prints = [[r.fingerprint() for r in some.records] for some in (study, again)]
    assert prints[0] == prints[1]
    assert again.seconds < study.seconds


def test_the_report_holds_what_it_rests_on(done):
    report = make_report(done[0], n_resamples=500)
    assert list(report.verdicts.index) == ["primary", "other 1"]
    assert list(report.levels.index) == ["circuit", "mixing", "linear"]
    assert report.levels.loc["linear", "runs"] == 5
    for part in ("**Plan.**", "digest", "**Verdict.**", "Tuning", "shuffled labels", "Leaks"):
        assert part in report.text, part
    assert report.verdict in report.text
    assert "2 learning rates for each of 3 conditions" in report.text
    assert "patients: not known" in report.text


def interval(row, *keys):
    return tuple(100 * row[key] for key in keys)


def test_the_report_word_by_word(done):
    """Written down once more here, from its tables."""
    study = done[0]
    report, data = make_report(study, n_resamples=200), study.data
    sizes = ", ".join(f"{(data.split == part).sum()} {part}" for part in ("train", "val", "test"))
    first, rows, levels = report.verdicts.loc["primary"], [], []
    for name, row in report.verdicts.iterrows():
        rows.append(
            f"| {name}: `{row['A']}` against `{row['B']}` | "
            "{:+.1f} ({:+.1f} to {:+.1f})".format(*interval(row, "difference", "low", "high"))
            + f" | {row['p_better_holm']:.3f} | {row['power_2_points']:.0%} / "
            f"{row['power_5_points']:.0%} | **{row['verdict']}** |"
        )
    for name, row in report.levels.iterrows():
        levels.append(
            f"{name} {row['auc']:.3f} ({row['low']:.3f} to {row['high']:.3f} over 5 runs)"
        )
    chance, planted = report.shuffled.iloc[0], report.planted.loc["primary"]
    as_hoped = report.chance_holds and report.judge_can_say_so
    report.levels.loc["mixing", "auc"] = 0.8  # far from a ceiling
    levels[1] = levels[1].replace(levels[1].split()[1], "0.800")
    wanted = [
        "# Does a circuit of two qubits add anything here?",
        f"**Plan.** {study.kept!r}. No run had been made when it was last changed.",
        "**Asked.** Does `circuit` add at least 2 points of AUC to `mixing`? Of whom: networks "
        "trained on these training images, asked about other images.",
        f"**Data.** {data.name} ({data.source}, digest {data.digest[:12]}): {sizes}. "
        f"Circuit {SETTINGS.circuit.label()} in the head `dressed`.",
        "**Verdict.** `circuit` minus `mixing`: {:+.1f} points of AUC (95 % {:+.1f} to {:+.1f}, "
        "5 pairs of runs).".format(*interval(first, "difference", "low", "high"))
        + f" By the rule of the plan: **{first['verdict']}**.",
        "| comparison | A - B, points (95 %) | p (Holm) | power at 2 / 5 points | verdict |",
        "|---|---|---|---|---|",
        *rows,
        f"**Levels.** {'; '.join(levels)}",
        "**Tuning.** 2 learning rates for each of 3 conditions, judged on 3 inner folds of "
        "training and validation part; the test part had no share in it.",
        "**What was said before.** If supported: On this table the circuit adds to its head. If "
        "excluded or equivalent: On this table the circuit does not add two points.",
    ]
    lines = [line for line in report.text.splitlines() if line]
    told = [line for line in lines if not line.startswith(("**Controls", "**Leaks"))]
    assert told == wanted
    (controls,) = [line for line in lines if line.startswith("**Controls")]
    assert controls.startswith(
        f"**Controls of the study.** With shuffled labels the AUC is {chance['auc']:.3f} "
        f"({chance['low']:.3f} to {chance['high']:.3f}), "
    )
    assert f'On labels of a circuit the judge says "{planted["verdict"]}"' in controls
    assert f"({100 * planted['difference']:+.1f} points): " in controls
    assert ("), chance. On labels" in controls) is report.chance_holds
    assert controls.endswith('it can say "supported".') is report.judge_can_say_so
    assert ("NOT" in controls) is not as_hoped
    report.shuffled.loc[:, ["auc", "low", "high"]] = (0.5, 0.4, 0.6)
    report.planted.loc["primary", "verdict"] = "supported"
    assert "(0.400 to 0.600), chance. On labels of a circuit the judge says" in report.text
    assert '"supported" (' in report.text
    assert 'points): it can say "supported".' in report.text


def test_the_leaks_in_words(done):
    report = make_report(done[0], n_resamples=200)
    (line,) = [one for one in report.text.splitlines() if one.startswith("**Leaks.**")]
    assert line.startswith("**Leaks.** copies: 0 test examples (0%); near-duplicates: ")
    assert line.endswith(f"patients: {report.leaks.loc['patients', 'about']}.")


def test_levels_are_those_of_the_conditions(done):
    """Judged outside: the mean of the records' own test AUCs."""
    report = make_report(done[0], n_resamples=200)
    for name, head in {"circuit": "dressed", "mixing": "mixing", "linear": "linear"}.items():
        own_aucs = [r.scores["test"]["auc"] for r in done[0].records if r.settings["head"] == head]
        assert report.levels.loc[name, "auc"] == pytest.approx(np.mean(own_aucs), abs=1e-6)


def test_another_margin_is_another_word(done):
    study = done[0]
    wide = replace(study, plan=replace(study.plan, margin=0.4))
    report = make_report(wide, n_resamples=500)
    assert report.verdict == "equivalent within 40 points"
    assert "at least 40 points" in report.text
    chances = report.chances.loc["primary"]
    assert list(chances.index) == ["+0", "+40", "+100"]
    assert np.allclose(chances.sum(axis=1), 1)
    assert chances.loc["+0", "equivalent within 40 points"] > 0.95
    assert chances.loc["+100", "supported"] > 0.95


def test_a_ceiling_is_said(done):
    report = make_report(done[0], n_resamples=200)
    report.levels.loc["mixing", "auc"] = 0.995
    report.verdicts.loc["primary", "verdict"] = "undecided"
    assert verdict_sentence(report).endswith(
        "**. `mixing` alone leaves 0.5 points up to a perfect AUC, less than the margin: "
        "on these data nothing could have added that much."
    )
    report.levels.loc["mixing", "auc"] = 0.8
    assert "perfect" not in verdict_sentence(report)


def test_the_planted_design_is_the_primary_comparison_on_the_records_that_were_made(done):
    """Its conditions hold what all runs of a side share: neither seed nor split."""
    study = done[0]
    design = _on_planted(study)
    assert [(c.name, c.a, c.b) for c in design.claims] == [("primary", "circuit", "mixing")]
    assert (design.estimand, design.expected_errors, design.degrees) == ("images", {}, None)
    assert list(design.conditions) == ["circuit", "mixing"]
    for settings, head in zip(design.conditions.values(), ("dressed", "mixing"), strict=True):
        of_side = [r.settings for r in study.planted if r.settings["head"] == head]
        assert len(of_side) == PLAN.seeds
        for run in of_side:
            assert {**settings, "seed": run["seed"], "protocol": run["protocol"]} == run
        assert not settings.keys() & {"seed", "protocol"}


def test_a_leak_shows_in_the_controls(done):
    """Shuffled labels that come out above chance are not passed over."""
    report = make_report(done[0], n_resamples=200)
    report.shuffled.loc[:, ["auc", "low", "high"]] = (0.71, 0.66, 0.76)
    assert "NOT CHANCE" in report.text
    report.planted.loc["primary", "verdict"] = "undecided"
    assert "IT WAS NOT SEEN TO SAY" in report.text


# ----------------------------------------------------------------------------- other data

IMAGES = dict(backbone="small_cnn", rates=(0.01,), epochs=1, spec={"n_qubits": 2, "n_layers": 1})


@pytest.fixture
def weights(tmp_path):
    """A file of weights of a small network, as somebody would hand over."""
    import torch

    from hqnn_utils.models import build_backbone

    def of(channels):
        path = tmp_path / f"small{channels}.pt"
        torch.save(build_backbone("small_cnn", channels, None, "frozen").state_dict(), path)
        return str(path)

    return of


def test_breastmnist_with_frozen_features(tmp_path, weights):
    settings = own.OwnSettings(dataset="breastmnist", weights=weights(1), **IMAGES)
    own.keep_plan(PLAN, settings, tmp_path)
    study = own.carry_out(PLAN, settings, tmp_path, load_breastmnist(28, "phantom"))
    report = make_report(study, n_resamples=200)
    assert study.tuning is None
    assert "none: every condition had the rate 0.01" in report.text
    assert report.text.startswith("# PHANTOM")


def test_patients_are_kept_apart_in_folds(tmp_path, weights):
    settings = own.OwnSettings(dataset="breakhis", folds=3, weights=weights(3), **IMAGES)
    own.keep_plan(PLAN, settings, tmp_path)
    data = load_breakhis("phantom", size=16)
    study = own.carry_out(PLAN, settings, tmp_path, data)
    report = make_report(study)
    assert len(study.records) == 5 * 3 * 3
    assert {r.settings["protocol"]["kind"] for r in study.records} == {"by_patient"}
    assert study.design.degrees == 14
    assert "networks trained on other training images too" in report.text
    assert report.leaks.loc["patients", "test examples"] == 0


def test_any_medmnist_file_by_name(tmp_path, weights):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in {"train": 60, "val": 20, "test": 30}.items():
        labels = np.arange(n) % 8
        noise = rng.integers(0, 60, (n, 28, 28, 3))
        arrays[f"{part}_images"] = (noise + 20 * labels[:, None, None, None]).astype(np.uint8)
        arrays[f"{part}_labels"] = labels[:, None].astype(np.uint8)
    path = tmp_path / "bloodmnist.npz"
    np.savez(path, **arrays)
    data = load_medmnist("bloodmnist", source=path, positive=(6, 7))
    settings = own.OwnSettings(
        dataset="bloodmnist", positive=(6, 7), source=str(path), weights=weights(3), **IMAGES
    )
    own.keep_plan(PLAN, settings, tmp_path / "study")
    study = own.carry_out(PLAN, settings, tmp_path / "study")
    assert study.data.digest == data.digest
    assert make_report(study, n_resamples=200).verdict
