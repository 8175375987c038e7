"""Slips of the pen: what was typed is not what was meant, and it ran all the same."""

import json
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import pytest
import torch

from hqnn_utils import plots
from hqnn_utils.data import load_breastmnist, make_table
from hqnn_utils.data.breakhis_pixels import Resizing, read_image
from hqnn_utils.evaluation import metrics
from hqnn_utils.models import build_model
from hqnn_utils.quantum import CircuitSpec, QuantumLayer
from hqnn_utils.records import Record, RecordError, load_all, save_record
from hqnn_utils.records.__main__ import main
from hqnn_utils.records.record import plain
from hqnn_utils.runtime import DataError, cache_dir, data_dir, results_dir
from hqnn_utils.runtime.files import StorageError, locked
from hqnn_utils.studies import StudyError, grid, plans, run_study

FOLDERS = {"HQNN_DATA": data_dir, "HQNN_CACHE": cache_dir, "HQNN_RESULTS": lambda: results_dir("x")}
NO_FOLDERS = {
    "quotes of a settings file": '"/data/sets"',
    "single quotes": "'/data/sets'",
    "end of a line": "/data/sets\n",
    "a blank": " ",
    "a variable that nobody filled in": "$HOME/data",
    "one of Windows": "%USERPROFILE%\\data",
    "an address": "https://example.org/data",
    "an address of a bucket": "s3://bucket/data",
    "an address of a file": "file:///data",
}


@pytest.mark.parametrize("text", NO_FOLDERS.values(), ids=NO_FOLDERS)
@pytest.mark.parametrize("variable", FOLDERS)
def test_variable_that_names_no_folder(monkeypatch, variable, text):
    """No such folder was there: phantoms came in place of the data, or a folder of that name."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValueError, match=rf"{variable}=.* is no path of a folder: set {variable}"):
        FOLDERS[variable]()


@pytest.mark.parametrize("variable", FOLDERS)
@pytest.mark.parametrize("text", ["~/data", "data", "/my data/100 %", "C:/data", "a$b", "D:\\data"])
def test_variable_that_names_a_folder(monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    wanted = Path(text).expanduser()
    assert FOLDERS[variable]() == (wanted / "x" if variable == "HQNN_RESULTS" else wanted)


def test_results_in_a_home(monkeypatch):
    """A folder named ~ was made where the notebook lay."""
    monkeypatch.setenv("HQNN_RESULTS", "~/results")
    assert results_dir("00") == Path.home() / "results" / "00"


def test_images_that_were_divided_before_they_became_whole_numbers(tmp_path, medmnist_arrays):
    """All black but for a pixel here and there; it trained without a word."""
    path = tmp_path / "a.npz"
    small = {k: v // 255 if k.endswith("images") else v for k, v in medmnist_arrays.items()}
    for name in small:
        if name.endswith("images"):
            small[name][0, 0, 0] = 1
    np.savez(path, **small)
    with pytest.raises(DataError, match=r"a\.npz: no value of its images is above 1 of 255"):
        load_breastmnist(source=path)
    small["test_images"][0, 0, 0] = 2
    np.savez(path, **small)
    assert load_breastmnist(source=path).images.max() == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_a_table_that_was_saved_on_windows(tmp_path, encoding):
    path = tmp_path / "mine.json"
    path.write_bytes('{"about": "Zoë", "grids": [{"seed": [0, 1]}]}'.encode(encoding))
    if encoding == "utf-8-sig":
        assert plans.read_table(path) == [{"seed": 0}, {"seed": 1}]
        return
    said = "it is in UTF-16: save it as UTF-8" if encoding == "utf-16" else "cannot be read"
    with pytest.raises(StudyError, match=said):
        plans.read_table(path)


SLIPS = {
    "nine zeros": dict(seed=range(10**9)),
    "thirty zeros": dict(seed=range(10**30)),
    "a product": dict(seed=range(3000), epochs=range(1, 3000)),
}


@pytest.mark.parametrize("options", SLIPS.values(), ids=SLIPS)
def test_a_table_of_a_slip_of_the_pen(options):
    """It was built until the memory was full."""
    with pytest.raises(StudyError, match=r"would have .* rows or more, at most 1,000,000 can be"):
        grid(**options)


def drawn(a=0):
    return plots.flow([("a", str(a))])


NO_CONTROLS = {
    "no control": ("", dict(), "explore needs a control"),
    "no control in a page": ("1", dict(), "explore needs a control"),
    "no frame": ("1", dict(frames=[], a=ipywidgets.IntSlider(max=2)), "frames holds nothing"),
    "a slider that cannot move": (
        "1",
        dict(a=ipywidgets.FloatSlider(max=1, step=0)),
        "the step of a slider must be above 0",
    ),
}


@pytest.mark.parametrize(("static", "options", "said"), NO_CONTROLS.values(), ids=NO_CONTROLS)
def test_pictures_with_knobs_that_are_none(monkeypatch, static, options, said):
    """StopIteration, ZeroDivisionError and a word of ``min``."""
    monkeypatch.setenv("HQNN_STATIC", static)
    with pytest.raises(ValueError, match=said):
        plots.explore(drawn, **options)


@pytest.mark.parametrize("labels", [[0, 1] * 3, [0] * 12 + [1], [1] * 5 + [0] * 2])
def test_a_table_too_short_to_be_split(labels):
    """The words were scikit-learn's: train_size and classes."""
    with pytest.raises(ValueError, match=r"labels: \d+ of 0 and \d+ of 1 are too few for parts"):
        make_table(np.arange(float(len(labels)))[:, None], np.array(labels))


def test_masked_labels():
    """As an array they lose the mask: what it hid was counted."""
    y, p = np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.2, 0.8])
    hidden = np.ma.array(y, mask=[0, 0, 1, 1])
    with pytest.raises(ValueError, match="labels must be numbers.*some are masked: leave them out"):
        metrics.scores(hidden, p)
    assert metrics.scores(np.ma.array(y), p) == metrics.scores(y, p)


def test_tables_in_different_order():
    """pandas joins by name elsewhere; here the first met the last."""
    y = pd.Series([0, 1, 1], index=["a", "b", "c"])
    p = pd.Series([0.9, 0.8, 0.1], index=["c", "b", "a"])
    with pytest.raises(ValueError, match=r"in different order.*reindex\(labels.index\)"):
        metrics.scores(y, p)
    assert metrics.scores(y, p.reindex(y.index))["auc"] == 1
    assert metrics.scores(y, pd.Series(p.to_numpy()))["auc"] == 0, "without names: by place"


def test_an_address_for_a_folder(tmp_path, monkeypatch):
    """A folder https: was made in the working directory."""
    monkeypatch.chdir(tmp_path)
    record = Record("a", {}, {}, {}, {})
    for call in (
        lambda: run_study([dict(seed=0)], "https://example.org/records", progress=False),
        lambda: save_record(record, "s3://bucket/a"),
        lambda: save_record(record, Path("https://example.org/records")),
        lambda: plots.save(drawn(), "https://example.org/a.png"),
    ):
        with pytest.raises(ValueError, match="must be a path of this machine, got an address"):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [torch.Tensor.byte, torch.Tensor.long, torch.Tensor.bool])
def test_images_that_are_whole_numbers(make):
    with pytest.raises(ValueError, match=r"images are torch\..*: give it images.float\(\) / 255"):
        build_model()(make(torch.zeros(2, 1, 28, 28)))


def test_features_that_are_sparse():
    with pytest.raises(ValueError, match="a circuit takes dense features, got torch.sparse_coo"):
        QuantumLayer(CircuitSpec(n_qubits=2))(torch.zeros(1, 2).to_sparse())


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"version https://git-lfs", b"%PDF"])
def test_a_file_that_is_no_picture_at_all(tmp_path, content):
    """The words were of an object at an address in memory."""
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image \(it is none of PNG, "):
        read_image(tmp_path / "a.png", Resizing(8))


# --------------------------------------------------------------------------------- records


def test_a_file_instead_of_a_folder(tmp_path):
    """No records, without a word."""
    path = save_record(Record("a", {}, {}, {}, {}), tmp_path)
    with pytest.raises(RecordError, match=r"json is a file: load_record or load_family reads it"):
        load_all(path)


def test_two_keys_of_one_text():
    """One of the two values was lost without a word."""
    with pytest.raises(RecordError, match="two keys of a record are one text"):
        plain({"lr": {1: 0.1, "1": 0.2}})


def test_a_record_that_holds_itself(tmp_path):
    settings = {}
    settings["a"] = settings
    with pytest.raises(RecordError, match="record 'a' .*is nested too deeply"):
        save_record(Record("a", settings, {}, {}, {}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_nobody_can_read_again(tmp_path):
    with pytest.raises(RecordError, match="cannot hold a whole number of 16610 bits"):
        save_record(Record("a", {"n": 10**5000}, {}, {}, {}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sealing_a_folder_leaves_other_files_alone(tmp_path, capsys):
    """``seal .`` would have written into the settings of an editor."""
    path = save_record(Record("a", {}, {}, {}, {}), tmp_path / "my_results")
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps(content))
    others = {"package.json": '{"name": "x"}', "b.json": '{"runs": []}', "c.json": "[", "d": "{}"}
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    main(["seal", str(tmp_path)])
    assert capsys.readouterr().out.startswith("1 sealed")
    assert {name: (tmp_path / name).read_text() for name in others} == others
    main(["seal", str(tmp_path / "package.json")])
    assert "digest" in (tmp_path / "package.json").read_text(), "whoever names it means it"


@pytest.mark.unix
def test_a_lock_that_is_a_link_to_somebody_s_file(tmp_path):
    """On a shared disk anybody may lay one there."""
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / ".f.json.lock").symlink_to(tmp_path / "thesis.txt")
    with pytest.raises(StorageError, match="cannot be written"), locked(tmp_path / "f.json", 1, ""):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
