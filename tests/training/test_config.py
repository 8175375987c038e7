"""The settings of a run are checked when they are made."""

import re

import numpy as np
import pytest

from hqnn_utils.training import TrainConfig


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(balance="both"), "unknown balance 'both'; known: loss, sampler"),
        (dict(augment="rotate"), "unknown augmentation 'rotate'; known: flip, stain"),
    ],
)
def test_unknown_words_are_named(bad, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        TrainConfig(**bad)


RATES = "must be a finite number of at least 0, got {}: 2e-3 suits a small network"
RATE = RATES.replace("of at least 0", "above 0")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(epochs=0), "epochs must be a whole number of at least 1, got 0"),
        (dict(epochs=2.5), "epochs must be a whole number of at least 1, got 2.5"),
        (dict(epochs="9"), "epochs must be a whole number of at least 1, got '9'"),
        (
            dict(batch_size=1),
            "batch_size must be a whole number of at least 2, got 1: batch norm cannot use",
        ),
        (dict(batch_size=True), "batch_size must be a whole number of at least 2, got True"),
        (
            dict(patience=0),
            "patience must be a whole number of at least 1, got 0: None never stops early",
        ),
        (
            dict(warmup=-1),
            "warmup must be a whole number of at least 0, got -1: 0 trains the backbone",
        ),
        (dict(warmup=None), "warmup must be a whole number of at least 0, got None"),
        (dict(seed=-1), "seed must be a whole number from 0 to 4294967295, got -1"),
        (dict(lr=0), "lr must be a finite number above 0, got 0: 2e-3 suits"),
        (dict(lr={"head": 0.0}), "lr must be above 0 for a part of the model, got"),
        (dict(epochs=2, warmup=2), "warmup=2 leaves none of 2 epochs for the backbone"),
        (
            dict(weight_decay=-0.1),
            "weight_decay must be a finite number of at least 0, got -0.1",
        ),
        (dict(lr=-1e-3), "lr " + RATE.format(-0.001)),
        (dict(lr=float("nan")), "lr " + RATE.format("nan")),
        (dict(lr=float("inf")), "lr " + RATE.format("inf")),
        (dict(lr="2e-3"), "lr " + RATE.format("'2e-3'")),
        (dict(lr=True), "lr " + RATE.format("True")),
        (dict(lr={"head": 0.1, "circuit": None}), "lr of 'circuit' " + RATES.format("None")),
    ],
)
def test_numbers_out_of_range_are_named(bad, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        TrainConfig(**bad)


def test_numbers_at_the_edge_of_their_range():
    edge = dict(epochs=1, batch_size=2, patience=1, warmup=0, seed=0, weight_decay=0, lr=1e-9)
    assert TrainConfig(**edge).patience == 1
    assert TrainConfig(patience=None).patience is None
    assert TrainConfig(epochs=np.int64(3), lr=np.float32(0.1)).epochs == 3
    assert TrainConfig(lr={"backbone": 0.0, "head": 1e-2}).lr["backbone"] == 0


def test_words_may_be_missing():
    assert TrainConfig(balance=None, augment=None).augment is None
    for word in ("loss", "sampler"):
        assert TrainConfig(balance=word).balance == word
