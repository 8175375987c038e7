"""Every notebook runs in the smoke profile; 00 also with neither data nor network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from coursekit.files import HERE, read, tags, write
from coursekit.running import run_notebook
from coursekit.student import needed_later, student_version
from nbformat.v4 import new_code_cell

from hqnn_utils.records import load_record

ENTRIES = HERE.course()["notebooks"]
LIMIT = 45  # seconds, DESIGN's budget for smoke on two cores


# A solution may build on earlier ones, on what the page has not changed since.
REMEMBER = """\
_before, _answers = dict(globals()), globals().get("_answers", {})
for _name, (_solved, _open) in _answers.items():
    if globals().get(_name) is _open:
        globals()[_name] = _solved"""
FORGET = """\
for _name in [name for name in globals() if not name.startswith("_")]:
    _now, _was = globals()[_name], _before.get(_name)
    if _now is not _was:
        _answers[_name] = (_now, _was)
        globals()[_name] = _was
        if _name not in _before:
            del globals()[_name]"""


def rehearsed(entry):
    """The student version; behind each exercise its solution is tried and forgotten again.

    So one run shows both: the solutions are right, and a page on which nothing is solved can be
    read to its end. nbval runs the page that builds on its solutions.
    """
    solutions = iter([c for c in read(HERE.path_of(entry)).cells if "solution" in tags(c)])
    notebook = student_version(read(HERE.path_of(entry)), HERE.course(), entry, {})
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if "exercise" in tags(cell):
            cells += [new_code_cell(REMEMBER), next(solutions), new_code_cell(FORGET)]
    assert list(solutions) == []
    notebook.cells = cells + band_cell(entry)
    return notebook


def band_cell(entry):
    """Behind the last cell: the trained metrics that no record holds, from what the page computed.

    On phantoms, where a page had no real images, there is no band.
    """
    bands = values(entry["name"])
    return [new_code_cell(FOUND.format(bands=bands))] if bands else []


FOUND = """\
import json as _json
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score
_found = {{}}
for _name, _band in {bands!r}.items():
    if _band["on"] != "BreastMNIST" or data.describe()["source"] == "medmnist":
        _found[_name] = float(eval(_band["is"]))
print("BANDS" + _json.dumps(_found))"""


def values(name):
    """The bands of a notebook that are not those of a record."""
    return {key: band for key, band in BANDS.get(name, {}).items() if "is" in band}


def check_bands(entry, notebook, results):
    """AssertionError for a trained metric outside of its band."""
    bands = BANDS.get(entry["name"], {})
    for name in bands.keys() - values(entry["name"]).keys():
        check_band(load_record(results / entry["name"] / f"{name}.json"), bands[name])
    printed = "".join(o.get("text", "") for o in notebook.cells[-1].get("outputs", []))
    if values(entry["name"]):
        for name, found in json.loads(printed.rpartition("BANDS")[2]).items():
            low, high = bands[name]["band"]
            assert low <= found <= high, f"{name}: {found:.4f}, not from {low} to {high}"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e["name"])
def test_smoke(entry, tmp_path):
    """Solved and unsolved: where a page builds on what students write, it goes on without it."""
    write(rehearsed(entry), tmp_path / "student.ipynb")
    notebook, seconds = run_notebook(
        tmp_path / "student.ipynb", tmp_path / "out.ipynb", "smoke", tmp_path / "results"
    )
    print(f"{entry['name']}: smoke {seconds:.0f} s (budget {LIMIT} s on two idle cores)")
    shown = {tag: [] for tag in ("exercise", "solution", "carry-on")}
    for cell in notebook.cells:
        for tag in shown.keys() & set(tags(cell)):
            shown[tag].append((json.dumps(cell.outputs), cell.source))
    for said, source in shown["solution"]:
        assert "RIGHT: " in said, source
    for said, source in shown["exercise"]:
        assert "OPEN: " in said, source
    for said, source in shown["carry-on"]:
        assert "is not solved yet" in said, source
    assert len(shown["carry-on"]) == len(needed_later(read(HERE.path_of(entry))))
    check_bands(entry, notebook, tmp_path / "results")
    assert not (HERE.notebooks / "my_results" / entry["name"]).exists(), (
        "a run with HQNN_RESULTS writes nothing beside the notebook"
    )


# What smoke runs on the real images ended with: the training loss of the last epoch, the test AUC.
# A model that has stopped learning keeps the loss it began with, which lies outside.
BANDS = json.loads((Path(__file__).parent / "smoke_bands.json").read_text(encoding="utf-8"))


def check_band(record, band):
    if record.data["source"] != "medmnist":  # no data here: the phantom's numbers are others
        return
    found = {"loss": record.history[-1]["loss"], "auc": record.scores["test"]["auc"]}
    for metric, (low, high) in band.items():
        assert low <= found[metric] <= high, f"{record.name}: {metric} {found[metric]:.3f}, {band}"
    assert not band["loss"][0] <= record.history[0]["loss"] <= band["loss"][1], "no band at all"


def test_make_run_prints_table_and_page(tmp_path):
    """The command behind `make run` with neither data nor network: it says PHANTOM everywhere."""
    blocked = dict(os.environ, HQNN_DATA=str(tmp_path / "nowhere"))
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import medmnist\n"
        # nothing listens at port 9
        "medmnist.INFO['breastmnist']['url'] = 'http://127.0.0.1:9/breastmnist.npz'\n"
    )
    blocked["PYTHONPATH"] = os.pathsep.join([str(site), str(HERE.root)])  # this checkout's package
    command = [
        sys.executable,
        str(HERE.notebooks / "course.py"),
        "run",
        "00_start_here",
        "--profile",
        "smoke",
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, env=blocked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    page = tmp_path / "out" / "00_start_here.html"
    assert str(page) in done.stdout
    assert page.stat().st_size > 100_000
    for word in (
        "linear",
        "matched",
        "dressed",
        "sensitivity",
        "auc",
        "PHANTOM: these are synthetic images",
    ):
        assert word in done.stdout, done.stdout
    (record,) = (tmp_path / "out" / "results" / "00_start_here").glob("*dressed*.json")
    content = json.loads(record.read_text())
    assert content["data"]["phantom"] is True
    assert len(content["predictions"]["test"]["ids"]) == 156
    assert "USING THE PHANTOM" in page.read_text()


def test_parameters_tag_is_demanded(tmp_path):
    """papermill alone would only warn, and a smoke run would silently become a full one."""
    notebook = read(HERE.path_of(ENTRIES[0]))
    notebook.cells = [c for c in notebook.cells if "parameters" not in tags(c)]
    write(notebook, tmp_path / "untagged.ipynb")
    with pytest.raises(SystemExit, match="no cell tagged 'parameters'"):
        run_notebook(tmp_path / "untagged.ipynb", tmp_path / "out.ipynb", "smoke", tmp_path)
