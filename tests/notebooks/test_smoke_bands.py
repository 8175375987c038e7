"""The bands of the smoke profile notice a model that has stopped learning."""

import re

import pytest
import torch
from coursekit.files import HERE, read
from test_smoke import BANDS, check_band, values

from hqnn_utils.data import load_breastmnist
from hqnn_utils.data.splits import limit_train, shuffle_labels
from hqnn_utils.models.backbones import SmallCNN
from hqnn_utils.records import Record
from hqnn_utils.runtime import resolve_profile
from hqnn_utils.training import evaluate

NAME = "00-small_cnn28-linear-s0"


def standing_still(monkeypatch):
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, *a, **k: None)


# What goes wrong -> how, and the metric that says so.
STOPPED = {"an optimiser without steps": "loss", "labels that mean nothing": "auc"}


@pytest.fixture(scope="module")
def train_in_00():
    """The function of notebook 00 that trains, and the names that it looks up."""
    (source,) = [c.source for c in read(HERE.path_of(ENTRIES[0])).cells if "def train(" in c.source]

    def run(data):
        profile = resolve_profile("smoke")
        x, y = limit_train(data, profile.max_train, seed=0).tensors("train")
        names = {"torch": torch, "SEED": 0, "x_train": x, "y_train": y}
        names["x_val"], names["y_val"] = data.tensors("val")
        exec(compile(source, "00_start_here", "exec"), names)
        torch.manual_seed(0)
        model = torch.nn.Sequential(SmallCNN(), torch.nn.Linear(64, 2))
        history = names["train"](model, profile.epochs)
        scores, predicted = evaluate(model, data)
        kept = [{k: row[k] for k in ("epoch", "loss", "val_auc")} for row in history]
        return Record(
            NAME,
            settings={"seed": 0},
            data=data.describe(),
            scores=scores,
            predictions=predicted,
            history=kept,
        )

    return run


ENTRIES = HERE.course()["notebooks"]


@pytest.fixture(scope="module")
def real():
    data = load_breastmnist(size=28)
    if data.describe()["source"] != "medmnist":
        pytest.skip("the bands are those of the real images")
    return data


def test_what_learns_lies_within(train_in_00, real):
    check_band(train_in_00(real), BANDS["00_start_here"][NAME])


@pytest.mark.parametrize("how", STOPPED)
def test_what_has_stopped_learning_falls_out(how, train_in_00, real, monkeypatch):
    """Each is seen by one metric: both are needed."""
    if STOPPED[how] == "loss":
        standing_still(monkeypatch)
    else:
        real = shuffle_labels(real, 1)
    with pytest.raises(AssertionError, match=f"{NAME}: {STOPPED[how]} "):
        check_band(train_in_00(real), BANDS["00_start_here"][NAME])


def test_bands_belong_to_notebooks_and_name_both_metrics():
    assert set(BANDS) <= {entry["name"] for entry in ENTRIES}
    for name, bands in BANDS.items():
        assert bands
        for band in (bands[key] for key in bands.keys() - values(name).keys()):
            assert set(band) == {"loss", "auc"}
            assert all(low < high for low, high in band.values())


# Notebooks without a call that trains a network or a circuit: 01 has logistic regression, 04 and 06
# train nothing, 10 reads records.
WITHOUT = {"01", "04", "06", "10"}


def test_each_notebook_that_trains_has_a_band():
    assert {entry["name"][:2] for entry in ENTRIES} - WITHOUT == {name[:2] for name in BANDS}
    for entry in ENTRIES:
        code = "\n".join(c.source for c in read(HERE.path_of(entry)).cells if c.cell_type == "code")
        trains = re.search(r"\bopti\w+\.step\(|(?<!\.)\bfit\(\w+, |run_study\(|carry_out\(", code)
        assert (trains is not None) == (entry["name"] in BANDS), entry["name"]


@pytest.mark.parametrize("name", [name for name in BANDS if values(name)])
def test_what_was_seen_of_models_that_do_not_learn_lies_outside(name):
    """With an optimiser without steps, and with labels shuffled in three ways (each seen by one
    metric at least); tests/faults/test_stopped_learning.py sees it again.
    """
    bands = values(name).values()

    def inside(found):
        return all(low <= value <= high for value, (low, high) in found)

    for band in bands:
        low, high = band["band"]
        assert low < band["normal"] < high
        # a processor that rounds otherwise moves none of them by a twentieth of this
        assert min(band["normal"] - low, high - band["normal"]) > 0.12 * (high - low)
    assert not inside([(band["without steps"], band["band"]) for band in bands])
    for shuffle in range(3):
        assert not inside([(band["shuffled labels"][shuffle], band["band"]) for band in bands])
