"""Faults of no single class: odd names and places, pipes, nonsense in the environment, fuzzing."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import torch
from coursekit import running
from coursekit.addresses import clean_address
from coursekit.files import HERE
from PIL import Image

from hqnn_utils import plots
from hqnn_utils.data import archive, load_breastmnist
from hqnn_utils.data.breakhis_pixels import Resizing, read_image
from hqnn_utils.models import WeightsError, build_backbone
from hqnn_utils.models.backbones import SmallCNN
from hqnn_utils.records import Record, RecordError, load_all, load_family, load_record, save_record
from hqnn_utils.runtime import DataError, cache_dir, data_dir
from hqnn_utils.runtime.files import StorageError
from hqnn_utils.studies import StudyError, plans, run_study, study

# --------------------------------------------------------------------------------- environment


@pytest.mark.unix
@pytest.mark.parametrize(
    ("variable", "folder"), [("HQNN_DATA", data_dir), ("HQNN_CACHE", cache_dir)]
)
def test_home_of_nobody(monkeypatch, variable, folder):
    monkeypatch.setenv(variable, "~nobody_of_that_name/x")
    with pytest.raises(ValueError, match=rf"names the home of nobody: set {variable} to the whole"):
        folder()


def test_no_home_at_all(monkeypatch):
    def none(cls):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HQNN_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", classmethod(none))
    with pytest.raises(ValueError, match="no home folder: set HQNN_CACHE to the whole path"):
        cache_dir()


def test_data_folder_that_is_a_file(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HQNN_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match="data folder: .* cannot be written .*set HQNN_DATA"):
        load_breastmnist(source="auto")


def drawn(a):
    return plots.flow([("a", str(a))])


@pytest.mark.parametrize("text", ["three", "0", "-1", "1e9"])
def test_frames_that_are_no_number(monkeypatch, text):
    monkeypatch.setenv("HQNN_STATIC", "1")
    monkeypatch.setenv("HQNN_FRAMES", text)
    with pytest.raises(ValueError, match="HQNN_FRAMES must be a whole number of at least 1"):
        plots.explore(drawn, a=ipywidgets.IntSlider(min=0, max=2))


@pytest.mark.parametrize("text", ["0", "no", "False", ""])
def test_static_pages_switched_off(monkeypatch, text):
    monkeypatch.setenv("HQNN_STATIC", text)
    assert plots.explore(drawn, a=ipywidgets.IntSlider(min=0, max=2)) is None


# ------------------------------------------------------------------------- names and places

QUICK = dict(epochs=1, max_train=32, source="phantom", size=16)


@pytest.mark.parametrize("name", ["con", "NUL", "aux.b", "Lpt1"])
def test_record_named_like_a_device_of_windows(name):
    with pytest.raises(RecordError, match="is that of a device on Windows"):
        Record(name, {}, {}, {}, {})


@pytest.mark.parametrize("names", ["aA", ["e\u0301", "\u00e9"]], ids=["capitals", "accents"])
def test_names_that_are_one_file_on_other_systems(tmp_path, monkeypatch, names):
    monkeypatch.setattr(study, "carry_out", lambda *a: pytest.fail("a run was started"))
    table = [dict(QUICK, name=name, seed=i) for i, name in enumerate(names)]
    with pytest.raises(StudyError, match="are one file on some systems|may hold letters"):
        run_study(table, tmp_path, progress=False)


@pytest.mark.unix
@pytest.mark.parametrize("folder", ["x" * 300, "a/" * 3000], ids=["name", "path"])
def test_folder_with_too_long_a_name(tmp_path, folder):
    with pytest.raises(StorageError, match="File name too long"):
        run_study([dict(QUICK)], tmp_path / folder, progress=False)


@pytest.mark.unix
def test_records_in_a_folder_with_an_odd_name(tmp_path):
    folder = tmp_path / "results of Zoë ü [1] $HOME; '*'\n" / "100 %"
    save_record(Record("a", {}, {}, {}, {}), folder)
    assert [r.name for r in load_all(folder)] == ["a"]
    assert [p.name for p in folder.iterdir()] == ["a.json"]


@pytest.mark.unix
@pytest.mark.parametrize("what", ["record", "family", "data", "weights"])
def test_a_pipe_instead_of_a_file(tmp_path, what):
    """It was read for ever."""
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    reads = {
        "record": lambda: load_record(pipe),
        "family": lambda: load_family(pipe),
        "data": lambda: load_breastmnist(source=pipe),
        "weights": lambda: build_backbone("small_cnn", 1, pipe),
    }
    found = []

    def read():
        try:
            reads[what]()
        except (RecordError, DataError, WeightsError) as error:
            found.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert found
    assert "is no file but a pipe or a device" in found[0]


@pytest.mark.unix
def test_a_folder_named_like_a_record(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(RecordError, match=r"a.json cannot be read \(Is a directory\)"):
        load_all(tmp_path)


# ----------------------------------------------------------------------------------- content


@pytest.mark.parametrize("read", [load_record, load_family, plans.read_table])
def test_json_nested_too_deeply(tmp_path, read):
    path = tmp_path / "a.json"
    path.write_text("[" * 200_000)
    with pytest.raises((RecordError, StudyError), match="nested too deeply"):
        read(path)


NO_TABLES = {
    "a number": 3,
    "grids of numbers": {"grids": [3]},
    "grids no list": {"grids": 3},
    "folds no options": {"grids": [{}], "cross_validation": 3},
    "seeds of two kinds": [{"seed": "a"}, {"seed": 1}],
    "common of no names": {"grids": [{}], "common": [1]},
    "rows of texts": ["a"],
}


@pytest.mark.parametrize("content", NO_TABLES.values(), ids=NO_TABLES)
def test_a_plan_of_another_form(tmp_path, content):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(content))
    with pytest.raises(StudyError, match="holds neither a list of settings nor grids of them"):
        plans.read_table(path)


def saved(arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def picture(kind):
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def packed():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for i in range(3):
            info = tarfile.TarInfo(f"BreaKHis_v1/{i}.txt")
            info.size = 200
            tar.addfile(info, io.BytesIO(np.random.default_rng(i).bytes(200)))
    return stream.getvalue()


def weights():
    stream = io.BytesIO()
    torch.save(SmallCNN(1, width=2).state_dict(), stream)
    return stream.getvalue()


FUZZED = {
    "npz": (saved, lambda p: load_breastmnist(source=p), 97),
    "png": (lambda _: picture("PNG"), lambda p: read_image(p, Resizing(8)), 17),
    "tiff": (lambda _: picture("TIFF"), lambda p: read_image(p, Resizing(8)), 7),
    "tar.gz": (lambda _: packed(), lambda p: archive.extract_archive(p, progress=False), 29),
    "pt": (lambda _: weights(), lambda p: build_backbone("small_cnn", 1, p), 211),
}


@pytest.mark.parametrize("kind", FUZZED)
@pytest.mark.filterwarnings("ignore")
def test_flipped_bits_anywhere_are_an_error_of_ours_or_make_no_difference(
    tmp_path, medmnist_arrays, kind
):
    make, read, step = FUZZED[kind]
    content, found = make(medmnist_arrays), set()
    for place in range(0, len(content), step):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path = tmp_path / str(place) / f"a.{kind}"
        path.parent.mkdir()
        path.write_bytes(changed)
        try:
            read(path)
        except (DataError, WeightsError) as error:
            found.add(str(path) in str(error) or "do not belong to" in str(error))
    assert found == {True}, "every error names the file"


# ---------------------------------------------------------------------- the tool of the course


@pytest.mark.parametrize(
    "address",
    ["mona_octo/course", "a/.github", "a/-b", "A-1/x.y_z-0", "https://github.com/a_b/c.git"],
)
def test_odd_names_that_github_allows(address):
    assert clean_address(address).count("/") == 1


def test_what_a_killed_run_had_put_aside_comes_back(tmp_path):
    """Killed between two renamings: the stored records were gone, and the next run removed them."""
    aside, stored = tmp_path / "laptop" / "00.before", tmp_path / "results" / "00"
    aside.mkdir(parents=True)
    (aside / "a.json").write_text("{}")
    stored.parent.mkdir()
    running.restore(tmp_path / "laptop" / "00", stored)
    assert (stored / "a.json").read_text() == "{}"
    assert not aside.exists()


STOPPED = """
import sys, time
sys.path.insert(0, sys.argv[1])
import course
from pathlib import Path
from coursekit import running
def execute(*arguments):
    try:
        print("began", flush=True)
        time.sleep(60)
    finally:
        print("tidied up", flush=True)
running.execute = execute
sys.argv = ["course.py", "execute", "00"]
course.main()
"""


@pytest.mark.unix
def test_make_notebooks_ended_from_outside_tidies_up():
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, HERE.notebooks], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "began\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=240)[0] == "tidied up\n"
    assert process.returncode == 128 + signal.SIGTERM


FULL = """
import errno, sys
sys.path.insert(0, sys.argv[1])
import course
from coursekit import running
def execute(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device", "figure.png")
running.execute = execute
sys.argv = ["course.py", "execute", "00"]
course.main()
"""


def test_disk_full_in_the_tool_is_said_in_words():
    command = [sys.executable, "-c", FULL, HERE.notebooks]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == (
        "No space left on device (figure.png): what was stored before is as it was\n"
    )


# ------------------------------------------------------------------------- the compiled kernel


@pytest.mark.parametrize("error", [RuntimeError("cannot cache"), OSError(28, "full"), EOFError()])
def test_kernel_that_cannot_be_kept_is_compiled_all_the_same(monkeypatch, error):
    """A read-only checkout and home, a full disk, a damaged cache."""
    kernel = pytest.importorskip("hqnn_utils.quantum.engine.kernel")
    asked = []

    def njit(signature, cache=False, **options):
        def compile_(function):
            asked.append(cache)
            if cache:
                raise error
            return function

        return compile_

    monkeypatch.setattr(kernel, "njit", njit)
    assert kernel._compiled(len, "signature") is len
    assert asked == [True, False]
