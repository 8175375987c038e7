"""What is packed comes back, shared parts are stored once, damage is named."""

import json

import pytest

from hqnn_utils.studies import families
from hqnn_utils.studies.records import RecordError, fingerprint, make_record, plain, save_record


def record(name, seed=0, digest="d", epochs=2):
    predictions = {
        "test": dict(
            ids=["test/0", "test/1"], labels=[0, 1], probabilities=[0.25, 0.5 + seed / 100]
        )
    }
    history = [dict(epoch=e + 1, loss=0.5, gradient_norm={"head": 0.1}) for e in range(epochs)]
    return make_record(
        name,
        settings={"seed": seed},
        data={"name": "toy", "digest": digest},
        scores={"test": {"auc": 1.0}},
        predictions=predictions,
        history=history,
        timing={"seconds": 1.0},
        provenance={"torch": "2"},
    )


def test_pack_and_unpack_are_inverse(tmp_path):
    before = [record("a"), record("b", 1), record("c", 2, digest="other", epochs=0)]
    path = families.save_family(before, tmp_path / "toy.json")
    after = families.load_family(path)
    assert after == [plain(r) for r in before]
    assert [fingerprint(r) for r in after] == [fingerprint(r) for r in before]
    text = path.read_text()
    assert text.count("test/0") == 1 and text.count("gradient_norm") == 2, (
        "images once, column names once a run"
    )
    assert [line for line in text.splitlines() if line.startswith('"b"')], "one run a line"
    after[0]["predictions"]["test"]["labels"].append(7)
    assert after[1]["predictions"]["test"]["labels"] == [0, 1], "records share no list"


def test_two_of_one_name():
    with pytest.raises(RecordError, match="two records are called 'a'"):
        families.pack([record("a"), record("a")])
    with pytest.raises(RecordError, match="'x' lacks .*'settings'"):
        families.pack([{"name": "x", "data": {}}])


def test_bad_files_are_clear(tmp_path):
    path = tmp_path / "f.json"
    with pytest.raises(RecordError, match="no family of records at .*f.json"):
        families.load_family(path)
    for content in ("{", "[]", '{"schema": 1}', json.dumps(record("a"))):
        path.write_text(content)
        with pytest.raises(RecordError, match="f.json is no family of records, or damaged"):
            families.load_family(path)
    path.write_text('{"schema": 99}')
    with pytest.raises(RecordError, match="schema 99.*update hqnn_utils"):
        families.load_family(path)


def test_single_records_and_families_side_by_side(tmp_path):
    save_record(record("z"), tmp_path)
    families.save_family([record("a"), record("b")], tmp_path / "toy.json")
    assert [r["name"] for r in families.load_all(tmp_path)] == ["a", "b", "z"]
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(RecordError, match="broken.json is damaged"):
        families.load_all(tmp_path)


def test_measured_families_are_found_and_named():
    with pytest.raises(RecordError, match="no measured family 'nothing'; known: "):
        families.measured("nothing")
    for path in families.measured_dir().glob("*.json"):
        assert families.measured(path.stem), path.name
