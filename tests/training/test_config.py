"""The settings of a run are checked when they are made."""

import pytest

from hqnn_utils.training import TrainConfig, TrainingError


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


@pytest.mark.parametrize("bad", [dict(epochs=0), dict(batch_size=1), dict(epochs=-1)])
def test_sizes(bad):
    given = {"epochs": 40, "batch_size": 32, **bad}
    wanted = (
        r"^need epochs >= 1 and batch_size >= 2 \(batch norm\), "
        f"got {given['epochs']} and {given['batch_size']}$"
    )
    with pytest.raises(TrainingError, match=wanted):
        TrainConfig(**bad)
    assert TrainConfig(epochs=1, batch_size=2).epochs == 1


def test_words_may_be_missing():
    assert TrainConfig(balance=None, augment=None).augment is None
    for word in ("loss", "sampler"):
        assert TrainConfig(balance=word).balance == word
