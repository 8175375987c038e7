"""Skip, continue, list what failed, and the same records from one process, from two, and from a cluster."""

import json
import os
import signal

import numpy as np
import pytest
import torch

from hqnn_utils.data.images import load_breastmnist
from hqnn_utils.evaluation.metrics import scores
from hqnn_utils.studies import run as study
from hqnn_utils.studies.families import load_all
from hqnn_utils.studies.records import RecordError, fingerprint
from hqnn_utils.studies.run import run_study
from hqnn_utils.studies.settings import DEFAULTS, StudyError, complete, grid

QUICK = dict(epochs=1, max_train=32, source="phantom", size=16)
TABLE = grid(head=["linear", "dressed"], seed=range(2), **QUICK)


def prints(done):
    return [fingerprint(r) for r in done.records]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    return folder, run_study(TABLE, folder, threads=1, progress=False)


def test_grid_and_names():
    assert [(s["head"], s["seed"]) for s in TABLE] == [
        ("linear", 0),
        ("linear", 1),
        ("dressed", 0),
        ("dressed", 1),
    ]
    assert complete({})["name"] == "small_cnn-28px-linear-s0"
    assert {**complete({})} == {
        **DEFAULTS,
        "name": "small_cnn-28px-linear-s0",
    }
    name = complete(
        dict(head="dressed", spec=dict(n_qubits=6), protocol=dict(kind="grouped", seed=3), seed=2)
    )["name"]
    assert name == "small_cnn-28px-dressed-grouped-seed3-n_qubits6-s2"


def test_a_study_makes_records_and_then_skips_them(local):
    folder, done = local
    assert len(done.records) == 4
    assert not done.failures
    assert done.skipped == 0
    assert "4 records (0 were there already), 0 failures" in repr(done)
    first = done.records[2]
    assert first["settings"]["head"] == "dressed"
    assert first["scores"]["fit"]["n_train"] == 32
    assert len(first["predictions"]["test"]["ids"]) == 156
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    again = run_study(TABLE, folder, threads=1, progress=False)
    assert again.skipped == 4
    assert prints(again) == prints(done)
    assert before == {p: p.stat().st_mtime_ns for p in folder.iterdir()}


def test_two_processes_give_the_same_records(local, tmp_path):
    done = run_study(TABLE, tmp_path, workers=2, threads=1, progress=False)
    assert not done.failures
    assert prints(done) == prints(local[1])


def test_a_cluster_gives_the_same_records(local, tmp_path):
    """A real scheduler and two real worker processes, through joblib's Dask backend."""
    distributed = pytest.importorskip(
        "dask.distributed", reason='needs pip install "hqnn_utils[cluster]"'
    )
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        pids = set(distributed.get_client().run(os.getpid).values())
        done = run_study(TABLE, tmp_path, backend="dask", threads=1, progress=False)
        assert not done.failures
        assert prints(done) == prints(local[1])
        assert len(pids) == 2
        assert os.getpid() not in pids


def test_no_cluster_is_clear(tmp_path):
    pytest.importorskip("dask.distributed", reason='needs pip install "hqnn_utils[cluster]"')
    with pytest.raises(StudyError, match="finds no cluster: make a dask.distributed.Client first"):
        run_study(TABLE, tmp_path, backend="dask", progress=False)


def test_a_failed_run_is_listed_and_stops_no_other(tmp_path):
    bad = dict(QUICK, head="linear", seed=0, lr=1e9, epochs=3, name="explodes")
    done = run_study([bad, *TABLE[:1]], tmp_path, threads=1, progress=False)
    assert [r["name"] for r in done.records] == [complete(TABLE[0])["name"]]
    assert [f["name"] for f in done.failures] == ["explodes"]
    assert "TrainingError" in done.failures[0]["error"]
    assert "FAILED explodes" in repr(done)
    assert done.failures[0]["where"].startswith("loop.py:")
    assert not (tmp_path / "explodes.json").exists(), "it is tried again next time"


def _deadly(full, data, threads, checkpoint, progress):
    if full["name"] == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return _original(full, data, threads, checkpoint, progress)


_original = study._task


def test_a_worker_that_dies_takes_one_run_with_it(tmp_path, monkeypatch, local):
    monkeypatch.setattr(study, "_task", _deadly)
    table = [*TABLE[:2], dict(QUICK, name="deadly"), *TABLE[2:]]
    done = run_study(table, tmp_path, workers=2, threads=1, progress=False)
    assert [f["name"] for f in done.failures] == ["deadly"]
    assert "its worker process died" in done.failures[0]["error"]
    assert prints(done) == prints(local[1])


def test_interrupt_keeps_what_is_there_and_goes_on(tmp_path, monkeypatch, capsys, local):
    calls = []

    def stops(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return _original(*arguments)

    monkeypatch.setattr(study, "_task", stops)
    with pytest.raises(KeyboardInterrupt):
        run_study(TABLE, tmp_path, threads=1, family="heads")
    assert "run the same call again to go on" in capsys.readouterr().out
    monkeypatch.undo()
    done = run_study(TABLE, tmp_path, threads=1, family="heads", progress=False)
    assert done.skipped == 2
    assert [p.name for p in tmp_path.iterdir()] == ["heads.json"]
    assert [r["scores"] for r in done.records] == json.loads(
        json.dumps([r["scores"] for r in done.records])
    )
    assert prints(done) == prints(local[1])


def test_a_run_cut_short_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    """The first call dies in epoch 2, the second ends with the record of an uninterrupted run."""
    table = [dict(QUICK, epochs=3)]
    whole = run_study(table, tmp_path / "a", threads=1, progress=False)
    saves, original = [], study.fit.__globals__["_save"]

    def dies(*arguments):
        original(*arguments)
        saves.append(1)
        if len(saves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setitem(study.fit.__globals__, "_save", dies)
    with pytest.raises(KeyboardInterrupt):
        run_study(table, tmp_path / "b", threads=1, checkpoints=True, progress=False)
    monkeypatch.undo()
    seen = []
    monkeypatch.setitem(study.fit.__globals__, "_save", lambda *a: (seen.append(1), original(*a)))
    resumed = run_study(table, tmp_path / "b", threads=1, checkpoints=True, progress=False)
    assert len(seen) == 1
    assert prints(resumed) == prints(whole)
    assert not list((tmp_path / "b" / "checkpoints").iterdir())


def test_frozen_backbone_trains_a_head_on_cached_features(tmp_path, monkeypatch):
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path / "cache"))
    table = grid(
        fine_tune="frozen",
        augment=None,
        head=["linear", "dressed"],
        seed=0,
        **{**QUICK, "epochs": 3},
    )
    done = run_study(table, tmp_path / "out", progress=False)
    assert not done.failures and len(list((tmp_path / "cache").iterdir())) == 1, (
        "one backbone, run once for both heads"
    )
    assert done.records[0]["scores"]["fit"]["parameters"] == 2 * 64 + 2
    refused = run_study(
        [{**table[0], "augment": "flip", "name": "x"}], tmp_path / "out", progress=False
    )
    assert "set augment=None" in refused.failures[0]["error"]


def test_test_flips_average_two_views(tmp_path):
    plainly, both = run_study(
        [dict(QUICK), dict(QUICK, test_flips=True)], tmp_path, progress=False
    ).records
    a, b = (r["predictions"]["test"]["probabilities"] for r in (plainly, both))
    assert a != b
    assert plainly["history"] == both["history"]


@pytest.mark.parametrize(
    "setting, message",
    [
        (dict(heads="linear"), "unknown key in a setting 'heads'; known: name, source"),
        (dict(head="qnn"), "unknown head 'qnn'; known: linear"),
        (dict(spec=dict(n_qubits=0)), "n_qubits must be a whole number of at least 1"),
        (dict(spec=dict(qubits=2)), "unexpected keyword argument 'qubits'"),
        (dict(labels="wrong"), "unknown labels 'wrong'; known: true, shuffled"),
        (dict(protocol=dict(kind="leaky")), "unknown protocol 'leaky'; known: official"),
        (
            dict(protocol=dict(kind="grouped", folds=3)),
            "unknown option of protocol 'grouped' 'folds'; known: seed, threshold",
        ),
        (dict(head="dressed", backbone="vgg"), "unknown backbone 'vgg'; known: small_cnn"),
    ],
)
def test_bad_settings_are_named_before_anything_runs(tmp_path, setting, message):
    with pytest.raises(StudyError, match=message):
        run_study([dict(QUICK), {**QUICK, **setting, "seed": 5}], tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_two_settings_of_one_name(tmp_path):
    with pytest.raises(StudyError, match="two settings have the record name 'same'"):
        run_study(
            [dict(QUICK, name="same"), dict(QUICK, name="same", seed=1)], tmp_path, progress=False
        )


def test_a_record_of_other_data_or_settings_is_refused(tmp_path):
    table = [dict(QUICK, name="one")]
    run_study(table, tmp_path, progress=False)
    kept = (tmp_path / "one.json").read_bytes()
    other = load_breastmnist(16, "phantom", seed=1)
    with pytest.raises(
        StudyError,
        match="record 'one' was made with other data .*phantom-seed0.*choose another folder, or delete it",
    ):
        run_study(table, tmp_path, data=other, progress=False)
    with pytest.raises(
        StudyError, match="record 'one' was made with other settings .epochs: 1 there, 2 now"
    ):
        run_study([dict(QUICK, name="one", epochs=2)], tmp_path, progress=False)
    assert (tmp_path / "one.json").read_bytes() == kept
    (tmp_path / "one.json").write_text("{")
    with pytest.raises(RecordError, match="one.json is damaged"):
        run_study(table, tmp_path, progress=False)


def test_threads_are_put_back(tmp_path):
    before = torch.get_num_threads()
    run_study([dict(QUICK)], tmp_path, threads=1, progress=False)
    assert torch.get_num_threads() == before


@pytest.fixture(scope="module")
def data():
    return load_breastmnist(16, "phantom").limit_train(48)


def run(data, folder, **more):
    return study.train_and_record(
        "one", data, folder, **{"epochs": 1, "seed": 1, "batch_size": 16, **more}
    )


def test_a_record_holds_settings_and_recomputable_scores(data, tmp_path):
    record = run(data, tmp_path)
    assert (
        record["settings"]
        | dict(backbone="small_cnn", seed=1, epochs=1, source="phantom", size=16, head="linear")
        == record["settings"]
    )
    test = record["predictions"]["test"]
    assert scores(test["labels"], test["probabilities"]) == pytest.approx(
        record["scores"]["test"], nan_ok=True
    )
    assert record["data"]["phantom"] is True
    assert record["timing"]["threads"] >= 1
    assert record["timing"]["cpu_seconds"] > 0
    assert fingerprint(load_all(tmp_path)[0]) == fingerprint(record)


def test_what_is_there_is_not_made_again(data, tmp_path):
    first = run(data, tmp_path)
    assert (
        run(data, tmp_path)["timing"]
        == load_all(tmp_path)[0]["timing"]
        == pytest.approx(first["timing"])
    )
    changed, other = (
        run(data, tmp_path, epochs=2),
        load_breastmnist(16, "phantom", seed=1).limit_train(48),
    )
    assert len(changed["history"]) == 2, "other settings: made anew"
    assert run(other, tmp_path, epochs=2)["data"]["digest"] == other.digest, "other data: made anew"


def test_the_same_seed_gives_the_same_record(data, tmp_path):
    a, b = (fingerprint(run(data, tmp_path / k)) for k in "ab")
    assert a == b != fingerprint(run(data, tmp_path / "c", seed=2))


def test_records_of_other_classifiers(data):
    p = {s: np.linspace(0, 1, len(data.part(s))) for s in ("val", "test")}
    record = study.prediction_record("majority", data, p, dict(model="ramp", seed=0))
    assert record["scores"]["test"]["auc"] == scores(data.part("test").labels, p["test"])["auc"]
    assert record["predictions"]["test"]["ids"][0] == "test/0"
