"""Nothing that is typed is executed, and no file is trusted for its name."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from coursekit import assignment, book, generated, running, slides
from coursekit.files import HERE, renewed
from coursekit.student import publish_commands, student
from fault_toys import ROOT
from PIL import Image

from hqnn_utils.data import archive, load_breastmnist
from hqnn_utils.data.breakhis_names import list_images
from hqnn_utils.data.breakhis_pixels import Resizing, read_image
from hqnn_utils.runtime import DataError

NO_ADDRESS = {
    "substitution": "owner/$(touch boom)",
    "backticks": "owner/`touch boom`",
    "semicolon": "owner/name;touch boom",
    "and": "owner/name&&touch boom",
    "pipe": "owner/name|sh",
    "quote ends the string": 'https://host/a" ; !touch boom #',
    "single quote": "https://host/a'b",
    "brace of IPython": "https://host/{__import__('os').getcwd()}",
    "dollar of IPython": "https://host/$HOME",
    "parent folder": "owner/..",
    "parent folder within": "https://host/a/../b",
    "space": "owner/my course",
    "line end": "owner/name\n!touch boom",
    "credentials": "https://user:password@host/a",
    "an option of git": "--upload-pack=touch/boom",
    "ext transport": "ext::sh -c touch",
    "letters that look alike": "оwner/name",
    "only dots": "./.",
}


@pytest.mark.parametrize("address", NO_ADDRESS.values(), ids=NO_ADDRESS)
def test_address_is_refused_before_anything_is_written(tree, address):
    before = tree.course_file.read_bytes()
    with pytest.raises(SystemExit, match="is no address"):
        generated.retarget(tree, address)
    assert tree.course_file.read_bytes() == before
    with pytest.raises(SystemExit, match="is no address"):  # and where it was typed by hand
        generated.bootstrap_source({"repository": address, "branch": "main"})


@pytest.mark.parametrize("branch", ["main; touch boom", "$(x)", "../x", "-b", "a b", "a..b"])
def test_branch_is_refused(branch):
    course = {"repository": "a/b", "branch": branch, "student_branch": branch, "title": "t"}
    for makes in (
        lambda: generated.bootstrap_source(course),
        lambda: generated.badges_source(course, {"name": "x", "needs": "", "data": ""}, {}),
        lambda: publish_commands(course, ROOT),
    ):
        with pytest.raises(SystemExit, match="is no name of a branch"):
            makes()


TYPED = {
    "retarget, shell substitution": ("retarget", "REPO", "$(touch boom)"),
    "retarget, function of make": ("retarget", "REPO", "$(shell touch boom)"),
    "retarget, braces": ("retarget", "REPO", "${shell touch boom}"),
    "retarget, quote": ("retarget", "REPO", 'a"; touch boom; "'),
    "retarget, backticks": ("retarget", "REPO", "`touch boom`"),
    "notebooks, semicolon": ("notebooks", "NAMES", "00; touch boom"),
    "notebooks, function of make": ("notebooks", "NAMES", "$(shell touch boom)"),
    "mutants, semicolon": ("mutants", "ROOMS", "records; touch boom"),
}


@pytest.fixture
def made(tmp_path):
    """A folder in which ``make`` calls a tool that only shows its arguments."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shown = tmp_path / ".venv" / "bin" / "python"
    shown.parent.mkdir(parents=True)
    shown.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    shown.chmod(0o755)
    for name in ("requirements.txt", "pyproject.toml", "tests/constraints.txt", ".venv/.installed"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.unix
@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize("how", ["argument", "environment"])
@pytest.mark.parametrize(("target", "variable", "text"), TYPED.values(), ids=TYPED)
def test_make_executes_nothing_typed(made, target, variable, text, how):
    command = ["make", "-s", target]
    # a make around these tests hands its own variables on: make faults THREADS=2
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS")}
    if how == "argument":
        command.append(f"{variable}={text}")
    else:
        env[variable] = text
    done = subprocess.run(command, cwd=made, env=env, capture_output=True, text=True)
    assert not (made / "boom").exists()
    assert text.split()[0] in done.stdout, "passed on as it stands"


def test_names_of_notebooks_are_all_known_or_nothing_runs(monkeypatch):
    monkeypatch.setattr(running, "_execute", lambda *a: pytest.fail("it ran"))
    with pytest.raises(SystemExit, match=r"no notebook among \['77', ';'\]; known: 00_start"):
        running.execute(HERE, ["00", "77", ";"])


OUT = {
    "the checkout": "",
    "its notebooks": "notebooks",
    "its records": "notebooks/results",
    "a folder of records": "notebooks/results/measured",
    "the package": "hqnn_utils",
    "all of build": "build",
    "another checkout": "../other",
}


@pytest.mark.parametrize("out", OUT.values(), ids=OUT)
def test_out_among_the_sources_is_refused(tree, out):
    (tree.notebooks / "00_start_here.ipynb").write_bytes(
        (HERE.notebooks / "00_start_here.ipynb").read_bytes()
    )
    other = tree.root.parent / "other" / "notebooks"
    other.mkdir(parents=True)
    (other / "course.yml").touch()
    stored = tree.results / "00_start_here" / "a.json"
    stored.parent.mkdir(parents=True)
    stored.write_text("{}")
    for makes in (
        lambda: running.run(tree, "00_start_here", "smoke", (tree.root / out).resolve()),
        lambda: student(tree, (tree.root / out).resolve()),
        lambda: slides.build(tree, (tree.root / out).resolve()),
        lambda: renewed(tree, (tree.root / out).resolve()),
    ):
        with pytest.raises(SystemExit, match="lies among the sources of the course"):
            makes()
    assert stored.read_text() == "{}"


def test_somebodys_folder_is_not_emptied(tree, tmp_path):
    """The book and the slides are made anew as a whole: ``--out ~`` would have emptied the home."""
    theirs = tmp_path / "home"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    for makes in (slides.build, book.build):
        (tmp_path / "home-source").mkdir(exist_ok=True)
        (tmp_path / "home-source" / "data.txt").write_text("more work")
        with pytest.raises(SystemExit, match="holds something already: name a new or an empty"):
            makes(tree, theirs)
    assert (theirs / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "home-source" / "data.txt").read_text() == "more work"
    (theirs / "00").mkdir()
    (theirs / "00" / "notes.txt").touch()
    with pytest.raises(SystemExit, match="holds something already"):
        assignment.assign(tree, ["00"], theirs)
    ours = renewed(tree, tmp_path / "new")
    (ours / "page.html").touch()
    assert [p.name for p in renewed(tree, ours).iterdir()] == [".hqnn-made"]


def test_somebodys_notebook_is_not_overwritten(tmp_path):
    theirs = tmp_path / "00_start_here.ipynb"
    theirs.write_bytes((HERE.notebooks / "00_start_here.ipynb").read_bytes())
    with pytest.raises(SystemExit, match="is a notebook of somebody's"):
        running.run(HERE, "00_start_here", "smoke", tmp_path)
    assert theirs.read_bytes() == (HERE.notebooks / "00_start_here.ipynb").read_bytes()


# ---------------------------------------------------------------------------------- archives


def tar_of(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, size in members:
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(bytes(size)))
    return path


@pytest.mark.parametrize("limit", ["members", "bytes"])
def test_archive_bomb(tmp_path, monkeypatch, limit):
    path = tar_of(tmp_path / "a.tar.gz", [(f"BreaKHis_v1/{i}.txt", 1000) for i in range(20)])
    monkeypatch.setattr(archive, "MOST_MEMBERS", 10 if limit == "members" else 100)
    monkeypatch.setattr(archive, "MOST_BYTES", 10**6 if limit == "members" else 10_000)
    with pytest.raises(DataError, match="is refused: it holds more than"):
        archive.extract_archive(path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("bomb", ["header promises more", "more than the memory"])
def test_npz_bomb(tmp_path, medmnist_file, monkeypatch, bomb):
    if bomb == "more than the memory":
        monkeypatch.setattr("psutil.virtual_memory", lambda: type("M", (), {"available": 100}))
        with pytest.raises(DataError, match=r"needs .* kB of memory, 100 bytes are free"):
            load_breastmnist(source=medmnist_file)
        return
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(medmnist_file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "train_images.npy":
                stream = io.BytesIO()
                header = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 28, 28)}
                np.lib.format.write_array_header_1_0(stream, header)
                content = stream.getvalue() + b"x"
            new.writestr(name, content)
    with pytest.raises(DataError, match=r"train_images would be 784\.0 GB"):
        load_breastmnist(source=path)


# ------------------------------------------------------------------------------------ images


def saved(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels) if mode is None else Image.new(mode, (20, 20))
    image.save(path, **options)
    return path


def test_image_of_16_bits_is_scaled(tmp_path):
    ramp = (np.arange(400).reshape(20, 20) * 164).astype(np.uint16)
    found = read_image(saved(tmp_path / "a.png", ramp), Resizing(20))
    wanted = np.rint(ramp / 65535 * 255).astype(np.uint8)
    np.testing.assert_array_equal(found, np.repeat(wanted[..., None], 3, axis=2))


REFUSED = {
    "32-bit float": ("a.tiff", np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20), None),
    "32-bit whole numbers": ("a.tiff", np.arange(400, dtype=np.int32).reshape(20, 20), None),
    "inks": ("a.tiff", None, "CMYK"),
}


@pytest.mark.parametrize(("name", "pixels", "mode"), REFUSED.values(), ids=REFUSED)
def test_image_mode_is_refused(tmp_path, name, pixels, mode):
    with pytest.raises(DataError, match="has pixels of mode"):
        read_image(saved(tmp_path / name, pixels, mode), Resizing(8))


def test_image_with_several_pictures(tmp_path):
    one = Image.new("L", (20, 20))
    one.save(tmp_path / "a.tiff", save_all=True, append_images=[one])
    with pytest.raises(DataError, match="holds 2 pictures"):
        read_image(tmp_path / "a.tiff", Resizing(8))


def test_image_of_too_many_pixels(tmp_path):
    path = saved(tmp_path / "a.png", None, "1")
    Image.new("1", (10_000, 10_000)).save(path)
    with pytest.raises(DataError, match="10000 x 10000 pixels, more than"):
        read_image(path, Resizing(8))


def test_unreadable_subfolder_is_no_smaller_data_set(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "SOB_B_A-14-22549AB-40-001.png").touch()
    scan = os.scandir

    def refused(folder):
        if str(folder).endswith("b"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    assert len(list_images(tmp_path)) == 1
    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"b cannot be read \(Permission denied\)"):
        list_images(tmp_path)


def test_the_command_refuses_in_words_and_not_with_a_traceback(tmp_path):
    command = [sys.executable, str(HERE.notebooks / "course.py"), "retarget", "--", "a/$(boom)"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "is no address" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("turned", range(1, 9))
def test_image_that_a_camera_turned_is_set_upright(tmp_path, turned):
    """Every viewer shows it upright; the pixels alone lie on their side."""
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:10], pixels[:, :5] = 200, 90
    swapped = pixels.swapaxes(0, 1)
    upright = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: swapped,
        6: swapped[:, ::-1],
        7: swapped[::-1, ::-1],
        8: swapped[::-1],
    }
    note = Image.Exif()
    note[0x0112] = turned
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=note)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", Resizing(20)), upright[turned])


def test_postscript_is_no_image(tmp_path, monkeypatch):
    """Under whatever name: Pillow would hand it to Ghostscript, which runs it as a program."""
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("it was run"))
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n")
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image"):
        read_image(path, Resizing(8))


@pytest.mark.unix
@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize("mended", [True, False], ids=["venv adds pip", "pip stays broken"])
def test_an_interrupted_installation(tmp_path, mended):
    """A folder .venv with Python and without pip: it is completed, or the remedy is said."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "pyproject.toml", "tests/constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    inside = tmp_path / ".venv" / "bin" / "python"
    inside.parent.mkdir(parents=True)
    inside.write_text('#!/bin/sh\ntest -e pip || test "$2" != pip\n')
    outside = tmp_path / "python"
    outside.write_text(
        '#!/bin/sh\nif [ "$2" = venv ]; then touch %s; fi\n' % ("pip" if mended else "x")
    )
    for file in (inside, outside):
        file.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "-s", "install", "INSTALLER=pip", f"PYTHON={outside}"]
    done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True)
    assert (done.returncode == 0) is mended, done.stdout + done.stderr
    assert (
        "is half made, its installation was interrupted: rm -rf .venv" in done.stdout
    ) is not mended
