"""Two studies beside each other: what one has taken the other leaves alone, until it ends."""

import errno
import json
import os
import time

import pytest
from filelock import FileLock

from hqnn_utils.runtime.files import StorageError
from hqnn_utils.studies import claimed
from hqnn_utils.studies.claimed import Claims


def study(folder, family="toy", done=()):
    return Claims(folder, family, lambda name: name in done)


def files(folder):
    """What claims have left in a folder, but for the lock that taking itself needs."""
    return sorted(p.name for p in folder.glob(".toy.*.claims*"))


def test_a_run_is_taken_once(tmp_path):
    with study(tmp_path) as one, study(str(tmp_path)) as other:
        assert one.take("a")
        assert one.take("a"), "it is its own"
        assert not other.take("a")
        assert other.take("b")
        assert not one.take("b")
        one.drop("a")
        assert other.take("a")
        assert not one.take("a")
        one.drop("never taken")


def test_a_run_with_a_record_is_not_taken(tmp_path):
    with study(tmp_path, done=("a",)) as one:
        assert not one.take("a")
        assert files(tmp_path) == [], "nothing is written for nothing"
        assert one.take("b")


def test_what_is_taken_stands_in_a_hidden_file_of_the_process(tmp_path):
    with study(tmp_path) as one:
        one.take("a")
        one.take("b")
        (path,) = tmp_path.glob(".toy.*.claims")
        assert path.name.endswith(f".{os.getpid()}.claims")
        assert json.loads(path.read_text()) == ["a", "b"]
        one.drop("a")
        assert json.loads(path.read_text()) == ["b"]
    assert files(tmp_path) == [], "a study that ends sweeps behind itself"


def test_a_study_that_ends_gives_back_what_it_had(tmp_path):
    with study(tmp_path) as other:
        with study(tmp_path) as one:
            assert one.take("a")
        assert other.take("a")


def test_what_a_killed_study_had_is_free_and_others_are_still_seen(tmp_path):
    """Its file is there and nobody holds the lock; beside it a study that is alive."""
    with study(tmp_path) as alive, study(tmp_path) as one:
        assert alive.take("a")
        for number in range(3):
            (tmp_path / f".toy.{number}.claims").write_text('["a", "b"]')
        assert one.take("b")
        assert not one.take("a")
        assert len(list(tmp_path.glob(".toy.*.claims"))) == 2, "the dead are swept"
        assert one.take("c"), "its own file is none of another's"


def test_families_do_not_meet(tmp_path):
    with study(tmp_path) as one, study(tmp_path, "other") as other, study(tmp_path, None) as third:
        assert one.take("a")
        assert other.take("a")
        assert third.take("a")
        assert list(tmp_path.glob(".records.*.claims")), "runs of no family"


def test_nobody_waits_for_a_study_that_is_alive(tmp_path):
    with study(tmp_path) as one, study(tmp_path) as other:
        one.take("a")
        began = time.monotonic()
        for _ in range(5):
            assert not other.take("a")
        assert time.monotonic() - began < 0.9


def test_a_lock_that_stays_held_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(claimed, "PATIENCE", 0.05)
    held = []
    monkeypatch.setattr(claimed, "locked", lambda *given: held.append(given) or FileLock(given[0]))
    with study(tmp_path) as one:
        one.take("a")
    assert held == [(tmp_path / ".toy.claims", 0.05, "end the process that holds it")]


def test_a_disk_that_is_full_is_said(tmp_path, monkeypatch):
    def full(**options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with study(tmp_path) as one:
        monkeypatch.setattr(claimed.tempfile, "mkstemp", full)
        with pytest.raises(StorageError, match=r"cannot be written \(the disk is full"):
            one.take("a")
