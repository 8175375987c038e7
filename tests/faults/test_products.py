"""Figures, pages, book: the old ones stay until the new ones are complete; two runs at once."""

import errno
import os
import shutil
import subprocess

import matplotlib.pyplot as plt
import numpy as np
import pytest
from coursekit import book, slides
from coursekit.files import HERE, made_anew, read, write
from fault_toys import ROOT, until
from PIL import Image

from hqnn_utils import plots
from hqnn_utils.runtime.files import StorageError


def figure(points=4):
    """Noise, which does not compress."""
    drawn, axis = plt.subplots(figsize=(4, 4))
    axis.imshow(np.random.default_rng(0).random((points, points)))
    plt.close(drawn)
    return drawn


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_figure_on_a_full_disk(small_disk, kind):
    path = small_disk / f"scores.{kind}"
    assert plots.save(figure(), path, dpi=20) == path
    before = path.read_bytes()
    (small_disk / "other").write_bytes(bytes(shutil.disk_usage(small_disk).free - 4096))
    with pytest.raises(StorageError, match=rf"scores\.{kind} cannot be written \(the disk is full"):
        plots.save(figure(300), path, dpi=200)
    assert path.read_bytes() == before
    assert sorted(p.name for p in small_disk.iterdir()) == ["other", path.name]


@pytest.mark.parametrize("name", ["scores", "scores.", "scores.docx", ".png"])
def test_figure_of_no_known_kind(tmp_path, name):
    with pytest.raises(ValueError, match=r"path must end in one of .*\.png"):
        plots.save(figure(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.unix
def test_figure_beyond_a_limit(script, tmp_path):
    """A limit on the length of files (ulimit -f), as some clusters set it."""
    program = (
        "import resource, signal, sys\n"
        "import matplotlib; matplotlib.use('agg')\n"
        "from pathlib import Path\n"
        "from hqnn_utils import plots\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_products import figure\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "plots.save(figure(), sys.argv[1], dpi=20)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "plots.save(figure(300), sys.argv[1], dpi=200)\n"
    )
    path = tmp_path / "a.png"
    folders = os.pathsep.join([str(ROOT), str(HERE.notebooks)])
    process = script(program, path, ROOT / "tests" / "faults", PYTHONPATH=folders)
    _, err = process.communicate(timeout=240)
    assert "StorageError" in err
    assert "a.png cannot be written (File too large): make room" in err
    assert Image.open(path).size == (80, 80)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_notebook_on_a_full_disk(small_disk):
    """What ``execute`` stores: outputs with their figures."""
    notebook = read(HERE.notebooks / "00_start_here.ipynb")
    notebook.cells = notebook.cells[:2]
    path = small_disk / "a.ipynb"
    write(notebook, path)
    before = path.read_bytes()
    notebook.cells[0].source = "x" * 90_000
    with pytest.raises(OSError, match="No space left") as said:
        write(notebook, path)
    assert said.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert [p.name for p in small_disk.iterdir()] == ["a.ipynb"]


def lay(folder, pages):
    for name, text in pages.items():
        (folder / name).write_text(text)


@pytest.mark.parametrize("how", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), SystemExit(1)])
def test_old_product_stays_until_the_new_one_is_complete(tree, how):
    out = tree.root / "build" / "book"
    for text in ("one", "two"):
        with made_anew(tree, out) as new:
            lay(new, {"index.html": text, f"{text}.html": text})
    assert sorted(p.name for p in out.iterdir()) == [".hqnn-made", "index.html", "two.html"]

    def stopped():
        with made_anew(tree, out) as new:
            lay(new, {"index.html": "half"})
            raise how

    with pytest.raises(type(how)):
        stopped()
    assert (out / "index.html").read_text() == "two"
    assert [p.name for p in out.parent.iterdir()] == ["book"]


def test_book_and_slides_that_fail_leave_the_old_ones(tree, monkeypatch):
    """The folder was emptied first: a disk that filled up left nothing."""

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(slides, "copy_reveal", full)
    monkeypatch.setattr(book, "gather", lambda tree, out: out)
    monkeypatch.setattr(book, "copy_mathjax", lambda folder: None)
    monkeypatch.setattr(subprocess, "run", full)
    for makes, name in ((slides.build, "slides"), (book.build, "book")):
        out = tree.root / "build" / name
        out.mkdir(parents=True)
        (out / "index.html").write_text("last week's")
        with pytest.raises(OSError, match="No space left"):
            makes(tree, out)
        assert (out / "index.html").read_text() == "last week's"


# -------------------------------------------------------------------------- two at once

AT_ONCE = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import course
from coursekit import running
folder, me = Path(sys.argv[2]), sys.argv[3]

def run_notebook(source, target, profile, results, progress=False):
    print(me, "runs", profile, flush=True)
    until = time.monotonic() + 60
    while not (folder / "go").exists() and time.monotonic() < until:
        time.sleep(0.01)
    made = results / source.stem
    made.mkdir(parents=True, exist_ok=True)
    (made / f"{me}.json").write_text("{}")
    return running.read(source), 1.0

running.run_notebook = run_notebook
running.to_html = lambda notebook, path: path
running.tables.report = lambda folder: ""
course.HERE = running.Tree(folder / "course")
sys.argv = ["course.py", *sys.argv[4:]]
course.main()
"""


@pytest.mark.parametrize("command", [["execute", "00"], ["run", "00_start_here"]], ids=" ".join)
def test_one_notebook_in_two_processes_at_once(script, tree, tmp_path, command):
    """The second is refused in words; what the first makes is whole, and a third may run."""
    shutil.copy(HERE.notebooks / "00_start_here.ipynb", tree.notebooks)
    (tree.results / "00_start_here").mkdir(parents=True)
    (tree.results / "00_start_here" / "old.json").write_text("{}")
    out = ["--out", tmp_path / "out"] if command[0] == "run" else []
    folders = os.pathsep.join([str(ROOT), str(HERE.notebooks)])

    def start(me):
        arguments = [HERE.notebooks, tmp_path, me, *command, *out]
        return script(AT_ONCE, *arguments, PYTHONPATH=folders)

    first = start("first")
    assert first.stdout.readline().startswith("running" if out else "first runs smoke")
    before = {p: p.read_bytes() for p in tree.notebooks.rglob("*") if p.is_file()}
    second = start("second")
    said, err = second.communicate(timeout=240)
    assert second.returncode == 1
    assert "in use by another process" in err
    assert "has ended" in err
    assert "second runs" not in said
    assert {p: p.read_bytes() for p in tree.notebooks.rglob("*") if p.is_file()} == before
    (tmp_path / "go").touch()
    if not out:  # what comes after belongs to a whole course, which this is not
        until((tree.results / "00_start_here" / "first.json").exists, 240)
        first.kill()
    else:
        assert first.wait(240) == 0
        assert [p.name for p in (tmp_path / "out" / "results").rglob("*.json")] == ["first.json"]
    third = start("third")
    lines = iter(third.stdout.readline, "")
    assert any("third runs" in line for line in lines), third.stderr.read()
