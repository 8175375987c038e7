"""What is packed comes back, shared parts are stored once, damage is named."""

import json

import pytest

from hqnn_utils.records import Record, RecordError, families, save_record


def record(name, seed=0, digest="d", epochs=2):
    part = dict(ids=["test/0", "test/1"], labels=[0, 1], probabilities=[0.25, 0.5 + seed / 100])
    return Record(
        name,
        settings={"seed": seed},
        data={"name": "toy", "digest": digest},
        scores={"test": {"auc": 1.0}},
        predictions={"test": part, "val": {**part, "ids": ["val/0", "val/1"]}},
        history=[dict(epoch=e + 1, loss=0.5, gradient_norm={"head": 0.1}) for e in range(epochs)],
        timing={"seconds": 1.0},
        provenance={"torch": "2"},
    )


def test_pack_and_unpack_are_inverse(tmp_path):
    before = [record("a"), record("b", 1), record("c", 2, digest="other", epochs=0)]
    before[1].history[1]["more"] = 3
    path = families.save_family(before, tmp_path / "toy.json")
    after = families.load_family(path)
    assert after == before
    text = path.read_text()
    assert text.count("test/0") == 1, "images once"
    assert text.count('"torch"') == 1
    assert [line for line in text.splitlines() if line.startswith('"b"')], "one run a line"
    after[0].predictions["test"]["labels"].append(7)
    after[0].data["name"] = "changed"
    assert after[1].predictions["test"]["labels"] == [0, 1], "records share no list"
    assert after[1].data["name"] == "toy"
    content = json.loads(text)
    assert content["family"] is True
    assert content["schema"] == 1
    assert content["runs"]["a"]["history"]["epoch"] == [1, 2], "column names once a run"
    assert isinstance(content["runs"]["b"]["history"], list), "epochs that are not alike stay rows"
    assert all(len(key) == 10 for key in content["shared"])


def test_two_of_one_name():
    with pytest.raises(
        RecordError,
        match=r"^two records are called 'a': names within a family must differ$",
    ):
        families.pack([record("a"), record("a")])


def test_bad_files_are_clear(tmp_path):
    path = tmp_path / "f.json"
    with pytest.raises(
        RecordError,
        match=r"^no family of records at .*f.json: run the command that makes it, "
        r"or check the name$",
    ):
        families.load_family(path)
    family = families.pack([record("a")])
    lacks = json.loads(json.dumps(family))
    del lacks["runs"]["a"]["scores"]
    for content in ("{", "[]", '{"schema": 1}', json.dumps(record("a").plain()), json.dumps(lacks)):
        path.write_text(content)
        with pytest.raises(
            RecordError,
            match=r"f.json is no family of records, or damaged \(\w+: .*\): "
            r"restore it from git, or delete it$",
        ):
            families.load_family(path)
    path.write_text('{"schema": 2}')
    with pytest.raises(
        RecordError, match=r"f.json has schema 2, this hqnn_utils reads up to 1: update hqnn_utils$"
    ):
        families.load_family(path)


def test_single_records_and_families_side_by_side(tmp_path):
    save_record(record("z"), tmp_path)
    families.save_family([record("a"), record("b")], tmp_path / "toy.json")
    assert [r.name for r in families.load_all(tmp_path)] == ["a", "b", "z"]
    for content in ("{", "[]"):
        (tmp_path / "broken.json").write_text(content)
        with pytest.raises(RecordError, match=r"broken.json is"):
            families.load_all(tmp_path)


def test_measured_families_are_found_and_named(monkeypatch, tmp_path):
    with pytest.raises(
        RecordError, match=r"^no measured family 'nothing'; known: ablations_28px, baselines, "
    ):
        families.measured("nothing")
    monkeypatch.setattr(families, "measured_dir", lambda: tmp_path)
    with pytest.raises(RecordError, match=r"^no measured family 'nothing'; known: none$"):
        families.measured("nothing")
    families.save_family([record("a")], tmp_path / "mine.json")
    assert [r.name for r in families.measured("mine")] == ["a"]


def test_without_a_checkout_the_package_holds_them(monkeypatch):
    here = families.measured_dir()
    assert here.parts[-3:] == ("notebooks", "results", "measured")
    monkeypatch.setattr(families, "__file__", "/nowhere/hqnn_utils/records/families.py")
    installed = families.measured_dir()
    assert installed.name == "measured"
