"""A study of one's own, part by part and without a run: plan, settings, rows, design."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hqnn_utils.data import load_breakhis, make_table
from hqnn_utils.records import plain
from hqnn_utils.runtime.files import StorageError
from hqnn_utils.studies import StudyError, own
from hqnn_utils.studies.designs import Claim
from hqnn_utils.studies.settings import DEFAULTS

PLAN = own.OwnPlan(
    question="Does a circuit add anything here?",
    primary=("circuit", "mixing"),
    others=(("circuit", "linear"), ("matched", "mixing")),
    seeds=5,
    margin=0.03,
    expected_error=0.02,
    if_supported="It adds to its head.",
    if_excluded="It does not add that.",
)
SETTINGS = own.OwnSettings(
    dataset="breakhis",
    source="phantom",
    size=16,
    data_options={"seed": 4},
    folds=3,
    backbone="small_cnn",
    weights="imagenet",
    resize=32,
    head="study_hybrid",
    spec={"n_qubits": 2},
    rates=(0.01, 0.1),
    circuit_rate=4.0,
    epochs=7,
    batch_size=16,
    inner_folds=4,
)
RATES = {"circuit": 0.1, "mixing": 0.01, "linear": 0.01, "matched": 0.1}


@pytest.fixture(scope="module")
def table():
    return make_table(np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2)


# ------------------------------------------------------------------------------- the plan


def test_names_and_pairs_in_their_order():
    assert PLAN.pairs == (("circuit", "mixing"), ("circuit", "linear"), ("matched", "mixing"))
    assert PLAN.names == ["circuit", "mixing", "linear", "matched"]


@pytest.mark.parametrize(
    ("name", "lowest", "highest"), [("margin", 1e-6, 0.499), ("expected_error", 1e-6, 0.499)]
)
def test_the_range_of_a_difference(name, lowest, highest):
    for value in (lowest, highest):
        assert getattr(replace(PLAN, **{name: value}), name) == value
    for value in (0, -0.01, 0.5, 0.51, None, "0.02"):
        with pytest.raises(
            StudyError,
            match=rf"^plan: {name} is .*, expected a difference of AUC above 0 and below 0\.5: "
            r"two points are 0\.02$",
        ):
            replace(PLAN, **{name: value})


def test_a_sentence_has_five_words():
    assert replace(PLAN, question="Does a circuit add anything?").question
    for name in ("question", "if_supported", "if_excluded"):
        with pytest.raises(
            StudyError,
            match=rf"^plan: {name} is 'Four words it has': write a sentence, 5 words or more$",
        ):
            replace(PLAN, **{name: "Four words it has"})


@pytest.mark.parametrize("seeds", [4, 0, "10", 10.0])
def test_the_fewest_seeds(seeds):
    with pytest.raises(
        StudyError,
        match=rf"^plan: {seeds!r} seeds are too few, the judge needs 5 and the course asks for 10: "
        r"set seeds=10$",
    ):
        replace(PLAN, seeds=seeds)
    assert replace(PLAN, seeds=5).seeds == 5


@pytest.mark.parametrize("pair", [("a",), ("a", "b", "c"), ("circuit", "circuit"), "ab"])
def test_what_is_no_comparison(pair):
    with pytest.raises(
        StudyError, match=r"is no comparison: give two names, \('circuit', 'mixing'\)$"
    ):
        replace(PLAN, others=(pair,))


def test_what_is_written_down(tmp_path):
    """One line a version: digest, date, the runs that were there, all that was chosen."""
    folder = tmp_path / "new"
    kept = own.keep_plan(PLAN, SETTINGS, folder)
    (line,) = (folder / "plan.jsonl").read_text().splitlines()
    version = json.loads(line)
    assert kept.versions == (version,)
    assert list(version) == ["digest", "written", "records_there", "content"]
    assert version["records_there"] == 0
    written = datetime.fromisoformat(version["written"])
    assert timedelta(0) <= datetime.now(UTC) - written < timedelta(minutes=5)
    assert written.microsecond == 0
    assert version["content"] == plain({"plan": asdict(PLAN), "settings": asdict(SETTINGS)})
    assert own.need_plan(PLAN, SETTINGS, folder) == kept


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="give another folder, or set HQNN_RESULTS to one of yo"):
        own.keep_plan(PLAN, SETTINGS, tmp_path / "file" / "below")


def version(digest, written, records):
    return {"digest": digest * 64, "written": written, "records_there": records}


def test_a_plan_in_words():
    first, second, third = (
        version("a", "2026-01-01", 0),
        version("b", "2026-01-02", 3),
        version("c", "2026-01-03", 8),
    )
    once = own.Kept((first,))
    assert repr(once) == (
        "plan aaaaaaaaaaaa, written 2026-01-01; the only version, 0 runs were there before it"
    )
    assert not once.was_changed
    thrice = own.Kept((first, second, third))
    assert repr(thrice) == (
        "plan cccccccccccc, written 2026-01-03; version 3, the first is aaaaaaaaaaaa of "
        "2026-01-01; runs that were there at each change: 3, 8"
    )
    assert thrice.digest == "c" * 64
    assert thrice.was_changed


def test_a_missing_plan_and_another_one_are_said(tmp_path):
    with pytest.raises(
        StudyError,
        match=r"^no plan in .*: nothing runs before it is written down\. "
        r"Call keep_plan\(plan, settings, folder\) first$",
    ):
        own.need_plan(PLAN, SETTINGS, tmp_path)
    written = own.keep_plan(PLAN, SETTINGS, tmp_path).versions[0]["written"]
    with pytest.raises(StudyError) as error:
        own.need_plan(replace(PLAN, seeds=9), SETTINGS, tmp_path)
    assert str(error.value) == (
        f"the plan in {tmp_path} is another one ({written}): go back to it, or call keep_plan "
        "again, and the report will say that the plan was changed"
    )


# ------------------------------------------------------------------------------- settings


def test_every_part_of_the_settings_reaches_the_run():
    row = SETTINGS.row("circuit", 3, 0.1, labels="shuffled").stored()
    named = dict(
        dataset="breakhis",
        source="phantom",
        size=16,
        data_options={"seed": 4},
        backbone="small_cnn",
        weights="imagenet",
        resize=32,
        fine_tune="frozen",
        head="study_hybrid",
        spec={"n_qubits": 2},
        lr={"head": 0.1, "circuit": 0.4},
        augment=None,
        epochs=7,
        patience=None,
        batch_size=16,
        seed=3,
        labels="shuffled",
    )
    assert row == plain({**DEFAULTS, **named})
    assert SETTINGS.row("mixing", 0).lr == {"head": 0.01, "circuit": 0.04}, "the first of the rates"
    assert own.OwnSettings().row("circuit", 0).fine_tune == "full", "a table has no backbone"


def test_settings_that_all_differ_from_the_defaults_have_names_that_files_can_have():
    """Every run of a study has one of its own, the shuffled one of the longest condition too."""
    settings = own.OwnSettings(
        dataset="bloodmnist",
        positive=(6, 7),
        folds=5,
        backbone="efficientnet_lite0",
        weights="imagenet",
        resize=224,
        head="study_hybrid",
        spec={"n_qubits": 6, "n_layers": 4, "encoding": "iqp"},
    )
    names = {
        settings.row("unentangled", seed, protocol=protocol, labels=labels).name
        for seed in range(2)
        for labels in ("true", "shuffled")
        for protocol in settings.protocols(seed, None)
    }
    assert len(names) == 2 * 2 * 5
    assert max(map(len, names)) == 211
    assert {name[:29] for name in names} == {"efficientnet_lite0-28px-study"}


@pytest.mark.parametrize(
    ("condition", "head", "spec"),
    [
        ("circuit", "study_hybrid", {"n_qubits": 2}),
        ("mixing", "study_mixing", {"n_qubits": 2}),
        ("matched", "study_matched", {"n_qubits": 2}),
        ("untrained", "study_frozen", {"n_qubits": 2}),
        ("unentangled", "study_hybrid", {"n_qubits": 2, "entangler": "none"}),
        ("linear", "linear", {}),
    ],
)
def test_the_head_of_each_condition(condition, head, spec):
    row = SETTINGS.row(condition, 0)
    assert (row.head, row.spec) == (head, spec)


def test_the_largest_circuit_and_the_fewest_folds():
    assert own.OwnSettings(spec={"n_qubits": 10}).circuit.n_qubits == 10
    with pytest.raises(
        StudyError,
        match=r"^settings: a circuit of 11 qubits has a state of 2,048 numbers and does not train "
        r"in seconds: set n_qubits to 10 or fewer in spec$",
    ):
        own.OwnSettings(spec={"n_qubits": 11})
    assert own.OwnSettings(folds=3).estimand == "training sets"
    assert own.OwnSettings().estimand == "images"
    with pytest.raises(StudyError, match=r"^settings: folds is 2: set 0, or 3 or more$"):
        own.OwnSettings(folds=2)
    with pytest.raises(StudyError, match=r"^settings: rates is empty: name one learning rate or m"):
        own.OwnSettings(rates=())


def test_a_flat_medmnist_set_says_its_labels_and_an_unknown_one_what_is_known():
    with pytest.raises(StudyError) as error:
        own.OwnSettings(dataset="pathmnist")
    text = str(error.value)
    assert text.startswith(
        "settings: dataset 'pathmnist' needs positive=, the label that counts as 1; its labels: "
        "0 adipose, 1 background, 2 debris, "
    )
    row = own.OwnSettings(
        dataset="pathmnist", positive=8, data_options={"class_names": ("a", "b")}
    ).row("linear", 0)
    assert row.dataset == "medmnist"
    assert row.data_options == {"flag": "pathmnist", "positive": 8, "class_names": ("a", "b")}
    with pytest.raises(StudyError) as error:
        own.OwnSettings(dataset="cats")
    known = str(error.value).removeprefix("settings: unknown dataset 'cats'; known: ").split(", ")
    assert known == sorted(known)
    assert {"breakhis", "wisconsin", "pathmnist"} <= set(known)
    assert "medmnist" not in known


def test_patients_are_kept_apart_where_they_are_known(table):
    folds = [{"kind": "cross_validation", "folds": 3, "fold": fold, "seed": 9} for fold in range(3)]
    assert SETTINGS.protocols(9, table) == folds
    patients = load_breakhis("phantom", size=16)
    assert SETTINGS.protocols(9, patients) == [{**fold, "kind": "by_patient"} for fold in folds]
    assert replace(SETTINGS, folds=0).protocols(9, table) == [{"kind": "official"}]


# ----------------------------------------------------------------------------------- rows


def test_every_rate_of_every_condition_on_every_inner_fold():
    rows = own._tuning_rows(PLAN, SETTINGS)
    inner = [{"kind": "inner", "folds": 4, "fold": fold, "seed": 0} for fold in range(4)]
    wanted = [
        SETTINGS.row(name, 0, rate, protocol=protocol)
        for name in PLAN.names
        for rate in (0.01, 0.1)
        for protocol in inner
    ]
    assert rows == wanted
    assert len(rows) == 4 * 2 * 4


def test_every_condition_runs_with_its_own_rate(table):
    some = replace(SETTINGS, resize=None, data_options={})
    rows = own._rows(PLAN.names, PLAN, some, table, RATES, labels="shuffled")
    assert len(rows) == 5 * 4 * 3
    assert rows == [
        some.row(name, seed, RATES[name], protocol=protocol, labels="shuffled")
        for seed in range(5)
        for name in PLAN.names
        for protocol in SETTINGS.protocols(seed, table)
    ]


def test_the_rate_that_was_chosen_is_that_of_the_head():
    best = {
        own.head_and_circuit(SETTINGS.row(name, 0).stored()): {"lr": {"head": rate, "circuit": 9.0}}
        for name, rate in RATES.items()
    }
    assert {name: own._best_rate(SETTINGS, name, best) for name in RATES} == RATES


def test_the_rows_with_labels_of_a_circuit():
    """A table on the split of the data, both sides of the primary comparison, more epochs."""
    rows = own._planted_rows(PLAN, SETTINGS, RATES)
    assert [(row.seed, row.head) for row in rows] == [
        (seed, head) for seed in range(5) for head in ("study_hybrid", "study_mixing")
    ]
    for row in rows:
        assert (row.dataset, row.data_options, row.protocol) == (
            "planted",
            {},
            {"kind": "official"},
        )
        assert (row.backbone, row.weights, row.resize, row.fine_tune) == (
            "none",
            None,
            None,
            "full",
        )
        assert row.epochs == 21
        assert row.batch_size == 16
    assert [row.lr["head"] for row in rows[:2]] == [0.1, 0.01]


def test_the_design_is_the_plan(table):
    design = own._design(PLAN, SETTINGS, table, RATES)
    assert (design.family, design.about) == ("own", PLAN.question)
    assert (design.estimand, design.degrees) == ("training sets", 5 * 3 - 1)
    words = own.CONDITIONS
    assert design.claims == tuple(
        Claim(name, a, b, f"{words[a]}, against {words[b]}")
        for name, (a, b) in zip(("primary", "other 1", "other 2"), PLAN.pairs, strict=True)
    )
    assert design.others == ()
    assert design.expected_errors == {"primary": 0.02, "other 1": 0.02, "other 2": 0.02}
    assert list(design.conditions) == PLAN.names
    for name, settings in design.conditions.items():
        stored = SETTINGS.row(name, 0, RATES[name]).stored()
        del stored["seed"], stored["protocol"]
        assert settings == {**stored, "source": table.source, "size": table.size}
    official = own._design(PLAN, replace(SETTINGS, folds=0), table, RATES)
    assert (official.estimand, official.degrees) == ("images", None)


def test_images_and_tables_are_told_apart(table):
    images = load_breakhis("phantom", size=16)
    own._check_kind(SETTINGS, images)
    own._check_kind(own.OwnSettings(), table)
    with pytest.raises(StudyError) as error:
        own._check_kind(SETTINGS, table)
    assert str(error.value) == (
        f"settings: {table.name} is a table of features: set backbone='none'"
    )
    for settings in (own.OwnSettings(), replace(SETTINGS, weights=None)):
        with pytest.raises(StudyError) as error:
            own._check_kind(settings, images)
        assert str(error.value) == (
            f"settings: {images.name} holds images, whose frozen features are used: set "
            "backbone='efficientnet_lite0' and weights='imagenet'"
        )
