"""Archives. Those that try to break out are made here and must leave nothing outside the target."""

import io
import json
import random
import tarfile
from pathlib import Path

import pytest

from hqnn_utils.data import archive as ar
from hqnn_utils.data.breakhis_names import ARCHIVE, list_images, parse_name
from hqnn_utils.runtime import DataError

A, M = "SOB_B_A-14-22549AB-40-001.png", "SOB_M_DC-14-2980-40-003.png"


def archive(path: Path, members: list) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            if isinstance(member, str):
                member = tarfile.TarInfo(member)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def good(path: Path) -> Path:
    folder = tarfile.TarInfo("BreaKHis_v1")
    folder.type = tarfile.DIRTYPE
    return archive(
        path,
        [(folder, b"")]
        + [(str(parse_name(t).folder / t), t.encode() * 50) for t in (A, M)]
        + [("BreaKHis_v1/README.txt", b"read")],
    )


def linked(name: str, to: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def test_archive_is_unpacked_once(tmp_path):
    path = good(tmp_path / ARCHIVE)
    folder = ar.images_folder(path, progress=False)
    assert folder == tmp_path / "BreaKHis_v1-extracted"
    assert [p.name for p, _ in list_images(folder)] == [A, M]
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert ar.extract_archive(path, progress=False) == folder
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before, (
        "nothing was written again"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["BreaKHis_v1-extracted", ARCHIVE]


def test_folder_with_nothing_but_the_archive(tmp_path):
    good(tmp_path / ARCHIVE)
    assert ar.images_folder(tmp_path, progress=False).name == "BreaKHis_v1-extracted"


def test_beside_the_unpacked_images_the_archive_is_not_needed(tmp_path):
    (tmp_path / ARCHIVE).write_bytes(b"whatever it holds")
    (tmp_path / "BreaKHis_v1").mkdir()
    assert ar.images_folder(tmp_path, progress=False) == tmp_path


def test_the_folder_is_named_after_the_archive(tmp_path):
    for name in ("mine.tar.gz", "mine2.tgz"):
        folder = ar.extract_archive(good(tmp_path / name), progress=False)
        assert folder == tmp_path / f"{name.split('.')[0]}-extracted"
    assert ar.extract_archive(tmp_path / "mine.tar.gz", tmp_path / "there", progress=False) == (
        tmp_path / "there"
    )


@pytest.mark.parametrize("damage", ["file gone", "file short", "marker torn", "archive changed"])
def test_partial_extraction_is_noticed_and_redone(tmp_path, damage):
    path = good(tmp_path / ARCHIVE)
    folder = ar.extract_archive(path, progress=False)
    victim = next(p for p in folder.rglob("*.png"))
    whole = victim.read_bytes()
    if damage == "file gone":
        victim.unlink()
    elif damage == "file short":
        victim.write_bytes(whole[:10])
    elif damage == "marker torn":
        (folder / ar.MARKER).write_text((folder / ar.MARKER).read_text()[:20])
    else:
        archive(path, [(str(parse_name(A).folder / A), b"another archive altogether" * 99)])
    assert ar.extract_archive(path, progress=False) == folder
    if damage == "archive changed":
        assert [p.name for p, _ in list_images(folder)] == [A]
    else:
        assert victim.read_bytes() == whole
        assert json.loads((folder / ar.MARKER).read_text())["archive"] == ARCHIVE


def test_interrupted_extraction_leaves_nothing_behind_and_starts_anew(tmp_path, monkeypatch):
    path = good(tmp_path / ARCHIVE)
    extract = tarfile.TarFile.extractfile

    def interrupted(self, member, *args, **kwargs):
        if member.name.endswith(M):
            raise KeyboardInterrupt
        return extract(self, member, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractfile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ar.extract_archive(path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == [ARCHIVE]
    killed = tmp_path / "BreaKHis_v1-extracted.partial"  # what a killed process leaves
    killed.mkdir()
    (killed / "stale.png").write_bytes(b"x")
    assert len(list_images(ar.extract_archive(path, progress=False))) == 2
    assert not killed.exists()


BAD = {
    "leaves the folder": ("BreaKHis_v1/../../escaped.txt", "a name that leaves the folder"),
    "leaves the folder too": ("..\\escaped.txt", "a name that leaves the folder"),
    "absolute": ("/escaped.txt", "an absolute name"),
    "drive": ("C:/escaped.txt", "an absolute name"),
    "symlink": (linked("BreaKHis_v1/inside", "../..", tarfile.SYMTYPE), "a link"),
    "hard link": (linked("BreaKHis_v1/inside", "/etc/hostname", tarfile.LNKTYPE), "a link"),
    "device": (linked("BreaKHis_v1/null", "", tarfile.CHRTYPE), "neither a file nor a folder"),
    "pipe": (linked("BreaKHis_v1/pipe", "", tarfile.FIFOTYPE), "neither a file nor a folder"),
    "marker": (ar.MARKER, "a reserved name"),
}


@pytest.mark.parametrize(("member", "reason"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", ["first", "last"])
def test_unsafe_members_refuse_the_whole_archive(tmp_path, member, reason, place):
    bad = (member, b"out" if isinstance(member, str) else b"")
    work = tmp_path / "deep" / "work"
    work.mkdir(parents=True)
    fine = [(str(parse_name(A).folder / A), b"x")]
    path = archive(work / ARCHIVE, [bad, *fine] if place == "first" else [*fine, bad])
    with pytest.raises(DataError, match=rf"is refused: its member '.*' is {reason}\. The official"):
        ar.extract_archive(path, progress=False)
    assert [p.name for p in work.iterdir()] == [ARCHIVE], "nothing written"
    assert [p.name for p in tmp_path.iterdir()] == ["deep"], "nor elsewhere"
    assert not Path("/escaped.txt").exists()


def test_oversized_member_is_refused(tmp_path, monkeypatch):
    path = good(tmp_path / ARCHIVE)
    longest = 50 * max(len(A), len(M))
    monkeypatch.setattr(ar, "LARGEST", longest - 1)
    with pytest.raises(DataError, match="larger than"):
        ar.extract_archive(path, progress=False)
    monkeypatch.setattr(ar, "LARGEST", longest)
    assert ar.extract_archive(path, progress=False).is_dir()


@pytest.mark.parametrize("keep", [0, 5, 60, -40, -8, -1])
def test_truncated_archive_is_clear_and_leaves_nothing(tmp_path, keep):
    rng = random.Random(0)
    path = archive(
        tmp_path / ARCHIVE,
        [(str(parse_name(t).folder / t), rng.randbytes(30_000)) for t in (A, M)],
    )
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"damaged or cut short|holds no files"):
        ar.extract_archive(path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == [ARCHIVE]


def test_damaged_bytes_inside_are_clear(tmp_path):
    path = archive(
        tmp_path / ARCHIVE,
        [(str(parse_name(t).folder / t), random.Random(1).randbytes(50_000)) for t in (A, M)],
    )
    content = bytearray(path.read_bytes())
    content[40_000:40_050] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged or cut short"):
        ar.extract_archive(path, progress=False)


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    path = good(tmp_path / ARCHIVE)
    theirs = tmp_path / "BreaKHis_v1-extracted"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="this course did not make it"):
        ar.extract_archive(path, progress=False)
    assert (theirs / "thesis.txt").read_text() == "years of work"


def test_missing_archive_is_clear(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        ar.extract_archive(tmp_path / "absent.tar.gz")
