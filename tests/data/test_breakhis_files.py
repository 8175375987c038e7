"""Names, folders and archives. Archives that try to break out are made here and must leave nothing outside the target."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hqnn_utils.data import breakhis_files as bf
from hqnn_utils.runtime import DataError

names = st.sampled_from([(t, s) for t in bf.SUBTYPES for s in bf.SUBTYPES[t]]).flatmap(
    lambda kind: st.builds(
        bf.SlideName,
        procedure=st.sampled_from(["SOB", "CNB"]),
        tumour=st.just(kind[0]),
        subtype=st.just(kind[1]),
        year=st.from_regex(r"[0-9]{2}", fullmatch=True),
        number=st.integers(1, 99_999).map(str),
        section=st.sampled_from(["", "A", "C", "D", "G", "AB", "CD", "EF"]),
        magnification=st.sampled_from(bf.MAGNIFICATIONS),
        sequence=st.integers(1, 999).map("{:03d}".format),
    )
)


@given(names)
def test_parse_undoes_format(name):
    assert bf.parse_name(bf.format_name(name)) == name


@given(names)
def test_letters_do_not_make_a_patient(name):
    assert name.patient == f"{name.year}-{name.number}"
    assert not any(c.isalpha() for c in name.patient)
    assert name.slide == name.patient + name.section
    assert name.label == (name.tumour == "M")


@pytest.mark.parametrize(
    "text, patient, slide, subtype, magnification",
    [
        ("SOB_B_A-14-22549AB-40-001.png", "14-22549", "14-22549AB", "A", 40),
        ("SOB_B_TA-14-3411F-100-010.png", "14-3411", "14-3411F", "TA", 100),
        ("SOB_B_PT-14-29315EF-200-004.png", "14-29315", "14-29315EF", "PT", 200),
        ("SOB_B_F-14-9133-400-020.png", "14-9133", "14-9133", "F", 400),
        ("SOB_M_DC-14-2980-40-003.png", "14-2980", "14-2980", "DC", 40),
        ("SOB_M_PC-15-190EF-400-007.png", "15-190", "15-190EF", "PC", 400),
        ("SOB_M_LC-14-15570C-100-029.png", "14-15570", "14-15570C", "LC", 100),
        ("SOB_M_MC-14-18842D-100-001.png", "14-18842", "14-18842D", "MC", 100),
    ],
)
def test_official_names(text, patient, slide, subtype, magnification):
    name = bf.parse_name(text)
    assert (name.patient, name.slide, name.subtype, name.magnification) == (
        patient,
        slide,
        subtype,
        magnification,
    )
    assert bf.format_name(name) == text


def test_folder_is_the_official_one():
    name = bf.parse_name("SOB_B_A-14-22549AB-40-001.png")
    assert (
        str(name.folder)
        == "BreaKHis_v1/histology_slides/breast/benign/SOB/adenosis/SOB_B_A_14-22549AB/40X"
    )


@pytest.mark.parametrize(
    "text",
    [
        "SOB_B_A-14-22549AB-50-001.png",
        "SOB_X_A-14-22549AB-40-001.png",
        "SOB_B_A-14-22549ab-40-001.png",
        "SOB_B_A_14-22549AB-40-001.png",
        "photo.png",
        "SOB_B_A-14-22549AB-40-001.jpg",
        "SOB_B_A-14-22549AB-40-001.png ",
        "SOB_B_A-14--40-001.png",
        "SOB_B_A-14-22549AB-40-001 (1).png",
        "",
        "SOB_B_A-14-٣-40-001.png",
    ],
)
def test_other_names_are_refused(text):
    with pytest.raises(
        DataError,
        match="not a BreakHis file name: expected something like SOB_B_A-14-22549AB-40-001.png",
    ):
        bf.parse_name(text)


def test_subtype_of_the_other_class_is_refused():
    with pytest.raises(
        DataError, match="subtype DC does not belong to class B; known: A, F, PT, TA"
    ):
        bf.parse_name("SOB_B_DC-14-1-40-001.png")


def put(root: Path, text: str, content: bytes = b"x") -> Path:
    path = root / bf.parse_name(text).folder / text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


A, M = "SOB_B_A-14-22549AB-40-001.png", "SOB_M_DC-14-2980-40-003.png"


def test_listing_passes_over_what_is_no_image(tmp_path):
    put(tmp_path, M)
    first = put(tmp_path, A)
    (tmp_path / "manifest.csv").write_text("a,b")
    (first.parent / f"._{A}").write_bytes(b"left behind by a Mac")
    assert [name.tumour for _, name in bf.list_images(tmp_path)] == ["B", "M"]
    assert bf.list_images(first.parent)[0][0] == first, "any folder above the images will do"


def test_listing_failures_are_clear(tmp_path):
    with pytest.raises(DataError, match="no folder .*absent"):
        bf.list_images(tmp_path / "absent")
    with pytest.raises(DataError, match="no images in .*BreaKHis_v1/histology_slides"):
        bf.list_images(tmp_path)
    put(tmp_path, A)
    (tmp_path / "fold1").mkdir()
    (tmp_path / "fold1" / A).write_bytes(b"x")
    with pytest.raises(DataError, match="is there twice"):
        bf.list_images(tmp_path)
    (tmp_path / "fold1" / A).rename(tmp_path / "fold1" / "IMG_1.png")
    with pytest.raises(DataError, match="IMG_1.png: .*not a BreakHis file name"):
        bf.list_images(tmp_path)


# ---------------------------------------------------------------- archives


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
        + [(str(bf.parse_name(t).folder / t), t.encode() * 50) for t in (A, M)]
        + [("BreaKHis_v1/README.txt", b"read")],
    )


def linked(name: str, to: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def test_archive_is_unpacked_once(tmp_path):
    path = good(tmp_path / bf.ARCHIVE)
    folder = bf.images_folder(path, progress=False)
    assert folder == tmp_path / "BreaKHis_v1-extracted"
    assert [p.name for p, _ in bf.list_images(folder)] == [A, M]
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert bf.extract_archive(path, progress=False) == folder
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before, (
        "nothing was written again"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["BreaKHis_v1-extracted", bf.ARCHIVE]


def test_folder_with_nothing_but_the_archive(tmp_path):
    good(tmp_path / bf.ARCHIVE)
    assert bf.images_folder(tmp_path, progress=False).name == "BreaKHis_v1-extracted"


@pytest.mark.parametrize("damage", ["file gone", "file short", "marker torn", "archive changed"])
def test_partial_extraction_is_noticed_and_redone(tmp_path, damage):
    path = good(tmp_path / bf.ARCHIVE)
    folder = bf.extract_archive(path, progress=False)
    victim = next(p for p in folder.rglob("*.png"))
    whole = victim.read_bytes()
    if damage == "file gone":
        victim.unlink()
    elif damage == "file short":
        victim.write_bytes(whole[:10])
    elif damage == "marker torn":
        (folder / bf.MARKER).write_text((folder / bf.MARKER).read_text()[:20])
    else:
        archive(path, [(str(bf.parse_name(A).folder / A), b"another archive altogether" * 99)])
    assert bf.extract_archive(path, progress=False) == folder
    if damage == "archive changed":
        assert [p.name for p, _ in bf.list_images(folder)] == [A]
    else:
        assert victim.read_bytes() == whole
        assert json.loads((folder / bf.MARKER).read_text())["archive"] == bf.ARCHIVE


def test_interrupted_extraction_leaves_nothing_behind_and_starts_anew(tmp_path, monkeypatch):
    path = good(tmp_path / bf.ARCHIVE)
    extract = tarfile.TarFile.extractfile

    def interrupted(self, member, *args, **kwargs):
        if member.name.endswith(M):
            raise KeyboardInterrupt
        return extract(self, member, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tarfile.TarFile, "extractfile", interrupted)
        bf.extract_archive(path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == [bf.ARCHIVE]
    killed = tmp_path / "BreaKHis_v1-extracted.partial"  # what a killed process leaves
    killed.mkdir()
    (killed / "stale.png").write_bytes(b"x")
    assert len(bf.list_images(bf.extract_archive(path, progress=False))) == 2
    assert not killed.exists()


BAD = {
    "leaves the folder": ("BreaKHis_v1/../../escaped.txt", b"out"),
    "leaves the folder too": ("..\\escaped.txt", b"out"),
    "absolute": ("/escaped.txt", b"out"),
    "drive": ("C:/escaped.txt", b"out"),
    "symlink": (linked("BreaKHis_v1/inside", "../..", tarfile.SYMTYPE), b""),
    "hard link": (linked("BreaKHis_v1/inside", "/etc/hostname", tarfile.LNKTYPE), b""),
    "device": (linked("BreaKHis_v1/null", "", tarfile.CHRTYPE), b""),
    "pipe": (linked("BreaKHis_v1/pipe", "", tarfile.FIFOTYPE), b""),
    "marker": (bf.MARKER, b"{}"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", ["first", "last"])
def test_unsafe_members_refuse_the_whole_archive(tmp_path, bad, place):
    work = tmp_path / "deep" / "work"
    work.mkdir(parents=True)
    fine = [(str(bf.parse_name(A).folder / A), b"x")]
    path = archive(work / bf.ARCHIVE, [bad, *fine] if place == "first" else [*fine, bad])
    with pytest.raises(DataError, match="is refused: its member"):
        bf.extract_archive(path, progress=False)
    assert [p.name for p in work.iterdir()] == [bf.ARCHIVE] and [
        p.name for p in tmp_path.iterdir()
    ] == ["deep"], "nothing written anywhere"
    assert not Path("/escaped.txt").exists()


def test_oversized_member_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bf, "LARGEST", 40)
    with pytest.raises(DataError, match="larger than"):
        bf.extract_archive(good(tmp_path / bf.ARCHIVE), progress=False)


@pytest.mark.parametrize("keep", [0, 5, 60, -40, -8, -1])
def test_truncated_archive_is_clear_and_leaves_nothing(tmp_path, keep):
    import random

    rng = random.Random(0)
    path = archive(
        tmp_path / bf.ARCHIVE,
        [(str(bf.parse_name(t).folder / t), rng.randbytes(30_000)) for t in (A, M)],
    )
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="damaged or cut short|holds no files"):
        bf.extract_archive(path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == [bf.ARCHIVE]


def test_damaged_bytes_inside_are_clear(tmp_path):
    import random

    path = archive(
        tmp_path / bf.ARCHIVE,
        [(str(bf.parse_name(t).folder / t), random.Random(1).randbytes(50_000)) for t in (A, M)],
    )
    content = bytearray(path.read_bytes())
    content[40_000:40_050] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged or cut short"):
        bf.extract_archive(path, progress=False)


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    path = good(tmp_path / bf.ARCHIVE)
    theirs = tmp_path / "BreaKHis_v1-extracted"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="this course did not make it"):
        bf.extract_archive(path, progress=False)
    assert (theirs / "thesis.txt").read_text() == "years of work"


def test_missing_archive_is_clear(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        bf.extract_archive(tmp_path / "absent.tar.gz")
