"""A trained metric in a band: wide enough for other processors, too narrow for a silent failure.

The numbers were measured on 2026-11-26 (torch 2.15, two cores), on phantoms, so that no download
is needed. A processor that rounds otherwise moves them by a few hundredths. A model that has
stopped learning, after an upgrade say, ends at its start: that is shown to fall outside.
"""

from functools import cache

import pytest

from hqnn_utils.data import load_breastmnist
from hqnn_utils.studies import run_setting

# AUC on the 156 test images and the training loss of the last epoch, seed 0.
MEASURED = {
    "linear": (0.911, 0.31),
    "dressed": (0.840, 0.537),
    "study_hybrid": (0.895, 0.336),
    "matched": (0.884, 0.44),
}
AUC, LOSS = 0.09, 0.11  # half the width of the bands


@cache
def phantoms():
    return load_breastmnist(28, "phantom")


def trained(head, lr, epochs=15):
    record = run_setting(
        dict(head=head, epochs=epochs, lr=lr, source="phantom", patience=None), phantoms()
    )
    return record.scores["test"]["auc"], record.history[-1]["loss"]


def in_band(head, auc, loss):
    wanted, reached = MEASURED[head]
    return abs(auc - wanted) <= AUC and abs(loss - reached) <= LOSS


@pytest.mark.parametrize("head", MEASURED)
def test_a_model_still_learns(head):
    auc, loss = trained(head, lr=1e-2)
    assert in_band(head, auc, loss), f"AUC {auc:.3f}, loss {loss:.3f}; {MEASURED[head]} expected"


@pytest.mark.parametrize("head", ["linear", "dressed"])
def test_a_model_that_does_not_learn_is_noticed(head):
    assert not in_band(head, *trained(head, lr=1e-9, epochs=2))
