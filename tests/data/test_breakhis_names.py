"""BreakHis's names and the listing of its folders."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hqnn_utils.data import breakhis_names as bf
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
    ("text", "patient", "slide", "subtype", "magnification"),
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
        match=r"not a BreakHis file name: expected something like SOB_B_A-14-22549AB-40-001.png",
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
    with pytest.raises(DataError, match=r"no folder .*absent"):
        bf.list_images(tmp_path / "absent")
    with pytest.raises(DataError, match=r"no images in .*BreaKHis_v1/histology_slides"):
        bf.list_images(tmp_path)
    put(tmp_path, A)
    (tmp_path / "fold1").mkdir()
    (tmp_path / "fold1" / A).write_bytes(b"x")
    with pytest.raises(DataError, match="is there twice"):
        bf.list_images(tmp_path)
    (tmp_path / "fold1" / A).rename(tmp_path / "fold1" / "other.PNG")
    with pytest.raises(DataError, match=r"other.PNG: .*not a BreakHis file name"):
        bf.list_images(tmp_path)
    (tmp_path / "fold1" / "other.PNG").rename(tmp_path / "fold1" / "IMG_1.png")
    with pytest.raises(DataError, match=r"IMG_1.png: .*not a BreakHis file name"):
        bf.list_images(tmp_path)
