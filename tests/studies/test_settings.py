"""What a setting holds, how it is named, what it refuses, and that old records stay valid."""

import hashlib
import json

import pytest

from hqnn_utils.quantum import CircuitSpec
from hqnn_utils.quantum.encodings import ENCODINGS, Encoding
from hqnn_utils.studies.settings import (
    DEFAULTS,
    Setting,
    StudyError,
    as_setting,
    grid,
    with_defaults,
)
from hqnn_utils.training import TrainConfig


def test_defaults_are_those_of_the_stored_records():
    """What the first records were made with; what comes later may join them."""
    wanted = dict(
        epochs=40,
        lr=2e-3,
        batch_size=32,
        weight_decay=1e-4,
        patience=15,
        balance=None,
        augment="flip",
        warmup=0,
        seed=0,
        dataset="breastmnist",
        source="medmnist",
        size=28,
        data_options={},
        protocol={"kind": "official"},
        labels="true",
        backbone="small_cnn",
        weights=None,
        fine_tune="full",
        head="linear",
        spec={},
        engine="fused",
        max_train=None,
        test_flips=False,
    )
    assert {key: DEFAULTS[key] for key in wanted} == wanted
    assert as_setting({}).stored() == DEFAULTS


def test_grid():
    table = grid(head=["linear", "dressed"], seed=range(2), spec={"n_qubits": 2}, size=16)
    assert [(s["head"], s["seed"]) for s in table] == [
        ("linear", 0),
        ("linear", 1),
        ("dressed", 0),
        ("dressed", 1),
    ]
    assert all(s["spec"] == {"n_qubits": 2} and s["size"] == 16 for s in table)
    assert [s["seed"] for s in grid(seed=(5, 6), head=["a"])] == [5, 6]
    assert grid() == [{}]


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({}, "small_cnn-28px-linear-s0"),
        (dict(backbone="resnet18", size=64, head="mlp", seed=7), "resnet18-64px-mlp-s7"),
        (
            dict(head="dressed", spec=dict(n_qubits=6), protocol=dict(kind="grouped", seed=3)),
            "small_cnn-28px-dressed-grouped-seed3-n_qubits6-s0",
        ),
        (
            dict(
                labels="shuffled", epochs=3, lr=0.1, batch_size=8, weight_decay=0.5, patience=None
            ),
            "small_cnn-28px-linear-labels-shuffled-epochs-3-lr-0.1-batch_size-8"
            "-weight_decay-0.5-patience-None-s0",
        ),
        (
            dict(balance="loss", augment=None, warmup=2, max_train=9, test_flips=True),
            "small_cnn-28px-linear-balance-loss-augment-None-warmup-2-max_train-9"
            "-test_flips-True-s0",
        ),
        (
            dict(weights="/some/where/mine.pt", fine_tune="last_block", engine="pennylane"),
            "small_cnn-28px-linear-weights-mine-fine_tune-last_block-engine-pennylane-s0",
        ),
        (
            dict(lr={"backbone": 1e-3, "head": 0.1}),
            "small_cnn-28px-linear-lr-backbone0.001-head0.1-s0",
        ),
        (dict(source="phantom"), "small_cnn-28px-linear-s0"),
        (dict(name="mine"), "mine"),
    ],
)
def test_names(row, name):
    assert as_setting(row).name == name


def test_what_a_record_keeps():
    kept = as_setting(dict(source="/a/b/mine.npz", weights="/c/d/e.pth", seed=3)).stored()
    assert kept["source"] == "mine.npz"
    assert kept["weights"] == "e.pth"
    assert kept["seed"] == 3
    assert "name" not in kept
    assert as_setting(dict(weights="/c/x.pt")).stored()["weights"] == "x.pt"
    assert as_setting(dict(source="/a/no-file")).stored()["source"] == "/a/no-file"


def test_an_old_record_is_still_this_setting():
    old = as_setting({}).stored()
    del old["dataset"], old["data_options"]
    assert with_defaults(old) == as_setting({}).stored()
    assert with_defaults({**old, "head": "mlp"})["head"] == "mlp"
    logistic, tree = dict(head="logistic", C=0.1), dict(model="tree", head="linear")
    assert with_defaults(logistic) == logistic, "no run of ours"
    assert with_defaults(tree) == tree, "no run of ours either"
    assert with_defaults(tree) is not tree
    with_defaults(old)["spec"]["n_qubits"] = 9
    assert DEFAULTS["spec"] == {}, "a copy each time"


def test_parts_of_a_setting():
    setting = as_setting(dict(epochs=3, seed=5, head="dressed", spec=dict(n_qubits=3)))
    assert setting.train_config == TrainConfig(epochs=3, seed=5)
    assert setting.circuit == CircuitSpec(n_qubits=3)
    assert as_setting(setting) is setting
    first, second = Setting(), Setting()
    first.spec["x"] = first.protocol["x"] = first.data_options["x"] = 1
    assert second.spec == second.data_options == {}
    assert second.protocol == {"kind": "official"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (dict(heads="linear"), "unknown key in a setting 'heads'; known: name, epochs, lr,"),
        (dict(head="qnn"), "unknown head 'qnn'; known: linear"),
        (dict(spec=dict(n_qubits=0)), "n_qubits must be a whole number from 1 to 500"),
        (dict(spec=dict(qubits=2)), "unexpected keyword argument 'qubits'"),
        (dict(labels="wrong"), "unknown labels 'wrong'; known: true, shuffled"),
        (dict(protocol=dict(kind="leaky")), "unknown protocol 'leaky'; known: official"),
        (
            dict(protocol=dict(kind="grouped", folds=3)),
            "unknown option of protocol 'grouped' 'folds'; known: seed, threshold",
        ),
        (dict(head="dressed", backbone="vgg"), "unknown backbone 'vgg'; known: small_cnn"),
        (dict(dataset="kittens"), "unknown dataset 'kittens'; known: breastmnist"),
        (
            dict(data_options=dict(magnification=40)),
            "unknown option of dataset 'breastmnist' 'magnification'; known: ",
        ),
        (
            dict(dataset="breakhis", data_options=dict(cache="/somewhere")),
            "data_options hold what decides the data, not 'cache'",
        ),
        (dict(epochs=0), "epochs must be a whole number of at least 1, got 0"),
        (dict(balance="x"), "unknown balance 'x'"),
        (dict(size=0), "size must be a whole number of at least 1, got 0"),
        (dict(size="28"), "size must be a whole number of at least 1, got '28'"),
        (
            dict(max_train=1),
            "max_train must be a whole number of at least 2, got 1: None uses all training images",
        ),
        (
            dict(engine="torch", head="dressed"),
            "unknown engine 'torch'; known: fused, pennylane, sampled",
        ),
        (
            dict(fine_tune="frozen", augment="stain"),
            "cached features of a frozen backbone can be mirrored only: set augment='flip' or None",
        ),
        (
            dict(resize=0),
            "resize must be a whole number of at least 1, got 0: None keeps the images as they are",
        ),
    ],
)
def test_what_does_not_fit_is_named(row, message):
    with pytest.raises(StudyError) as caught:
        as_setting(row)
    assert str(caught.value).startswith(f"setting {row}: ")
    assert message in str(caught.value)


class OnlyPennyLane(Encoding):
    """An encoding that the fused engine does not know."""


def test_a_circuit_that_the_engine_cannot_run_is_refused_at_once(monkeypatch):
    monkeypatch.setitem(ENCODINGS, "mine", OnlyPennyLane())
    mine = dict(head="dressed", spec=dict(encoding="mine"))
    for head in ("dressed", "frozen", "study_shuffled"):
        with pytest.raises(StudyError, match="engine 'fused' does not know the encoding 'mine', "):
            as_setting({**mine, "head": head})
    assert as_setting({**mine, "engine": "pennylane"}).circuit.encoding == "mine"
    for head in ("matched", "linear"):  # they run no circuit
        assert as_setting({**mine, "head": head}).head == head


@pytest.mark.parametrize("augment", [None, "flip"])
def test_frozen_features_as_they_are_or_mirrored(augment):
    assert as_setting(dict(fine_tune="frozen", augment=augment)).fine_tune == "frozen"


def test_a_made_name_that_no_file_could_have_is_shortened():
    """Up to 240 bytes it says all; behind that its beginning, and a digest of the whole."""
    rest = len(as_setting({"weights": "w.pt"}).name) - 1
    longest = as_setting({"weights": "w" * (240 - rest) + ".pt"}).name
    assert len(longest) == 240
    assert longest == "small_cnn-28px-linear-weights-" + "w" * (240 - rest) + "-s0"
    whole = longest.replace("-s0", "w-s0")
    found = as_setting({"weights": "w" * (241 - rest) + ".pt"}).name
    assert found == f"{whole[:200]}-{hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:10]}"
    accents = as_setting({"weights": "wä" * 120 + ".pt"}).name
    assert len(accents.encode()) == 200 + 11 - 1, "half a letter is none"
    assert as_setting({"weights": "wä" * 120 + ".pt", "seed": 1}).name != accents
