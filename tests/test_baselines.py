"""One run from settings to record; resumed series; the command for the long ones."""

import numpy as np
import pytest

from hqnn_utils import baselines
from hqnn_utils.data import load_breastmnist
from hqnn_utils.metrics import scores
from hqnn_utils.records import fingerprint, load_records


@pytest.fixture(scope="module")
def data():
    return load_breastmnist(16, "phantom").limit_train(48)


def run(data, folder, **more):
    return baselines.train_and_record("one", data, folder, **{"epochs": 1, "seed": 1, "batch_size": 16, **more})


def test_a_record_holds_settings_and_recomputable_scores(data, tmp_path):
    record = run(data, tmp_path)
    assert record["settings"] | dict(backbone="small_cnn", seed=1, epochs=1, n_train=48, weights=None, head="linear") == record["settings"]
    test = record["predictions"]["test"]
    assert scores(test["labels"], test["probabilities"]) == pytest.approx(record["scores"]["test"], nan_ok=True)
    assert record["data"]["phantom"] is True and record["timing"]["threads"] >= 1 and record["timing"]["cpu_seconds"] > 0
    assert fingerprint(load_records(tmp_path)[0]) == fingerprint(record)


def test_what_is_there_is_not_made_again(data, tmp_path):
    first = run(data, tmp_path)
    assert run(data, tmp_path)["timing"] == load_records(tmp_path)[0]["timing"] == pytest.approx(first["timing"])
    changed = run(data, tmp_path, epochs=2)
    assert len(changed["history"]) == 2, "other settings: made anew"
    assert run(data.limit_train(40), tmp_path, epochs=2)["settings"]["n_train"] == 40, "other data: made anew"


def test_the_same_seed_gives_the_same_record(data, tmp_path):
    a, b = (fingerprint(run(data, tmp_path / k)) for k in "ab")
    assert a == b != fingerprint(run(data, tmp_path / "c", seed=2))


def test_records_of_other_classifiers(data):
    p = {s: np.linspace(0, 1, len(data.part(s))) for s in ("val", "test")}
    record = baselines.prediction_record("majority", data, p, dict(model="ramp", seed=0))
    assert record["scores"]["test"]["auc"] == scores(data.part("test").labels, p["test"])["auc"]
    assert record["predictions"]["test"]["ids"][0] == "test/0"


def test_command_goes_on_where_it_stopped(tmp_path, capsys):
    command = [str(tmp_path), "--source", "phantom", "--size", "16", "--epochs", "1", "--patience", "0", "--threads", "1"]
    baselines.main([*command, "--seeds", "1"])
    stamp = (tmp_path / "small_cnn-16px-scratch-e1-s0.json").stat().st_mtime_ns
    baselines.main([*command, "--seeds", "2"])
    assert sorted(p.name for p in tmp_path.glob("*")) == ["small_cnn-16px-scratch-e1-s0.json", "small_cnn-16px-scratch-e1-s1.json"]
    assert (tmp_path / "small_cnn-16px-scratch-e1-s0.json").stat().st_mtime_ns == stamp
    assert "test AUC" in capsys.readouterr().out
