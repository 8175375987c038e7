"""A model that has stopped learning is red in the smoke run of its notebook."""

import sys
from pathlib import Path

import pytest
from coursekit.files import write
from coursekit.running import run_notebook
from nbformat.v4 import new_code_cell

from hqnn_utils.data import load_breastmnist

sys.path.insert(0, str(Path(__file__).parent.parent / "notebooks"))
from test_smoke import BANDS, ENTRIES, check_bands, rehearsed

# What a student sees nothing of: the first cell of the page.
FAULTS = {
    "an optimiser without steps": """\
import torch

for _kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
    _kind.step = lambda self, closure=None: None""",
    "labels that mean nothing": """\
import hqnn_utils.data
import hqnn_utils.data.splits
import hqnn_utils.studies.run
from hqnn_utils.data.splits import shuffle_labels


def _shuffled(module, name):
    known = getattr(module, name)
    setattr(module, name, lambda *a, **k: shuffle_labels(known(*a, **k), 1))


_shuffled(hqnn_utils.data, "load_breastmnist")
_shuffled(hqnn_utils.data.splits, "resplit")
_shuffled(hqnn_utils.studies.run, "load_data")""",
}


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", BANDS)
def test_what_has_stopped_learning_is_red(name, fault, tmp_path):
    on_phantoms = load_breastmnist(28).is_phantom
    if on_phantoms and not any(
        band.get("on", "BreastMNIST") != "BreastMNIST" for band in BANDS[name].values()
    ):
        pytest.skip("the bands are those of the real images")
    (entry,) = [entry for entry in ENTRIES if entry["name"] == name]
    notebook = rehearsed(entry)
    notebook.cells.insert(0, new_code_cell(FAULTS[fault]))
    write(notebook, tmp_path / "page.ipynb")
    done, _ = run_notebook(
        tmp_path / "page.ipynb", tmp_path / "out.ipynb", "smoke", tmp_path / "results"
    )
    with pytest.raises(AssertionError, match="band|not from"):
        check_bands(entry, done, tmp_path / "results")
