"""What only other systems forbid: tried here with their rules, since they cannot be run here."""

import io
import json
import tarfile
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from coursekit import files as tool
from hypothesis import given
from hypothesis import strategies as st

from hqnn_utils.data.archive import MARKER, extract_archive
from hqnn_utils.records import RecordError
from hqnn_utils.records.record import check_name
from hqnn_utils.runtime import DataError, files
from hqnn_utils.runtime.files import LONGEST_NAME, fits_windows, whole_file

ODD = [
    "con",
    "Aux.txt",
    "nul .png",
    "a:b",
    "a.",
    "a ",
    "a?",
    "a\tb",
    'a"b',
    "a<b",
    "lpt1",
    "COM¹.x",
]


@pytest.mark.parametrize("name", ODD)
def test_name_that_windows_cannot_have(name):
    assert not fits_windows(name)


@given(st.text(st.sampled_from('aZ0.-_ :\\/|?*<>"\x00\x1fconpraulté\n'), min_size=1, max_size=8))
def test_names_by_the_rules_of_windows(name):
    """Python knows devices; what else is forbidden makes more or fewer parts, or another name."""
    path = PureWindowsPath(name)
    if fits_windows(name) and name != "..":
        assert not is_device(path)
        assert path.parts == (name,)
        assert not path.drive


def is_device(path):
    import ntpath

    return getattr(ntpath, "isreserved", lambda p: PureWindowsPath(p).is_reserved())(str(path))


@given(st.text(st.sampled_from('aZ0.-_ :\\/|?*<>"conprault12é¹'), min_size=1, max_size=8))
def test_a_record_s_name_is_a_file_s_name_everywhere(name):
    try:
        check_name(name)
    except RecordError:
        return
    for made in (f"{name}.json", f"{name}.pt", f".{name}.json.abc123-1-x.tmp"):
        assert fits_windows(made)
        assert PureWindowsPath(made).parts == PurePosixPath(made).parts == (made,)


def test_temporary_names_fit_every_system(tmp_path):
    assert fits_windows(files._stem(tmp_path / ("a" * LONGEST_NAME)) + "1-abcdefgh.tmp")


def packed(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for name in members:
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
    return path


MEMBERS = {
    "a hidden stream": (["B/a.png:evil"], "a name that Windows cannot have"),
    "a device": (["B/con.png"], "a name that Windows cannot have"),
    "a dot that is cut off": (["B/a.png."], "a name that Windows cannot have"),
    "a folder with a space that is cut off": (["B /a.png"], "a name that Windows cannot have"),
    "a folder above, Windows' way": (["B\\..\\..\\a"], "a name that leaves the folder"),
    "the marker in capitals": ([".HQNN-extracted.json"], "a reserved name"),
    "one file twice": (["B/a.png", "B/a.png"], "twice"),
    "capitals apart": (["B/a.png", "B/A.png"], "twice"),
    "a file, then a folder": (["B/a", "B/a/b.png"], "twice"),
    "a folder, then a file": (["B/a/b.png", "B/a"], "twice"),
}


@pytest.mark.parametrize(("members", "said"), MEMBERS.values(), ids=MEMBERS)
def test_archive_with_names_that_are_another_file_elsewhere(tmp_path, members, said):
    path = packed(tmp_path / "a.tar.gz", *members)
    with pytest.raises(DataError, match=f"is refused: .*{said}"):
        extract_archive(path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


def test_archive_packed_from_within_its_folder(tmp_path):
    path = packed(tmp_path / "a.tar.gz", "./B/a.png", "./B/b.png", "./C.d/a.png")
    there = extract_archive(path, progress=False)
    assert sorted(p.name for p in there.rglob("*.png")) == ["a.png", "a.png", "b.png"]


def test_a_marker_that_names_files_outside(tmp_path):
    """A folder that was handed on: the repair removed what its marker named, wherever it lay."""
    path = packed(tmp_path / "a.tar.gz", "B/a.png")
    mine = tmp_path / "thesis.txt"
    mine.write_bytes(b"abc")
    marker = extract_archive(path, progress=False) / MARKER
    about = json.loads(marker.read_text())
    about["files"]["../thesis.txt"] = about["files"]["B/a.png"]
    about["files"]["B/gone.png"] = about["files"]["B/a.png"]
    marker.write_text(json.dumps(about))
    extract_archive(path, progress=False)
    assert mine.read_bytes() == b"abc"
    assert list(json.loads(marker.read_text())["files"]) == ["B/a.png"]


@pytest.mark.parametrize("held", [2, 4, 99])
def test_a_scanner_holds_the_file_for_a_moment(tmp_path, monkeypatch, held):
    """On Windows a file that another program has open cannot be replaced just then."""
    replace, tries = files.os.replace, []

    def refused(source, target):
        tries.append(source)
        if len(tries) <= held:
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    def write(content):
        with whole_file(tmp_path / "a") as stream:
            stream.write(content)

    write(b"old")
    monkeypatch.setattr(files, "PAUSES", (0, 0, 0, 0))
    monkeypatch.setattr(files.os, "replace", refused)
    if held < 5:
        write(b"new")
    else:
        with pytest.raises(PermissionError):
            write(b"new")
    assert (tmp_path / "a").read_bytes() == (b"new" if held < 5 else b"old")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert len(tries) == min(held + 1, 5)


def test_elsewhere_one_try_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PAUSES", ())
    tried = []

    def refused(source, target):
        tried.append(source)
        raise PermissionError(13, "no")

    monkeypatch.setattr(files.os, "replace", refused)
    with pytest.raises(PermissionError), whole_file(tmp_path / "a") as stream:
        stream.write(b"x")
    assert len(tried) == 1


def test_lines_end_alike_on_all_systems(tmp_path, monkeypatch):
    """Windows made two characters of each line's end, and git showed every line as changed."""
    given = []
    write = type(tmp_path).write_text

    def told(path, text, **options):
        given.append(options.get("newline"))
        return write(path, text, **options)

    monkeypatch.setattr(type(tmp_path), "write_text", told)
    tool.write_text("a\nb\n", tmp_path / "a")
    assert given == ["\n"]
