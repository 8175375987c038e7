import json
import os

import numpy as np
import pytest

from hqnn_utils.studies import records
from hqnn_utils.studies.families import load_all


def example(**changes):
    base = dict(
        settings={"seed": 0, "lr": np.float32(0.1)},
        data={"digest": "x", "phantom": False},
        scores={"test": {"auc": float("nan")}},
        predictions={
            "test": {"ids": ["test/0"], "labels": np.array([1]), "probabilities": [0.123456789]}
        },
        history=[{"epoch": 1}],
        timing={"seconds": 1.0},
        provenance={"torch": "2"},
    )
    return records.make_record("run-1", **{**base, **changes})


def test_round_trip(tmp_path):
    path = records.save_record(example(), tmp_path / "new" / "folder")
    assert path.name == "run-1.json"
    found = records.load_record(path)
    assert found["predictions"]["test"] == {
        "ids": ["test/0"],
        "labels": [1],
        "probabilities": [0.1234568],
    }
    assert found["scores"]["test"]["auc"] is None, "JSON has no NaN"
    assert found["schema"] == records.SCHEMA
    assert load_all(path.parent) == [found]
    assert [p.name for p in path.parent.iterdir()] == ["run-1.json"], (
        "no temporary file stays behind"
    )


def test_fingerprint_ignores_time_and_machine_only():
    one = records.fingerprint(example())
    assert one == records.fingerprint(example(timing={"seconds": 9.0}, provenance={"torch": "3"}))
    assert one != records.fingerprint(example(settings={"seed": 1}))
    assert one != records.fingerprint(
        example(predictions={"test": {"ids": ["test/0"], "labels": [1], "probabilities": [0.2]}})
    )


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = records.save_record(example(), tmp_path)
    before = path.read_text()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        records.save_record(example(settings={"seed": 5}), tmp_path)
    assert path.read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"schema": 1, "name"', "is damaged"),
        ("[1, 2]", "not a record"),
        ('{"a": 1}', "not a record"),
        (json.dumps({"schema": records.SCHEMA + 1}), "update hqnn_utils"),
        (json.dumps({"schema": 1, "name": "x"}), "lacks"),
    ],
)
def test_bad_files_are_clear(tmp_path, content, message):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(records.RecordError, match=message) as caught:
        records.load_record(path)
    assert "bad.json" in str(caught.value)


def test_missing_file_is_clear(tmp_path):
    with pytest.raises(records.RecordError, match="no record at .*none.json"):
        records.load_record(tmp_path / "none.json")


def test_bad_records_are_refused(tmp_path):
    with pytest.raises(records.RecordError, match="differ in length"):
        example(predictions={"test": {"ids": ["a"], "labels": [1, 0], "probabilities": [0.5, 0.5]}})
    with pytest.raises(records.RecordError, match="record name"):
        records.make_record("a/b", settings={}, data={}, scores={}, predictions={})
    with pytest.raises(records.RecordError, match="cannot hold a set"):
        records.save_record(example(settings={"seed": {1}}), tmp_path)
    with pytest.raises(records.RecordError, match="lacks"):
        records.save_record({"name": "x"}, tmp_path)
