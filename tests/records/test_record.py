"""A record goes to JSON and comes back; what is damaged or foreign is named."""

import json
import os
import re

import numpy as np
import pytest

from hqnn_utils.records import Record, RecordError, load_all, plain, save_record
from hqnn_utils.records import record as records


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
    return Record("run-1", **{**base, **changes})


def test_round_trip(tmp_path):
    path = save_record(example(), tmp_path / "new" / "folder")
    assert path.name == "run-1.json"
    found = records.load_record(path)
    assert found.predictions["test"] == {
        "ids": ["test/0"],
        "labels": [1],
        "probabilities": [0.1234568],
    }
    assert found.scores["test"]["auc"] is None, "JSON has no NaN"
    assert found.schema == records.SCHEMA == 1
    assert found.history == [{"epoch": 1}]
    assert found.timing == {"seconds": 1.0}
    assert found.provenance == {"torch": "2"}
    assert load_all(path.parent) == [found]
    assert [p.name for p in path.parent.iterdir()] == ["run-1.json"], "no temporary file stays"
    assert save_record(found, tmp_path / "again").read_text() == path.read_text()


def test_parts_may_be_left_out(tmp_path):
    short = Record("a", settings={}, data={}, scores={}, predictions={})
    found = records.load_record(save_record(short, tmp_path))
    assert (found.history, found.timing, found.provenance) == ([], {}, {})
    content = found.plain()
    for part in ("history", "timing", "provenance"):
        del content[part]
    assert Record.from_dict(content) == found


def test_the_file_is_short_and_sorted(tmp_path):
    text = save_record(example(), tmp_path).read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert '"probabilities": [ 0.1234568 ]' in text, "a list on one line"
    keys = list(json.loads(text))
    assert keys == sorted(keys)
    assert oct((tmp_path / "run-1.json").stat().st_mode)[-3:] == "644"


def test_fingerprint_ignores_time_and_machine_only():
    one = example().fingerprint()
    assert one == example(timing={"seconds": 9.0}, provenance={"torch": "3"}).fingerprint()
    changes = [
        dict(settings={"seed": 1}),
        dict(data={"digest": "y"}),
        dict(scores={}),
        dict(history=[]),
        dict(predictions={}),
    ]
    assert len({one, *[example(**c).fingerprint() for c in changes]}) == 6


def test_plain_values():
    torch_like = np.array([[1, 2]], np.int64)
    assert plain((torch_like, np.float32(0.1), np.bool_(True))) == [[[1, 2]], 0.1, True]
    assert plain({1: None, "a": (1.23456789, "x")}) == {"1": None, "a": [1.234568, "x"]}
    assert plain([float("nan"), float("inf"), -float("inf")]) == [None, None, None]
    with pytest.raises(RecordError, match=r"^a record cannot hold a set: \{1\}$"):
        plain({"a": {1}})


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = save_record(example(), tmp_path)
    before = path.read_text()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_record(example(settings={"seed": 5}), tmp_path)
    assert path.read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_what_json_cannot_hold_leaves_no_file(tmp_path):
    with pytest.raises(RecordError, match="cannot hold a set"):
        save_record(example(settings={"seed": {1}}), tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": 1, "name"', r"record .*bad.json is damaged \(.*\): delete it and run its"),
        ("[1, 2]", r"bad.json is JSON but not a record \(no 'schema'\): delete it or move it"),
        ('{"a": 1}', "not a record"),
        ('{"schema": "1"}', "has schema 1, this hqnn_utils reads up to 1: update hqnn_utils"),
        (json.dumps({"schema": 2}), "bad.json has schema 2, this .* update hqnn_utils"),
        (
            json.dumps({"schema": 1, "name": "x"}),
            r"bad.json is damaged \(lacks \['data', 'predictions', 'scores', 'settings'\]\)",
        ),
    ],
)
def test_bad_files_are_clear(tmp_path, content, message):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(RecordError, match=message):
        records.load_record(path)


def test_a_record_of_another_form_is_damaged(tmp_path):
    path = save_record(example(), tmp_path)
    content = json.loads(path.read_text())
    for change in ({"extra": 1}, {"predictions": {"test": {"ids": []}}}, {"predictions": []}):
        path.write_text(json.dumps(content | change))
        with pytest.raises(RecordError, match=r"is damaged \(.*(is no record|must be a dict)"):
            records.load_record(path)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RecordError, match="is damaged"):
        records.load_record(tmp_path / "bad.json")


def test_missing_file_is_clear(tmp_path):
    with pytest.raises(
        RecordError,
        match=r"^no record at .*none.json: run the notebook that makes it, or check the name$",
    ):
        records.load_record(tmp_path / "none.json")


@pytest.mark.parametrize("name", ["a/b", "", "a b", "ä ö"])
def test_names(name):
    with pytest.raises(
        RecordError,
        match=r"^record name .* may hold letters, digits, '-', '_' and '\.' only$",
    ):
        Record(name, settings={}, data={}, scores={}, predictions={})


def test_lists_of_unequal_length_are_refused():
    bad = {"test": {"ids": ["a"], "labels": [1, 0], "probabilities": [0.5, 0.5]}}
    with pytest.raises(
        RecordError,
        match=r"^record 'run-1': predictions of 'test' differ in length: "
        r"\{'ids': 1, 'labels': 2, 'probabilities': 2\}$",
    ):
        example(predictions=bad)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("aux.1", "record name 'aux.1' is that of a device on Windows: choose another"),
        (
            ".hidden",
            "record name '.hidden'... must not begin with '.' and have "
            f"{records.LONGEST} bytes at most, it has 7: give the setting a name of its own",
        ),
        (
            "n" * (records.LONGEST + 1),
            f"record name '{'n' * 40}'... must not begin with '.' and have {records.LONGEST} bytes "
            f"at most, it has {records.LONGEST + 1}: give the setting a name of its own",
        ),
    ],
)
def test_names_that_a_file_system_would_refuse(name, message):
    with pytest.raises(RecordError, match=f"^{re.escape(message)}$"):
        records.check_name(name)
    records.check_name("n" * records.LONGEST)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (dict(ids=[["a"], "b"]), "names of images that are lists or dicts"),
        (dict(ids=["a", "a"]), "an image twice"),
        (dict(labels=[0, 2]), "labels other than 0 and 1"),
        (
            dict(probabilities=[0.5, None]),
            "probabilities that are missing or not between 0 and 1",
        ),
        (dict(probabilities=[0.5, 1.1]), "probabilities that are missing or not between 0 and 1"),
    ],
)
def test_predictions_that_can_be_none_are_refused(change, wrong):
    part = dict(ids=["a", "b"], labels=[0, 1], probabilities=[0, 1])
    assert example(predictions={"test": part}).predictions["test"] == part
    message = f"record 'run-1': predictions of 'test' hold {wrong}"
    with pytest.raises(RecordError, match=f"^{re.escape(message)}$"):
        example(predictions={"test": {**part, **change}})


def test_a_record_that_was_changed_by_hand_is_noticed(tmp_path):
    path = save_record(example(), tmp_path)
    path.write_text(path.read_text().replace('"epoch": 1', '"epoch": 2'))
    with pytest.raises(RecordError, match=r"is damaged \(its digest does not fit: it was changed"):
        records.load_record(path)


def test_a_folder_is_no_record(tmp_path):
    (tmp_path / "run-1.json").mkdir()
    with pytest.raises(
        RecordError, match=r"^record .*run-1.json cannot be read \(.*[Ii]s a directory.*\)$"
    ):
        records.load_record(tmp_path / "run-1.json")
