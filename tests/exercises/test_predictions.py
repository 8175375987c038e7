"""Predictions are kept, confronted with what was seen, and listed; nothing is graded."""

import numpy as np
import pandas as pd
import pytest
import torch

from hqnn_utils.exercises import predict, predictions, reveal
from hqnn_utils.exercises.predictions import Prediction, _made


@pytest.fixture(autouse=True)
def _nothing_predicted_yet():
    _made.clear()


def test_what_is_left_open():
    assert repr(predict("98.a")) == "OPEN: replace the ... by your prediction before you go on."
    assert repr(predict("98.b", ..., choices=("up", "down"))) == (
        "OPEN: replace the ... by your prediction before you go on. Choose one of 'down', 'up'."
    )
    assert repr(predict("98.c", "sideways", choices=("up", "down"))) == (
        "OPEN: 'sideways' is none of the choices. Choose one of 'down', 'up'."
    )
    assert repr(reveal("98.a", 3)) == "You made no prediction. Seen: 3."
    assert repr(reveal("98.c", "up", "It rose by 2.")) == (
        "You made no prediction. Seen: up. It rose by 2."
    )
    assert repr(reveal("98.never_asked", 0.5)) == "You made no prediction. Seen: 0.5."


def test_choices():
    noted = predict("98.a", " UP. ", choices=("up", "down"))
    assert repr(noted) == "NOTED: up. You will be shown what happened."
    assert reveal("98.a", "up").outcome == "as predicted"
    assert reveal("98.a", "down").outcome == "not as predicted"
    predict("98.n", 2, choices=(1, 2))
    assert repr(reveal("98.n", 2)) == "You predicted 2. Seen: 2 (as predicted)."


@pytest.mark.parametrize(
    ("said", "seen", "unit", "message"),
    [
        (0.7, 0.8125, "", "You predicted 0.7. Seen: 0.8125 (0.113 away)."),
        (10, 12, " images", "You predicted 10 images. Seen: 12 images (2 images away)."),
        (
            np.float64(80),
            torch.tensor(73.1),
            " %",
            "You predicted 80 %. Seen: 73.1 % (6.9 % away).",
        ),
        (5, np.array([7]), "", "You predicted 5. Seen: [7] (2 away)."),
        ("it falls", 0.3, "", "You predicted it falls. Seen: 0.3."),
        ("it falls", "it rises", "", "You predicted it falls. Seen: it rises."),
        (True, 1, "", "You predicted True. Seen: 1."),
        (np.bool_(True), 1, "", "You predicted True. Seen: 1."),
        ([1, 2], 1, "", "You predicted [1, 2]. Seen: 1."),
        (None, 1, "", "You predicted None. Seen: 1."),
        (float("nan"), 1, "", "You predicted nan. Seen: 1."),
    ],
)
def test_confronted(said, seen, unit, message):
    assert repr(predict("98.x", said, unit=unit)).startswith("NOTED: ")
    assert repr(reveal("98.x", seen)) == message
    assert repr(reveal("98.x", seen, "Why.")) == f"{message} Why."


def test_listed_in_their_order():
    predict("98.first", 0.5, unit=" s")
    predict("97.other", 1)
    predict("98.open")
    predict("98.word", "up", choices=("up", "down"))
    predict("98.unseen", 4)
    reveal("98.word", "up")
    reveal("98.first", 0.75)
    reveal("98.late", 3)
    table = predictions("98")
    assert table.index.tolist() == ["first", "open", "word", "unseen", "late"]
    assert table.index.name == "prediction"
    pd.testing.assert_frame_equal(
        table.reset_index(drop=True),
        pd.DataFrame(
            {
                "predicted": ["0.5 s", "open", "up", "4", "open"],
                "seen": ["0.75 s", "", "up", "", "3"],
                "outcome": ["0.25 s away", "", "as predicted", "", ""],
            }
        ),
    )
    assert predictions("97").index.tolist() == ["other"]
    assert len(predictions("96")) == 0


def test_a_new_prediction_starts_anew():
    predict("98.a", 1)
    predict("98.b", 1)
    reveal("98.a", 2)
    predict("98.a", 3)
    table = predictions("98")
    assert table.loc["a"].tolist() == ["3", "", ""]
    assert table.index.tolist() == ["a", "b"], "its place stays"


def test_what_was_said_before_stays_when_it_is_confronted_again():
    predict("98.a", 1, unit=" m")
    first, second = reveal("98.a", 2), reveal("98.a", 5)
    assert (first.seen, second.seen) == (2, 5)
    assert second.outcome == "4 m away"
    assert isinstance(second, Prediction)
