"""What is packed comes back, shared parts are stored once, damage is named."""

import errno
import io
import json

import pytest

from hqnn_utils.records import Record, RecordError, families, save_record
from hqnn_utils.runtime.files import StorageError


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
        with pytest.raises(RecordError, match=r"(record .*broken.json is damaged|not a record)"):
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


# ---------------------------------------------------------------- records that come one by one


def names(path):
    return [one.name for one in families.load_family(path)]


def test_records_are_appended_and_folded(tmp_path):
    """A line each, in a second file, until they are brought into the family."""
    path = families.save_family([record("a")], tmp_path / "toy.json")
    families.append_record(record("b", 1), path)
    families.append_record(record("c", 2), path)
    journal = families.appended(path)
    assert journal == tmp_path / "toy.json.new"
    assert len(journal.read_bytes().splitlines()) == 2
    assert names(path) == ["a", "b", "c"]
    families.fold(path)
    assert not journal.exists()
    assert families.load_family(path) == [record("a"), record("b", 1), record("c", 2)]
    before = path.read_bytes()
    families.fold(path)
    assert path.read_bytes() == before, "nothing to bring in"


def test_a_family_may_consist_of_what_was_appended(tmp_path, monkeypatch):
    path = tmp_path / "young.json"
    families.append_record(record("a"), path)
    assert names(path) == ["a"]
    assert [one.name for one in families.load_all(tmp_path)] == ["a"]
    monkeypatch.setattr(families, "measured_dir", lambda: tmp_path)
    assert [one.name for one in families.measured("young")] == ["a"]
    families.fold(path)
    assert names(path) == ["a"]


def test_half_a_line_is_cut_away(tmp_path):
    """A process was killed while it wrote; its record was not kept, the others are."""
    path = tmp_path / "toy.json"
    families.append_record(record("a"), path)
    families.append_record(record("b"), path)
    with open(families.appended(path), "ab") as stream:
        stream.write(b'{"name": "half')
    assert names(path) == ["a", "b"]
    families.append_record(record("c"), path)
    assert names(path) == ["a", "b", "c"]
    assert len(families.appended(path).read_bytes().splitlines()) == 3


class Counted(io.BytesIO):
    """A file that counts the bytes that were read of it."""

    bytes_read = 0

    def read(self, size=-1):
        found = super().read(size)
        self.bytes_read += len(found)
        return found


@pytest.mark.parametrize(
    ("there", "kept", "looked_at"),
    [
        (b"", b"", 0),
        (b"a\nb\n", b"a\nb\n", 1),
        (b"a\n", b"a\n", 1),
        (b"\n", b"\n", 1),
        (b"a\nb\nhal", b"a\nb\n", 8),
        (b"hal", b"", 4),
    ],
)
def test_a_whole_file_is_read_only_where_its_end_is_torn(there, kept, looked_at):
    """To append costs the same for the first record and the thousandth."""
    stream = Counted(there)
    families._cut_torn_line(stream)
    assert stream.getvalue() == kept
    assert stream.tell() == len(kept), "the next line goes behind the last"
    assert stream.bytes_read == looked_at


def test_a_damaged_line_is_named_by_its_number(tmp_path):
    path = tmp_path / "toy.json"
    families.append_record(record("a"), path)
    with open(families.appended(path), "ab") as stream:
        stream.write(b"no record\n")
    with pytest.raises(
        RecordError,
        match=r"^line 2 of .*toy.json.new is damaged \(.+\): remove it and run the study again$",
    ):
        families.load_family(path)


def test_of_two_records_of_one_name_the_later_counts(tmp_path):
    """If both are of the same settings and data; else two studies wrote under one name."""
    path = families.save_family([record("a", epochs=1), record("b")], tmp_path / "toy.json")
    families.append_record(record("a", epochs=3), path)
    found = families.load_family(path)
    assert [one.name for one in found] == ["a", "b"]
    assert len(found[0].history) == 3
    for other in (record("b", seed=1), record("b", digest="other")):
        lines = families.appended(path).read_bytes()
        families.append_record(other, path)
        with pytest.raises(
            RecordError,
            match=r"^record 'b' of .*toy.json is there twice, with other settings or data: "
            r"two studies wrote under one name. Remove its line from toy.json.new$",
        ):
            families.load_family(path)
        families.appended(path).write_bytes(lines)


def test_a_record_takes_the_place_of_one_of_other_settings(tmp_path):
    path = families.save_family([record("a"), record("b")], tmp_path / "toy.json")
    families.append_record(record("c"), path)
    families.replace_record(record("a", seed=5), str(path))
    assert not families.appended(path).exists()
    found = {one.name: one for one in families.load_family(path)}
    assert set(found) == {"a", "b", "c"}
    assert found["a"] == record("a", seed=5)
    families.replace_record(record("b", seed=6), path)
    assert {one.name: one.settings["seed"] for one in families.load_family(path)} == {
        "a": 5,
        "b": 6,
        "c": 0,
    }


def test_a_follower_reads_what_was_added_and_not_all_again(tmp_path, monkeypatch):
    path = tmp_path / "toy.json"
    follower = families.Follower(str(path))
    assert follower.look() == {}
    families.append_record(record("a"), path)
    assert list(follower.look()) == ["a"]
    whole = []
    load = families.load_family
    monkeypatch.setattr(families, "load_family", lambda given: whole.append(given) or load(given))
    follower.look()  # what the second file held is read once more
    families.append_record(record("b"), path)
    with open(families.appended(path), "ab") as stream:
        stream.write(b'{"name": "half')
    assert list(follower.look()) == ["a", "b"]
    families.append_record(record("c"), path)
    assert list(follower.look()) == ["a", "b", "c"]
    assert whole == [], "line by line"
    assert follower.look() is follower.records
    families.fold(path)
    whole.clear()
    assert set(follower.look()) == {"a", "b", "c"}
    assert whole == [path], "another file now"
    families.save_family([record("d")], path)
    assert list(follower.look()) == ["d"]


def test_a_follower_reads_each_line_once(tmp_path):
    """Also where several records have come since its last look, and behind them half of one."""
    path = tmp_path / "toy.json"
    follower, journal = families.Follower(path), families.appended(path)
    families.append_record(record("a"), path)
    follower.look()
    follower.look()
    assert follower._read == journal.stat().st_size
    for name in ("b", "c", "d"):
        families.append_record(record(name), path)
    whole = journal.stat().st_size
    with open(journal, "ab") as stream:
        stream.write(b'{"name": "half')
    assert list(follower.look()) == ["a", "b", "c", "d"]
    assert follower._read == whole, "the half line is read again when it is whole"
    families.append_record(record("e"), path)
    assert list(follower.look()) == ["a", "b", "c", "d", "e"]
    assert follower._read == journal.stat().st_size


def test_what_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "toy.json"
    families.appended(path).mkdir()
    with pytest.raises(
        RecordError, match=r"^.*toy.json.new cannot be read \(.*[Ii]s a directory.*\)$"
    ):
        families.load_family(path)
    families.appended(path).rmdir()
    path.mkdir()
    with pytest.raises(RecordError, match=r"^.*toy.json cannot be read \(.*[Ii]s a directory.*\)$"):
        families.load_family(path)


def test_a_family_that_was_changed_by_hand_is_noticed(tmp_path):
    path = families.save_family([record("a")], tmp_path / "toy.json")
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RecordError, match=r"\(RecordError: its digest does not fit: it was"):
        families.load_family(path)
    family = families.pack([record("a")])
    path.write_text(json.dumps({**family, "more": 1, "another": 2}))
    with pytest.raises(RecordError, match=r"\(RecordError: unknown parts .'another', 'more'.\)"):
        families.load_family(path)


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(families.os, "fsync", full)
    with pytest.raises(
        StorageError, match=r"toy.json.* cannot be written \(the disk is full, .*\): choose another"
    ):
        families.append_record(record("a"), tmp_path / "toy.json")
