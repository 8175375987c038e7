"""What was written is checked when it is read: a flipped bit is an error or made anew."""

import json
import os
import re
import tarfile

import numpy as np
import pytest
import torch
from fault_toys import flip, share_of_flips_noticed
from PIL import Image

from hqnn_utils.data import archive, load_breakhis
from hqnn_utils.data.breakhis_names import parse_name
from hqnn_utils.data.breakhis_pixels import Resizing, _key, resized_images
from hqnn_utils.models import features
from hqnn_utils.records import (
    Record,
    RecordError,
    load_family,
    load_record,
    measured_dir,
    save_family,
    save_record,
)
from hqnn_utils.runtime import DataError
from hqnn_utils.runtime.files import SealError, read_sealed, write_sealed
from hqnn_utils.training import TrainingError
from hqnn_utils.training.checkpoint import load_checkpoint, save_checkpoint

BELONGS = {"lr": 0.1}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"settings": BELONGS, "model": torch.arange(300.0)})
    return path


@pytest.mark.parametrize("share", np.linspace(0, 0.999, 25).round(3))
def test_flipped_bit_in_a_checkpoint(checkpoint, share):
    flip(checkpoint, int(share * checkpoint.stat().st_size))
    with pytest.raises(TrainingError, match="cannot be read .*: delete it to start anew"):
        load_checkpoint(checkpoint, BELONGS, "cpu")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_checkpoint_cut_short(checkpoint, share):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TrainingError, match="cannot be read"):
        load_checkpoint(checkpoint, BELONGS, "cpu")


def test_checkpoint_of_an_earlier_version_is_still_checked(tmp_path):
    path = tmp_path / "old.pt"
    torch.save({"settings": BELONGS, "model": torch.arange(300.0)}, path)
    assert load_checkpoint(path, BELONGS, "cpu")["model"][7] == 7
    place = path.read_bytes().index(torch.arange(300.0).numpy().tobytes())
    flip(path, place + 100)
    with pytest.raises(TrainingError, match="cannot be read"):
        load_checkpoint(path, BELONGS, "cpu")


def test_checkpoint_that_another_run_overwrote(checkpoint):
    save_checkpoint(checkpoint, {"settings": BELONGS, "model": 1})
    with pytest.raises(TrainingError, match="belongs to another run that writes to the same file"):
        save_checkpoint(checkpoint, {"settings": {"lr": 0.2}, "model": 2})
    assert load_checkpoint(checkpoint, BELONGS, "cpu")["model"] == 1


def test_checkpoint_on_a_full_disk_keeps_the_last_one(small_disk):
    path = small_disk / "run.pt"
    save_checkpoint(path, {"settings": BELONGS, "model": torch.zeros(3000)})
    with pytest.raises(TrainingError, match=r"cannot be written \(the disk is full, .* are free\)"):
        save_checkpoint(path, {"settings": BELONGS, "model": torch.zeros(30_000)})
    assert len(load_checkpoint(path, BELONGS, "cpu")["model"]) == 3000
    assert [p.name for p in small_disk.iterdir()] == ["run.pt"]


def test_sealed_file_at_every_byte(tmp_path):
    path = tmp_path / "x"
    write_sealed(path, b"content", who="me")
    whole = path.read_bytes()
    assert read_sealed(path) == ({"who": "me"}, b"content")
    for place in range(len(whole)):
        for bit in (1, 128):
            changed = bytearray(whole)
            changed[place] ^= bit
            path.write_bytes(changed)
            with pytest.raises(SealError):
                read_sealed(path)


# ----------------------------------------------------------------------------------- records


def record(name="run-1", **more):
    part = {"ids": ["a", "b", "c"], "labels": [0, 1, 1], "probabilities": [0.25, 0.5, 0.125]}
    content = dict(
        settings={"seed": 0}, data={"name": "toy"}, scores={}, predictions={"test": part}
    )
    return Record(name, **{**content, **more})


def test_flipped_bit_in_a_record_is_an_error_or_changes_nothing(tmp_path):
    path = save_record(record(), tmp_path)
    assert share_of_flips_noticed(path, load_record, RecordError, step=3) > 0.3


def test_flipped_bit_in_a_family_is_an_error_or_changes_nothing(tmp_path):
    path = save_family([record("a"), record("b")], tmp_path / "f.json")
    assert share_of_flips_noticed(path, load_family, RecordError, step=3) > 0.3


def shorter(run, shared):
    run["predictions"]["test"]["probabilities"].pop()


def other_images(run, shared):
    shared[run["predictions"]["test"]["images"]]["ids"][0] = "z"


def other_labels(run, shared):
    shared[run["predictions"]["test"]["images"]]["labels"][0] = 1


def two_hundred_per_cent(run, shared):
    run["predictions"]["test"]["probabilities"][1] = 2.0


def nothing_there(run, shared):
    run["predictions"]["test"]["probabilities"][1] = None


def other_data(run, shared):
    shared[run["data"]]["name"] = "other"


@pytest.mark.parametrize(
    "change",
    [shorter, other_images, other_labels, two_hundred_per_cent, nothing_there, other_data],
    ids=lambda f: f.__name__.replace("_", " "),
)
def test_record_of_a_shipped_family_that_does_not_fit_its_images(tmp_path, change):
    """Families of before carry no digest; the run is named all the same."""
    path = save_family([record("good", data={"name": "x"}), record("bad")], tmp_path / "f.json")
    family = json.loads(path.read_text())
    del family["digest"]
    change(family["runs"]["bad"], family["shared"])
    path.write_text(json.dumps(family))
    with pytest.raises(RecordError, match="record '(bad|good)'.*restore it from git"):
        load_family(path)


@pytest.mark.parametrize(
    "part",
    [
        {"ids": ["a", "a"], "labels": [0, 1], "probabilities": [0.1, 0.2]},
        {"ids": ["a", "b"], "labels": [0, 2], "probabilities": [0.1, 0.2]},
        {"ids": ["a", "b"], "labels": [0, 1], "probabilities": [0.1, float("nan")]},
        {"ids": ["a", "b"], "labels": [0, 1], "probabilities": [-0.1, 0.2]},
    ],
    ids=["an image twice", "three classes", "not a number", "below zero"],
)
def test_predictions_that_no_record_can_hold(part):
    with pytest.raises(RecordError, match="^record 'run-1': predictions of 'test' hold"):
        record(predictions={"test": part})


# ------------------------------------------------------------------------------------ caches


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_flipped_bit_in_cached_features(tmp_path, share):
    path = tmp_path / "a.npy"
    wanted = np.arange(50, dtype=np.float32)
    features._write(path, wanted)
    np.testing.assert_array_equal(features._read(path), wanted)
    flip(path, int(share * path.stat().st_size))
    with pytest.warns(UserWarning, match="features are computed anew: .* is damaged"):
        assert features._read(path) is None


def test_cached_features_on_a_full_disk(small_disk):
    with pytest.warns(UserWarning, match="features are not kept: .*the disk is full"):
        features._write(small_disk / "a.npy", np.zeros(50_000))
    assert list(small_disk.iterdir()) == []


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.mark.parametrize("file", ["images.npy", "about.json"])
def test_flipped_bit_in_cached_pixels(images, tmp_path, file):
    how = Resizing(16)
    wanted, digest = resized_images(images, how, tmp_path / "kept", progress=False)
    wanted = np.array(wanted)
    flip(tmp_path / "kept" / "breakhis" / _key(images, how) / file, -9)
    again, same = resized_images(images, how, tmp_path / "kept", progress=False)
    np.testing.assert_array_equal(again, wanted)
    assert same == digest


def test_cached_pixels_of_an_image_that_was_replaced(images, tmp_path):
    """Same name, other pixels."""
    how = Resizing(16)
    wanted = np.array(resized_images(images, how, tmp_path / "kept", progress=False)[0][0])
    length, other = images[0].stat().st_size, Image.open(images[0]).transpose(1)
    other.save(images[0])
    with open(images[0], "ab") as stream:  # behind its end a PNG may hold anything
        stream.write(bytes(max(0, length - images[0].stat().st_size)))
    os.utime(images[0], ns=(1, 1))
    changed, _ = resized_images(images, how, tmp_path / "kept", progress=False)
    assert not np.array_equal(changed[0], wanted)


def test_flipped_bit_in_an_unpacked_image(tmp_path):
    """The digest of unpacking is compared where the image is read, and the remedy works."""
    kinds = ["B_A", "M_DC"] * 4
    names = [f"SOB_{kind}-14-{1000 + i}-40-001.png" for i, kind in enumerate(kinds)]
    folder = tmp_path / "src"
    for i, name in enumerate(names):
        path = folder / parse_name(name).folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), 20 * i, np.uint8)).save(path)
    packed = tmp_path / "a.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(folder / "BreaKHis_v1", "BreaKHis_v1")
    options = dict(size=16, folds=3, cache=tmp_path / "c", progress=False)
    wanted = np.array(load_breakhis(packed, **options).images)
    victim = next((tmp_path / "a-extracted").rglob("*.png"))
    flip(victim, -20)
    with pytest.raises(DataError, match=r"was changed after it was unpacked: delete it"):
        load_breakhis(packed, **options)
    victim.unlink()
    np.testing.assert_array_equal(load_breakhis(packed, **options).images, wanted)
    assert archive.expected_digests(tmp_path / "a-extracted")


def test_one_changed_digit_in_a_shipped_family(tmp_path):
    """Also in those that were measured before families carried a digest: they got one since."""
    text = (measured_dir() / "logistic_28px.json").read_text(encoding="utf-8")
    place = text.index('"probabilities": [') + len('"probabilities": [0.')
    other = str((int(text[place]) + 1) % 10)
    changed = tmp_path / "changed.json"
    changed.write_text(text[:place] + other + text[place + 1 :], encoding="utf-8")
    with pytest.raises(RecordError, match="its digest does not fit.*restore it from git"):
        load_family(changed)


def shipped():
    """All that is stored with the course and says that it is a record or a family."""
    for path in sorted(measured_dir().parent.rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "schema" in content:
            yield path


@pytest.mark.parametrize("path", list(shipped()), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_shipped_record_and_family_carries_a_digest(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert re.fullmatch("[0-9a-f]{64}", content["digest"])
    assert load_family(path) if content.get("family") else load_record(path)


def test_every_stored_record_still_loads():
    """The reading is stricter than it was when they were written: nothing that is shipped fails."""
    families = [load_family(path) for path in sorted(measured_dir().glob("*.json"))]
    assert sum(map(len, families)) >= 3312
    single = sorted(measured_dir().parent.glob("[0-9][0-9]_*/[0-9][0-9]-*.json"))
    assert len([load_record(path) for path in single]) >= 50


def test_record_copied_under_another_name(tmp_path):
    """Read as a folder it would be a run that counts twice."""
    path = save_record(record(), tmp_path)
    (tmp_path / "run-2.json").write_bytes(path.read_bytes())
    with pytest.raises(RecordError, match="run-2.json holds the record 'run-1': a copy"):
        load_record(tmp_path / "run-2.json")


@pytest.mark.parametrize("digest", [5, [], {"a": 1}, "short"], ids=str)
def test_digest_of_another_kind(tmp_path, digest):
    path = save_record(record(), tmp_path)
    content = {**json.loads(path.read_text(encoding="utf-8")), "digest": digest}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RecordError, match="run-1.json is damaged .*its digest does not fit"):
        load_record(path)


NO_PREDICTIONS = {
    "a list for the parts": [1],
    "one number for the list": {"ids": ["a"], "labels": [0], "probabilities": 0.5},
    "a text for the list": {"ids": ["a"], "labels": [0], "probabilities": "5"},
    "a part is missing": {"ids": ["a"], "labels": [0]},
    "names that are lists": {"ids": [[1]], "labels": [0], "probabilities": [0.5]},
}


@pytest.mark.parametrize("part", NO_PREDICTIONS.values(), ids=NO_PREDICTIONS)
def test_predictions_of_another_form(part):
    with pytest.raises(RecordError, match="^record 'run-1': predictions of 'test' (must|hold)"):
        record(predictions={"test": part})


@pytest.mark.parametrize("name", ["com¹", "LPT³.x", "con.a", "a\u2028b", "a\u200bb", "e\u0301"])
def test_name_that_some_system_cannot_have(name):
    with pytest.raises(RecordError, match="record name"):
        record(name)


def test_two_cached_features_that_were_exchanged(tmp_path):
    """Each is whole, and each is that of another network."""
    both = [tmp_path / f"{name}.npy" for name in "ab"]
    for number, path in enumerate(both):
        features._write(path, np.full(9, number, dtype=np.float32))
    one, other = (path.read_bytes() for path in both)
    both[0].write_bytes(other)
    both[1].write_bytes(one)
    for path in both:
        with pytest.warns(UserWarning, match=r"computed anew: .* \(it holds the features of"):
            assert features._read(path) is None


def test_cached_features_of_before_say_not_whose_they_are(tmp_path):
    """Files without a digest, and those whose digest holds no key, are computed anew."""
    plain, sealed = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(plain, np.zeros(9, np.float32))
    write_sealed(sealed, plain.read_bytes())
    for path in (plain, sealed):
        with pytest.warns(UserWarning, match="computed anew: .* of an earlier version"):
            assert features._read(path) is None
